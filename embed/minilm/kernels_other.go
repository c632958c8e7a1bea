//go:build !amd64

package minilm

// available returns the implementations that the machine runs, the best first.
func available() []*kernels { return []*kernels{&portable} }
