package parallel_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/vectorlink/vectorlink/internal/parallel"
)

// Every item is done once, and a worker has one at a time.
func TestDo(t *testing.T) {
	for _, workers := range []int{-1, 0, 1, 2, 7, 100} {
		for _, items := range []int{0, 1, 2, 50} {
			done := make([]atomic.Int32, items)
			busy := make([]atomic.Int32, max(workers, 1))
			err := parallel.Do(t.Context(), workers, items, func(_ context.Context, worker, item int) error {
				if busy[worker].Add(1) != 1 {
					t.Errorf("worker %d has two items", worker)
				}
				defer busy[worker].Add(-1)
				done[item].Add(1)
				return nil
			})
			if err != nil {
				t.Errorf("%d workers, %d items: %v", workers, items, err)
			}
			for i := range done {
				if n := done[i].Load(); n != 1 {
					t.Errorf("%d workers: item %d of %d is done %d times", workers, i, items, n)
				}
			}
		}
	}
}

// The first error comes back, ends the calls under way, and no item is begun
// after it.
func TestDoFails(t *testing.T) {
	broken := errors.New("broken")
	for _, workers := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			var begun atomic.Int32
			err := parallel.Do(t.Context(), workers, 1000, func(ctx context.Context, _, item int) error {
				begun.Add(1)
				if item == workers-1 {
					synctest.Wait() // all others wait for their context
					return broken
				}
				if workers > 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			})
			if !errors.Is(err, broken) {
				t.Errorf("%d workers: got %v, want the first error", workers, err)
			}
			if n := int(begun.Load()); n != workers {
				t.Errorf("%d workers: %d items begun", workers, n)
			}
		})
	}
}

func TestDoCancelled(t *testing.T) {
	for _, workers := range []int{1, 4} {
		ctx, cancel := context.WithCancel(t.Context())
		var begun atomic.Int32
		err := parallel.Do(ctx, workers, 1000, func(context.Context, int, int) error {
			begun.Add(1)
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: got %v, want context.Canceled", workers, err)
		}
		if n := int(begun.Load()); n > workers {
			t.Errorf("%d workers: %d items begun", workers, n)
		}
	}
	// Its cause is what comes back.
	gone := errors.New("gone")
	ended, end := context.WithCancelCause(t.Context())
	end(gone)
	if err := parallel.Do(ended, 2, 3, func(context.Context, int, int) error { return nil }); !errors.Is(err, gone) {
		t.Errorf("got %v, want the cause", err)
	}
	// All items done: the end of ctx changes nothing.
	ctx, cancel := context.WithCancel(t.Context())
	err := parallel.Do(ctx, 1, 3, func(_ context.Context, _, item int) error {
		if item == 2 {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Errorf("cancelled by the last item: %v", err)
	}
}

// A panic, of a call within a call too, reaches the caller with the stack of
// where it began.
func TestDoPanics(t *testing.T) {
	cause := errors.New("bug below")
	for _, workers := range []int{1, 4} {
		var running atomic.Int32
		func() {
			defer func() {
				p, ok := recover().(*parallel.Panic)
				if !ok || p.Value != cause || !errors.Is(p, cause) {
					t.Fatalf("%d workers: recovered %v", workers, p)
				}
				if text := fmt.Sprint(p); !strings.HasPrefix(text, "bug below\n") || !strings.Contains(text, "parallel_test.culprit") {
					t.Errorf("%d workers: it reads %s", workers, text)
				}
				if n := running.Load(); n != 0 {
					t.Errorf("%d workers: %d calls still run", workers, n)
				}
			}()
			err := parallel.Do(t.Context(), workers, 100, func(ctx context.Context, _, item int) error {
				running.Add(1)
				defer running.Add(-1)
				if item != 7 {
					return nil
				}
				return parallel.Do(ctx, workers, 1, func(context.Context, int, int) error { culprit(cause); return nil })
			})
			t.Errorf("%d workers: Do returned %v", workers, err)
		}()
	}
}

// Results come in order, on the caller's goroutine, and fn is never further
// ahead than it may be.
func TestOrdered(t *testing.T) {
	for _, workers := range []int{-1, 0, 1, 2, 7} {
		for _, items := range []int{0, 1, 2, 50, 500} {
			var begun atomic.Int32
			want := 0
			err := parallel.Ordered(t.Context(), workers, items, func(_ context.Context, _, item int) (int, error) {
				begun.Add(1)
				if item%3 == 0 {
					runtime.Gosched()
				}
				return item, nil
			}, func(item int) (bool, error) {
				if item != want {
					t.Fatalf("%d workers: got item %d, want %d", workers, item, want)
				}
				want++
				if ahead := int(begun.Load()) - want; ahead > 2*max(workers, 1) {
					t.Errorf("%d workers: %d items ahead", workers, ahead)
				}
				return true, nil
			})
			if err != nil || want != items {
				t.Errorf("%d workers, %d items: %d results, %v", workers, items, want, err)
			}
		}
	}
}

// However the work ends, all calls have ended when Ordered returns.
func TestOrderedEnds(t *testing.T) {
	broken := errors.New("broken")
	gone := errors.New("gone")
	for _, workers := range []int{1, 4} {
		for _, c := range []struct {
			name       string
			fn, each   func(item int, cancel context.CancelCauseFunc) error
			seen       int // calls of each, at most
			want, bugs error
		}{
			{name: "fn fails", fn: failAt(20, broken), seen: 20, want: broken},
			{name: "each fails", each: failAt(20, broken), seen: 21, want: broken},
			{name: "each wants no more", seen: 31},
			{name: "ctx ends", each: func(item int, cancel context.CancelCauseFunc) error {
				if item == 10 {
					cancel(gone)
				}
				return nil
			}, seen: 11, want: gone},
			{name: "fn panics", fn: panicAt(20, broken), seen: 20, bugs: broken},
			{name: "each panics", each: panicAt(20, broken), seen: 21, bugs: broken},
		} {
			var running atomic.Int32
			seen := 0
			bug, err := func() (bug any, err error) {
				defer func() { bug = recover() }()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				return nil, parallel.Ordered(ctx, workers, 1000, func(_ context.Context, _, item int) (int, error) {
					running.Add(1)
					defer running.Add(-1)
					if c.fn != nil {
						return item, c.fn(item, cancel)
					}
					return item, nil
				}, func(item int) (bool, error) {
					seen++
					if c.each != nil {
						return true, c.each(item, cancel)
					}
					return item < 30 || c.fn != nil, nil
				})
			}()
			if n := running.Load(); n != 0 {
				t.Errorf("%d workers, %s: %d calls still run", workers, c.name, n)
			}
			if p, ok := bug.(*parallel.Panic); ok {
				bug = parallel.Cause(p)
			}
			if !errors.Is(err, c.want) || c.bugs == nil && bug != nil || c.bugs != nil && bug != c.bugs {
				t.Errorf("%d workers, %s: got %v, panic %v; want %v, panic %v", workers, c.name, err, bug, c.want, c.bugs)
			}
			if seen > c.seen {
				t.Errorf("%d workers, %s: %d results, want %d at most", workers, c.name, seen, c.seen)
			}
		}
	}
}

func failAt(at int, err error) func(int, context.CancelCauseFunc) error {
	return func(item int, _ context.CancelCauseFunc) error {
		if item == at {
			return err
		}
		return nil
	}
}

func panicAt(at int, err error) func(int, context.CancelCauseFunc) error {
	return func(item int, _ context.CancelCauseFunc) error {
		if item == at {
			panic(err)
		}
		return nil
	}
}

//go:noinline
func culprit(err error) { panic(err) }
