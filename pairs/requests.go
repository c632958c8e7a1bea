package pairs

import (
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/search"
)

// DuplicatesRequest asks for pairs of near-equal documents.
type DuplicatesRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    search.Ref
	// Threshold is the largest distance kept, inclusive; below 0, which only a
	// likeness may go with, there is none.
	Threshold float32 `param:"threshold" without:"-1" help:"Compare by the distance of vectors alone, and list what is within this one, from 0 (the same text) to 1."`
	Pairing   Pairing `embed:""`
	Set       search.Filter
	// Target, when it restricts anything, is where the partner of each
	// document of Set is looked for; otherwise partners come from Set.
	Target search.Filter `param:"target_doc_type,target_doc_id,target_filter"`
	// Since, when not empty, is an indexed commit: only pairs that came
	// about since are listed, that is pairs of which at least one document
	// is new or has another text there, and which were no pair within
	// Threshold there.
	Since   string      `param:"since" kind:"commit" placeholder:"ID" help:"List only pairs that came about since this indexed commit."`
	Decided Decided     `embed:""`
	Page    search.Page `default:"none"` // Count 0: all
	Snippet bool        `param:"snippet" help:"Also tell the beginnings of the texts."`
}

// Pairs is the answer to a duplicates request.
type Pairs struct {
	Commit string
	Pairs  []Pair
	// Groups are there in the place of Pairs where documents are matched to
	// groups, the best first.
	Groups    []Group
	Damaged   []string // as of Hits
	Decisions string   // the number up to which they are applied, "none", or "" where they are not
	// Warnings are as of Hits.
	Warnings []string
}

// Pair is two documents, the lower id first.
type Pair struct {
	A, B     PairMember
	Distance float32
	Alike    *Alike          // nil where only the distance counts
	Decided  catalog.Verdict // "" for nothing
}

// PairMember is one side of a Pair.
type PairMember struct {
	ID      string
	Snippet string // when asked for
}
