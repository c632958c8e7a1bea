package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
)

// serve runs api.Serve over ix on a free port and returns its address and what
// ends it.
func serve(t *testing.T, ix api.Indexer) (address string, stop func()) {
	t.Helper()
	cfg := api.Config{SearchReady: true}
	l, err := api.Listen(cfg, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l, api.New(cfg, ix), slog.New(slog.DiscardHandler)) }()
	return l.Addr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	}
}

// TestListen checks that nobody is let in by mistake.
func TestListen(t *testing.T) {
	tests := []struct {
		address string
		cfg     api.Config
		refused bool
	}{
		{"127.0.0.1:0", api.Config{}, false},
		{"localhost:0", api.Config{}, false},
		{":0", api.Config{}, true},
		{"0.0.0.0:0", api.Config{}, true},
		{"[::]:0", api.Config{}, true},
		{"192.0.2.1:0", api.Config{}, true},
		{"0.0.0.0:0", api.Config{Secret: contract.NewSecret("s")}, false},
		{"0.0.0.0:0", api.Config{Insecure: true}, false},
	}
	for _, tt := range tests {
		l, err := api.Listen(tt.cfg, tt.address)
		if err == nil {
			l.Close()
		}
		if got := errors.Is(err, api.ErrUnprotected); got != tt.refused || !tt.refused && err != nil {
			t.Errorf("Listen(%+v, %s): %v, want refused %v", tt.cfg, tt.address, err, tt.refused)
		}
	}
	if _, err := api.Listen(api.Config{}, "nonsense"); err == nil {
		t.Error("Listen took a bad address")
	}
}

// TestShutdown checks that a request under way is finished, and none is taken
// afterwards.
func TestShutdown(t *testing.T) {
	ix := &fake{}
	begun, finish := make(chan struct{}), make(chan struct{})
	ix.hook = func(ctx context.Context) error {
		close(begun)
		<-finish
		return ctx.Err() // the shutdown alone must not cancel it
	}
	address, stop := serve(t, ix)
	type result struct {
		status int
		err    error
	}
	answered := make(chan result, 1)
	go func() {
		resp, err := http.Get("http://" + address + "/search?domain=a/b&commit=k7&q=x")
		if err != nil {
			answered <- result{err: err}
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		answered <- result{resp.StatusCode, err}
	}()
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for { // until the listener is closed
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(finish)
	if r := <-answered; r.err != nil || r.status != 200 {
		t.Errorf("the request under way ended with %+v", r)
	}
	<-stopped
}

// TestServeFails checks that a broken listener is reported.
func TestServeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := api.Serve(t.Context(), l, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("Serve on a closed listener returned nil")
	}
}
