package mcp

import (
	"context"
	"errors"
	"io"
	"net/http"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/vectorlink/vectorlink/service"
)

// maxBody bounds a message of a client, in bytes.
const maxBody = 8 << 20

// Config is what the door needs to know.
type Config struct {
	// API answers the requests that calls become. Their URLs have no more than a path
	// and a query.
	API http.RoundTripper
	// Write has tools that change something.
	Write bool
	// Version is the program's.
	Version string
}

// instructions tell an agent what it cannot see from the tools.
const instructions = `vectorlink keeps one immutable snapshot for every commit of a document database, and each can be searched by meaning and by words. Begin with the tool domains, which lists the databases. Name a branch to read what is newest, or a commit to read what was there then: an answer names the commit that it was read from, and with it the same question always has the same answer. Where an answer has next_start there is more: ask again with start set to it.`

// newServer returns a server with all tools.
func newServer(cfg Config) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "vectorlink", Title: "vectorlink", Version: cfg.Version}, &sdk.ServerOptions{
		Instructions: instructions,
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
	})
	no := false
	for _, t := range tools {
		if t.writes && !cfg.Write {
			continue
		}
		s.AddTool(&sdk.Tool{
			Name: t.name, Title: t.title, Description: t.text, InputSchema: t.schema(),
			Annotations: &sdk.ToolAnnotations{Title: t.title, ReadOnlyHint: !t.writes, DestructiveHint: &no, IdempotentHint: !t.writes, OpenWorldHint: &no},
		}, func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			text, err := t.call(ctx, cfg.API, req.Params.Arguments)
			if err != nil { // which the agent shall see and mend
				return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: err.Error()}}}, nil
			}
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(text)}}}, nil
		})
	}
	return s
}

// Routes returns what the door answers to over HTTP: POST /mcp, the transport that the
// protocol calls streamable, without sessions.
func Routes(cfg Config) []service.Route {
	server := newServer(cfg)
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, MaxRequestBodyBytes: maxBody,
		// Package api knows by which names it may be asked for.
		DisableLocalhostProtection: true,
	})
	return []service.Route{{Path: "/mcp", Needs: service.Read, Methods: []string{http.MethodPost}, Answer: func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}}}
}

// Serve answers a client over streams, by lines, until it ends them or ctx ends.
func Serve(ctx context.Context, cfg Config, in io.ReadCloser, out io.WriteCloser) error {
	err := newServer(cfg).Run(ctx, &sdk.IOTransport{Reader: in, Writer: out, MaxLineLength: maxBody})
	if errors.Is(err, io.EOF) || errors.Is(err, sdk.ErrConnectionClosed) {
		return nil
	}
	return err
}
