package embed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
)

// answer returns a fault that writes a status, a content type and a body that
// repeats what was sent, as careless servers do.
func answer(status int, body string, headers ...string) func(http.ResponseWriter, request) bool {
	return func(w http.ResponseWriter, r request) bool {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.NewReplacer("KEY", canaryKey, "TEXT", strings.Join(r.Input, " ")).Replace(body))
		return true
	}
}

// vectors returns a fault that answers each text with an item of the given
// form, in which %d is the text's index.
func vectors(form string, drop int) func(http.ResponseWriter, request) bool {
	return func(w http.ResponseWriter, r request) bool {
		var items []string
		for i := range len(r.Input) - drop {
			items = append(items, strings.ReplaceAll(form, "%d", fmt.Sprint(i)))
		}
		return answer(200, `{"data":[`+strings.Join(items, ",")+`]}`)(w, r)
	}
}

const apiError = `{"error":{"message":"no: TEXT KEY","type":"KEY","code":"TEXT"}}`

// TestFaults plays every fault that providers are known for. The fault either
// passes, and the call succeeds without a wrong vector, or lasts, and the call
// fails with ErrProvider: no text is blamed for a provider's fault.
func TestFaults(t *testing.T) {
	hijack := func(after string) func(http.ResponseWriter, request) bool {
		return func(w http.ResponseWriter, _ request) bool {
			conn, buf, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = buf.WriteString(after)
			_ = buf.Flush()
			_ = conn.Close()
			return true
		}
	}
	for _, test := range []struct {
		name   string
		fault  func(http.ResponseWriter, request) bool
		repeat bool   // the request is repeated, so a fault that passes does no harm
		says   string // in the error, where the fault lasts
	}{
		{"400", answer(400, apiError), false, "HTTP 400"},
		{"401", answer(401, apiError), false, "VECTORLINK_EMBED_KEY"},
		{"402", answer(402, apiError), false, "quota"},
		{"403", answer(403, apiError), false, "VECTORLINK_EMBED_KEY"},
		{"404", answer(404, apiError), false, "VECTORLINK_EMBED_URL"},
		{"408", answer(408, apiError), true, "HTTP 408"},
		{"413", answer(413, apiError), false, "HTTP 413"},
		{"429", answer(429, apiError), true, "rate"},
		{"429 at once", answer(429, apiError, "Retry-After", "0"), true, "rate"},
		{"429 soon", answer(429, apiError, "Retry-After-Ms", "2"), true, "rate"},
		{"429 absurd", answer(429, apiError, "Retry-After", "NaN"), true, "rate"},
		{"429 in the past", answer(429, apiError, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), true, "rate"},
		{"429 page", answer(429, "<html>slow down KEY</html>", "Content-Type", "text/html"), true, "rate"},
		{"quota", answer(429, `{"error":{"message":"TEXT","code":"insufficient_quota"}}`), false, "quota"},
		{"500", answer(500, apiError), true, "HTTP 500"},
		{"500 empty", answer(500, ""), true, "HTTP 500"},
		{"500 numbered", answer(500, `{"error":{"message":"TEXT","code":77}}`), true, "HTTP 500 (77)"},
		{"501", answer(501, ""), false, "HTTP 501"},
		{"502", answer(502, "<html>"), true, "HTTP 502"},
		{"503", answer(503, "KEY"), true, "HTTP 503"},
		{"529", answer(529, apiError), true, "HTTP 529"},
		{"huge error", answer(500, strings.Repeat("KEY", 1<<20)), true, "HTTP 500"},
		{"page", answer(200, "<html>KEY", "Content-Type", "text/html; charset=utf-8"), false, "web page"},
		{"page in disguise", answer(200, "<html>KEY"), false, "cannot be read"},
		{"redirect", answer(307, "", "Location", "/elsewhere"), false, "redirects"},
		{"empty", answer(200, ""), true, "cut short"},
		{"truncated", answer(200, `{"data":[{"index":0,"embedding":[1,2`), true, "cut short"},
		{"reset", hijack(""), true, "cut short"},
		{"reset in the body", hijack("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\":["), true, "cut short"},
		{"not HTTP", hijack("SSH-2.0-OpenSSH\r\n"), true, "reached"},
		{"error in 200", answer(200, apiError), false, "0 vectors for 3 texts"},
		{"null", answer(200, "null"), false, "0 vectors for 3 texts"},
		{"list", answer(200, "[]"), false, "cannot be read"},
		{"one short", vectors(`{"index":%d,"embedding":[1,2,3,4,5,6,7,8]}`, 1), false, "2 vectors for 3 texts"},
		{"one too many", vectors(`{"index":%d,"embedding":[1,2,3,4,5,6,7,8]}`, -1), false, "4 vectors for 3 texts"},
		{"same index", vectors(`{"index":2,"embedding":[1,2,3,4,5,6,7,8]}`, 0), false, "not numbered"},
		{"index from 1", vectors(`{"index":1%d,"embedding":[1,2,3,4,5,6,7,8]}`, 0), false, "not numbered"},
		{"negative index", vectors(`{"index":-1,"embedding":[1,2,3,4,5,6,7,8]}`, 0), false, "not numbered"},
		{"null vectors", vectors(`{"index":%d,"embedding":null}`, 0), false, "empty"},
		{"empty vectors", vectors(`{"index":%d,"embedding":[]}`, 0), false, "empty"},
		{"zero vectors", vectors(`{"index":%d,"embedding":[0,0,0,0,0,0,0,-0]}`, 0), false, "zero"},
		{"NaN", vectors(`{"index":%d,"embedding":[NaN]}`, 0), false, "cannot be read"},
		{"infinity", vectors(`{"index":%d,"embedding":[1e39,1,1,1,1,1,1,1]}`, 0), false, "cannot be read"},
		{"strings", vectors(`{"index":%d,"embedding":"AACAPw=="}`, 0), false, "cannot be read"},
		{"wrong length", vectors(`{"index":%d,"embedding":[1,2,3]}`, 0), false, "3 dimensions, not 8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProvider(t)
			e := p.remote(t, func(c *embed.Config) { c.Dimensions = fakeDim })
			texts := numbered(3)

			p.play(test.fault)
			v, err := e.Embed(t.Context(), indexer.RoleDocument, texts)
			var refused *indexer.RefusedError
			if v != nil || !errors.Is(err, indexer.ErrProvider) || errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("a lasting fault: got %v, %v, want ErrProvider saying %q", v, err, test.says)
			}
			clean(t, err)
			if n := p.count(); n > 2*e.Tries() || test.repeat != (n > 2) {
				t.Errorf("a lasting fault: %d requests, repeat is %v", n, test.repeat)
			}

			var times atomic.Int32
			p.play(func(w http.ResponseWriter, r request) bool {
				return times.Add(1) <= 2 && test.fault(w, r)
			})
			v, err = e.Embed(t.Context(), indexer.RoleDocument, texts)
			clean(t, err)
			if test.repeat && err != nil {
				t.Errorf("a fault that passes: %v", err)
			}
			for i := range v {
				if v[i] != nil && !isFake(v[i], texts[i]) {
					t.Errorf("text %d has a wrong vector", i)
				}
			}
		})
	}
}

