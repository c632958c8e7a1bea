package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
)

// TestServeMetrics checks the port of the metrics, and that it closes.
func TestServeMetrics(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	stop, err := serveMetrics(t.Context(), Config{Listen: "127.0.0.1:8080", DataDir: t.TempDir()}, api.Config{Metrics: api.NewMetrics()}, &fakeIndexer{}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	var line struct{ Addr string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + line.Addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "\nvectorlink_domains ") {
		t.Errorf("status %d, %v: %s", resp.StatusCode, err, body)
	}
	stop()
	if resp, err := http.Get("http://" + line.Addr + "/metrics"); err == nil {
		resp.Body.Close()
		t.Error("it answers after stop")
	}
	// Where the API may not listen unprotected, the metrics may not either.
	if _, err := serveMetrics(t.Context(), Config{Listen: "0.0.0.0:8080"}, api.Config{Metrics: api.NewMetrics()}, &fakeIndexer{}, nil, log); err == nil {
		t.Error("metrics beyond loopback without a secret")
	}
}
