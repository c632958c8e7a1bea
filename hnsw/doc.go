// Package hnsw is the approximate nearest-neighbour index of a checkpoint: a
// hierarchical navigable small-world graph over vector slots.
//
// A [Graph] holds no vectors and no document: its nodes are slots of the
// domain's vector file; the caller of a search passes the vectors ([Vectors]) and
// says which slots count (live). Similarity is the inner
// product, or minus half the squared Euclidean distance: larger is nearer; the
// metric and its distances live above.
//
// A graph is immutable. [Build] makes one from a set of slots, [Graph.Extend]
// one from another at the cost of what differs, [Graph.Search] walks it,
// [Graph.AppendTo] and [Decode] turn it into its section of a commit file and
// back (FORMAT.md). Sets too small for a graph, and the slots added
// since, are searched with [Scan].
//
// # How
//
// Every node belongs to the ground layer and, with probability M^-l, to layer
// l. Nodes are numbered by level, highest first, so that a layer is a prefix of
// the numbering and an upper layer needs no table of its members. Level and
// insertion order come from a hash of the slot number; there is no random state,
// and the numbers of a build are the same on every machine.
//
// Build inserts batch by batch. All nodes of a batch search the graph as it
// stood before the batch, in parallel, and are compared with the batch-mates
// ahead of them; then the reverse links, grouped by the node they start from,
// are added in parallel. Since no step depends on which worker runs it, the
// same input gives the same bytes whatever the number of workers. Inserting the
// highest levels first makes every layer a new node joins hold the same nodes,
// so that one search of the ground layer serves them all. A last pass makes
// every node reachable from node 0 in the ground layer, which every search
// starts from too: what is live can be found.
//
// Extend copies a graph. Nodes that lose neighbours choose their links again
// among those left and the neighbours of the lost ones, by the rule of Build.
// New nodes, and those that found too few, are then inserted batch by batch
// into a graph that has nodes of every level, so each layer is searched by
// itself. Levels are those that a Build of the same slots gives: as a graph
// grows, its highest nodes rise. The last pass is that of Build.
//
// # Concurrency and durability
//
// A Graph may be used by any number of goroutines; so must the [Vectors] given
// to a search, a build or an extension. Nothing here touches a file: the commit
// file around the section carries identity and checksums.
package hnsw
