package embed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
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

// hijack returns a fault that writes raw bytes and closes the connection.
func hijack(bytes string) func(http.ResponseWriter, request) bool {
	return func(w http.ResponseWriter, _ request) bool {
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buf.WriteString(bytes)
		_ = buf.Flush()
		_ = conn.Close()
		return true
	}
}

// flood returns a fault that answers with a gigabyte, if it is let.
func flood(status int) fault {
	return func(w http.ResponseWriter, _ request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"data":[{"index":0,"embedding":[`)
		block := []byte(strings.Repeat("0.125,", 10_000))
		for sent := 0; sent < 1<<30; {
			n, err := w.Write(block)
			if sent += n; err != nil {
				if sent > 64<<20 {
					panic(fmt.Sprintf("%d bytes were taken", sent))
				}
				return true
			}
		}
		panic("all was taken")
	}
}

// silence says nothing until the caller has gone.
func silence(w http.ResponseWriter, r request) bool {
	<-r.gone
	return true
}

// reordered answers well, the last first.
func reordered(w http.ResponseWriter, r request) bool {
	writeVectors(w, r, func(i int) int { return len(r.Input) - 1 - i })
	return true
}

// unnumbered answers well, without indexes and with something after the end.
func unnumbered(w http.ResponseWriter, r request) bool {
	var items []string
	for _, text := range r.Input {
		items = append(items, strings.ReplaceAll(fmt.Sprintf(`{"embedding":%v}`, fakeVector(text)), " ", ","))
	}
	return answer(200, `{"data":[`+strings.Join(items, ",")+`]} and more`)(w, r)
}

// only answers in one encoding, whatever is asked for.
func only(encoding string) func(http.ResponseWriter, request) bool {
	return func(w http.ResponseWriter, r request) bool {
		r.EncodingFormat = encoding
		writeVectors(w, r, func(i int) int { return i })
		return true
	}
}

// refusing answers to requests that ask for base64 with a status.
func refusing(status int) func(http.ResponseWriter, request) bool {
	return func(w http.ResponseWriter, r request) bool {
		return r.EncodingFormat != "" && answer(status, apiError)(w, r)
	}
}

// What becomes of a fault.
const (
	works  = "works"  // it is none
	passes = "passes" // if it lasts, the call fails; if it is over soon, nobody notices
	fails  = "fails"  // it is not worth asking again
)

// unavailable reports whether an error that says so is of a provider that cannot
// be reached or is in trouble, and not of one that refuses something.
func unavailable(says string) bool {
	return strings.HasPrefix(says, "HTTP 5") || says == "HTTP 408" || slices.Contains([]string{"cut short", "reached", "in time"}, says)
}

// TestFaults plays every fault that providers are known for. Each ends as its
// row says: the call succeeds without a wrong vector, or fails with
// ErrProvider, no text being blamed for a provider's fault; no text and no key
// is in the error, and no goroutine is left.
func TestFaults(t *testing.T) {
	const eight = "[1,2,3,4,5,6,7,8]"
	for _, test := range []struct {
		name  string
		fault func(http.ResponseWriter, request) bool
		ends  string
		says  string // in the error, where the fault lasts
	}{
		{"400", answer(400, apiError), fails, "HTTP 400"},
		{"400 with the key for its type", answer(400, `{"error":{"message":"no","type":"KEY"}}`), fails, "HTTP 400"},
		{"400 with the key for its code", answer(400, `{"error":{"message":"no","code":"KEY"}}`), fails, "HTTP 400"},
		{"401", answer(401, apiError), fails, "VECTORLINK_EMBED_KEY"},
		{"402", answer(402, apiError), fails, "quota"},
		{"403", answer(403, apiError), fails, "VECTORLINK_EMBED_KEY"},
		{"404", answer(404, apiError), fails, "VECTORLINK_EMBED_URL"},
		{"408", answer(408, apiError), passes, "HTTP 408"},
		{"413", answer(413, apiError), fails, "HTTP 413"},
		{"429 without Retry-After", answer(429, apiError), passes, "rate"},
		{"429 with Retry-After 0", answer(429, apiError, "Retry-After", "0"), passes, "rate"},
		{"429 with Retry-After-Ms", answer(429, apiError, "Retry-After-Ms", "2"), passes, "rate"},
		{"429 with x-ratelimit-reset", answer(429, apiError, "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "2ms"), passes, "rate"},
		{"429 with absurd Retry-After", answer(429, apiError, "Retry-After", "NaN"), passes, "rate"},
		{"429 with Retry-After in the past", answer(429, apiError, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), passes, "rate"},
		{"429 as HTML", answer(429, "<html>slow down KEY</html>", "Content-Type", "text/html"), passes, "rate"},
		{"429 for the quota", answer(429, `{"error":{"message":"TEXT","code":"insufficient_quota"}}`), fails, "quota"},
		{"500", answer(500, apiError), passes, "HTTP 500"},
		{"500 without a body", answer(500, ""), passes, "HTTP 500"},
		{"500 with a numeric code", answer(500, `{"error":{"message":"TEXT","code":77}}`), passes, "HTTP 500 (77)"},
		{"500 with a body of 1 MB", answer(500, strings.Repeat("no! ", 1<<18)), passes, "HTTP 500"},
		{"501", answer(501, ""), fails, "HTTP 501"},
		{"502", answer(502, "<html>"), passes, "HTTP 502"},
		{"503", answer(503, "KEY"), passes, "HTTP 503"},
		{"529", answer(529, apiError), passes, "HTTP 529"},
		{"200 as HTML", answer(200, "<html>KEY", "Content-Type", "text/html; charset=utf-8"), fails, "web page"},
		{"200 as HTML in disguise", answer(200, "<html>KEY"), fails, "cannot be read"},
		{"200 without a body", answer(200, ""), passes, "cut short"},
		{"200 with an error", answer(200, `{"error":{"message":"no","type":"api_error","code":"model_not_found"}}`), fails, "HTTP 200 with an error in the place of vectors (api_error, model_not_found)"},
		{"200 with an error by its detail", answer(200, `{"detail":"no"}`), fails, "HTTP 200 with an error in the place of vectors"},
		{"200 with an error by its code", answer(200, `{"code":"InvalidParameter","status":"no"}`), fails, "HTTP 200 with an error in the place of vectors (InvalidParameter)"},
		{"200 with an error by its message", answer(200, `{"message":"no"}`), fails, "HTTP 200 with an error in the place of vectors"},
		{"200 with errors", answer(200, `{"success":false,"errors":[{"code":10000,"message":"no"}]}`), fails, "HTTP 200 with an error in the place of vectors (10000)"},
		{"200 with an error of no type", answer(200, `{"error":"no such model"}`), fails, "HTTP 200 with an error in the place of vectors"},
		{"200 that is an error", answer(200, `{"object":"error","message":"no","type":"NotFoundError","code":404}`), fails, "(NotFoundError, 404): " + "check the provider's address"},
		{"200 with the rate limit", answer(200, `{"error":{"message":"slow down","code":429}}`), passes, "limits the rate"},
		{"200 with null", answer(200, "null"), fails, "0 vectors for 3 texts"},
		{"200 with a list", answer(200, "[]"), fails, "cannot be read"},
		{"redirect", answer(307, "", "Location", "/elsewhere"), fails, "redirects"},
		{"truncated JSON", answer(200, `{"data":[{"index":0,"embedding":[1,2`), passes, "cut short"},
		{"reset before the answer", hijack(""), passes, "cut short"},
		{"reset in the body", hijack("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\":["), passes, "cut short"},
		{"not HTTP", hijack("SSH-2.0-OpenSSH\r\n"), passes, "reached"},
		{"silence", silence, passes, "in time"},
		{"1 GiB", flood(200), fails, "too large"},
		{"500 with 1 GiB", flood(500), passes, "HTTP 500"},
		{"one vector short", vectors(`{"index":%d,"embedding":`+eight+`}`, 1), fails, "2 vectors for 3 texts"},
		{"one vector too many", vectors(`{"index":%d,"embedding":`+eight+`}`, -1), fails, "4 vectors for 3 texts"},
		{"wrong order", reordered, works, ""},
		{"no indexes", unnumbered, works, ""},
		{"duplicate index", vectors(`{"index":2,"embedding":`+eight+`}`, 0), fails, "not numbered"},
		{"index too large", vectors(`{"index":1%d,"embedding":`+eight+`}`, 0), fails, "not numbered"},
		{"index negative", vectors(`{"index":-1,"embedding":`+eight+`}`, 0), fails, "not numbered"},
		{"null vectors", vectors(`{"index":%d,"embedding":null}`, 0), fails, "empty"},
		{"empty vectors", vectors(`{"index":%d,"embedding":[]}`, 0), fails, "empty"},
		{"zero vectors", vectors(`{"index":%d,"embedding":[0,0,0,0,0,0,0,-0]}`, 0), fails, "zero"},
		{"null in vectors", vectors(`{"index":%d,"embedding":[1,null,3,4,5,6,7,8]}`, 0), fails, "cannot be read"},
		{"NaN", vectors(`{"index":%d,"embedding":[NaN]}`, 0), fails, "cannot be read"},
		{"NaN in base64", vectors(`{"index":%d,"embedding":"`+inBase64([]float64{1, 2, 3, 4, 5, 6, 7, math.NaN()})+`"}`, 0), fails, "no numbers"},
		{"infinity", vectors(`{"index":%d,"embedding":[1e39,1,1,1,1,1,1,1]}`, 0), fails, "cannot be read"},
		{"infinity in base64", vectors(`{"index":%d,"embedding":"`+inBase64([]float64{1, 2, 3, 4, 5, 6, 7, math.Inf(-1)})+`"}`, 0), fails, "no numbers"},
		{"wrong dimensions", vectors(`{"index":%d,"embedding":[1,2,3]}`, 0), fails, "3 dimensions, not 8"},
		{"wrong dimensions in base64", vectors(`{"index":%d,"embedding":"AACAPw=="}`, 0), fails, "1 dimensions, not 8"},
		{"base64 of half a number", vectors(`{"index":%d,"embedding":"AACA"}`, 0), fails, "cannot be read"},
		{"no base64", vectors(`{"index":%d,"embedding":"!!!!"}`, 0), fails, "cannot be read"},
		{"words for vectors", vectors(`{"index":%d,"embedding":{"a":1}}`, 0), fails, "cannot be read"},
		{"base64 refused with 400", refusing(400), works, ""},
		{"base64 refused with 422", refusing(422), works, ""},
		{"base64 ignored", only("float"), works, ""},
		{"base64 without being asked", only("base64"), works, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			p := newProvider(t)
			defer p.Close()
			e := p.remote(t, func(c *embed.Config) {
				c.Dimensions = fakeDim
				if test.name == "silence" {
					c.Timeout = 30 * time.Millisecond
				}
			})
			defer e.Close()
			texts := numbered(3)

			p.play(test.fault)
			v, err := e.Embed(t.Context(), documents(texts...))
			if test.ends == works {
				if err != nil {
					t.Errorf("got %v", err)
				}
			} else {
				var refused *contract.RefusedError
				if v != nil || !errors.Is(err, contract.ErrProvider) || errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("a lasting fault: got %v, %v, want ErrProvider saying %q", v, err, test.says)
				}
				if away := unavailable(test.says); errors.Is(err, contract.ErrUnavailable) != away {
					t.Errorf("%v, which should say that the provider is unavailable: %t", err, away)
				}
				clean(t, err)
				// A refusal is tried without base64, and with another text.
				if n := p.count(); n > 2*e.Tries() || test.ends == passes && n < e.Tries() || test.ends == fails && n > 4 {
					t.Errorf("a lasting fault that %s: %d requests", test.ends, n)
				}
			}
			if test.ends == passes {
				var times atomic.Int32
				p.play(func(w http.ResponseWriter, r request) bool {
					return times.Add(1) <= 2 && test.fault(w, r)
				})
				if v, err = e.Embed(t.Context(), documents(texts...)); err != nil {
					t.Errorf("a fault that passes: %v", err)
				}
			}
			for i := range v {
				if !isFake(v[i], texts[i]) {
					t.Errorf("text %d has a wrong vector", i)
				}
			}
		})
	}
}

// TestSilence: ten minutes of silence cost the time of one try after another,
// and a provider that speaks after them is heard.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m", Key: contract.NewSecret(canaryKey)})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		e.SetTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if time.Since(start) < 10*time.Minute {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return roundTrip(func() (int, string) { return 200, "" }).RoundTrip(r)
		}))
		_, err = e.Embed(t.Context(), documents("a"))
		if took := time.Since(start); !errors.Is(err, contract.ErrProvider) || !strings.Contains(err.Error(), "in time") || took < 4*time.Minute || took > 6*time.Minute {
			t.Errorf("got %v after %v, want ErrProvider after some 5 minutes", err, took)
		}
		time.Sleep(10*time.Minute - time.Since(start))
		if _, err := e.Embed(t.Context(), documents("a")); err != nil {
			t.Errorf("after the silence: %v", err)
		}
	})
}

// TestHalving: a request that is not answered in time is halved until it is, and
// no later one is as large.
func TestHalving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m", Batch: 8, Parallel: 1, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var sizes []int
		e.SetTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			var body request
			_ = json.NewDecoder(r.Body).Decode(&body)
			sizes = append(sizes, len(body.Input))
			if len(body.Input) > 2 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			vectors := strings.Repeat(`,{"embedding":[1]}`, len(body.Input))[1:]
			return bodies{status: 200, body: `{"data":[` + vectors + `]}`}.RoundTrip(r)
		}))
		start := time.Now()
		for range 2 {
			v, err := e.Embed(t.Context(), documents(numbered(8)...))
			if err != nil || len(v) != 8 || v[7] == nil {
				t.Fatalf("got %v", err)
			}
		}
		if want := []int{8, 4, 2, 2, 2, 2, 2, 2, 2, 2}; !slices.Equal(sizes, want) || time.Since(start) != 20*time.Second {
			t.Errorf("requests of %d texts in %v, want %d", sizes, time.Since(start), want)
		}
	})
}

// TestSilentForAQuery: somebody who waits hears soon that the provider is silent.
func TestSilentForAQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embed.OpenAI(embed.Config{URL: "http://provider.test", Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		e.SetTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		start := time.Now()
		if _, err := e.Embed(t.Context(), queries("a")); !errors.Is(err, contract.ErrUnavailable) || time.Since(start) > 11*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// roundTripper is a network without sockets.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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
			v, err := e.Embed(t.Context(), documents(texts...))
			var refused *contract.RefusedError
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

// TestUnreachable: nobody listens.
func TestUnreachable(t *testing.T) {
	p := newProvider(t)
	e := p.remote(t)
	p.Close()
	_, err := e.Embed(t.Context(), documents("a"))
	if !errors.Is(err, contract.ErrUnavailable) || !errors.Is(err, contract.ErrProvider) || !strings.Contains(err.Error(), "VECTORLINK_EMBED_URL") {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	clean(t, err)
	if _, err := e.Dim(t.Context(), contract.Secret{}); !errors.Is(err, contract.ErrProvider) {
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
				v, err := e.Embed(t.Context(), documents("a"))
				if took := time.Since(start); took < test.least || took > test.most {
					t.Errorf("took %v, want %v to %v", took, test.least, test.most)
				}
				if (err == nil) != test.ok || test.ok && (len(v) != 1 || v[0][0] != 0.6) {
					t.Errorf("got %v, %v", v, err)
				}
				if !test.ok && !errors.Is(err, contract.ErrProvider) {
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
		_, err = e.Embed(ctx, documents("a"))
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
	f.Add(200, `{"data":[{"index":1,"embedding":"AACAPwAAAAA="},{"index":0,"embedding":"AACAPwAAgD8"}]}`)
	f.Add(200, `{"data":[{"embedding":"AACA"},{"embedding":[1,null]},{"embedding":{}}]}`)
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
		v, err := e.Embed(t.Context(), documents(texts...))
		var refused *contract.RefusedError
		if err != nil && !errors.As(err, &refused) {
			if v != nil || !errors.Is(err, contract.ErrProvider) {
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

// TestNothingIsShown: a key or a text is in no log line, whatever happens, and in
// no form of the embedder.
func TestNothingIsShown(t *testing.T) {
	var out lockedBuffer
	usual, writer, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer func() { slog.SetDefault(usual); log.SetOutput(writer); log.SetFlags(flags) }()

	p := newProvider(t)
	for _, config := range []func(*embed.Config){
		func(*embed.Config) {},
		func(c *embed.Config) { c.Key = contract.Secret{} }, // the caller's
	} {
		e := p.remote(t, config)
		g := embed.NewGuard(e, embed.GuardConfig{Logger: slog.Default()})
		for _, f := range []fault{nil, answer(401, apiError), answer(429, apiError), answer(500, apiError), answer(200, apiError)} {
			p.play(f)
			r := documents(numbered(2)...)
			r.Patient, r.Key = false, contract.NewSecret(canaryKey)
			_, err := g.Embed(t.Context(), r)
			clean(t, err)
			clean(t, g.Probe(t.Context()))
			fmt.Fprintf(&out, "%v %+v", r.Key, r.Key)
		}
		g.Close() // its probes change what is printed
		fmt.Fprintf(&out, "%v %+v %#v", e, e, e)
	}
	for _, canary := range []string{canaryKey, "text number"} {
		if strings.Contains(string(out.Bytes()), canary) {
			t.Errorf("%q is in\n%s", canary, out.Bytes())
		}
	}
}
