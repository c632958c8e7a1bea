package embed

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A pace keeps requests to what the provider allows, over all calls: it holds
// everything back while the provider asks to wait, and until what it allows is
// renewed once an answer leaves no more than the requests under way will take.
type pace struct {
	mu       sync.Mutex
	until    time.Time     // no request before this
	alone    bool          // the provider was pressed too hard: one request at a time
	requests int           // under way
	tokens   int           // of those
	changed  chan struct{} // closed when a request ends
}

// take waits until a request of so many tokens may go, no longer than so long:
// where it is known to take longer it fails at once. Each must be ended by give.
func (p *pace) take(ctx context.Context, tokens int, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		p.mu.Lock()
		now, at := time.Now(), p.until
		crowded := p.alone && p.requests > 0
		if !at.After(now) && !crowded {
			p.requests++
			p.tokens += tokens
			p.mu.Unlock()
			return nil
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		if at.After(deadline) || !now.Before(deadline) {
			return errPaced
		}
		if crowded { // until another request ends
			at = deadline
		}
		select {
		case <-time.After(at.Sub(now)):
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var errPaced = &failure{
	kind:   broken, // by the time that it may be repeated no caller waits any more
	reason: "the provider's rate limit is used up",
	hint:   "try again later",
}

// give ends a request, given the status and header of its answer, if one came,
// and how long the provider asked to wait.
func (p *pace) give(tokens, status int, header http.Header, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests--
	p.tokens -= tokens
	if left, wait, ok := remaining(header, "requests"); ok && left <= p.requests {
		after = max(after, wait)
	}
	if left, wait, ok := remaining(header, "tokens"); ok && left < p.tokens+tokens { // another as large
		after = max(after, wait)
	}
	if until := time.Now().Add(after); until.After(p.until) {
		p.until = until
	}
	switch {
	case status == http.StatusTooManyRequests:
		p.alone = true
	case status != 0 && status < 300:
		p.alone = false
	}
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// remaining reads what is left of one kind of allowance, "requests" or
// "tokens", and when it is renewed. Headers without a kind speak of requests.
func remaining(header http.Header, kind string) (left int, wait time.Duration, ok bool) {
	text, reset := header.Get("X-Ratelimit-Remaining-"+kind), header.Get("X-Ratelimit-Reset-"+kind)
	if text == "" && kind == "requests" {
		text, reset = header.Get("X-Ratelimit-Remaining"), header.Get("X-Ratelimit-Reset")
	}
	left, err := strconv.Atoi(text)
	wait = waitOf(reset)
	return left, wait, err == nil && left >= 0 && wait > 0
}
