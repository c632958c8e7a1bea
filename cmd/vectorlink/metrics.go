package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/vfs"
)

// serveMetrics serves the metrics on a port of their own, at the listener's
// host, until ctx ends or stop is called, which waits for it.
func serveMetrics(ctx context.Context, cfg Config, web api.Config, ix api.Indexer, files vfs.FS, log *slog.Logger) (stop func(), err error) {
	host, _, err := net.SplitHostPort(string(cfg.Listen))
	if err != nil {
		return nil, err
	}
	listener, err := api.Listen(web, net.JoinHostPort(host, strconv.Itoa(cfg.PrometheusPort)))
	if err != nil {
		return nil, fmt.Errorf("prometheus-port: %w", err)
	}
	asked := api.MetricsConfig{Certificate: web.Certificate, Disk: func() (vfs.Space, error) { return vfs.SpaceOf(cfg.DataDir) }}
	if limited, ok := files.(*vfs.Limited); ok {
		asked.Files = limited.Stats
	}
	handler := api.GuardMetrics(web, web.Metrics.Handler(ix, web.Watcher, asked))
	log.Info("serving metrics", "addr", listener.Addr().String())
	return inBackground(ctx, func(ctx context.Context) {
		if err := api.Serve(ctx, web.Certificate.Secure(listener), handler, log); err != nil {
			log.Error("metrics are not served any more", "err", err)
		}
	}), nil
}
