package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/templates"
)

// triedDocuments is how many documents of a class an improved template must
// render.
const triedDocuments = 20

// checkChat adds what is wrong with the settings of the chat model.
func (c *suggestCmd) checkChat(cfg *Config, bad *complaints) {
	if c.AI == "" {
		return
	}
	cfg.Model = "" // that embeds; with local it must be its own
	if cfg.EmbedProvider == "" && cfg.EmbedKey == "" && cfg.EmbedURL == "" {
		cfg.EmbedProvider = providerLocal
	}
	if cfg.EmbedProvider == providerLocal {
		bad.add("ai: the provider local does not chat: set VECTORLINK_EMBED_KEY, VECTORLINK_EMBED_URL or VECTORLINK_EMBED_PROVIDER")
		return
	}
	cfg.Model = c.AI
	cfg.EmbedConfig.check(bad)
}

// improve puts the suggestions in better words, where the model finds such.
func (c *suggestCmd) improve(ctx context.Context, p *program, w *workshop, list []suggestion) error {
	chat, err := embed.NewChat(embed.ChatConfig{
		Provider: w.cfg.EmbedProvider, URL: w.cfg.EmbedURL, Model: c.AI, Key: embed.NewSecret(string(w.cfg.EmbedKey)),
	})
	if err != nil {
		return as(errUsage, err)
	}
	renderer := templates.New(templates.Limits{})
	for i := range list {
		s := &list[i]
		class := docdb.Class{Name: s.Class, Query: s.Pair.Query, Template: s.Pair.Template}
		answer, _, err := w.schema.Answer(class)
		if err != nil {
			return err
		}
		documents, err := w.documents(ctx, class)
		if err != nil {
			return err
		}
		by := templates.Improver{Complete: chat.Complete, Try: func(ctx context.Context, template string) error {
			return tryTemplate(ctx, renderer, template, documents)
		}}
		better, err := renderer.Improve(ctx, by, s.Class, s.Pair, shapeOf(answer))
		switch {
		case errors.Is(err, templates.ErrNoBetter):
			fmt.Fprintf(p.stderr, "%s: keeps the plain sentences: %s\n", plainText(s.Class), clip(err.Error(), 300))
			continue
		case errors.Is(err, contract.ErrProvider):
			return as(errUpstream, err)
		case err != nil:
			return err
		}
		s.Pair.Template = better
		if s.Object, err = w.schema.Class(s.Class).WithPair(s.Pair.Query, better); err != nil {
			return err
		}
	}
	return nil
}

// documents reads some documents of a class, as they are filled into templates.
func (w *workshop) documents(ctx context.Context, class docdb.Class) ([][]byte, error) {
	var list [][]byte
	for op, err := range w.client.Documents(ctx, w.schema, class, nil, triedDocuments) {
		if err != nil {
			return nil, fromSource(err)
		}
		if op.Kind == contract.Upsert {
			list = append(list, op.Data)
		}
	}
	return list, nil
}

// tryTemplate renders documents. Its error quotes none of them.
func tryTemplate(ctx context.Context, r *templates.Renderer, template string, documents [][]byte) error {
	for _, data := range documents {
		if _, err := r.Render(ctx, template, data); err != nil {
			return err
		}
	}
	return nil
}
