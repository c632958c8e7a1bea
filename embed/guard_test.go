package embed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

// service is a Service whose calls and probes end as they are told.
type service struct {
	contract.Embedder // nil: only what is below is asked for

	mu     sync.Mutex
	call   error
	probe  func(ctx context.Context) error
	calls  int
	probes []time.Duration // when, since the start
	start  time.Time
}

func newService() *service { return &service{start: time.Now()} }

// set has calls and probes end with an error.
func (s *service) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call, s.probe = err, func(context.Context) error { return err }
}

func (s *service) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.call != nil {
		return nil, s.call
	}
	return make([][]float32, len(r.Texts)), nil
}

func (s *service) Probe(ctx context.Context) error {
	s.mu.Lock()
	s.probes = append(s.probes, time.Since(s.start))
	probe := s.probe
	s.mu.Unlock()
	if probe == nil {
		return nil
	}
	return probe(ctx)
}

func (s *service) asked() (calls, probes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, len(s.probes)
}

var errAway = fmt.Errorf("embed: %w: HTTP 503", contract.ErrUnavailable)

// guarded runs a test with a Guard over a service, after the probe at the start.
func guarded(t *testing.T, test func(t *testing.T, s *service, g *embed.Guard)) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		g := embed.NewGuard(s, embed.GuardConfig{})
		defer g.Close()
		time.Sleep(time.Minute)
		test(t, s, g)
	})
}

func wantErr(t *testing.T, g *embed.Guard, r contract.EmbedRequest, want error) {
	t.Helper()
	if _, err := g.Embed(t.Context(), r); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestGuard: a failure is confirmed by probes before it counts; then calls fail
// without being made until a probe succeeds.
func TestGuard(t *testing.T) {
	var log lockedBuffer
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		g := embed.NewGuard(s, embed.GuardConfig{ProbeEvery: 4 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer g.Close()
		time.Sleep(time.Hour)
		s.set(errAway)
		wantErr(t, g, queries("a"), contract.ErrProvider)
		synctest.Wait()
		if !g.Up() {
			t.Error("down after one call and one probe")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if g.Up() {
			t.Error("up after one call and two probes")
		}
		for range 100 {
			wantErr(t, g, queries("a"), contract.ErrDown)
		}
		if calls, _ := s.asked(); calls != 1 {
			t.Errorf("%d calls were made", calls)
		}
		time.Sleep(9 * time.Second)
		s.set(nil)
		time.Sleep(4 * time.Second)
		if !g.Up() {
			t.Error("down after a probe has succeeded")
		}
		if _, err := g.Embed(t.Context(), queries("a")); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		want := "[0s 1h0m0s 1h0m1s 1h0m5s 1h0m9s 1h0m13s]"
		if got := fmt.Sprint(s.probes); got != want {
			t.Errorf("probes at %v, want %v", got, want)
		}
	})
	if text := string(log.Bytes()); strings.Count(text, "is down") != 1 || strings.Count(text, "is back") != 1 {
		t.Errorf("log:\n%s", text)
	}
}

// TestGuardFromTheStart: a service that is not there when the process starts is
// known to be down before anybody asks for it.
func TestGuardFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.set(errAway)
		g := embed.NewGuard(s, embed.GuardConfig{})
		defer g.Close()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if g.Up() {
			t.Error("up")
		}
	})
}

// TestGuardIsNotFooled holds what says nothing against a service, however often
// it happens.
func TestGuardIsNotFooled(t *testing.T) {
	for name, err := range map[string]error{
		"no key":          fmt.Errorf("%w: %w", contract.ErrProvider, contract.ErrNotConfigured),
		"4xx or 429":      fmt.Errorf("%w: HTTP 429", contract.ErrProvider),
		"refused texts":   &contract.RefusedError{Texts: map[int]error{0: errors.New("too long")}},
		"a caller left":   context.Canceled,
		"his time is up":  context.DeadlineExceeded,
		"something else":  errors.New("out of memory"),
		"a closed server": contract.ErrClosed,
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(t *testing.T, s *service, g *embed.Guard) {
				s.set(err)
				for range 50 {
					if _, got := g.Embed(t.Context(), queries("a")); got != err {
						t.Fatalf("got %v, want %v as it is", got, err)
					}
					synctest.Wait()
				}
				if _, probes := s.asked(); !g.Up() || probes != 1 {
					t.Errorf("up %t after %d probes, want true after the one at the start", g.Up(), probes)
				}
			})
		})
	}
}

