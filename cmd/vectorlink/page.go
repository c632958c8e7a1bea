package main

import (
	"context"
	"log/slog"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/page"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
)

// site returns the page for people, whose streams end with ctx. A database that tells
// its history names the commits.
func (c *Config) site(ctx context.Context, web api.Config, svc *service.Service, source contract.Source, embedder contract.Embedder, log *slog.Logger) *page.Site {
	cfg := page.Config{
		Service: svc, ReadOnly: c.ReadOnly, DocumentURL: c.DocumentURL, Price: c.EmbedPrice, OpenAPI: api.OpenAPI(), Version: version, Stopping: ctx.Done(), Logger: log,
	}
	if history, ok := source.(page.History); ok {
		cfg.History = history
	}
	if client, ok := source.(*docdb.Client); ok {
		cfg.Templates = bench{client, embedder, templates.New(templates.Limits{})}
	}
	if web.Watcher != nil {
		cfg.Watcher = web.Watcher
	}
	return page.New(cfg)
}

// bench has the page try templates by package workshop.
type bench struct {
	client   *docdb.Client
	embedder contract.Embedder
	renderer *templates.Renderer
}

// benchSample is how many documents the page has a template checked on.
const benchSample = 20

// Classes returns the classes that have documents of their own, by name.
func (b bench) Classes(ctx context.Context, domain, commit string) ([]page.Template, error) {
	schema, err := workshop.Open(ctx, b.client, domain, commit)
	if err != nil {
		return nil, err
	}
	var list []page.Template
	for _, class := range schema.Classes {
		pair := schema.Pair(class.Name)
		if pair == nil && (class.Part || class.Enum || class.Abstract) {
			continue
		}
		t := page.Template{Class: class.Name}
		if pair != nil {
			t.Query, t.Template = pair.Query, pair.Template
			if pair.Err != nil {
				t.Problem = pair.Err.Error()
			}
		}
		list = append(list, t)
	}
	return list, nil
}

// Try returns what a template makes of documents, and what is wrong with it.
func (b bench) Try(ctx context.Context, domain, commit string, t page.Template, ids []string, count int) (page.Trial, error) {
	var trial page.Trial
	schema, err := workshop.Open(ctx, b.client, domain, commit)
	if err != nil || t.Template == "" {
		return trial, err
	}
	if trial.Object, err = schema.Object(t.Class, workshop.Pair{Query: t.Query, Template: t.Template}); err != nil {
		return trial, err
	}
	pair := docdb.Class{Name: t.Class, Query: t.Query, Template: t.Template}
	report, err := schema.CheckPair(ctx, b.renderer, pair, benchSample)
	if err != nil {
		return trial, err
	}
	trial.Tried = report.Tried[t.Class]
	for _, f := range report.Findings {
		trial.Findings = append(trial.Findings, page.Finding{Wrong: f.Severity == workshop.Error, Part: f.Part, Line: f.Line, Text: f.Text})
	}
	if trial.Tried == 0 && report.Count(workshop.Error) > 0 {
		return trial, nil // no document can be rendered
	}
	full := make([]string, len(ids))
	for i, id := range ids {
		full[i] = schema.IRI(id)
	}
	texts, err := schema.Preview(ctx, b.renderer, b.embedder.Split, pair, full, count)
	for _, d := range texts {
		trial.Documents = append(trial.Documents, page.Tried{ID: d.ID, Text: d.Text, Tokens: d.Tokens, Chunks: d.Chunks, Problem: d.Error})
	}
	return trial, err
}
