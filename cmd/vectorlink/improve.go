package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
)

// checkChat adds what is wrong with the settings of the chat model.
func (c *suggestCmd) checkChat(cfg *Config, bad *complaints) {
	if c.AI == "" {
		return
	}
	cfg.Model = "" // that embeds; with local it must be its own
	if cfg.EmbedProvider == "" && cfg.EmbedKey.IsZero() && cfg.EmbedURL == "" {
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
func (c *suggestCmd) improve(ctx context.Context, p *program, schema *workshop.Schema, cfg *Config, list []workshop.Suggestion) error {
	chat, err := workshop.NewChat(workshop.ChatConfig{
		Provider: cfg.EmbedProvider, URL: cfg.EmbedURL, Model: c.AI, Key: cfg.EmbedKey,
	})
	if err != nil {
		return as(errUsage, err)
	}
	renderer := templates.New(templates.Limits{})
	for i := range list {
		switch err := schema.Improve(ctx, renderer, chat.Complete, &list[i]); {
		case errors.Is(err, workshop.ErrNoBetter):
			fmt.Fprintf(p.stderr, "%s: keeps the plain sentences: %s\n", plainText(list[i].Class), clip(err.Error(), 300))
		case err != nil:
			return behind(err)
		}
	}
	return nil
}
