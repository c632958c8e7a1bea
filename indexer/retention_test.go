package indexer_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestRetention keeps what the settings keep, after each commit and from the start on,
// and never prunes a tagged commit or a branch's last one.
func TestRetention(t *testing.T) {
	src, mem := indexertest.NewSource(), vfstest.NewMem()
	log := new(lines)
	keep := func(n int, dry bool) func(*indexer.Config) {
		return func(c *indexer.Config) {
			flat(c)
			c.Retention = func(d string) indexer.Retention {
				if d != domain {
					return indexer.Retention{}
				}
				return indexer.Retention{KeepLast: n}
			}
			c.RetentionDryRun = dry
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
		}
	}
	n := 0
	next := func(h *harness) {
		n++
		src.Commit("main", fmt.Sprint("k", n), indexertest.Change{Put: docs(fmt.Sprint("d/A/", n), fmt.Sprint("word", n))})
		h.mustIndex(fmt.Sprint("k", n), "main")
		h.settle()
	}
	pruned := func(h *harness) []string {
		list, err := h.PrunedCommits(domain)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	h := open(t, mem, src, &indexertest.Embedder{}, flat)
	for range 6 {
		next(h)
	}
	if err := h.Tag(t.Context(), domain, "k2", "v1"); err != nil {
		t.Fatal(err)
	}
	h.close()

	h = open(t, mem, src, &indexertest.Embedder{}, keep(2, true))
	h.settle()
	next(h)
	if got := pruned(h); len(got) > 0 || !strings.Contains(log.String(), "would be pruned") {
		t.Errorf("a dry run has pruned %v, and logged %s", got, log)
	}
	h.close()

	h = open(t, mem, src, &indexertest.Embedder{}, keep(2, false))
	h.settle()
	if got := pruned(h); !slices.Equal(got, []string{"k3", "k4", "k5"}) { // k1 is what others stand on
		t.Errorf("at the start %v are pruned", got)
	}
	next(h)
	if got := pruned(h); !slices.Equal(got, []string{"k3", "k4", "k5", "k6"}) {
		t.Errorf("after a commit %v are pruned", got)
	}
	for _, c := range []string{"v1", "k7", "k8"} {
		if _, err := h.Search(t.Context(), search.SearchRequest{Domain: domain, Ref: search.Ref{Commit: c}, Text: "word1", Options: search.Options{Page: search.Page{Count: 1}}}); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	if !strings.Contains(log.String(), `msg="commits pruned"`) {
		t.Errorf("the log does not tell: %s", log)
	}
}

// TestPruneMost prunes a few commits at a time: what is left stands.
func TestPruneMost(t *testing.T) {
	src := indexertest.NewSource()
	h := open(t, vfstest.NewMem(), src, &indexertest.Embedder{}, flat)
	for n := range 7 {
		src.Commit("main", fmt.Sprint("k", n), indexertest.Change{Put: docs(fmt.Sprint("d/A/", n), fmt.Sprint("word", n))})
		h.mustIndex(fmt.Sprint("k", n), "main")
	}
	h.settle()
	var all []string
	for {
		got := h.prune(indexer.PruneRequest{KeepLast: 2, Most: 2, Apply: true})
		if all = append(all, got...); len(got) < 2 {
			break
		}
		noFindings(t, h.fs)
	}
	slices.Sort(all)
	if h.wantPruned(all...); len(all) != 4 {
		t.Errorf("%v are pruned", all)
	}
}