// TestGuardForgives: failures between which a call or a probe succeeds do not
// add up.
func TestGuardForgives(t *testing.T) {
	guarded(t, func(t *testing.T, s *service, g *embed.Guard) {
		for range 20 { // calls fail, probes succeed
			s.mu.Lock()
			s.call, s.probe = errAway, nil
			s.mu.Unlock()
			wantErr(t, g, queries("a"), contract.ErrUnavailable)
			time.Sleep(2 * time.Second)
			if !g.Up() {
				t.Fatal("down although probes succeed")
			}
		}
		for i := range 20 { // probes take long, calls fail and succeed
			s.mu.Lock()
			s.probe = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			if s.call = nil; i%2 == 0 {
				s.call = errAway
			}
			s.mu.Unlock()
			_, _ = g.Embed(t.Context(), queries("a"))
			time.Sleep(time.Second)
			if !g.Up() {
				t.Fatal("down although every other call succeeds")
			}
		}
	})
}

// TestGuardProbes: a probe that gets no answer in time is a failure, and one
// that is refused shows that the service is there.
func TestGuardProbes(t *testing.T) {
	guarded(t, func(t *testing.T, s *service, g *embed.Guard) {
		s.mu.Lock()
		s.call, s.probe = errAway, func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		s.mu.Unlock()
		wantErr(t, g, queries("a"), contract.ErrUnavailable)
		time.Sleep(25 * time.Second)
		if g.Up() {
			t.Error("up although no probe is answered")
		}
		s.set(fmt.Errorf("%w: HTTP 429", contract.ErrProvider))
		time.Sleep(25 * time.Second)
		if !g.Up() {
			t.Error("down although a probe was answered")
		}
	})
}

// TestGuardPatience: a call that nobody waits for waits for the service, but not
// for ever and not longer than its context.
func TestGuardPatience(t *testing.T) {
	guarded(t, func(t *testing.T, s *service, g *embed.Guard) {
		s.set(errAway)
		wantErr(t, g, documents("a"), contract.ErrUnavailable)
		time.Sleep(3 * time.Second)
		calls, _ := s.asked()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := g.Embed(ctx, documents("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		start := time.Now()
		wantErr(t, g, documents("a"), contract.ErrDown)
		if waited := time.Since(start); waited != 5*time.Minute {
			t.Errorf("waited %v", waited)
		}
		if now, _ := s.asked(); now != calls {
			t.Errorf("%d calls were made while it was down", now-calls)
		}
		var jobs sync.WaitGroup
		for range 10 {
			jobs.Go(func() {
				if _, err := g.Embed(t.Context(), documents("a")); err != nil {
					t.Errorf("got %v", err)
				}
			})
		}
		time.Sleep(time.Minute)
		s.set(nil)
		jobs.Wait()
	})
}

// TestGuardOverProvider: of a provider that is down for five minutes nobody asks
// but a probe now and then and the job that was under way; queries fail at once,
// and all is well soon after.
func TestGuardOverProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		const down = 5 * time.Minute
		var mu sync.Mutex
		asked := 0
		e.SetTransport(roundTrip(func() (int, string) {
			mu.Lock()
			defer mu.Unlock()
			if time.Since(start) >= down {
				return 200, ""
			}
			asked++
			return 503, ""
		}))
		g := embed.NewGuard(e, embed.GuardConfig{})
		defer g.Close()
		var job sync.WaitGroup
		job.Go(func() { // one of documents gives up within its budget
			if _, err := g.Embed(t.Context(), documents("a")); !errors.Is(err, contract.ErrProvider) {
				t.Errorf("documents: got %v, want ErrProvider", err)
			}
		})
		time.Sleep(20 * time.Second)
		queriesFailed := 0
		for time.Since(start) < down {
			before := time.Now()
			_, err := g.Embed(t.Context(), queries("a"))
			if !errors.Is(err, contract.ErrDown) || time.Since(before) > 0 {
				t.Fatalf("query: got %v after %v, want ErrDown at once", err, time.Since(before))
			}
			queriesFailed++
			time.Sleep(time.Second)
		}
		job.Wait()
		mu.Lock()
		if queriesFailed < 100 || asked > 60 {
			t.Errorf("%d queries, %d requests were sent", queriesFailed, asked)
		}
		mu.Unlock()
		time.Sleep(30 * time.Second)
		if _, err := g.Embed(t.Context(), queries("a")); err != nil {
			t.Errorf("after the failure: %v", err)
		}
	})
}
