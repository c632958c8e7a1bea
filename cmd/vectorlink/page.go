package main

import (
	"context"
	"log/slog"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/page"
	"github.com/vectorlink/vectorlink/service"
)

// site returns the page for people, whose streams end with ctx. A database that tells
// its history names the commits.
func (c *Config) site(ctx context.Context, web api.Config, svc *service.Service, source contract.Source, log *slog.Logger) *page.Site {
	cfg := page.Config{
		Service: svc, ReadOnly: c.ReadOnly, DocumentURL: c.DocumentURL, Price: float64(c.EmbedPrice), OpenAPI: api.OpenAPI(), Version: version, Stopping: ctx.Done(), Logger: log,
	}
	if history, ok := source.(page.History); ok {
		cfg.History = history
	}
	if web.Watcher != nil {
		cfg.Watcher = web.Watcher
	}
	return page.New(cfg)
}
