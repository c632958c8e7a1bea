// Package openai is a door for programs that speak OpenAI's interface of embeddings:
// POST /v1/embeddings and GET /v1/models, in its shapes of answers and errors. The
// model is the one that the server indexes with, and texts that were asked for before
// come from the memory of queries.
//
// It stores nothing. Package api serves its routes.
package openai
