package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
)

// Database is a document database in the making, for TestSource.
type Database struct {
	Source contract.Source
	Domain string
	// Commit makes the documents on branch main those given, texts by short
	// id, and returns the commit's id. It makes one in any case.
	Commit func(t *testing.T, documents map[string]string) string
	// ID returns a document's id, as operations have it, for a short one. nil:
	// they are the same.
	ID func(short string) string
	// Text returns the text of an Upsert; nil: Op.Text.
	Text func(t *testing.T, op contract.Op) string
}

// TestSource holds a source to what the pipeline builds on. It makes commits,
// pulls each from several bases, and compares what becomes of them; of a source
// that is a contract.Heads too it checks branches and ancestors.
func TestSource(t *testing.T, db Database) {
	if db.ID == nil {
		db.ID = func(short string) string { return short }
	}
	if db.Text == nil {
		db.Text = func(_ *testing.T, op contract.Op) string { return op.Text }
	}
	history := []map[string]string{
		{"A/1": "rain", "A/2": "tea", "A/3": "late"},
		{"A/1": "sun", "A/2": "tea", "A/3": "late"},             // one changed
		{"A/1": "sun", "A/2": "tea", "A/4": "new"},              // one deleted, one added
		{"A/1": "rain", "A/2": "tea", "A/3": "back", "A/4": ""}, // one back, one empty
	}
	var commits []string
	for _, documents := range history {
		commits = append(commits, db.Commit(t, documents))
	}
	want := func(n int) map[string]string {
		full := map[string]string{}
		for short, text := range history[n] {
			full[db.ID(short)] = text
		}
		return full
	}
	for n := range commits {
		for base := -1; base < n; base++ {
			t.Run(fmt.Sprintf("commit %d from %d", n, base), func(t *testing.T) {
				req := contract.PullRequest{Domain: db.Domain, Commit: commits[n], Branch: contract.MainBranch}
				req.Indexed = func(commit string) bool { return base >= 0 && commit == commits[base] }
				snapshot := map[string]string{}
				if base >= 0 {
					// Proposed as well, for sources that know no history.
					req.Previous = commits[base]
				}
				pull := db.pull(t, req)
				switch {
				case pull.Base != "" && !req.Indexed(pull.Base):
					t.Fatalf("the base %q is not indexed", pull.Base)
				case pull.Base != "":
					snapshot = want(base)
				}
				if got := db.apply(t, pull, snapshot); !maps.Equal(got, want(n)) {
					t.Errorf("documents %q, want %q", got, want(n))
				}
				if !pull.OnBranch {
					t.Error("the commit does not lie on main")
				}
			})
		}
	}
	last := len(commits) - 1
	t.Run("tried again", func(t *testing.T) {
		unchanged := db.ID("A/2")
		pull := db.pull(t, contract.PullRequest{
			Domain: db.Domain, Commit: commits[last], Previous: commits[last-1],
			Indexed: func(commit string) bool { return commit == commits[last-1] },
			Again:   func(string) []string { return []string{unchanged} },
		})
		snapshot := map[string]string{}
		if pull.Base != "" {
			snapshot = want(last - 1)
			delete(snapshot, unchanged)
		}
		if got := db.apply(t, pull, snapshot); !maps.Equal(got, want(last)) {
			t.Errorf("documents %q, want %q", got, want(last))
		}
	})
	t.Run("unknown", func(t *testing.T) {
		for _, req := range []contract.PullRequest{
			{Domain: db.Domain, Commit: "nosuchcommit"}, {Domain: "no/such", Commit: commits[0]},
		} {
			req.Indexed = func(string) bool { return false }
			if _, err := db.Source.Pull(t.Context(), req); !errors.Is(err, contract.ErrNotFound) {
				t.Errorf("commit %s of %s: %v, want ErrNotFound", req.Commit, req.Domain, err)
			}
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := contract.PullRequest{Domain: db.Domain, Commit: commits[0], Indexed: func(string) bool { return false }}
		if pull, err := db.Source.Pull(ctx, req); err == nil {
			for _, opErr := range pull.Ops {
				err = errors.Join(err, opErr)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the context's error", err)
			}
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the context's error", err)
		}
	})
	if heads, ok := db.Source.(contract.Heads); ok {
		t.Run("heads", func(t *testing.T) { testHeads(t, heads, db.Domain, commits) })
	}
}

func (db Database) pull(t *testing.T, req contract.PullRequest) *contract.Pull {
	t.Helper()
	pull, err := db.Source.Pull(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return pull
}

// apply does with a snapshot what the pipeline does.
func (db Database) apply(t *testing.T, pull *contract.Pull, snapshot map[string]string) map[string]string {
	t.Helper()
	named := map[string]bool{}
	for op, err := range pull.Ops {
		if err != nil {
			t.Fatal(err)
		}
		if named[op.ID] {
			t.Errorf("%s is named twice", op.ID)
		}
		named[op.ID] = true
		switch op.Kind {
		case contract.Upsert:
			snapshot[op.ID] = db.Text(t, op)
		case contract.Delete:
			delete(snapshot, op.ID)
		case contract.Failed:
			t.Errorf("%s cannot be read: %v", op.ID, op.Err)
		}
	}
	if pull.Complete {
		maps.DeleteFunc(snapshot, func(id string, _ string) bool { return !named[id] })
	}
	return snapshot
}

func testHeads(t *testing.T, heads contract.Heads, domain string, commits []string) {
	last := commits[len(commits)-1]
	all, err := heads.Heads(t.Context(), domain)
	if err != nil || all[contract.MainBranch] != last {
		t.Errorf("heads %v, %v; want main at %s", all, err, last)
	}
	if head, err := heads.Head(t.Context(), domain, contract.MainBranch); err != nil || head != last {
		t.Errorf("head of main %q, %v; want %s", head, err, last)
	}
	if _, err := heads.Head(t.Context(), domain, "nosuchbranch"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("an unknown branch: %v, want ErrNotFound", err)
	}
	var line []string
	for ancestor, err := range heads.Ancestry(t.Context(), domain, last) {
		if err != nil {
			t.Fatal(err)
		}
		line = append(line, ancestor.Commit)
	}
	slices.Reverse(line)
	// There may be others before the first.
	if n := len(line) - len(commits); n < 0 || !slices.Equal(line[n:], commits) {
		t.Errorf("ancestry %v, want one that ends in %v", line, commits)
	}
}
