package textindex_test

import (
	"iter"
	"testing"

	"github.com/vectorlink/vectorlink/textindex"
)

// id returns the identity of a commit of the tests' domain.
func id(commit string) textindex.Identity {
	return textindex.Identity{Domain: "org/db", Commit: commit, Seq: 1, Checkpoint: true, Analyzer: textindex.English}
}

func seq(texts ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range texts {
			if !yield(text, nil) {
				return
			}
		}
	}
}

func build(t testing.TB, id textindex.Identity, texts ...string) *textindex.Segment {
	t.Helper()
	s, err := textindex.Build(id, seq(texts...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
