// Package vector computes with float32 vectors: dot products, unit length,
// distances.
//
// The arithmetic is defined once and does not depend on the machine: products
// and sums are separate float32 roundings (never fused), summed in 16 lanes
// that are folded in a fixed order. A portable loop and a SIMD kernel of any
// width can therefore give the same bits, so that a distance printed on one
// machine is the distance on every other. (A NaN is a NaN; which one comes out of
// several is not defined.) Products of 8-bit codes are exact integers.
//
// On amd64 the loops are assembly for AVX-512 (with VNNI) or AVX2, written by
// the program in kernels and chosen when the process starts; elsewhere they are
// Go. All functions are safe for concurrent use.
package vector
