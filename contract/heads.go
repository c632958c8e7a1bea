package contract

import (
	"context"
	"iter"
	"time"
)

// Heads is a document database seen as branches that move. A Source that is one
// too can be watched. Implementations are used by many goroutines at once. Errors
// wrap ErrNotFound (no such database, branch or commit) or ErrSource.
type Heads interface {
	// Heads returns the heads of all branches that have a commit, by name.
	Heads(ctx context.Context, domain string) (map[string]string, error)
	// Head returns the commit that one branch points at; "" for none.
	Head(ctx context.Context, domain, branch string) (string, error)
	// Ancestry yields a commit and its ancestors, newest first.
	Ancestry(ctx context.Context, domain, commit string) iter.Seq2[Ancestor, error]
}

// Ancestor is a commit of a history.
type Ancestor struct {
	Commit string
	Time   time.Time // when it was made; zero when not known
	// Author and Message are what the database says of it, "" for nothing.
	Author, Message string
}
