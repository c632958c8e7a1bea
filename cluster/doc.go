// Package cluster groups vectors and lays them out in the plane, by the nearest
// neighbours of each.
//
// A [Graph] is made of every node's nearest neighbours (NewGraph, by the weights of
// UMAP). [Leiden] parts it into communities, at a resolution; [KMeans] parts the
// vectors themselves into a given number; [Place] gives each node two coordinates,
// near ones together. [Match] says what became of the clusters of one moment at
// another.
//
// Nothing here is random: where an algorithm asks for chance it gets a hash of the
// nodes' keys. Equal input gives equal output, with any number of workers. Nothing
// here knows documents, commits or files.
package cluster
