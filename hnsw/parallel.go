package hnsw

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallel calls do(w, i) for every i below n, spread over the build's workers,
// each of which has its own w, and waits for all of them. It stops at the first
// error or when ctx ends. A panic of do is raised again here, on the caller's
// goroutine, where somebody may recover from it.
func (b *builder) parallel(ctx context.Context, n int, do func(w *worker, i int) error) error {
	workers := b.workers[:min(len(b.workers), n)]
	var next atomic.Int64
	run := func(w *worker) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(w, i); err != nil {
				next.Store(int64(n)) // the others need not go on
				return err
			}
		}
	}
	if len(workers) == 1 {
		return run(workers[0])
	}
	var (
		wg     sync.WaitGroup
		first  sync.Once
		err    error
		panics any
	)
	for _, w := range workers {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					next.Store(int64(n))
					first.Do(func() { panics = p })
				}
			}()
			if e := run(w); e != nil {
				first.Do(func() { err = e })
			}
		})
	}
	wg.Wait()
	if panics != nil {
		panic(panics)
	}
	return err
}