// TestOrder plays answers that look odd and are right.
func TestOrder(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t)
	texts := numbered(9)
	for name, fault := range map[string]func(http.ResponseWriter, request) bool{
		"reversed": func(w http.ResponseWriter, r request) bool {
			writeVectors(w, r, func(i int) int { return len(r.Input) - 1 - i })
			return true
		},
		"unnumbered": func(w http.ResponseWriter, r request) bool {
			var items []string
			for _, text := range r.Input {
				items = append(items, strings.ReplaceAll(fmt.Sprintf(`{"embedding":%v}`, fakeVector(text)), " ", ","))
			}
			return answer(200, `{"data":[`+strings.Join(items, ",")+`]} and more`)(w, r)
		},
	} {
		p.play(fault)
		v, err := e.Embed(t.Context(), indexer.RoleDocument, texts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, text := range texts {
			if !isFake(v[i], text) {
				t.Errorf("%s: text %d has the wrong vector", name, i)
			}
		}
	}
}

// TestOneBadVector: an unusable vector refuses its text alone.
func TestOneBadVector(t *testing.T) {
	for _, bad := range []string{"null", "[]", "[0,0,0,0,0,0,0,0]", "[1e39,0,0,0,0,0,0,0]"} {
		p := newProvider(t)
		p.play(func(w http.ResponseWriter, r request) bool {
			var items []string
			for i, text := range r.Input {
				v := strings.ReplaceAll(fmt.Sprint(fakeVector(text)), " ", ",")
				if text == "poison" {
					v = bad
				}
				items = append(items, fmt.Sprintf(`{"index":%d,"embedding":%s}`, i, v))
			}
			return answer(200, `{"data":[`+strings.Join(items, ",")+`]}`)(w, r)
		})
		e := p.remote(t)
		for _, texts := range [][]string{{"poison", "b", "c", "d"}, {"poison"}} {
			v, err := e.Embed(t.Context(), indexer.RoleDocument, texts)
			var refused *indexer.RefusedError
			if !errors.As(err, &refused) || len(refused.Texts) != 1 || refused.Texts[0] == nil || v[0] != nil {
				t.Errorf("%s: got %v, want text 0 refused", bad, err)
			}
			for i := 1; i < len(texts); i++ {
				if !isFake(v[i], texts[i]) {
					t.Errorf("%s: text %d has the wrong vector", bad, i)
				}
			}
		}
	}
}

