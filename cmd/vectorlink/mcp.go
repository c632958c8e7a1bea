package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/vectorlink/vectorlink/door/mcp"
	"github.com/vectorlink/vectorlink/embed"
)

var _ = register[mcpCmd](ofServing, "mcp", "Let an agent search, over the Model Context Protocol on standard streams.")

// mcpCmd serves the Model Context Protocol over standard streams.
type mcpCmd struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"YAML file of settings, under the names of their flags (VECTORLINK_CONFIG); with --data-dir."`
	ClientConfig
	DataDir  string `name:"data-dir" short:"d" type:"setting" placeholder:"DIR" help:"Read this directory, and no server."`
	MCPWrite bool   `name:"mcp-write" type:"switch" environ:"VECTORLINK_MCP_WRITE" help:"Also have tools that push documents and note decisions."`
	EmbedConfig
}

// Help is shown by mcp --help.
func (c *mcpCmd) Help() string {
	return `An agent's program starts this command and talks to it over standard input and
output. It asks the server at --server; with --data-dir it opens that directory
itself, which a server may be writing at the same time unless --mcp-write is
given too. docs/agents.md has the lines for common programs.`
}

// Run runs the command.
func (c *mcpCmd) Run(ctx context.Context, p *program) (err error) {
	door := mcp.Config{Version: version}
	if p.flags["data-dir"] == "" {
		cl, err := p.connect(c.ClientConfig)
		if err != nil {
			return err
		}
		defer cl.close()
		var own struct {
			MCPWrite bool `name:"mcp-write" type:"switch" environ:"VECTORLINK_MCP_WRITE"`
		}
		var bad complaints
		p.readSettings(&own, "", &bad)
		if err := bad.error(); err != nil {
			return err
		}
		door.API, door.Write = atServer{cl}, own.MCPWrite
		return mcp.Serve(ctx, door, io.NopCloser(p.stdin), unclosed{p.stdout})
	}
	var bad complaints
	cfg, _ := p.readConfig(c.ConfigFile, &bad)
	log := newLogger(p.stderr, slog.LevelWarn, "auto")
	if err := bad.error(); err != nil {
		return err
	}
	embedder, remote, err := cfg.embedder(nil)
	if err != nil {
		return err
	}
	if remote != nil {
		guard := embed.NewGuard(remote, embed.GuardConfig{Logger: log})
		defer guard.Close()
		embedder = guard
	}
	cfg.ReadOnly = !cfg.MCPWrite
	svc, _, closeAll, err := cfg.open(ctx, nil, embedder, nil, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	door.API, door.Write = inside(cfg.api(log), svc, false), cfg.MCPWrite
	return mcp.Serve(ctx, door, io.NopCloser(p.stdin), unclosed{p.stdout})
}

// unclosed is standard output, which outlives those who write to it.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// atServer is the API of a server.
type atServer struct{ *client }

// RoundTrip implements http.RoundTripper for requests that have no more of a URL than
// a path and a query.
func (r atServer) RoundTrip(req *http.Request) (*http.Response, error) {
	address, err := url.Parse(r.server + req.URL.RequestURI())
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	sent := req.Clone(req.Context())
	sent.URL, sent.Host = address, ""
	if !r.secret.IsZero() {
		sent.SetBasicAuth(r.user, r.secret.Reveal())
	}
	res, err := r.http.Do(sent)
	if err != nil {
		return nil, r.lost(req.Context(), err)
	}
	return res, nil
}
