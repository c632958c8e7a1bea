package main

import (
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/openai"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/service"
)

// doors returns the routes of the protocols that are spoken beside the API's own.
func (c *Config) doors(svc *service.Service, embedder contract.Embedder) []service.Route {
	return openai.Routes(openai.Config{Model: c.Model, Dim: embedder.Dim, Text: embed.TextOf}, svc)
}
