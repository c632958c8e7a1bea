package contract

import (
	"context"
	"iter"
	"strings"
)

// MainBranch is the branch meant where none is named.
const MainBranch = "main"

// MaxIDBytes bounds a document's id.
const MaxIDBytes = 8 << 10

// MaxRefBytes bounds the names of commits and branches.
const MaxRefBytes = 512

// Source is a document database with history, seen as what must be done to
// turn the snapshot of an ancestor into that of a commit. Implementations are
// used by many goroutines at once.
type Source interface {
	// Pull looks the commit up and begins to list its operations. Errors
	// wrap ErrNotFound (no such database or commit) or ErrSource (anything
	// else that is not the caller's doing).
	Pull(ctx context.Context, req PullRequest) (*Pull, error)
}

// PullRequest names the commit to pull.
type PullRequest struct {
	Domain string // org/db
	Commit string
	Branch string // the branch whose head may move to Commit
	// Head is Branch's last indexed commit, or "": the head never moves back
	// from it to one of its own ancestors.
	Head string
	// Previous, when not empty, is an indexed commit the caller proposes as
	// base; it is honoured only if it is an ancestor of Commit.
	Previous string
	// Indexed reports whether a commit of this domain has a snapshot that
	// can serve as base.
	Indexed func(commit string) bool
	// Again returns documents that the snapshot of an indexed commit does not
	// hold as that commit does, because they could not be read or embedded
	// then. Whoever builds on it names them, whether they changed or not:
	// that is how they are tried again. It returns at most maxAgain.
	Again func(commit string) []string
}

// Pull is a running pull.
type Pull struct {
	// Base is the indexed commit that the operations build on: the nearest
	// indexed ancestor in the database's own history. Empty: none, the
	// operations start from nothing.
	Base string
	// About is what the database says of the commit.
	About About
	// OnBranch reports whether Commit lies on the requested branch, and not
	// below PullRequest.Head, so that the branch's head moves to it.
	OnBranch bool
	// Complete says that Ops names every document of the commit: documents
	// of Base that it does not name are gone.
	Complete bool
	// Total is the number of operations to expect; 0 when not known.
	Total int
	// Ops yields the operations. It is ranged over at most once, by one
	// goroutine; an error ends it and fails the pull. The Op's byte slices
	// are the consumer's to keep.
	Ops iter.Seq2[Op, error]
}

// OpKind says what an operation does. The numbers are written out because
// operations may be staged on disk.
type OpKind uint8

const (
	// Upsert inserts the document or replaces it whole.
	Upsert OpKind = 1
	// Delete removes the document; an unknown id is no error.
	Delete OpKind = 2
	// Failed reports a document (or, with an empty ID, a class) that could
	// not be read: it is listed as skipped, and a version that the base
	// holds stays.
	Failed OpKind = 3
)

// Op is one operation on one document.
type Op struct {
	Kind OpKind
	ID   string // the document's full IRI
	Int  bool   // ID is the shortest decimal form of an integer, which is the key
	Type string // its class; empty: taken from the ID (DocType)
	// Text is the document's text. Where Template is set instead, the text
	// is that template rendered over Data, a JSON object.
	Text     string
	Template string
	// NoText says that there is no text, which is not an empty one. Only a
	// document that brings its Vector may have none.
	NoText bool
	// Vector, where not nil, is the document's: it has then one chunk, the
	// whole text, and nothing is embedded. An empty one says that the document has
	// none, and no vector search finds it.
	Vector []float32
	Data   []byte
	// Fields are what filters know of the document, and what hits can bring:
	// canonical JSON, as package fields makes it. Empty: none.
	Fields string
	// Ignored counts what its sender says besides and nobody reads.
	Ignored int
	Err     error // Failed: the reason, fit for the user
	// Lasting is of Failed: it fails as long as its class is as it is, and all
	// of the class is named when that changes. It is not tried again before.
	Lasting bool
}

// Renderer turns documents into texts. It is used by many goroutines at once.
type Renderer interface {
	// Render renders template over data, one JSON object. An error concerns
	// this document alone and names no document text.
	Render(ctx context.Context, template string, data []byte) (string, error)
}

// DocType returns the class that an id names (wire contract §7.1): of what
// follows "///", or else of the whole id, the second-last path segment;
// "unknown" where there is none.
func DocType(id string) string {
	if _, rest, ok := strings.Cut(id, "///"); ok {
		if t, ok := secondLast(rest); ok {
			return t
		}
	}
	if t, ok := secondLast(id); ok {
		return t
	}
	return "unknown"
}

func secondLast(path string) (string, bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", false
	}
	path = path[:i]
	return path[strings.LastIndexByte(path, '/')+1:], true
}
