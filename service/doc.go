// Package service holds what every door to vectorlink needs, whatever protocol
// it speaks: names of domains with what they refer to ([GraphSpec]), the codec of
// operations ([OpReader]) and of vectors, and the [Service] itself, which answers
// requests from the snapshots of a data directory and writes to it unless it is
// opened for reading only.
package service
