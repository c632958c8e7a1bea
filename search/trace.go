package search

import (
	"context"
	"sync/atomic"
	"time"
)

// Part is what the time of a request that reads goes to.
type Part int

const (
	PartWait   Part = iota // for the request itself, and for its turn among those that compare many documents
	PartEmbed              // of the query
	PartOpen               // of the snapshot: reading its files, or waiting for another that does
	PartFilter             // making a set of slots of the filter
	PartGraph              // finding vectors, by graph and scan
	PartWords              // finding words, the opening of the full text included
	PartTexts              // reading what the page shows of its hits
	Parts                  // how many there are
)

// String returns the part's name in metrics and logs.
func (p Part) String() string {
	return [Parts]string{"wait", "embed", "open", "filter", "graph", "words", "texts"}[p]
}

// Trace gathers where the time of one request goes. Goroutines of the request may
// add to it at the same time: the parts of what runs beside each other add up to
// more than the request took.
type Trace struct {
	reads atomic.Bool
	mode  atomic.Pointer[string]
	took  atomic.Int64 // by the search of that mode
	parts [Parts]atomic.Int64
}

type traceKey struct{}

// WithTrace returns a context whose requests to a Reader are traced, and the Trace.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

// Searched returns the mode of the search that the request made (vector, fts, hybrid
// or similar) and what it took; "" for none.
func (t *Trace) Searched() (mode string, took time.Duration) {
	if m := t.mode.Load(); m != nil {
		mode = *m
	}
	return mode, time.Duration(t.took.Load())
}

// Reads reports whether the request has read a commit.
func (t *Trace) Reads() bool { return t.reads.Load() }

// Part returns what went to a part so far.
func (t *Trace) Part(p Part) time.Duration { return time.Duration(t.parts[p].Load()) }

// Add adds to a part.
func (t *Trace) Add(p Part, took time.Duration) { t.parts[p].Add(int64(took)) }

// traceOf returns the trace of a context, nil where nothing is traced.
func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// timed returns what adds the time from now on to a part.
func timed(ctx context.Context, p Part) (done func()) {
	t := traceOf(ctx)
	if t == nil {
		return func() {}
	}
	began := time.Now()
	return func() { t.Add(p, time.Since(began)) }
}

// traceSearch returns what ends a search of that mode, which counts if it is
// answered; of searches within another the outer one does.
func traceSearch(ctx context.Context, mode string) (done func(*error)) {
	t := traceOf(ctx)
	if t == nil {
		return func(*error) {}
	}
	began := time.Now()
	return func(err *error) {
		if *err == nil {
			t.mode.Store(&mode)
			t.took.Store(int64(time.Since(began)))
		}
	}
}
