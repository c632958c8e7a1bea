package embed

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A pace keeps requests to what the provider allows, over all calls: it counts
// down what the headers of the latest answer left, and holds everything back
// while the provider asks to wait.
//
// x-ratelimit-remaining-… counts a window that ends at x-ratelimit-reset-….
// Within a window an answer can only lower what is left, since answers may
// overtake one another; what other requests under way will take is taken off.
type pace struct {
	mu       sync.Mutex
	until    time.Time // no request before this
	alone    bool      // the provider was pressed too hard: one request at a time
	underWay load
	requests allowance
	tokens   allowance
	changed  chan struct{} // closed when a request ends
}

// load is what requests under way take.
type load struct{ requests, tokens int }

// allowance is what is left until a time.
type allowance struct {
	left   int
	resets time.Time
}

// take waits until a request of so many tokens may go, no longer than so long:
// where it is known to take longer it fails at once. Each must be ended by give.
func (p *pace) take(ctx context.Context, tokens int, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		p.mu.Lock()
		now := time.Now()
		at := p.earliest(now, tokens)
		crowded := p.alone && p.underWay.requests > 0
		if !at.After(now) && !crowded {
			p.underWay.requests++
			p.underWay.tokens += tokens
			p.requests.left--
			p.tokens.left -= tokens
			p.mu.Unlock()
			return nil
		}
		if at.After(deadline) || !now.Before(deadline) {
			p.mu.Unlock()
			return errPaced
		}
		if crowded { // until another request ends
			at = deadline
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()

		timer := time.NewTimer(at.Sub(now))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
}

var errPaced = &failure{
	kind:   broken, // by the time that it may be repeated no caller waits any more
	reason: "the provider's rate limit is used up",
	hint:   "try again later",
}

// earliest returns when a request may go by what the provider has said.
func (p *pace) earliest(now time.Time, tokens int) time.Time {
	at := p.until
	for _, renewed := range []time.Time{p.requests.has(1, now), p.tokens.has(tokens, now)} {
		if renewed.After(at) {
			at = renewed
		}
	}
	return at
}

// has returns when there is so much, now or at the end of the window.
func (a *allowance) has(needed int, now time.Time) time.Time {
	if a.left < needed && a.resets.After(now) {
		return a.resets
	}
	return now
}

// give ends a request, given the status and header of its answer, if one came,
// and how long the provider asked to wait.
func (p *pace) give(tokens, status int, header http.Header, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay.requests--
	p.underWay.tokens -= tokens
	p.requests.observe(header, "requests", p.underWay.requests)
	p.tokens.observe(header, "tokens", p.underWay.tokens)
	switch {
	case status == http.StatusTooManyRequests:
		p.alone = true
	case status != 0 && status < 300:
		p.alone = false
	}
	if until := time.Now().Add(after); after > 0 && until.After(p.until) {
		p.until = until
	}
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// observe takes what a header says of one kind of allowance, given what other
// requests under way take of it.
func (a *allowance) observe(header http.Header, kind string, underWay int) {
	left, wait, ok := remaining(header, kind)
	if !ok {
		return
	}
	now := time.Now()
	left -= underWay
	resets := now.Add(wait)
	if a.resets.After(now) && resets.Before(a.resets.Add(sameWindow)) {
		a.left = min(a.left, left)
		return
	}
	a.left, a.resets = left, resets
}

// sameWindow is how far two answers may differ on when a window ends.
const sameWindow = time.Second

// remaining reads what is left of one kind of allowance, "requests" or
// "tokens", and when it is renewed. Headers without a kind speak of requests.
func remaining(header http.Header, kind string) (left int, wait time.Duration, ok bool) {
	text, reset := header.Get("X-Ratelimit-Remaining-"+kind), header.Get("X-Ratelimit-Reset-"+kind)
	if text == "" && kind == "requests" {
		text, reset = header.Get("X-Ratelimit-Remaining"), header.Get("X-Ratelimit-Reset")
	}
	left, err := strconv.Atoi(text)
	wait = resetAfter(reset)
	return left, wait, err == nil && left >= 0 && wait > 0
}

// resetAfter reads when an allowance is renewed: "6m0s", seconds, a time in
// seconds since 1970, or a date. It returns 0 if it makes no sense.
func resetAfter(text string) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return max(min(d, maxRetryAfter), 0)
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		if s > 1e8 { // three years: a time
			s -= float64(time.Now().UnixMilli()) / 1000
		}
		return bounded(s)
	}
	if date, err := time.Parse(time.RFC3339, text); err == nil {
		return max(min(time.Until(date), maxRetryAfter), 0)
	}
	return 0
}
