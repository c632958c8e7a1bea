package indexer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/search"
)

// TestShapesOfHistory indexes histories that are hard on an index that grows by
// commits, and holds every tenth of their commits, the last one and those on
// branches against brute force and, where there is a graph, against a fresh
// build.
func TestShapesOfHistory(t *testing.T) {
	size := sizeOfSweep()
	size.commits, size.changes = 20, size.documents/60
	if size.long {
		size.commits = 30
		size.documents = 20_000
		size.changes = size.documents / 60
	}
	fresh := func(id int) string { return sentence(rand.New(rand.NewPCG(uint64(id), 1))) }
	n := size.documents
	// part is the share of the documents that a step is about, another one at
	// each step.
	part := func(at, steps int) []int {
		ids := make([]int, 0, n/steps+1)
		for id := at % steps; id < n; id += steps {
			ids = append(ids, id)
		}
		return ids
	}
	shapes := []struct {
		name   string
		step   func(at int, put func(int, string))
		after  []string // commits after the row, in order
		commit int      // of the row; 0: size.commits
	}{
		{name: "30 % deleted", step: func(at int, put func(int, string)) {
			for _, id := range part(at, 100) {
				put(id, "")
			}
		}},
		{name: "50 % replaced", step: func(at int, put func(int, string)) {
			for _, id := range part(at, 60) {
				put(id, sentence(rand.New(rand.NewPCG(uint64(id), uint64(at)))))
			}
		}},
		{name: "everything deleted and back", commit: 6, step: func(at int, put func(int, string)) {
			for id := range n {
				switch at {
				case 2:
					put(id, "")
				case 4:
					put(id, fresh(id)) // every slot comes back
				}
			}
		}},
		{name: "the same document in every commit", step: func(at int, put func(int, string)) {
			put(7, fmt.Sprintf("version w%d of w%d", at, at*at))
		}},
		{name: "slots leave and come back", step: func(at int, put func(int, string)) {
			for _, id := range part(at/2, 50) {
				if at%2 == 0 {
					put(id, "")
				} else {
					put(id, fresh(id))
				}
			}
		}},
		{name: "branches off older checkpoints, growing at once", step: func(at int, put func(int, string)) {
			rng := rand.New(rand.NewPCG(uint64(at), 5))
			for range size.changes {
				put(rng.IntN(n), sentence(rng))
			}
		}, after: func() (commits []string) {
			for i := range 12 {
				for _, fork := range []int{2, 9, 17} {
					commits = append(commits, fmt.Sprintf("b%d-%d", fork, i+1))
				}
			}
			return commits
		}()},
	}
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			src := &row{n: n, first: fresh, step: shape.step}
			s := newSweeper(t, src, size)
			var commits []string
			last := size.commits
			if shape.commit > 0 {
				last = shape.commit
			}
			for i := range last + 1 {
				commits = append(commits, fmt.Sprintf("c%d", i))
			}
			check := slices.Clone(commits)
			if len(check) > 10 {
				check = slices.DeleteFunc(check, func(c string) bool { return c[len(c)-1] != '0' })
			}
			commits = append(commits, shape.after...)
			if len(shape.after) > 0 {
				check = append(check, shape.after[len(shape.after)-3:]...)
			}
			for _, c := range commits {
				branch := "main"
				if c[0] == 'b' {
					branch = c[:len(c)-len("-1")]
				}
				s.index(domain, c, branch)
			}
			s.merged()
			for _, c := range check {
				s.matches(domain, c, src.documents(c))
			}
			end := check[len(check)-1]
			if got, want := s.recall(domain, end, size.queries), s.fresh(end, size.queries); got < want-0.005 {
				t.Errorf("%s: recall@10 is %.4f, that of a fresh build %.4f", end, got, want)
			} else {
				t.Logf("%s: recall@10 %.4f, of a fresh build %.4f", end, got, want)
			}
		})
	}
}

// matches holds a commit's documents against what they should be: their number
// and, for some, that their own text finds them and what they were does not.
func (s *sweeper) matches(domain, commit string, want map[int]string) {
	s.t.Helper()
	n, err := s.Documents(s.t.Context(), domain, commit)
	if err != nil || n != len(want) {
		s.t.Fatalf("%s holds %d documents, %v; want %d", commit, n, err, len(want))
	}
	ids := slices.Sorted(maps.Keys(want))
	for i := 0; i < len(ids); i += 1 + len(ids)/20 {
		id := docID(ids[i])
		hits, err := s.Search(s.t.Context(), search.SearchRequest{
			Domain: domain, Ref: search.Ref{Commit: commit}, Text: want[ids[i]], Options: search.Options{Page: search.Page{Count: 5}},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		same := func(h search.Hit) bool { return h.ID == id && h.Distance == 0 }
		if !slices.ContainsFunc(hits.Hits, same) {
			s.t.Fatalf("%s: %s is not found by its own text: %v", commit, id, hits.Hits)
		}
		for _, h := range hits.Hits {
			var at int
			if _, err := fmt.Sscanf(h.ID, "terminusdb:///bench/Doc/%d", &at); err != nil {
				s.t.Fatal(err)
			}
			text, ok := want[at]
			if !ok || (h.Distance == 0) != (text == want[ids[i]]) {
				s.t.Fatalf("%s: %+v, whose text is %q", commit, h, text)
			}
		}
	}
}

// TestIdenticalVectors has as many documents again with one and the same text:
// neither recall nor the time to build may suffer.
func TestIdenticalVectors(t *testing.T) {
	size := sizeOfSweep()
	same := size.documents / 6
	fresh := func(id int) string { return sentence(rand.New(rand.NewPCG(uint64(id), 1))) }
	build := func(n int) (*sweeper, time.Duration) {
		s := newSweeper(t, &row{n: n, first: func(id int) string {
			if id >= size.documents {
				return "all of them say this"
			}
			return fresh(id)
		}}, size)
		c := cpuTime()
		s.index(domain, "c0", "")
		s.merged()
		return s, cpuTime() - c
	}
	plain, plainCPU := build(size.documents)
	s, cpu := build(size.documents + same)
	got, want := s.recall(domain, "c0", size.queries), plain.recall(domain, "c0", size.queries)
	t.Logf("%d documents: recall@10 %.4f, CPU %.1f s; with %d of one text besides: %.4f, %.1f s", size.documents, want, plainCPU.Seconds(), same, got, cpu.Seconds())
	if got < want-0.005 {
		t.Errorf("recall@10 is %.4f, without the identical ones %.4f", got, want)
	}
	hits, err := s.Search(t.Context(), search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: "c0"}, Text: "all of them say this", Options: search.Options{Page: search.Page{Count: min(1000, same)}},
	})
	if err != nil || len(hits.Hits) != min(1000, same) {
		t.Fatalf("%d hits, %v", len(hits.Hits), err)
	}
	for i, h := range hits.Hits {
		if h.Distance != 0 || i > 0 && hits.Hits[i-1].ID >= h.ID {
			t.Fatalf("hit %d: %+v", i, h)
		}
	}
}
