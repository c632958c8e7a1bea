package search

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

const (
	defaultProbeEvery = 10 * time.Second
	// probeTime bounds one probe.
	probeTime = 10 * time.Second
)

// provider knows whether the embedding provider works: from the calls that are
// made anyway, and while these fail from probes. As long as calls succeed it
// costs nothing.
type provider struct {
	prober contract.Prober // nil: only calls tell, as of a model in this process
	every  time.Duration
	worked atomic.Int64  // calls that succeeded
	down   atomic.Bool   // the latest call or probe failed
	failed chan struct{} // wakes the probes
	told   atomic.Bool   // it is logged that the provider is down
	log    *slog.Logger
}

func newProvider(e contract.Embedder, every time.Duration, log *slog.Logger) *provider {
	p := &provider{every: every, failed: make(chan struct{}, 1), log: log}
	p.prober, _ = e.(contract.Prober)
	return p
}

// note takes the outcome of a call.
func (p *provider) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		p.worked.Add(1)
		p.down.Store(false)
	case errors.Is(err, contract.ErrProvider):
		// Of a caller's key a failure may say nothing: a probe tells.
		if contract.CallerKeyFrom(ctx) == "" {
			p.down.Store(true)
		}
		select {
		case p.failed <- struct{}{}:
		default: // a notice is waiting to be seen
		}
	}
}

// known returns ErrDown where a call is known to fail. Somebody who brings a key
// of his own may have more luck, and without probes only a call can tell that
// the provider is back.
func (p *provider) known(ctx context.Context) error {
	if p.prober == nil || !p.down.Load() || contract.CallerKeyFrom(ctx) != "" {
		return nil
	}
	return fmt.Errorf("%w: it is asked every %v whether it is back; searches by words (mode=fts), by id and by vector go on", contract.ErrDown, p.every)
}

// watch probes the provider at once, and from every failure on until it is back,
// with a pause between any two probes.
func (p *provider) watch(ctx context.Context) {
	if p.prober == nil {
		return
	}
	for {
		p.probe(ctx)
		select {
		case <-time.After(p.every):
		case <-ctx.Done():
			return
		}
		if p.down.Load() {
			continue
		}
		select {
		case <-p.failed:
		case <-ctx.Done():
			return
		}
	}
}

func (p *provider) probe(ctx context.Context) {
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	worked := p.worked.Load()
	err := p.prober.Probe(probe)
	if errors.Is(err, contract.ErrNotConfigured) {
		err = nil // callers bring keys: their calls tell
	}
	if ctx.Err() != nil || err != nil && p.worked.Load() > worked {
		return // cut short, or it waited behind calls that succeed
	}
	p.down.Store(err != nil)
	switch {
	case err != nil && p.told.CompareAndSwap(false, true):
		p.log.Warn("the embedding provider is down; searches that need it are answered 503", "err", err)
	case err == nil && p.told.CompareAndSwap(true, false):
		p.log.Info("the embedding provider is back")
	}
}
