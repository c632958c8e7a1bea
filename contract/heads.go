package contract

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
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
	About  // what the database says of it
}

// About is what is said of a commit by who made it, or by the database that it is of.
// What is not known is empty.
type About struct {
	Author  string    `json:"author,omitempty" param:"author" placeholder:"NAME" help:"Who made the commit."`
	Message string    `json:"message,omitempty" param:"message" help:"What the commit is about, for people."`
	Time    time.Time `json:"committed,omitzero"` // when it was made, in whole seconds
}

// MaxAuthorBytes and MaxMessageBytes bound what is kept of an About.
const (
	MaxAuthorBytes  = 256
	MaxMessageBytes = 4096
)

// Check refuses what cannot be kept as it is.
func (a About) Check() error {
	for _, t := range []struct {
		name, text string
		most       int
	}{{"author", a.Author, MaxAuthorBytes}, {"message", a.Message, MaxMessageBytes}} {
		if len(t.text) > t.most || !utf8.ValidString(t.text) {
			return fmt.Errorf("%w: %s must be UTF-8 of at most %d bytes", ErrInvalid, t.name, t.most)
		}
	}
	return nil
}

// maxSeconds bounds the times that are kept, in seconds after 1970.
const maxSeconds = 1 << 40

// Kept returns what can be kept of an About: texts cut to their bounds at the end of a
// character, the second of the time.
func (a About) Kept() About {
	cut := func(text string, most int) string {
		return strings.ToValidUTF8(text[:min(len(text), most)], "")
	}
	a.Author, a.Message = cut(a.Author, MaxAuthorBytes), cut(a.Message, MaxMessageBytes)
	a.Time = atSecond(a.Seconds())
	return a
}

// Seconds returns the time as seconds after 1970, 0 for one that is not kept.
func (a About) Seconds() int64 {
	if s := a.Time.Unix(); s > 0 && s <= maxSeconds {
		return s
	}
	return 0
}

func atSecond(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// Said returns the About of these texts and a time in seconds after 1970, 0 for none.
func Said(author, message string, seconds int64) About {
	return About{Author: author, Message: message, Time: atSecond(seconds)}
}
