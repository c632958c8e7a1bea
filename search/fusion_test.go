package search

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
)

// TestFusion holds the fusion of two lists against its definition (wire contract
// §7.10), with documents of several chunks.
func TestFusion(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		entries := make([]*snapshot.Entry, 1+rng.IntN(40))
		number := map[*snapshot.Entry]int{}
		var all []scored
		for i := range entries {
			entries[i] = &snapshot.Entry{ID: fmt.Sprintf("d%02d", rng.IntN(1000)*100+i)}
			number[entries[i]] = i
			for c := range 1 + rng.IntN(4) {
				all = append(all, scored{entry: entries[i], chunk: c})
			}
		}
		list := func() []scored {
			part := slices.Clone(all)
			rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
			part = part[:rng.IntN(len(part)+1)]
			for i := range part {
				part[i].distance = float32(rng.IntN(20)) / 20
			}
			slices.SortFunc(part, compareChunks)
			return part
		}
		byVector, byWords := list(), list()
		f := fusion{number: func(e *snapshot.Entry) int { return number[e] }, entries: len(entries), byDistance: rng.IntN(2) == 0}
		n := 1 + rng.IntN(50)
		got := f.documents(byVector, byWords, n)

		type ranked struct {
			scored
			score float64
		}
		order := func(a, b ranked) int {
			if f.byDistance {
				return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(b.score, a.score), cmp.Compare(a.entry.ID, b.entry.ID), cmp.Compare(a.chunk, b.chunk))
			}
			return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.distance, b.distance), cmp.Compare(a.entry.ID, b.entry.ID), cmp.Compare(a.chunk, b.chunk))
		}
		var want []ranked
		for _, c := range all {
			r := ranked{scored: c}
			place := func(list []scored) int {
				return slices.IndexFunc(list, func(x scored) bool { return x.entry == c.entry && x.chunk == c.chunk })
			}
			v, w := place(byVector), place(byWords)
			if v >= 0 {
				r.distance = byVector[v].distance
				r.score += 1 / float64(61+v)
			} else if w >= 0 {
				r.distance = byWords[w].distance
			}
			if w >= 0 {
				r.score += 1 / float64(61+w)
			}
			if r.score > 0 {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, order)
		seen := map[*snapshot.Entry]bool{}
		want = slices.DeleteFunc(want, func(r ranked) bool {
			again := seen[r.entry]
			seen[r.entry] = true
			return again
		})
		want = want[:min(n, len(want))]
		if !slices.EqualFunc(got, want, func(a scored, b ranked) bool {
			return a.entry == b.entry && a.chunk == b.chunk && a.distance == b.distance
		}) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}