// TestFlood: an answer without end is cut off.
func TestFlood(t *testing.T) {
	p := newProvider(t)
	var sent atomic.Int64
	p.play(func(w http.ResponseWriter, _ request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":[{"index":0,"embedding":[`)
		block := []byte(strings.Repeat("0.125,", 10_000))
		for {
			n, err := w.Write(block)
			if sent.Add(int64(n)); err != nil || sent.Load() > 1<<30 {
				return true
			}
		}
	})
	e := p.remote(t, func(c *embed.Config) { c.Dimensions = fakeDim })
	_, err := e.Embed(t.Context(), indexer.RoleDocument, []string{"a"})
	if !errors.Is(err, indexer.ErrProvider) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v, want ErrProvider", err)
	}
	e.Close()
	if n := sent.Load(); n > 64<<20 || p.count() != 1 {
		t.Errorf("%d bytes taken in %d requests", n, p.count())
	}
}

// TestSilence: a provider that does not answer is given up.
func TestSilence(t *testing.T) {
	p := newProvider(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	p.play(func(http.ResponseWriter, request) bool {
		<-release
		return true
	})
	e := p.remote(t, func(c *embed.Config) { c.Timeout = 20 * time.Millisecond })
	e.RetryQuickly(2)
	_, err := e.Embed(t.Context(), indexer.RoleDocument, []string{"a"})
	if !errors.Is(err, indexer.ErrProvider) || !strings.Contains(err.Error(), "in time") || p.count() != 2 {
		t.Errorf("got %v after %d requests, want ErrProvider after 2", err, p.count())
	}
}

// TestUnreachable: nobody listens.
func TestUnreachable(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t)
	p.Close()
	_, err := e.Embed(t.Context(), indexer.RoleDocument, []string{"a"})
	if !errors.Is(err, indexer.ErrProvider) || !strings.Contains(err.Error(), "VECTORLINK_EMBED_URL") {
		t.Errorf("got %v, want ErrProvider", err)
	}
	clean(t, err)
	if _, err := e.Dim(t.Context()); !errors.Is(err, indexer.ErrProvider) {
		t.Errorf("dim: got %v, want ErrProvider", err)
	}
}

