package embed

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sashabaranov/go-openai"

	"github.com/vectorlink/vectorlink/contract"
)

// A failure is a request that returned no vectors. Its text holds only our own
// words, a status and a short code: what a provider writes may repeat a text or a
// key.
type failure struct {
	kind   failureKind
	status int // of HTTP, or 0
	reason string
	hint   string
	lost   bool          // no complete answer came
	late   bool          // not in time; for less there may be enough
	after  time.Duration // to wait, as the provider asks; 0 if it does not
}

type failureKind uint8

const (
	// refused: the texts may be at fault, and fewer of them may pass.
	refused failureKind = iota + 1
	// passing: the same request may succeed later.
	passing
	// broken: only another setting or a repair helps.
	broken
)

func (f *failure) Error() string {
	if f.hint == "" {
		return f.reason
	}
	return f.reason + ": " + f.hint
}

// Unwrap returns what has package backoff wait as the provider asks.
func (f *failure) Unwrap() error {
	if f.after == 0 {
		return nil
	}
	return &backoff.RetryAfterError{Duration: f.after}
}

// unavailable reports whether the provider cannot be reached or is in trouble.
// One that refuses something, or limits the rate, is well.
func (f *failure) unavailable() bool {
	return f.lost || f.status >= 500 || f.status == http.StatusRequestTimeout
}

// limited reports whether the provider would take the request later.
func (f *failure) limited() bool {
	return f == errPaced || f.status == http.StatusTooManyRequests || f.status == http.StatusTooEarly
}

// suspect reports whether the texts may be at fault. Some servers answer 500
// to a text that is too long for them.
func (f *failure) suspect() bool {
	return f.kind == refused || f.status == http.StatusInternalServerError
}

const hintAddress = "check the provider's address (VECTORLINK_EMBED_URL) and the model's name (VECTORLINK_MODEL)"

