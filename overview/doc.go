// Package overview tells what there is at a commit as a whole: its documents in groups
// ([Overview.Clusters]), what became of these ([Overview.ClustersDiff]), and places for
// all documents in the plane ([Overview.Map]).
//
// All go by the nearest neighbours of every document (neighbours.go), which package
// cluster makes groups and places of. What is found is kept in the reader's pool beside
// the snapshots, by what the snapshot holds: it is found once for all who ask at the same
// time, again after it had to make room, and never for a merge. A map goes on from that
// of the commit before.
//
// Like package search, of whose snapshots it reads, it writes nothing.
package overview

import "github.com/vectorlink/vectorlink/search"

// Overview answers requests from the snapshots of a [search.Reader]. It may be used by
// many goroutines at once.
type Overview struct{ r *search.Reader }

// New returns the Overview of what a Reader reads.
func New(r *search.Reader) *Overview { return &Overview{r} }
