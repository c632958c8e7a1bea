package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestQueryVectorPanics: a panic stays with the request whose call it is of; one
// that waited for the call makes its own.
func TestQueryVectorPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newQueryCache(1 << 10)
		proceed := make(chan struct{})
		var calls, panics atomic.Int32
		embed := func() ([]float32, error) {
			if calls.Add(1) == 1 {
				<-proceed
				panic("bug below")
			}
			return []float32{1}, nil
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				defer func() {
					if recover() != nil {
						panics.Add(1)
					}
				}()
				if v, err := c.vector(t.Context(), question{}, embed); err != nil || len(v) != 1 {
					t.Errorf("got %v, %v", v, err)
				}
			})
		}
		synctest.Wait()
		close(proceed)
		wg.Wait()
		if calls.Load() != 2 || panics.Load() != 1 {
			t.Errorf("%d calls and %d panics, want 2 and 1", calls.Load(), panics.Load())
		}
	})
}

func TestQueryCacheLimit(t *testing.T) {
	dim := 8
	c := newQueryCache(3 * entryBytes(make([]float32, dim)))
	broken := errors.New("broken")
	ask := func(text byte, err error) {
		t.Helper()
		var q question
		q.text[0] = text
		_, got := c.vector(t.Context(), q, func() ([]float32, error) { return make([]float32, dim), err })
		if !errors.Is(got, err) {
			t.Errorf("text %d: got %v, want %v", text, got, err)
		}
	}
	for _, text := range []byte{1, 2, 3, 1, 4, 1, 2} { // 4 takes the place of 2, and 2 that of 3
		ask(text, nil)
	}
	ask(5, broken)
	ask(4, nil)
	got := fmt.Sprint(c.stats())
	if want := fmt.Sprint(3, c.limit, 3, 6); got != want {
		t.Errorf("entries, bytes, hits, calls: got %s, want %s", got, want)
	}
}

// TestQueryVectorsTogether: of texts that are asked for together, each is embedded
// once, though it is among them twice, or another request asks for it meanwhile; one
// that fails takes none with it.
func TestQueryVectorsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newQueryCache(1 << 20)
		broken := errors.New("broken")
		proceed := make(chan struct{})
		var mu sync.Mutex
		asked := make(map[byte]int)
		ask := func(texts string) ([][]float32, []error) {
			qs := make([]question, len(texts))
			for i := range qs {
				qs[i].text[0] = texts[i]
			}
			return c.vectors(t.Context(), qs, func(mine []int) ([][]float32, []error) {
				<-proceed
				vectors, errs := make([][]float32, len(mine)), make([]error, len(mine))
				mu.Lock()
				defer mu.Unlock()
				for k, i := range mine {
					asked[texts[i]]++
					if texts[i] == 'x' {
						errs[k] = broken
						continue
					}
					vectors[k] = []float32{float32(texts[i])}
				}
				return vectors, errs
			})
		}
		var wg sync.WaitGroup
		for _, texts := range []string{"abax", "bcxd", "dab"} {
			wg.Go(func() {
				vectors, errs := ask(texts)
				for i, v := range vectors {
					if failed := texts[i] == 'x'; errors.Is(errs[i], broken) != failed || !failed && v[0] != float32(texts[i]) {
						t.Errorf("%q, text %d: got %v, %v", texts, i, v, errs[i])
					}
				}
			})
		}
		synctest.Wait()
		close(proceed)
		wg.Wait()
		if got, want := fmt.Sprint(asked), fmt.Sprint(map[byte]int{'a': 1, 'b': 1, 'c': 1, 'd': 1, 'x': 1}); got != want {
			t.Errorf("embedded: got %v, want %v", got, want)
		}
	})
}

// vector returns the vector of one text.
func (r *queryCache) vector(ctx context.Context, q question, embed func() ([]float32, error)) ([]float32, error) {
	vectors, errs := r.vectors(ctx, []question{q}, func([]int) ([][]float32, []error) {
		v, err := embed()
		return [][]float32{v}, []error{err}
	})
	return vectors[0], errs[0]
}
