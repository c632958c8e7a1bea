// Package npy reads and writes NumPy's arrays of one or two dimensions, one after
// another in a stream, a row at a time. What it holds is one row, whatever a header
// says of the array.
package npy
