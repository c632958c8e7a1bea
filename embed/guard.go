package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

// A Service is an Embedder whose work is done elsewhere, and that can be down.
type Service interface {
	contract.Embedder
	// Probe asks the service for the vector of a short text, once and without
	// waiting. Its errors are those of Embed: any but ErrUnavailable shows that
	// the service is there.
	Probe(ctx context.Context) error
}

const (
	// A service is down after so many failures without a success between. A
	// probe that fails is one of them, and since probes follow a failure
	// until one succeeds, failures of long ago do not add up.
	guardFailures = 3
	// probeTime bounds one probe, probeEvery is the pause between the probes
	// of a service that is down, confirmEvery between those of one that has
	// failed and may be.
	probeTime    = 10 * time.Second
	probeEvery   = 10 * time.Second
	confirmEvery = time.Second
	// guardPatience bounds how long a patient call waits for a service that
	// is down.
	guardPatience = 5 * time.Minute
)

// GuardConfig tells how a Guard looks at its service.
type GuardConfig struct {
	// ProbeEvery is the pause between two looks at a service that is down;
	// 0 stands for 10 seconds.
	ProbeEvery time.Duration
	// Logger logs that a service is down, and its return; nil: nothing is logged.
	Logger *slog.Logger
}

// A Guard is a Service that knows whether it works: from its calls and, once one
// has failed, from probes. Only ErrUnavailable counts as a failure. A refusal
// shows that the service is there,
// and a call without a key, or one whose caller left, shows nothing.
//
// While the service is down, calls fail at once with ErrDown; patient ones wait
// for the service. A service that works costs one probe at the start and nothing
// more.
type Guard struct {
	Service
	every time.Duration
	log   *slog.Logger

	suspicious chan struct{} // holds one signal: a call has failed
	stop       context.CancelFunc
	done       chan struct{} // closed when the probes have ended

	mu       sync.Mutex    // guards all below
	failures int           // without a success between
	cause    error         // of the last one
	back     chan struct{} // closed when the service is back; nil while it is not down
}

var _ contract.Embedder = (*Guard)(nil)

// NewGuard returns a Guard over a service, and begins to look at it. Close ends
// that.
func NewGuard(service Service, c GuardConfig) *Guard {
	if c.ProbeEvery <= 0 {
		c.ProbeEvery = probeEvery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Guard{
		Service: service, every: c.ProbeEvery, log: c.Logger,
		suspicious: make(chan struct{}, 1), stop: stop, done: make(chan struct{}),
	}
	go func() {
		defer close(g.done)
		g.watch(ctx)
	}()
	return g
}

// Close ends the probes and waits for the one under way. A service that is down
// then stays so; calls must have ended before.
func (g *Guard) Close() {
	g.stop()
	<-g.done
}

// Up implements contract.Embedder.
func (g *Guard) Up() bool { return g.down() == nil }

// down returns what is closed when the service is back, nil while it is not
// down.
func (g *Guard) down() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.back
}

// Embed implements contract.Embedder.
func (g *Guard) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	if err := g.enter(ctx, r.Patient); err != nil {
		return nil, err
	}
	vectors, err := g.Service.Embed(ctx, r)
	var refused *contract.RefusedError
	switch {
	case err == nil || errors.As(err, &refused):
		g.succeeded()
	case errors.Is(err, contract.ErrUnavailable):
		g.failed(err)
		select {
		case g.suspicious <- struct{}{}:
		default:
		}
	}
	return vectors, err
}

// enter returns nil when the service may be called.
func (g *Guard) enter(ctx context.Context, patient bool) error {
	back := g.down()
	if back == nil {
		return nil
	}
	if patient {
		timer := time.NewTimer(guardPatience)
		defer timer.Stop()
		select {
		case <-back:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Errorf("embed: %w: it is asked every %v whether it is back; searches by words (mode=fts), by id and by vector go on; last: %s", contract.ErrDown, g.every, strings.TrimPrefix(g.cause.Error(), "embed: "))
}

// succeeded ends what failures began.
func (g *Guard) succeeded() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures = 0
	if g.back != nil {
		close(g.back)
		g.back = nil
		g.log.Info("the embedding provider is back")
	}
}

// failed counts a failure.
func (g *Guard) failed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures++
	g.cause = err
	if g.failures >= guardFailures && g.back == nil {
		g.back = make(chan struct{})
		g.log.Warn("the embedding provider is down; searches that need it are answered 503", "err", err)
	}
}

// watch probes the service at the start, and from every failure on until a probe
// succeeds.
func (g *Guard) watch(ctx context.Context) {
	for {
		well := g.probe(ctx)
		pause := confirmEvery
		if !g.Up() {
			pause = g.every
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if !well {
			continue
		}
		select {
		case <-g.suspicious:
		case <-ctx.Done():
			return
		}
	}
}

// probe asks the service, and reports whether it is there.
func (g *Guard) probe(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	err := g.Probe(limited)
	late := limited.Err() != nil && ctx.Err() == nil
	switch {
	case ctx.Err() != nil:
		return true
	case err != nil && late:
		g.failed(fmt.Errorf("embed: %w: no answer within %v", contract.ErrUnavailable, probeTime))
		return false
	case errors.Is(err, contract.ErrUnavailable):
		g.failed(err)
		return false
	}
	g.succeeded() // with another error too, the service is there
	return true
}
