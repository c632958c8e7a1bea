package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	headerTime = 5 * time.Second
	idleTime   = 2 * time.Minute
	// maxHeader holds the longest window of ancestors that clients send, a
	// thousand of forty characters in a query string.
	maxHeader = 128 << 10
	// graceTime is how long open requests may run on after a shutdown
	// began. Supervisors kill after ten seconds.
	graceTime = 8 * time.Second
)

// ErrUnprotected is returned by Listen for an address that others can reach
// while neither a secret nor keys keep them out.
var ErrUnprotected = errors.New("api: an address beyond loopback needs a secret or keys")

// Listen opens a TCP listener. Without a secret and keys it refuses every address but
// loopback, unless the configuration says that this is meant.
func Listen(cfg Config, address string) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("api: listen: %w", err)
	}
	if cfg.Secret.IsZero() && !cfg.Keys.Exist() && !cfg.Insecure && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("%w: %s", ErrUnprotected, address)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return l, nil
}

// Limit returns a listener that has at most so many connections of l open at once,
// and lets others wait; 0 sets no limit. A process that is out of file handles can
// neither read nor write, so connections must leave it some.
func Limit(l net.Listener, connections int) net.Listener {
	if connections == 0 {
		return l
	}
	return netutil.LimitListener(l, connections)
}

// Serve answers requests on l with h until ctx is done. Then it takes no new
// ones, waits up to eight seconds for those under way, and returns nil. It
// closes l, and every connection is closed when it returns.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	// Requests outlive ctx: its end is the beginning of their grace.
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true) // which gRPC needs where there is no TLS
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("api: serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(base, graceTime)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		log.Warn("requests cut short by the shutdown", keyError, err.Error())
		cut()
		_ = srv.Close() // its errors are those of connections being cut
	}
	<-served
	return nil
}
