package search

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
)

type testResource struct {
	n      int64
	closed atomic.Bool
	twice  atomic.Bool
	inner  *lease
}

func (r *testResource) size() int64 { return r.n }
func (r *testResource) close() {
	if r.closed.Swap(true) {
		r.twice.Store(true)
	}
	if r.inner != nil {
		r.inner.release()
	}
}

func TestPoolNeverClosesWhatIsHeld(t *testing.T) {
	p := newPool(500)
	var mu sync.Mutex
	var all []*testResource
	load := func(inner *lease) func() (resource, error) {
		return func() (resource, error) {
			r := &testResource{n: 100, inner: inner}
			mu.Lock()
			all = append(all, r)
			mu.Unlock()
			return r, nil
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for range 2000 {
				key := fmt.Sprint(rng.IntN(20))
				l, err := p.acquire(t.Context(), key, func() (resource, error) {
					// A value may hold a lease on another, as a
					// snapshot does on its files.
					inner, err := p.acquire(t.Context(), "inner"+key, load(nil))
					if err != nil {
						return nil, err
					}
					return load(inner)()
				})
				if err != nil {
					t.Error(err)
					return
				}
				if l.res.(*testResource).closed.Load() {
					t.Error("a held value is closed")
				}
				if rng.IntN(10) == 0 {
					p.remove(key)
				}
				if l.res.(*testResource).closed.Load() {
					t.Error("a held value is closed after its removal")
				}
				l.release()
				// Besides, what each of the goroutines holds or opens.
				if _, bytes := p.stats(); bytes > 500+8*3*100 {
					t.Errorf("the pool holds %d bytes, limit 500", bytes)
				}
			}
		})
	}
	wg.Wait()
	if _, bytes := p.stats(); bytes > 500 {
		t.Errorf("in the end the pool holds %d bytes, limit 500", bytes)
	}
	p.purge()
	if open, bytes := p.stats(); open != 0 || bytes != 0 {
		t.Errorf("after purge %d values are open, %d bytes held", open, bytes)
	}
	for _, r := range all {
		if !r.closed.Load() || r.twice.Load() {
			t.Fatalf("closed %v, twice %v", r.closed.Load(), r.twice.Load())
		}
	}
}

// TestPoolCountsWhatIsHeld: a file goes after what stands on it, and counts until
// it has gone.
func TestPoolCountsWhatIsHeld(t *testing.T) {
	p := newPool(1000)
	opened := make(map[string]int)
	acquire := func(key string, size int64, on ...string) *lease {
		l, err := p.acquire(t.Context(), key, func() (resource, error) {
			opened[key]++
			r := &testResource{n: size}
			for _, base := range on {
				l, err := p.acquire(t.Context(), base, func() (resource, error) {
					opened[base]++
					return &testResource{n: 600}, nil
				})
				if err != nil {
					return nil, err
				}
				r.inner = l
			}
			return r, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	bytes := func(want int64) {
		t.Helper()
		if _, got := p.stats(); got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	}
	// Three views of one file, used often, while the file itself is not.
	for range 5 {
		for _, key := range []string{"v1", "v2", "v3"} {
			acquire(key, 50, "file").release()
		}
	}
	bytes(750)
	if opened["file"] != 1 || opened["v1"] != 1 {
		t.Errorf("opened %v, want each once", opened)
	}
	// Another file's view needs room: the views go first, then the file.
	other := acquire("w", 50, "other")
	bytes(650)
	if opened["other"] != 1 {
		t.Errorf("opened %v", opened)
	}
	// What is in use is counted though it is too much, and goes when it is not.
	view := acquire("v1", 50, "file")
	bytes(1300)
	other.release()
	bytes(650)
	view.release()
	bytes(650)
	if opened["file"] != 2 || opened["w"] != 1 {
		t.Errorf("opened %v", opened)
	}
	p.purge()
	bytes(0)
}

func TestPoolLoadsOnceForManyAskers(t *testing.T) {
	p := newPool(1000)
	var loads atomic.Int64
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			l, err := p.acquire(t.Context(), "k", func() (resource, error) {
				loads.Add(1)
				<-gate
				return &testResource{n: 1}, nil
			})
			if err != nil {
				t.Error(err)
				return
			}
			l.release()
		})
	}
	close(gate)
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

func TestPoolFailedLoadIsTriedAgain(t *testing.T) {
	p := newPool(1000)
	boom := errors.New("boom")
	if _, err := p.acquire(t.Context(), "k", func() (resource, error) { return nil, boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := p.acquire(t.Context(), "k", func() (resource, error) { panic("oh") }); err == nil {
		t.Error("a panic gives no error")
	}
	l, err := p.acquire(t.Context(), "k", func() (resource, error) { return &testResource{n: 1}, nil })
	if err != nil {
		t.Fatal(err)
	}
	l.release()
}

func TestDocType(t *testing.T) {
	tests := []struct{ id, want string }{
		{"terminusdb:///holonet/Ship/falcon", "Ship"},
		{"terminusdb:///data/Starship/901/specs/Specs/x", "Specs"},
		{"a///b", ""}, // one segment follows; the whole id's second-last is empty
		{"Ship/falcon", "Ship"},
		{"falcon", "unknown"},
		{"", "unknown"},
	}
	for _, tt := range tests {
		if got := contract.DocType(tt.id); got != tt.want {
			t.Errorf("DocType(%q) = %q, want %q", tt.id, got, tt.want)
		}
	}
}

// TestPoolWaitEnds checks that who waits for another's load leaves when its
// context ends, and that what is loaded then is closed with its last holder.
func TestPoolWaitEnds(t *testing.T) {
	p := newPool(0)
	begun, end := make(chan struct{}), make(chan struct{})
	closed := 0
	var loader sync.WaitGroup
	loader.Go(func() {
		l, err := p.acquire(t.Context(), "k", func() (resource, error) {
			close(begun)
			<-end
			return &counted{closed: func() { closed++ }}, nil
		})
		if err != nil {
			t.Error(err)
			return
		}
		l.release()
	})
	<-begun
	left := errors.New("left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(left)
	if _, err := p.acquire(ctx, "k", nil); !errors.Is(err, left) {
		t.Errorf("a wait whose context ended: %v", err)
	}
	close(end)
	loader.Wait()
	if open, _ := p.stats(); open != 0 || closed != 1 {
		t.Errorf("%d values are open, closed %d times", open, closed)
	}
}

type counted struct{ closed func() }

func (*counted) size() int64 { return 1 }
func (c *counted) close()    { c.closed() }
