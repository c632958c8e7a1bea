package indexer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestPushMends damages the files of a domain that was pushed with its vectors,
// on a server that has no document database: pushing the same operations again,
// oldest first, brings every commit and head back as they were, and whole
// commits are refused as ever.
func TestPushMends(t *testing.T) {
	l2 := catalog.SettingsRequest{Dim: 3, Metric: catalog.MetricL2, Normalize: new(bool)}
	history := []struct {
		commit, branch, parent string
		ops                    []contract.Op
	}{
		{"c1", "main", "", []contract.Op{with("d/A/1", "one", 1, 0, 0), with("d/A/2", "two", 0, 2, 0), with("d/A/3", "three", 0, 0, 3)}},
		{"c2", "main", "", []contract.Op{with("d/A/2", "two again", 0, 5, 0), with("d/A/4", "four", 4, 4, 0)}},
		{"c3", "main", "", []contract.Op{{Kind: contract.Delete, ID: "d/A/1"}, with("d/A/5", "five", 5, 0, 5)}},
		{"f1", "fan", "c1", []contract.Op{with("d/A/6", "six", 6, 6, 6)}},
	}
	observe := func(h *harness) string {
		var b strings.Builder
		for _, c := range history {
			for _, hit := range h.byVector(c.commit, 9, 0, 0, 0) {
				fmt.Fprintf(&b, "%s %s %g\n", c.commit, hit.ID, hit.Distance)
			}
			for _, hit := range h.searchMode(c.commit, "two", search.ModeText, search.Filter{}, 9) {
				fmt.Fprintf(&b, "%s by words %s\n", c.commit, hit.ID)
			}
		}
		for _, branch := range []string{"main", "fan"} {
			head, err := h.Head(domain, branch)
			fmt.Fprintf(&b, "%s %s %v\n", branch, head.Commit, err)
		}
		return b.String()
	}
	alone := func(c *indexer.Config) { c.Source = nil }
	push := func(h *harness, commit, branch, parent string, ops []contract.Op) error {
		p, err := h.StartPush(t.Context(), indexer.PushRequest{Domain: domain, Branch: branch, Commit: commit, Parent: parent, Settings: l2})
		if err != nil {
			return err
		}
		for _, op := range ops {
			if err := p.Apply(op); err != nil {
				p.Abort(err)
			}
		}
		p.Finish()
		<-p.Done()
		return p.Err()
	}
	flip := func(at int) func(b []byte) []byte {
		return func(b []byte) []byte {
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			return b
		}
	}
	remove := func([]byte) []byte { return nil }
	for _, tt := range []struct {
		name, file string
		change     func(b []byte) []byte
		mended     string // commits whose push is taken
		alone      string // a commit that is served all the while
	}{
		{"first commit lost", "admin%2Ftest@c1.hnsw", remove, "c1", ""},
		{"header of the first", "admin%2Ftest@c1.hnsw", flip(40), "c1", ""},
		{"entries of the first", "admin%2Ftest@c1.hnsw", flip(-60), "c1", ""},
		{"second commit lost", "admin%2Ftest@c2.hnsw", remove, "c2", "f1"},
		{"entries of the second", "admin%2Ftest@c2.hnsw", flip(-60), "c2", "f1"},
		{"texts of the second", "admin%2Ftest@c2.hnsw", flip(330), "c2", "f1"},
		{"last commit", "admin%2Ftest@c3.hnsw", flip(40), "c3", "f1"},
		{"a vector of the first", vecsName, flip(4096 + 5), "c1", "f1"},
		{"header of the vectors", vecsName, flip(100), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			emb := &indexertest.Embedder{Fail: func([]string) error { return fmt.Errorf("%w: nobody may ask", contract.ErrProvider) }}
			mem := vfstest.NewMem()
			h := openPush(t, mem, emb, alone)
			for _, c := range history {
				if err := push(h, c.commit, c.branch, c.parent, c.ops); err != nil {
					t.Fatal(err)
				}
			}
			want := observe(h)
			h.close()
			if b := tt.change(mustRead(t, mem, tt.file)); b == nil {
				if err := mem.Remove(tt.file); err != nil {
					t.Fatal(err)
				}
			} else {
				mem.WriteFile(tt.file, b)
			}
			h = openPush(t, mem, emb, alone)
			if tt.alone != "" {
				h.byVector(tt.alone, 9, 0, 0, 0)
			}
			for _, c := range history {
				err := push(h, c.commit, c.branch, c.parent, c.ops)
				if strings.Contains(tt.mended, c.commit) {
					if err != nil {
						t.Errorf("%s was not taken again: %v", c.commit, err)
					}
				} else if !errors.Is(err, contract.ErrConflict) {
					t.Errorf("%s: %v, want a conflict", c.commit, err)
				}
			}
			if got := observe(h); got != want {
				t.Errorf("after the mend\n%swant\n%s", got, want)
			}
			h.close()
			noFindings(t, mem)
			h = openPush(t, mem, emb, alone)
			defer h.close()
			if got := observe(h); got != want {
				t.Errorf("after a restart\n%swant\n%s", got, want)
			}
		})
	}
}

// TestIndexMendsWithoutSource: what an indexed commit's own files say is enough
// to mend it, without a document database.
func TestIndexMendsWithoutSource(t *testing.T) {
	emb := &indexertest.Embedder{}
	mem := vfstest.NewMem()
	alone := func(c *indexer.Config) { c.Source = nil }
	h := openPush(t, mem, emb, alone)
	h.mustPush("main", "", "c1", put("d/A/1", "red fish"), put("d/A/2", "blue bird"))
	h.close()
	flipVector(t, mem, "red fish")
	h = openPush(t, mem, emb, alone)
	defer h.close()
	if _, err := h.Index(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "other"}); !errors.Is(err, contract.ErrNotConfigured) {
		t.Errorf("a commit that is not indexed: %v", err)
	}
	if task := h.mustIndex("c1", ""); task.Embedded != 1 {
		t.Errorf("%+v", task)
	}
	if hits := h.search("c1", "red fish", 2); len(hits) != 2 || hits[0].ID != "d/A/1" || hits[0].Distance != 0 {
		t.Errorf("%+v", hits)
	}
}

// TestAssignMends: a damaged name of a commit is made anew by giving it again,
// and moves no head.
func TestAssignMends(t *testing.T) {
	mem := vfstest.NewMem()
	h := openPush(t, mem, &indexertest.Embedder{})
	h.mustPush("main", "", "c1", put("d/A/1", "red fish"))
	assign := func() {
		t.Helper()
		if err := h.Assign(t.Context(), domain, "main", "c1", "name"); err != nil {
			t.Fatal(err)
		}
	}
	assign()
	h.mustPush("main", "", "c2", put("d/A/2", "blue bird"))
	h.close()
	spoil(t, mem, "admin%2Ftest@name.hnsw", func(b []byte) []byte { b[20] ^= 1; return b })
	h = openPush(t, mem, &indexertest.Embedder{})
	defer h.close()
	assign()
	h.wantHead("main", "c2")
	h.wantTexts("name", "d/A/1", "red fish")
	noFindings(t, mem)
}

func mustRead(t *testing.T, mem *vfstest.Mem, name string) []byte {
	t.Helper()
	b, err := mem.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
