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

// take waits until a request of so many tokens may go. Each must be ended by
// give.
func (p *pace) take(ctx context.Context, tokens int) error {
	for {
		p.mu.Lock()
		wait := p.wait(tokens)
		if wait == 0 {
			p.underWay.requests++
			p.underWay.tokens += tokens
			p.requests.left--
			p.tokens.left -= tokens
			p.mu.Unlock()
			return nil
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()

		timer := time.NewTimer(wait)
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

// wait returns how long a request has to wait, 0 if it may go.
func (p *pace) wait(tokens int) time.Duration {
	now := time.Now()
	wait := p.until.Sub(now)
	if p.requests.resets.After(now) && p.requests.left < 1 {
		wait = max(wait, p.requests.resets.Sub(now))
	}
	if p.tokens.resets.After(now) && p.tokens.left < tokens {
		wait = max(wait, p.tokens.resets.Sub(now))
	}
	if p.alone && p.underWay.requests > 0 {
		wait = max(wait, maxRetryAfter)
	}
	return max(wait, 0)
}

// give ends a request. after is how long the provider asked to wait.
func (p *pace) give(tokens int, a *answer, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay.requests--
	p.underWay.tokens -= tokens
	p.requests.observe(a.header, "requests", p.underWay.requests)
	p.tokens.observe(a.header, "tokens", p.underWay.tokens)
	switch {
	case a.status == http.StatusTooManyRequests:
		p.alone = true
	case a.status != 0 && a.status < 300:
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

// renewal returns when the allowance is renewed that is used up.
func renewal(header http.Header) time.Duration {
	wait := time.Duration(0)
	for _, kind := range []string{"requests", "tokens"} {
		if left, w, ok := remaining(header, kind); ok && left == 0 {
			wait = max(wait, w)
		}
	}
	return wait
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
