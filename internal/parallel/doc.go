// Package parallel runs a function over many items on a few goroutines. It
// differs from errgroup in two ways: a worker has a number, under which its
// scratch memory can be kept, and a panic reaches the goroutine that called,
// where the boundary that recovers it stands.
//
// [Do] and [Ordered] start their goroutines and wait for them: none outlives the
// call.
package parallel
