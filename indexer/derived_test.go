package indexer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// sized is a search.Derived of so many bytes.
type sized int64

func (n sized) Bytes() int64 { return int64(n) }

// TestDerivedOnce: of several who ask for what is derived of a snapshot one derives it;
// if that one goes away another does, and those who wait may go away too.
func TestDerivedOnce(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{})
	h.mustPush("", "", "c1", puts("a", "one", "b", "two")...)
	s, err := h.Open(t.Context(), h.Domains().List("")[0], "c1")
	must(t, err)
	defer s.Release()
	synctest.Test(t, func(t *testing.T) {
		var derivations atomic.Int32
		goOn := make(chan struct{})
		derive := func(ctx context.Context) (sized, error) {
			n := derivations.Add(1)
			select {
			case <-goOn:
				return sized(n), nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		type answer struct {
			got sized
			err error
		}
		answers := make([]answer, 4)
		cancels := make([]context.CancelFunc, len(answers))
		for i := range answers {
			var ctx context.Context
			ctx, cancels[i] = context.WithCancel(t.Context())
			go func() {
				got, err := search.Derive(ctx, s, "test", derive)
				answers[i] = answer{got, err}
			}()
			synctest.Wait() // the first one derives, the others wait for it
		}
		if n := derivations.Load(); n != 1 {
			t.Errorf("%d derive for %d who ask", n, len(answers))
		}
		cancels[0]()
		synctest.Wait()
		if n := derivations.Load(); n != 2 {
			t.Errorf("the one who derived went away: %d derivations", n)
		}
		cancels[1]()
		synctest.Wait()
		close(goOn)
		synctest.Wait()
		gone, whole := 0, 0
		for _, a := range answers {
			switch {
			case errors.Is(a.err, context.Canceled):
				gone++
			case a.err == nil && a.got >= 2:
				whole++
			default:
				t.Errorf("an answer is %v, %v", a.got, a.err)
			}
		}
		if gone != 2 || whole != 2 {
			t.Errorf("%d were told that they had gone away and %d were answered, want 2 and 2", gone, whole)
		}
		for _, cancel := range cancels {
			cancel()
		}
	})
}

// TestDerivedMakesRoom: what is derived stays as long as the pool has room, and is
// derived again after that. What is larger than the pool is answered all the same.
func TestDerivedMakesRoom(t *testing.T) {
	const room = 1 << 20
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{}, func(c *indexer.Config) { c.SnapshotPoolBytes = room })
	h.mustPush("", "", "c1", puts("a", "one", "b", "two")...)
	s, err := h.Open(t.Context(), h.Domains().List("")[0], "c1")
	must(t, err)
	defer s.Release()
	derivations := 0
	ask := func(name string, size sized, want int) {
		t.Helper()
		got, err := search.Derive(t.Context(), s, name, func(context.Context) (sized, error) { derivations++; return size, nil })
		if err != nil || got != size || derivations != want {
			t.Errorf("%s is %v, %v after %d derivations, want %v after %d", name, got, err, derivations, size, want)
		}
	}
	ask("a", room/4, 1)
	ask("b", room/4, 2)
	ask("a", room/4, 2)
	ask("c", room/2, 3) // in the place of b, which was used least recently
	ask("a", room/4, 3)
	ask("b", room/4, 4)
	ask("d", 2*room, 5)
	ask("d", 2*room, 6)
}
