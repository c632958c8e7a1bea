package embed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

// limited is a provider that takes so many requests a minute, on the minute.
type limited struct {
	limit   int
	headers bool // it says what is left

	mu       sync.Mutex
	window   time.Time
	taken    int
	answered map[string]int // requests by the first word of their first text
	refused  int
	now, top int // requests under way, the most ever
}

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	var body request
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.now++
	l.top = max(l.top, l.now)
	l.mu.Unlock()
	time.Sleep(300 * time.Millisecond) // on the way
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now--
	now := time.Now()
	if w := now.Truncate(time.Minute); !w.Equal(l.window) {
		l.window, l.taken = w, 0
	}
	reset := l.window.Add(time.Minute).Sub(now)
	h := http.Header{"Content-Type": {"application/json"}}
	respond := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	if l.taken == l.limit {
		l.refused++
		if h.Set("Retry-After", strconv.Itoa(int(reset.Seconds())+1)); l.headers {
			h.Set("X-Ratelimit-Remaining-Requests", "0")
			h.Set("X-Ratelimit-Reset-Requests", reset.String())
		}
		return respond(429, apiError)
	}
	l.taken++
	if l.headers {
		h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(l.limit-l.taken))
		h.Set("X-Ratelimit-Reset-Requests", reset.String())
	}
	who, _, _ := strings.Cut(body.Input[0], " ")
	l.answered[who]++
	var items []string
	for i, text := range body.Input {
		items = append(items, strings.ReplaceAll(fmt.Sprintf(`{"index":%d,"embedding":%v}`, i, fakeVector(text)), " ", ","))
	}
	return respond(200, `{"data":[`+strings.Join(items, ",")+`]}`)
}

// TestRateLimit: eight jobs share a provider of 60 requests a minute. Nothing
// is lost, hardly a request is over the limit, and the jobs fare alike.
func TestRateLimit(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers bool
		over    float64 // most refused requests, as a share
		fair    float64 // what the last job has, half way, of what the first has
	}{
		{"headers", true, 0, 0.8},
		// As many are refused as are under way when a minute's are used up,
		// and chance decides whose they are.
		{"Retry-After alone", false, 0.07, 0.6},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const jobs, each, batch = 8, 1250, 10
				l := &limited{limit: 60, headers: test.headers, answered: map[string]int{}}
				e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m", Batch: batch})
				if err != nil {
					t.Fatal(err)
				}
				e.SetTransport(l)
				var wait sync.WaitGroup
				for j := range jobs {
					wait.Go(func() {
						texts := make([]string, each)
						for i := range texts {
							texts[i] = fmt.Sprintf("job%d text %d", j, i)
						}
						v, err := e.Embed(t.Context(), documents(texts...))
						if err != nil {
							t.Errorf("job %d: %v", j, err)
							return
						}
						for i := range v {
							if !isFake(v[i], texts[i]) {
								t.Errorf("job %d: text %d has a wrong vector", j, i)
							}
						}
					})
				}
				time.Sleep(8 * time.Minute) // half way
				l.mu.Lock()
				least, most := each, 0
				for j := range jobs {
					n := l.answered[fmt.Sprint("job", j)]
					least, most = min(least, n), max(most, n)
				}
				l.mu.Unlock()
				if float64(least) < float64(most)*test.fair {
					t.Errorf("half way, one job has %d requests answered, another %d", least, most)
				}
				start := time.Now()
				wait.Wait()
				if took := 8*time.Minute + time.Since(start); took > 18*time.Minute {
					t.Errorf("took %v", took)
				}
				t.Logf("%d requests refused of %d, half way %d to %d answered a job", l.refused, jobs*each/batch, least, most)
				if share := float64(l.refused) / (jobs * each / batch); share > test.over {
					t.Errorf("%d requests over the limit, %.3f", l.refused, share)
				}
				if l.top > 4 {
					t.Errorf("%d requests at once", l.top)
				}
			})
		})
	}
}