// roundTrip is a network without sockets, for tests with a fake clock.
type roundTrip func() (status int, retryAfter string)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	status, after := f()
	body := `{"error":{"message":"no"}}`
	if status == 200 {
		body = `{"data":[{"index":0,"embedding":[3,4]}]}`
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if after != "" {
		h.Set("Retry-After", after)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestBackoff(t *testing.T) {
	for _, test := range []struct {
		name        string
		status      int
		after       string
		failures    int
		least, most time.Duration
		ok          bool
	}{
		{"as asked", 429, "7", 2, 14 * time.Second, 14 * time.Second, true},
		{"a fraction", 503, "0.5", 1, 500 * time.Millisecond, 500 * time.Millisecond, true},
		{"absurd", 429, "99999999999", 1, time.Minute, time.Minute, true},
		{"negative", 429, "-5", 1, 250 * time.Millisecond, 751 * time.Millisecond, true},
		{"not said", 429, "", 3, 1750 * time.Millisecond, 5251 * time.Millisecond, true},
		{"for ever", 429, "", 99, 20 * time.Second, 5 * time.Minute, false},
		{"for ever as asked", 429, "60", 99, 4 * time.Minute, 5 * time.Minute, false},
		{"server error", 500, "", 2, 750 * time.Millisecond, 2251 * time.Millisecond, true},
		{"not to be repeated", 401, "7", 1, 0, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
				if err != nil {
					t.Fatal(err)
				}
				requests := 0
				e.SetTransport(roundTrip(func() (int, string) {
					if requests++; requests <= test.failures {
						return test.status, test.after
					}
					return 200, ""
				}))
				start := time.Now()
				v, err := e.Embed(t.Context(), indexer.RoleDocument, []string{"a"})
				if took := time.Since(start); took < test.least || took > test.most {
					t.Errorf("took %v, want %v to %v", took, test.least, test.most)
				}
				if (err == nil) != test.ok || test.ok && (len(v) != 1 || v[0][0] != 0.6) {
					t.Errorf("got %v, %v", v, err)
				}
				if !test.ok && !errors.Is(err, indexer.ErrProvider) {
					t.Errorf("got %v, want ErrProvider", err)
				}
			})
		})
	}
}

// TestBackoffCancel: the wait ends with the context.
func TestBackoffCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		e.SetTransport(roundTrip(func() (int, string) { return 429, "30" }))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err = e.Embed(ctx, indexer.RoleDocument, []string{"a"})
		if took := time.Since(start); took != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v after %v, want the deadline after 10 s", err, took)
		}
	})
}

// FuzzAnswer: whatever the provider writes, each text has a vector of the
// right length, or the call says that it has none.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,0]}]}`)
	f.Add(200, `{"data":[{"embedding":[1e38,1e38]},{"index":1,"embedding":[1e-45,0]}]}`)
	f.Add(200, `{"error":{"message":"no","code":[]}}`)
	f.Add(400, `{"error":"no"}`)
	f.Add(429, `{"error":{"message":["a","b"],"code":4e9}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m", Dimensions: 2})
		if err != nil {
			t.Fatal(err)
		}
		e.RetryQuickly(1)
		e.SetTransport(bodies{status: 200 + max(0, status)%400, body: body})
		texts := []string{"text number 0", "text number 1"}
		v, err := e.Embed(t.Context(), indexer.RoleDocument, texts)
		var refused *indexer.RefusedError
		if err != nil && !errors.As(err, &refused) {
			if v != nil || !errors.Is(err, indexer.ErrProvider) {
				t.Fatalf("got %v, %v, want ErrProvider", v, err)
			}
			clean(t, err)
			return
		}
		for i := range texts {
			if refused != nil && refused.Texts[i] != nil {
				continue
			}
			if d := dot(v[i], v[i]); len(v[i]) != 2 || d < 1-1e-6 || d > 1+1e-6 {
				t.Fatalf("text %d: %v", i, v[i])
			}
		}
	})
}

// bodies answers every request alike.
type bodies struct {
	status int
	body   string
}

func (b bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return &http.Response{StatusCode: b.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(b.body)), Request: r}, nil
}
