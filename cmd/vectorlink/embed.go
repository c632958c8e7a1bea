package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/internal/rawjson"
)

// embedder returns the embedder that the settings choose, and once more as the
// service that it is, nil where it is the model in this process. observe, unless it
// is nil, is told of every request to it.
func (c *EmbedConfig) embedder(observe func(contract.EmbedCall)) (contract.Embedder, embed.Service, error) {
	if c.EmbedProvider == providerLocal {
		local, err := embed.Local(0)
		if err != nil {
			return nil, nil, err
		}
		local.Observe(observe)
		return sized{local, c.EmbedBatchSize}, nil, nil
	}
	remote, err := embed.OpenAI(embed.Config{
		Provider:      c.EmbedProvider,
		URL:           c.EmbedURL,
		Model:         c.Model,
		Dimensions:    c.Dim,
		Key:           c.EmbedKey,
		TokenizerPath: c.TokenizerPath,
		Batch:         c.EmbedBatchSize,
		Timeout:       time.Duration(c.EmbedTimeout),
		Observe:       observe,
	})
	if err != nil {
		return nil, nil, err
	}
	return remote, remote, nil
}

// sized is an embedder whose batches have another size.
type sized struct {
	contract.Embedder
	batch int
}

// Batch returns the number of texts of a call.
func (s sized) Batch() int { return s.batch }

var _ = register[embedCmd](ofFiles, "embed", "Turn texts on standard input into vectors on standard output.")

// embedCmd turns texts into vectors.
type embedCmd struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"YAML file of settings, under the names of their flags (VECTORLINK_CONFIG)."`
	Role       string `enum:"document,query,clustering,classification" default:"document" help:"What the texts are to the model: document, query, clustering or classification."`
	EmbedConfig
}

// Help is shown by embed --help.
func (c *embedCmd) Help() string {
	return `Every line of standard input is a JSON string or an object {"text":"..."}.
Every line of standard output is {"index":0,"embedding":[...]}, in the same
order, with vectors of unit length. A text that the provider refuses has the
member "error" instead, and the command then ends with 1.`
}

// maxLine bounds a line of standard input.
const maxLine = 8 << 20

// embedded is a line of output.
type embedded struct {
	Index     int       `json:"index"`
	Embedding []float32 `json:"embedding,omitempty"`
	Error     string    `json:"error,omitempty"`
}

// Run runs the command.
func (c *embedCmd) Run(ctx context.Context, p *program) error {
	var bad complaints
	// The whole configuration is read, so that a server's file serves here,
	// but only this part of it needs to make sense.
	var cfg Config
	p.readSettings(&cfg, p.configFile(c.ConfigFile), &bad)
	cfg.EmbedConfig.check(&bad)
	if err := bad.error(); err != nil {
		return err
	}
	e, _, err := cfg.embedder(nil)
	if err != nil {
		return as(errUsage, err)
	}
	out := bufio.NewWriter(p.stdout)
	done, refused := 0, 0
	for batch, err := range batches(ctx, p.stdin, e.Batch()) {
		if err != nil {
			return err
		}
		n, err := embedBatch(ctx, e, contract.RoleNamed(c.Role), batch, done, out)
		if err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
		done, refused = done+len(batch), refused+n
	}
	if refused > 0 {
		return fmt.Errorf("%s refused", count(refused, "text"))
	}
	return nil
}

// embedBatch writes a line for every text and returns how many were refused.
// The first text has the given index.
func embedBatch(ctx context.Context, e contract.Embedder, role contract.Role, texts []string, index int, out io.Writer) (int, error) {
	vectors, err := e.Embed(ctx, contract.EmbedRequest{Role: role, Texts: texts, Patient: true})
	var refused *contract.RefusedError
	if errors.As(err, &refused) {
		err = nil
	}
	if err != nil {
		return 0, behind(err)
	}
	n := 0
	for i, v := range vectors {
		line := embedded{Index: index + i, Embedding: v}
		if refused != nil && refused.Texts[i] != nil {
			line.Embedding, line.Error = nil, refused.Texts[i].Error()
			n++
		}
		if err := printJSON(out, line); err != nil {
			return n, err
		}
	}
	return n, nil
}

// batches yields the texts of r, one of each line that is not blank, n at a time. What
// comes before a bad line is yielded before its error.
func batches(ctx context.Context, r io.Reader, n int) iter.Seq2[[]string, error] {
	type batch struct {
		texts []string
		err   error
	}
	return func(yield func([]string, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		made := make(chan batch)
		send := func(b batch) error {
			select {
			case made <- b:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		// A read cannot be interrupted. When ctx ends first, this goroutine
		// ends with its read or with the process.
		go func() {
			defer close(made)
			var texts []string
			number := 0
			err := eachLine(r, func(line []byte) error {
				number++
				if line = bytes.TrimSpace(rawjson.Trim(line)); len(line) == 0 {
					return nil
				}
				text, err := parseText(line)
				if len(line) > maxLine {
					err = fmt.Errorf("longer than %s", Bytes(maxLine))
				}
				if err != nil {
					return fmt.Errorf("line %d: %w", number, err)
				}
				if texts = append(texts, text); len(texts) < n {
					return nil
				}
				full := texts
				texts = nil
				return send(batch{full, nil})
			})
			if len(texts) == 0 || send(batch{texts, nil}) == nil {
				if err != nil {
					_ = send(batch{nil, err}) // unless nobody waits for it
				}
			}
		}()
		for {
			select {
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			case b, ok := <-made:
				if !ok || !yield(b.texts, b.err) {
					return
				}
			}
		}
	}
}

// parseText takes a text out of a line.
func parseText(line []byte) (string, error) {
	if !utf8.Valid(line) {
		return "", errors.New("not valid UTF-8")
	}
	var text *string
	if line[0] == '{' {
		var object struct{ Text *string }
		if err := json.Unmarshal(line, &object); err != nil {
			return "", errors.New(`not a JSON string or an object {"text":"..."}`)
		}
		if text = object.Text; text == nil {
			return "", errors.New(`no member "text"`)
		}
	} else if err := json.Unmarshal(line, &text); err != nil || text == nil {
		return "", errors.New(`not a JSON string or an object {"text":"..."}`)
	}
	return *text, rawjson.Check(line)
}
