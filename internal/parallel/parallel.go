package parallel

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Do calls fn once for every item 0 … items-1, on up to workers goroutines, and
// waits for all of them. worker is 0 … workers-1, and no two calls with the
// same worker overlap. One worker, or one item, runs on the caller's goroutine.
//
// After the first error, or when ctx ends, no further item is begun; the ctx
// that fn receives is cancelled then, so that calls under way can stop too. Do
// returns the first error, or that of ctx if it kept an item from being begun.
// If fn panics, Do panics with a [*Panic].
func Do(ctx context.Context, workers, items int, fn func(ctx context.Context, worker, item int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		next   atomic.Int64
		first  sync.Once
		failed error
		panics *Panic
	)
	run := func(worker int) {
		defer func() {
			if p := recover(); p != nil {
				first.Do(func() { panics = asPanic(p) })
				cancel()
			}
		}()
		for item := int(next.Add(1)) - 1; item < items; item = int(next.Add(1)) - 1 {
			err := ctx.Err()
			if err == nil {
				err = fn(ctx, worker, item)
			}
			if err != nil {
				first.Do(func() { failed = err })
				cancel()
				return
			}
		}
	}
	workers = min(workers, items)
	if workers <= 1 {
		run(0)
	} else {
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() { run(worker) })
		}
		wg.Wait()
	}
	if panics != nil {
		panic(panics)
	}
	return failed
}

// Panic is what Do panics with.
type Panic struct {
	Value any    // what fn panicked with
	Stack []byte // where it did, as [debug.Stack] writes it
}

// asPanic returns p as it came from another Do, or with the stack at hand.
func asPanic(p any) *Panic {
	if inner, ok := p.(*Panic); ok {
		return inner
	}
	return &Panic{Value: p, Stack: debug.Stack()}
}

// Error returns the value and the stack, so that whatever logs a recovered
// panic shows where it began.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap returns the value, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
