package service

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLimiter checks the allowance of one address: what comes at once, what
// comes back with time, and that others have their own.
func TestLimiter(t *testing.T) {
	now := time.Now()
	l := NewLimiter(10)
	l.now = func() time.Time { return now }
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	take := func(client netip.Addr, n int) (taken int) {
		for range n {
			if l.Take(client) == 0 {
				taken++
			}
		}
		return taken
	}
	if got := take(a, 100); got != 20 {
		t.Errorf("%d of 100 requests at once were taken, want two seconds' 20", got)
	}
	if wait := l.Take(a); wait != 100*time.Millisecond {
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
	l = NewLimiter(0.1)
	l.now = func() time.Time { return now }
	if got := take(a, 3); got != 1 {
		t.Errorf("%d of 3 at a request in ten seconds, want 1", got)
	}
	if wait := l.Take(a); wait != 10*time.Second {
		t.Errorf("the wait is %v, want 10s", wait)
	}
	if NewLimiter(0).Take(a) != 0 {
		t.Error("without a limit something waits")
	}
}

// TestLimiterIsBounded checks that a limiter of many addresses keeps no more
// than it may, still limits, and changes one entry a request at most: a flood of
// new addresses makes nobody's request dear.
func TestLimiterIsBounded(t *testing.T) {
	now := time.Now()
	l := NewLimiter(1)
	l.now = func() time.Time { return now }
	address := func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	kept := func() int { return len(l.newer) + len(l.older) }
	turns := 0
	for span := range 3 {
		refused := 0
		for i := range maxClients + 100 {
			before, began := len(l.newer), l.began
			if l.Take(address(span<<20|i)) > 0 {
				refused++
			}
			switch added := len(l.newer) - before; {
			case l.began != began:
				turns++
			case added < 0 || added > 1:
				t.Fatalf("one request changed %d entries", added)
			}
		}
		if kept() > 2*maxClients || refused != 98 { // two are the shared allowance
			t.Errorf("span %d: %d addresses are kept, %d were refused", span, kept(), refused)
		}
		if wait := l.Take(address(span << 20)); wait != 0 {
			t.Errorf("span %d: an address that was known before waits %v", span, wait)
		}
		now = now.Add(l.span)
	}
	if turns != 3 {
		t.Errorf("%d turns in three spans", turns)
	}
	now = now.Add(time.Minute)
	if wait := l.Take(address(1 << 22)); wait != 0 || kept() != 1 {
		t.Errorf("a minute later: wait %v, %d addresses", wait, kept())
	}
}

// TestLimiterGenerations holds a limiter against one that never forgets.
func TestLimiterGenerations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1e9, 0)
		l := NewLimiter(rapid.SampledFrom([]float64{0.1, 0.7, 3, 50}).Draw(t, "rate"))
		l.now = func() time.Time { return now }
		model := make(map[byte]time.Time)
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, int(l.span)).Draw(t, "pause")) / time.Duration(rapid.IntRange(1, 20).Draw(t, "part")))
			id := rapid.ByteRange(0, 3).Draw(t, "client")
			at, want := model[id], time.Duration(0)
			if at.Before(now) {
				at = now
			}
			if ahead := at.Sub(now); ahead > l.slack {
				want = ahead - l.slack
			} else {
				model[id] = at.Add(l.every)
			}
			if got := l.Take(netip.AddrFrom4([4]byte{10, 0, 0, id})); got != want {
				t.Fatalf("client %d waits %v, want %v", id, got, want)
			}
		}
	})
}

func TestClient(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80":              "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::",
		"[2001:db8:1:2::7]:443":     "2001:db8:1:2::",
		"[fe80::1%eth0]:80":         "fe80::",
		"@":                         "invalid IP",
		"":                          "invalid IP",
	} {
		if got := Client(remote).String(); got != want {
			t.Errorf("%q: %s, want %s", remote, got, want)
		}
	}
}
