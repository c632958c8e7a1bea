package api

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// maxClients bounds the addresses of one generation that a limiter keeps apart.
// Those beyond it share one allowance.
const maxClients = 1 << 15

// limiter bounds the requests that one client address may begin: so many a
// second, and as many at once as come in burst seconds. Of each address it keeps
// one time, when its allowance will be whole again (the generic cell rate
// algorithm); one whose allowance is whole need not be known.
//
// Every allowance is whole span after its last request at the latest. So
// addresses live in two generations: those with a request in this span, and
// those whose last one was in the span before. A span's end drops the older
// generation whole, and no request looks at the entries one by one.
type limiter struct {
	every time.Duration // between requests, on the average
	slack time.Duration // how far ahead of that a client may be
	span  time.Duration // in which every allowance is whole again
	now   func() time.Time

	mu       sync.Mutex // guards below
	began    time.Time  // the span
	newer    generation
	older    generation
	overflow time.Time // the allowance that addresses beyond maxClients share
}

// generation holds, by address, when its allowance will be whole.
type generation map[netip.Addr]time.Time

// burst is how many seconds' requests may come at once.
const burst = 2 * time.Second

// newLimiter returns a limiter to perSecond requests, or nil, which lets
// everything pass, for 0.
func newLimiter(perSecond float64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	every := time.Duration(float64(time.Second) / perSecond)
	slack := max(burst-every, 0)
	return &limiter{
		every: every, slack: slack, span: slack + every, now: time.Now,
		newer: make(generation), older: make(generation),
	}
}

// take counts a request of a client, or says how long the client is to wait.
func (l *limiter) take(client netip.Addr) (wait time.Duration) {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.turn(now)
	at, current := l.newer[client]
	if !current {
		at = l.older[client]
	}
	shared := !current && len(l.newer) >= maxClients
	if shared && at.Before(l.overflow) {
		at = l.overflow
	}
	if at.Before(now) {
		at = now
	}
	if ahead := at.Sub(now); ahead > l.slack {
		return ahead - l.slack
	}
	at = at.Add(l.every)
	if shared {
		l.overflow = at
	} else {
		l.newer[client] = at
	}
	return 0
}

// turn begins a new span when the last one is over. Called with mu held.
func (l *limiter) turn(now time.Time) {
	past := now.Sub(l.began)
	if past < l.span {
		return
	}
	l.older, l.newer = l.newer, make(generation)
	if past >= 2*l.span { // nobody came for a whole span
		l.older = nil
	}
	l.began = now
}

// clientOf returns the address that a request came from. Of IPv6 it is the
// network, whose other addresses a client has for the taking. What proxies say
// in headers does not count: anybody can say it.
func clientOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		network, _ := addr.Prefix(64) // which every address of six has
		addr = network.Addr()
	}
	return addr
}

// limited refuses requests beyond the client's rate, before their credentials
// are looked at: guessing those is limited too.
func (s *server) limited(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if wait := s.limiter.take(clientOf(r)); wait > 0 {
			seconds := int64((wait + time.Second - 1) / time.Second)
			w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
			return failure(errRate, "too many requests from this address: try again in %d s", seconds)
		}
		return next(w, r)
	}
}
