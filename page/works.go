package page

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

const (
	// patience is how long a page waits for what is worked out before it says so.
	patience = 1500 * time.Millisecond
	// maxWorks bounds what is kept.
	maxWorks = 32
)

// works keeps what takes long to work out, and works it out once for all who ask. Nobody
// who leaves stops it.
type works struct {
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
	mu     sync.Mutex // guards below
	closed bool
	byKey  map[string]*list.Element // of *work
	recent *list.List               // the last asked for first
}

// work is one of them; its result stands when done is closed.
type work struct {
	key   string
	began time.Time
	done  chan struct{}
	value any
	err   error
}

func newWorks() *works {
	ctx, cancel := context.WithCancel(context.Background())
	return &works{ctx: ctx, cancel: cancel, byKey: make(map[string]*list.Element), recent: list.New()}
}

func (w *works) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.wait.Wait()
}

// forget drops what is kept under a key.
func (w *works) forget(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.byKey[key]; e != nil {
		w.recent.Remove(e)
		delete(w.byKey, key)
	}
}

// start returns the work of a key, which begins with do where there is none.
func (w *works) start(key string, do func(context.Context) (any, error)) (*work, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.byKey[key]; e != nil {
		w.recent.MoveToFront(e)
		return e.Value.(*work), nil
	}
	if w.closed {
		return nil, contract.ErrClosed
	}
	for e := w.recent.Back(); w.recent.Len() >= maxWorks; e = w.recent.Back() {
		w.recent.Remove(e)
		delete(w.byKey, e.Value.(*work).key)
	}
	j := &work{key: key, began: time.Now(), done: make(chan struct{})}
	w.byKey[key] = w.recent.PushFront(j)
	w.wait.Go(func() {
		defer close(j.done)
		defer func() {
			if p := recover(); p != nil {
				j.err = fmt.Errorf("page: panic: %v\n%s", p, debug.Stack())
			}
			if j.err != nil {
				w.forget(key) // it is tried again by who asks next
			}
		}()
		j.value, j.err = do(w.ctx)
	})
	return j, nil
}

// result returns what do works out, kept under the key; nil where it is not done soon
// enough for a page to wait for it.
func result[T any](ctx context.Context, w *works, key string, do func(context.Context) (T, error)) (*T, error) {
	j, err := w.start(key, func(ctx context.Context) (any, error) { return do(ctx) })
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-j.done:
	default:
		select {
		case <-j.done:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if j.err != nil {
		return nil, j.err
	}
	value := j.value.(T)
	return &value, nil
}

// kept is result for what is a pointer: nil where it is not done.
func kept[T any](ctx context.Context, w *works, key string, do func(context.Context) (*T, error)) (*T, error) {
	made, err := result(ctx, w, key, do)
	if made == nil || err != nil {
		return nil, err
	}
	return *made, nil
}