// TestPace: what headers say of the next request.
func TestPace(t *testing.T) {
	for _, test := range []struct {
		name   string
		header map[string]string
		wait   time.Duration
	}{
		{"nothing", nil, 0},
		{"enough left", map[string]string{"Remaining-Requests": "1", "Reset-Requests": "9s"}, 0},
		{"no requests left", map[string]string{"Remaining-Requests": "0", "Reset-Requests": "9s"}, 9 * time.Second},
		{"milliseconds", map[string]string{"Remaining-Requests": "0", "Reset-Requests": "20ms"}, 20 * time.Millisecond},
		{"too few tokens left", map[string]string{"Remaining-Tokens": "3", "Reset-Tokens": "1.5s"}, 1500 * time.Millisecond},
		{"enough tokens left", map[string]string{"Remaining-Tokens": "30", "Reset-Tokens": "1.5s"}, 0},
		{"the longer of both", map[string]string{"Remaining-Requests": "0", "Reset-Requests": "2s", "Remaining-Tokens": "0", "Reset-Tokens": "3s"}, 3 * time.Second},
		{"seconds", map[string]string{"Remaining": "0", "Reset": "5"}, 5 * time.Second},
		{"time of day", map[string]string{"Remaining": "0", "Reset": "946684807"}, 7 * time.Second}, // synctest's clock begins in 2000
		{"date", map[string]string{"Remaining": "0", "Reset": "2000-01-01T00:00:08Z"}, 8 * time.Second},
		{"absurdly long", map[string]string{"Remaining": "0", "Reset": "9999h"}, time.Minute},
		{"in the past", map[string]string{"Remaining": "0", "Reset": "-5s"}, 0},
		{"no number", map[string]string{"Remaining": "none", "Reset": "NaN"}, 0},
		{"negative", map[string]string{"Remaining": "-1", "Reset": "5"}, 0},
		{"no reset", map[string]string{"Remaining-Requests": "0"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
				if err != nil {
					t.Fatal(err)
				}
				e.SetTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
					res, err := roundTrip(func() (int, string) { return 200, "" }).RoundTrip(r)
					for k, v := range test.header {
						res.Header.Set("X-Ratelimit-"+k, v)
					}
					return res, err
				}))
				for _, want := range []time.Duration{0, test.wait} {
					start := time.Now()
					if _, err := e.Embed(t.Context(), documents("a text of some forty bytes, to be exact.")); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(start); took != want {
						t.Errorf("a request took %v, want %v", took, want)
					}
				}
			})
		})
	}
}

// TestPaceCancel: the wait for an allowance ends with the context.
func TestPaceCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{limit: 1, headers: true, answered: map[string]int{}}
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m", Batch: 1})
		if err != nil {
			t.Fatal(err)
		}
		e.SetTransport(l)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err = e.Embed(ctx, documents(numbered(9)...))
		if took := time.Since(start); took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v after %v, want the deadline after 5 s", err, took)
		}
	})
}

// TestPaceOfQueries: somebody who waits for an answer hears at once that the
// rate limit is used up for longer than he would wait, and waits otherwise.
func TestPaceOfQueries(t *testing.T) {
	for _, test := range []struct {
		name  string
		after string // of the provider, to a request before
		waits time.Duration
		fails bool
	}{
		{"a while", "7", 7 * time.Second, false},
		{"too long", "60", 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
				if err != nil {
					t.Fatal(err)
				}
				var requests atomic.Int64
				e.SetTransport(roundTrip(func() (int, string) {
					if requests.Add(1) == 1 {
						return 429, test.after
					}
					return 200, ""
				}))
				var job sync.WaitGroup
				job.Go(func() {
					if _, err := e.Embed(t.Context(), documents("a")); err != nil {
						t.Errorf("documents: %v", err)
					}
				})
				synctest.Wait()
				start := time.Now()
				_, err = e.Embed(t.Context(), queries("b"))
				if waited := time.Since(start); waited != test.waits {
					t.Errorf("waited %v, want %v", waited, test.waits)
				}
				if (err != nil) != test.fails || test.fails && (!errors.Is(err, contract.ErrProvider) || errors.Is(err, contract.ErrUnavailable)) {
					t.Errorf("got %v", err)
				}
				job.Wait()
			})
		})
	}
}

// TestPaceOfACrowd: after a refusal one request goes at a time, and a query waits
// for the one before it no longer than somebody would.
func TestPaceOfACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		var requests, takes atomic.Int64
		e.SetTransport(roundTrip(func() (int, string) {
			if requests.Add(1) == 1 {
				return 429, ""
			}
			time.Sleep(time.Duration(takes.Load()))
			return 200, ""
		}))
		for _, slow := range []time.Duration{8 * time.Second, 40 * time.Second} {
			requests.Store(0)
			takes.Store(int64(slow))
			var job sync.WaitGroup
			job.Go(func() {
				if _, err := e.Embed(t.Context(), documents("a")); err != nil {
					t.Errorf("documents: %v", err)
				}
			})
			time.Sleep(time.Second) // it is refused, and asks again
			start := time.Now()
			_, err = e.Embed(t.Context(), queries("b"))
			waited := time.Since(start)
			if slow < 20*time.Second != (err == nil) || err != nil && waited != 10*time.Second {
				t.Errorf("beside a request of %v: %v after %v", slow, err, waited)
			}
			job.Wait()
		}
	})
}
