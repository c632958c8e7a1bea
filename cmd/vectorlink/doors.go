package main

import (
	"net/http"
	"slices"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/embeddinghub"
	"github.com/vectorlink/vectorlink/door/mcp"
	"github.com/vectorlink/vectorlink/door/openai"
	"github.com/vectorlink/vectorlink/door/spaces"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
)

// doors returns the routes of the protocols that are spoken beside the API's own.
func (c *Config) doors(web api.Config, svc *service.Service, embedder contract.Embedder, live *space.Spaces) []service.Route {
	return slices.Concat(
		spaces.Routes(live, int64(c.ImportBytes)),
		embeddinghub.Routes(live, web.Logger),
		openai.Routes(openai.Config{Model: c.Model, Dim: embedder.Dim, Text: embed.TextOf}, svc),
		mcp.Routes(mcp.Config{API: inside(web, svc, true), Write: c.MCPWrite && !c.ReadOnly, Version: version}),
	)
}

// inside returns a way to ask the API in this process, past what guards it from
// outside: for requests of callers who were let in, or for anybody's.
func inside(web api.Config, svc *service.Service, callers bool) http.RoundTripper {
	web.Secret, web.Keys, web.Insecure, web.RateLimit, web.Routes, web.Inside = contract.Secret{}, nil, true, 0, nil, callers
	return mcp.Local(api.New(web, svc))
}
