package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/internal/certtest"
	"github.com/vectorlink/vectorlink/search"
)

// pair is a certificate of its own authority, in files.
type pair struct {
	t         *testing.T
	cert, key string
	roots     *x509.CertPool
}

// write replaces the files by a certificate that ends then, and returns its number.
func (p *pair) write(from, to time.Time) *big.Int {
	p.t.Helper()
	number, text := certtest.Write(p.t, p.cert, p.key, from, to)
	p.roots.AppendCertsFromPEM(text)
	return number
}

// anyCertificate returns one that is valid.
func anyCertificate(t *testing.T) *api.Certificate {
	t.Helper()
	dir := t.TempDir()
	p := &pair{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	p.write(time.Now(), time.Now().AddDate(1, 0, 0))
	c, err := api.OpenCertificate(p.cert, p.key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLS: HTTP/2 and HTTP/1.1 of TLS 1.2 and later; a new certificate counts from the
// next connection on, and one that is broken changes nothing; one that ends is warned of
// and shown all the same.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	p := &pair{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	var log buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := api.OpenCertificate(p.cert, p.key, logger); err == nil || !strings.Contains(err.Error(), p.cert) {
		t.Errorf("without files: %v", err)
	}
	now := time.Now()
	first := p.write(now.Add(-time.Hour), now.AddDate(0, 3, 0))
	cert, err := api.OpenCertificate(p.cert, p.key, logger)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{able: search.Readiness{Index: true, Search: true}}
	cfg := api.Config{SearchReady: true, Certificate: cert}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- api.Serve(ctx, cert.Secure(l), api.New(cfg, f), slog.New(slog.DiscardHandler)) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	// ask sends a request over a connection of its own.
	ask := func(scheme string, change func(*http.Transport)) (*http.Response, string, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true}
		if change != nil {
			change(transport)
		}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get(scheme + "://" + l.Addr().String() + "/health/ready")
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, string(body), err
	}
	number := func() *big.Int {
		t.Helper()
		resp, _, err := ask("https", nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber
	}
	resp, body, err := ask("https", nil)
	if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 || resp.TLS.PeerCertificates[0].SerialNumber.Cmp(first) != 0 || strings.Contains(body, "warnings") {
		t.Fatalf("%v %s %v", resp, body, err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, _, err := ask("https", func(tr *http.Transport) {
			tr.TLSClientConfig.MinVersion, tr.TLSClientConfig.MaxVersion = tls.VersionTLS10, version
		})
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	if resp, _, err := ask("https", func(tr *http.Transport) { tr.ForceAttemptHTTP2 = false }); err != nil || resp.ProtoMajor != 1 {
		t.Errorf("HTTP/1.1: %v %v", resp, err)
	}
	if resp, body, err := ask("http", nil); err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "HTTPS") {
		t.Errorf("without TLS: %v %q %v", resp, body, err)
	}

	second := p.write(now.Add(-time.Hour), now.AddDate(0, 2, 0))
	if got := number(); got.Cmp(second) != 0 {
		t.Error("a new certificate is not shown")
	}
	for _, name := range []string{p.key, p.cert} {
		if err := os.WriteFile(name, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := number(); got.Cmp(second) != 0 {
			t.Errorf("with a broken %s", name)
		}
	}
	if _, body, _ := ask("https", nil); !strings.Contains(body, "cannot be read again") {
		t.Errorf("readiness with a broken certificate: %s", body)
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 2 {
		t.Errorf("two broken files are told of %d times: %s", n, log.String())
	}
	p.write(now.AddDate(0, -2, 0), now.AddDate(0, 0, 10))
	if _, body, err := ask("https", nil); !strings.Contains(body, "expires soon") || strings.Count(log.String(), "expires soon") != 1 {
		t.Errorf("a certificate of ten days more: %s %v; %s", body, err, log.String())
	}
	p.write(now.AddDate(0, -2, 0), now.Add(-time.Hour))
	if _, _, err := ask("https", nil); err == nil || !strings.Contains(err.Error(), "certificate has expired") {
		t.Errorf("what a client says of an expired certificate: %v", err)
	}
	if _, body, _ := ask("https", func(tr *http.Transport) { tr.TLSClientConfig.InsecureSkipVerify = true }); !strings.Contains(body, "has expired") || !strings.Contains(log.String(), "has expired") {
		t.Errorf("an expired certificate: %s; %s", body, log.String())
	}
	metrics := httptest.NewRecorder()
	api.NewMetrics().Handler(f, nil, api.MetricsConfig{Certificate: cert}).ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	if want := fmt.Sprintf("vectorlink_tls_certificate_expiry_timestamp_seconds %.9e", float64(now.Add(-time.Hour).Unix())); !strings.Contains(metrics.Body.String(), want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// TestExpectedEnd: a certificate of a short life is warned of in its last third, and none
// before.
func TestExpectedEnd(t *testing.T) {
	dir := t.TempDir()
	p := &pair{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	now := time.Now()
	for _, tt := range []struct {
		from, to time.Duration // of now
		want     string
	}{
		{-24 * time.Hour, 90 * 24 * time.Hour, ""}, {-80 * 24 * time.Hour, 15 * 24 * time.Hour, ""}, {-80 * 24 * time.Hour, 13 * 24 * time.Hour, "soon"},
		{-time.Hour, 5 * 24 * time.Hour, ""}, {-4 * 24 * time.Hour, 24 * time.Hour, "soon"}, {-time.Hour, -time.Minute, "expired"},
	} {
		p.write(now.Add(tt.from), now.Add(tt.to))
		c, err := api.OpenCertificate(p.cert, p.key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Warning(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%v to %v: %q", tt.from, tt.to, got)
		}
	}
	var none *api.Certificate
	if none.Warning() != "" || !none.Expires().IsZero() || none.Secure(nil) != nil {
		t.Error("no certificate is one")
	}
}