// classify makes a failure of an error of go-openai, of which the text is
// never used.
func (c *caller) classify(err error, header http.Header, inputs []string) *failure {
	var (
		api     *openai.APIError
		request *openai.RequestError
		syntax  *json.SyntaxError
		value   *json.UnmarshalTypeError
		cert    *tls.CertificateVerificationError
		sent    *url.Error
		lookup  *net.DNSError
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &api) && api.HTTPStatusCode != 0:
		code := shortCode(api, append([]string{c.key}, inputs...))
		if api.HTTPStatusCode >= 300 {
			return c.status(api.HTTPStatusCode, code, header)
		}
		// An error under a status of success: its code may be the status meant.
		meant, err := strconv.Atoi(fmt.Sprint(api.Code))
		if err != nil || meant < 400 || meant > 599 {
			meant = http.StatusBadRequest
		}
		f := c.status(meant, code, header)
		f.reason = fmt.Sprintf("HTTP %d with an error in the place of vectors", api.HTTPStatusCode)
		if code != "" {
			f.reason += " (" + code + ")"
		}
		f.hint = cmp.Or(f.hint, hintAddress)
		return f
	case errors.As(err, &request) && request.HTTPStatusCode != 0:
		return c.status(request.HTTPStatusCode, "", header)
	case errors.Is(err, errRedirect):
		return &failure{kind: broken, reason: errRedirect.Error(), hint: hintAddress}
	case errors.Is(err, errPage):
		return &failure{kind: broken, reason: errPage.Error(), hint: hintAddress}
	case errors.As(err, &large):
		return &failure{kind: broken, reason: "the answer is too large", hint: hintAddress}
	case errors.As(err, &cert):
		return &failure{kind: broken, lost: true, reason: "the provider's certificate is not trusted", hint: "install the authority that signed it, or correct the address"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{kind: passing, lost: true, reason: "the answer is cut short"}
	case errors.As(err, &syntax), errors.As(err, &value), errors.Is(err, errVector):
		return &failure{kind: refused, reason: "the answer cannot be read", hint: hintAddress}
	case errors.As(err, &lookup):
		return &failure{kind: passing, lost: true, reason: "the provider's address cannot be resolved", hint: hintAddress}
	case isTimeout(err):
		return &failure{kind: passing, lost: true, late: true, reason: "the provider does not answer in time", hint: "it may be overloaded; a greater VECTORLINK_EMBED_TIMEOUT or a smaller VECTORLINK_EMBED_BATCH_SIZE helps slow ones"}
	case errors.As(err, &sent):
		return &failure{kind: passing, lost: true, reason: "the provider cannot be reached", hint: "see that it runs, and " + hintAddress}
	}
	return &failure{kind: passing, lost: true, reason: "the connection to the provider broke"}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// status classifies an answer by its HTTP status.
func (e *OpenAIEmbedder) status(status int, code string, header http.Header) *failure {
	f := &failure{status: status, reason: fmt.Sprintf("HTTP %d", status)}
	if code != "" {
		f.reason += " (" + code + ")"
	}
	switch {
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity:
		f.kind = refused
		if e.config.Dimensions != 0 {
			f.hint = "the model may not take VECTORLINK_DIM"
		}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.kind, f.hint = broken, "the provider does not accept the key: check VECTORLINK_EMBED_KEY"
	case status == http.StatusPaymentRequired || strings.Contains(code, "insufficient_quota"):
		f.kind, f.hint = broken, "the quota is used up: check the account at the provider"
	case status == http.StatusTooManyRequests || status == http.StatusTooEarly:
		f.kind, f.hint = passing, "the provider limits the rate: try again later"
		f.after = retryAfter(header)
	case status == http.StatusNotImplemented || status < 500 && status != http.StatusRequestTimeout:
		f.kind, f.hint = broken, hintAddress
	default:
		f.kind, f.hint = passing, "the provider is in trouble: try again later"
		f.late = status == http.StatusGatewayTimeout || status == http.StatusRequestTimeout
		f.after = retryAfter(header)
	}
	return f
}

// shortCode returns the provider's type and code of an error, those that are
// identifiers and no part of what was sent.
func shortCode(api *openai.APIError, sent []string) string {
	var said []string
	if !strings.ContainsAny(api.Type, "0123456789-") { // words, which no key is
		said = append(said, identifier(api.Type, sent))
	}
	if api.Code != nil {
		said = append(said, identifier(fmt.Sprint(api.Code), sent))
	}
	said = slices.DeleteFunc(slices.Compact(said), func(s string) bool { return s == "" })
	return strings.Join(said, ", ")
}

func identifier(code string, sent []string) string {
	if len(code) > 48 || strings.ContainsFunc(code, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.')
	}) {
		return ""
	}
	for _, text := range sent {
		if strings.Contains(text, code) {
			return ""
		}
	}
	return code
}

// maxRetryAfter bounds how long a provider can make us wait at once.
const maxRetryAfter = time.Minute

// retryAfter reads how long to wait, at most maxRetryAfter. It returns 0 if that is
// not said or makes no sense.
func retryAfter(header http.Header) time.Duration {
	if ms := header.Get("Retry-After-Ms"); ms != "" {
		return waitOf(ms + "ms")
	}
	return waitOf(header.Get("Retry-After"))
}

// waitOf reads a wait as providers write it: "6m0s", seconds, a time in seconds
// since 1970, or a date.
func waitOf(text string) time.Duration {
	wait, err := time.ParseDuration(text)
	if s, e := strconv.ParseFloat(text, 64); e == nil {
		if s > 1e8 { // three years: a time
			s -= float64(time.Now().UnixMilli()) / 1000
		}
		wait, err = 0, nil
		if s > 0 { // which NaN is not
			wait = time.Duration(min(s, maxRetryAfter.Seconds()) * float64(time.Second))
		}
	}
	for _, layout := range []string{http.TimeFormat, time.RFC850, time.ANSIC, time.RFC3339} {
		if date, e := time.Parse(layout, text); e == nil {
			wait, err = time.Until(date), nil
		}
	}
	if err != nil {
		return 0
	}
	return max(min(wait, maxRetryAfter), 0)
}

// failed makes the error that Embed, Dim and Probe return.
func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	kind := contract.ErrProvider
	var f *failure
	switch {
	case !errors.As(err, &f):
	case f.unavailable():
		kind = contract.ErrUnavailable
	case f.limited():
		kind = contract.ErrLimited
	}
	return fmt.Errorf("embed: %w: %w", kind, err)
}
