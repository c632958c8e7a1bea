// Package web is what clients of document databases share: connections that
// distrust the other side, addresses and paths, and errors in words.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
)

// idleTimeout is how long a connection is kept without use. A kept-alive
// connection holds one of the server's few workers, and the server closes it
// after two seconds: leave before that, or the next request meets an EOF.
const idleTimeout = time.Second

// NewClient returns a client with short-lived connections, at most conns of
// them (0: no limit), that follows no redirects: credentials go to the
// configured server only.
func NewClient(headerTimeout time.Duration, conns int) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  headerTimeout,
			ExpectContinueTimeout:  time.Second,
			MaxConnsPerHost:        conns,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // the server sends none; nothing to bomb us with
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// IsLost reports whether the other side hung up, before or amid its answer.
func IsLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		// What is still being sent when the answer breaks off.
		errors.Is(err, net.ErrClosed) ||
		// net/http does not export this one.
		strings.Contains(err.Error(), "server closed idle connection")
}

// Reason says in words why a request got no answer. setting names what holds the
// address.
func Reason(err error, timeout time.Duration, setting string) string {
	var dns *net.DNSError
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: is it running, and is " + setting + " right?"
	case errors.As(err, &dns):
		return "no such host: is " + setting + " right?"
	case IsLost(err):
		return "the connection was closed before the answer was complete"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Sprintf("no answer within %v", timeout)
	}
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // without the address and its query
	}
	return err.Error()
}

// IsHeader reports whether s can be the name of a header.
func IsHeader(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Resource returns the escaped path of a domain under a prefix, with further
// segments, such as /api/log/admin/star_wars/local/commit/k7.
func Resource(prefix, domain string, more ...string) (string, error) {
	org, db, ok := strings.Cut(domain, "/")
	if !ok || !IsSegment(org) || !IsSegment(db) {
		return "", fmt.Errorf("%w: domain %q is not of the form org/db", contract.ErrInvalid, domain)
	}
	var b strings.Builder
	b.WriteString(prefix)
	for _, s := range append([]string{org, db}, more...) {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String(), nil
}

// IsSegment reports whether s can stand between two slashes and mean itself.
func IsSegment(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00")
}

// ErrorKind returns the kind of a TerminusDB error body, such as
// DocumentNotFound; empty when it has none that looks like one.
func ErrorKind(body []byte) string {
	var e struct {
		Error struct {
			Type string `json:"@type"`
		} `json:"api:error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	kind := strings.TrimPrefix(e.Error.Type, "api:")
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return kind[:min(len(kind), 80)]
}

// Shorten cuts a message at a length fit for a line.
func Shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	for cut := most; ; cut-- {
		if utf8.RuneStart(s[cut]) {
			return s[:cut] + "…"
		}
	}
}
