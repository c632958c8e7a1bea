package parallel_test

import (
	"context"
	"errors"
	"fmt"
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

//go:noinline
func culprit(err error) { panic(err) }
