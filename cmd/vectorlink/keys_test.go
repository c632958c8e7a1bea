package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/certtest"
)

// keyEffects starts a server with a file of keys and a certificate, and changes keys by
// the command line while it runs.
func keyEffects(e *effects) {
	dir := e.TempDir()
	file, cert, key := filepath.Join(dir, "keys"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	_, text := certtest.Write(e.T, cert, key, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	run := func(args ...string) string {
		e.Helper()
		code, stdout, stderr := call(e.Context(), []string{"VECTORLINK_KEYS_FILE=" + file}, args...)
		if code != exitDone {
			e.Fatalf("%v: exit %d, %s", args, code, stderr)
		}
		return strings.TrimSpace(stdout)
	}
	secret := run("keys", "add", "--read", "--domain", "acme/*", "--note", "the shop")
	metrics := freePort(e.T)
	e.start(away{"listen", "127.0.0.1:0", "flag"}, away{"keys-file", file, "VECTORLINK_KEYS_FILE"}, away{"tls-cert", cert, "flag"}, away{"tls-key", key, "file"},
		away{"prometheus-port", metrics, "flag"})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	ask := func(address, secret string) (status, proto int) {
		e.Helper()
		req, err := http.NewRequestWithContext(e.Context(), http.MethodGet, address, nil)
		if err != nil {
			e.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := client.Do(req)
		if err != nil {
			e.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.ProtoMajor
	}
	url := strings.Replace(e.url, "http:", "https:", 1)
	status, proto := ask(url+"/domains", secret)
	e.check("keys-file", status == 200, "a key is answered %d", status)
	e.check("tls-cert", proto == 2, "HTTP/%d", proto)
	e.check("tls-key", proto == 2, "HTTP/%d", proto)
	if status, _ := ask(url+"/domains", "x"); status != 401 {
		e.Errorf("a wrong key is answered %d", status)
	}
	// A rotation: both keys work, until the first is revoked.
	var list []shownKey
	if err := json.Unmarshal([]byte(run("keys", "list", "--json")), &list); err != nil || len(list) != 1 || list[0].Note != "the shop" || list[0].Key != "" {
		e.Fatalf("%+v, %v", list, err)
	}
	var next shownKey
	if err := json.Unmarshal([]byte(run("keys", "add", "--json", "--read", "--metrics", "--expires", "90d")), &next); err != nil || next.Key == "" || next.Expires.Before(time.Now().AddDate(0, 0, 89)) {
		e.Fatalf("%+v, %v", next, err)
	}
	for _, s := range []string{secret, next.Key} {
		if status, _ := ask(url+"/domains", s); status != 200 {
			e.Errorf("one of two keys is answered %d", status)
		}
	}
	run("keys", "revoke", list[0].ID)
	if status, _ := ask(url+"/domains", secret); status != 401 {
		e.Errorf("a revoked key is answered %d", status)
	}
	for s, want := range map[string]int{next.Key: 200, secret: 401} {
		if status, _ := ask("https://127.0.0.1:"+metrics+"/metrics", s); status != want {
			e.Errorf("metrics are answered %d, want %d", status, want)
		}
	}
	for _, want := range []string{`"key revoked","audit":true,"key":"` + list[0].ID, `"key added","audit":true,"key":"` + next.ID, `"denied","audit":true`} {
		if !strings.Contains(e.log.String(), want) {
			e.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(e.log.String(), secret) || strings.Contains(run("keys", "list"), secret) {
		e.Error("a key shows")
	}
}

// TestKeysCommand checks what keys refuses, and that a server does not start with a file
// of keys that has a mistake, nor with half a certificate.
func TestKeysCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"keys", "add"}, exitUsage, "scopes must name some of"},
		{[]string{"keys", "add", "--read", "--domain", "*/x"}, exitUsage, "one * at the end"},
		{[]string{"keys", "add", "--metrics", "--domain", "a/*"}, exitUsage, "metrics are of all domains"},
		{[]string{"keys", "add", "--read", "--expires", "soon"}, exitUsage, "neither a time"},
		{[]string{"keys", "add", "--read", "--expires", "2001-01-01"}, exitUsage, "is over"},
		{[]string{"keys", "revoke", "none"}, exitFailed, `no key "none"`},
		{[]string{"keys", "list"}, exitDone, ""},
	} {
		code, stdout, stderr := call(t.Context(), []string{"VECTORLINK_KEYS_FILE=" + file}, tt.args...)
		if code != tt.code || !strings.Contains(stderr, tt.want) || strings.Contains(stdout, "vl_") {
			t.Errorf("%v: exit %d, %s%s", tt.args, code, stdout, stderr)
		}
	}
	if err := os.WriteFile(file, []byte("# keys\n{\"id\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--keys-file", file, "--data-dir", dir, "--listen", "127.0.0.1:0"}, {"keys", "list", "--keys-file", file}, {"keys", "add", "--read", "--keys-file", file}} {
		if code, _, stderr := call(t.Context(), nil, args...); code == exitDone || !strings.Contains(stderr, file+": line 2:") {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
	if code, _, stderr := call(t.Context(), nil, "serve", "--tls-cert", file, "--data-dir", dir); code != exitUsage || !strings.Contains(stderr, "tls-cert, tls-key: set both, or none") {
		t.Errorf("half a certificate: exit %d, %s", code, stderr)
	}
	if code, _, stderr := call(t.Context(), nil, "serve", "--tls-cert", file, "--tls-key", file, "--data-dir", dir, "--listen", "127.0.0.1:0"); code != exitUsage || !strings.Contains(stderr, file) {
		t.Errorf("no certificate: exit %d, %s", code, stderr)
	}
}

// TestKeysOpenNoAddress: a file of keys is as good as a secret for an address that others
// can reach, and a directory with that file alone is one of ours.
func TestKeysOpenNoAddress(t *testing.T) {
	cfg := Config{Listen: "0.0.0.0:8080", DataDir: t.TempDir()}
	refused := func() bool {
		var bad complaints
		cfg.check(&bad)
		return strings.Contains(bad.error().Error(), "can be reached by others")
	}
	cfg.AdminUser = "a:b" // so that there is always something to complain of
	if !refused() {
		t.Error("an address that others can reach is opened without any credentials")
	}
	if code, _, stderr := call(t.Context(), nil, "keys", "add", "--admin", "--data-dir", cfg.DataDir); code != exitDone {
		t.Fatal(stderr)
	}
	if refused() {
		t.Error("keys are no credentials")
	}
	if err := checkOwn(cfg.DataDir); err != nil {
		t.Error(err)
	}
	if cfg.AdminSecret = contract.NewSecret("s"); refused() {
		t.Error("a secret is none")
	}
}
