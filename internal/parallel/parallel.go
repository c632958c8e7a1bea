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
// returns the first error, or the cause of ctx's end if that kept an item from
// being begun.
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
			var err error
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else {
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

// Ordered calls fn as [Do] does, and each with the results in the order of the
// items, on the caller's goroutine, while fn works on later items. So that a
// slow each does not fill the memory, fn is at most twice as many items ahead as
// there are workers.
//
// The first error of fn ends the work, and so do the end of ctx, and each when it
// returns an error or wants no more. Results that are there when fn fails may be
// left out. If fn or each panics, Ordered does, after all calls of fn have ended.
func Ordered[T any](ctx context.Context, workers, items int,
	fn func(ctx context.Context, worker, item int) (T, error), each func(T) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	workers = max(min(workers, items), 1)
	var (
		ring   = make([]chan T, 2*workers) // the result of an item, by its remainder
		room   = make(chan struct{}, len(ring))
		next   atomic.Int64
		done   = make(chan struct{})
		failed error
		panics *Panic
	)
	for i := range ring {
		ring[i] = make(chan T, 1)
	}
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				panics = asPanic(p)
			}
		}()
		failed = Do(ctx, workers, items, func(ctx context.Context, worker, _ int) error {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			// Do's own number was given before there was room: the calls that
			// have room might lack an earlier item, for which each waits.
			item := int(next.Add(1)) - 1
			result, err := fn(ctx, worker, item)
			if err == nil {
				ring[item%len(ring)] <- result // empty: the room was that result's
			}
			return err
		})
	}()
	end := func(err error) error {
		cancel()
		<-done
		if panics != nil {
			panic(panics)
		}
		return err
	}
	defer func() { // each may panic
		cancel()
		<-done
	}()
	for item := range items {
		result, ok := receive(ring[item%len(ring)], done)
		if !ok {
			break
		}
		if ctx.Err() != nil {
			return end(context.Cause(ctx))
		}
		<-room
		if more, err := each(result); err != nil || !more {
			return end(err)
		}
	}
	<-done
	return end(failed)
}

// receive returns the result that arrives, unless the work ends without it.
func receive[T any](results <-chan T, done <-chan struct{}) (result T, ok bool) {
	select {
	case result = <-results:
		return result, true
	case <-done:
	}
	select { // the last results and the end may have come together
	case result = <-results:
		return result, true
	default:
		return result, false
	}
}

// Panic is what Do and Ordered panic with.
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

// Cause returns the value of a recovered panic: what fn panicked with, if p is a
// Panic, else p.
func Cause(p any) any {
	if inner, ok := p.(*Panic); ok {
		return inner.Value
	}
	return p
}

// Error returns the value and the stack, so that whatever logs a recovered
// panic shows where it began.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap returns the value, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
