package api

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// TestLimiter checks the allowance of one address: what comes at once, what
// comes back with time, and that others have their own.
func TestLimiter(t *testing.T) {
	now := time.Now()
	l := newLimiter(10)
	l.now = func() time.Time { return now }
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	take := func(client netip.Addr, n int) (taken int) {
		for range n {
			if l.take(client) == 0 {
				taken++
			}
		}
		return taken
	}
	if got := take(a, 100); got != 20 {
		t.Errorf("%d of 100 requests at once were taken, want two seconds' 20", got)
	}
	if wait := l.take(a); wait != 100*time.Millisecond {
		t.Errorf("the wait is %v, want the time of one request", wait)
	}
	if got := take(b, 5); got != 5 {
		t.Errorf("another address had %d of 5", got)
	}
	now = now.Add(time.Second)
	if got := take(a, 100); got != 10 {
		t.Errorf("%d after a second, want 10", got)
	}
	now = now.Add(time.Hour)
	if got := take(a, 100); got != 20 {
		t.Errorf("%d after an hour, want 20", got)
	}
	// A slow rate lets one pass at a time.
	l = newLimiter(0.1)
	l.now = func() time.Time { return now }
	if got := take(a, 3); got != 1 {
		t.Errorf("%d of 3 at a request in ten seconds, want 1", got)
	}
	if wait := l.take(a); wait != 10*time.Second {
		t.Errorf("the wait is %v, want 10s", wait)
	}
	if newLimiter(0).take(a) != 0 {
		t.Error("without a limit something waits")
	}
}

// TestLimiterIsBounded checks that a limiter of many addresses keeps no more
// than it may, and still limits.
func TestLimiterIsBounded(t *testing.T) {
	now := time.Now()
	l := newLimiter(1)
	l.now = func() time.Time { return now }
	address := func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	refused := 0
	for i := range maxClients + 100 {
		if l.take(address(i)) > 0 {
			refused++
		}
	}
	if len(l.whole) > maxClients+1 || refused < 90 {
		t.Errorf("%d addresses are kept, %d were refused", len(l.whole), refused)
	}
	now = now.Add(time.Minute)
	if wait := l.take(address(1 << 22)); wait != 0 || len(l.whole) != 1 {
		t.Errorf("a minute later: wait %v, %d addresses", wait, len(l.whole))
	}
}

func TestClientOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80":              "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::",
		"[2001:db8:1:2::7]:443":     "2001:db8:1:2::",
		"[fe80::1%eth0]:80":         "fe80::",
		"@":                         "invalid IP",
		"":                          "invalid IP",
	} {
		if got := clientOf(&http.Request{RemoteAddr: remote}).String(); got != want {
			t.Errorf("%q: %s, want %s", remote, got, want)
		}
	}
}
