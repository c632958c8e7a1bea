package service

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxClients bounds the addresses of one generation that a Limiter keeps apart.
// Those beyond it share one allowance.
const maxClients = 1 << 15

// Limiter bounds the requests that one client address may begin: so many a
// second, and as many at once as come in burst seconds. Of each address it keeps
// one time, when its allowance will be whole again (the generic cell rate
// algorithm); one whose allowance is whole need not be known.
//
// Every allowance is whole span after its last request at the latest. So
// addresses live in two generations: those with a request in this span, and
// those whose last one was in the span before. A span's end drops the older
// generation whole, and no request looks at the entries one by one.
type Limiter struct {
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

// NewLimiter returns a Limiter to perSecond requests, or nil, which lets
// everything pass, for 0.
func NewLimiter(perSecond float64) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	every := time.Duration(float64(time.Second) / perSecond)
	slack := max(burst-every, 0)
	return &Limiter{
		every: every, slack: slack, span: slack + every, now: time.Now,
		newer: make(generation), older: make(generation),
	}
}

// Take counts a request of a client, or says how long the client is to wait.
func (l *Limiter) Take(client netip.Addr) (wait time.Duration) {
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
func (l *Limiter) turn(now time.Time) {
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

// Client returns the address of the other end of a connection, host:port. Of IPv6
// it is the network, whose other addresses a client has for the taking. It is the
// zero Addr where there is none.
func Client(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
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
