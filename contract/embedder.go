package contract

import (
	"context"
	"fmt"
)

// Role says what a text is to the model: some models want a different prefix
// for each.
type Role uint8

const (
	// RoleDocument is the role of texts that are searched.
	RoleDocument Role = 1
	// RoleQuery is the role of texts searched with.
	RoleQuery Role = 2
	// RoleClustering and RoleClassification are for comparing texts.
	RoleClustering     Role = 3
	RoleClassification Role = 4
)

// String returns the role's name as the wire spells it.
func (r Role) String() string {
	switch r {
	case RoleDocument:
		return "document"
	case RoleQuery:
		return "query"
	case RoleClustering:
		return "clustering"
	case RoleClassification:
		return "classification"
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// Chunk is a piece of a text that fits the model's window.
type Chunk struct {
	Start, End int // byte range in the text, on character boundaries
	TokenStart int // index of its first token in the text
	Tokens     int // number of its tokens
}

// Embedder turns texts into vectors. It is used by many goroutines at once.
type Embedder interface {
	// Fingerprint identifies everything that decides a vector: provider
	// kind, model, dimension, prefixes, window. Vectors of different
	// fingerprints are never compared. It holds no secret and no URL.
	Fingerprint() string
	// Dim returns the length of the vectors. It may ask the provider once.
	Dim(ctx context.Context) (int, error)
	// Batch returns the number of texts that one Embed call should carry.
	Batch() int
	// Split cuts a text into chunks that fit the model's window and returns
	// the number of tokens in the whole text. Every text has at least one
	// chunk, and a text that fits has exactly one, the whole text.
	Split(text string) (chunks []Chunk, tokens int)
	// Embed returns one vector of unit length per text, in order; under
	// AsGiven one of whatever length the model gave it. Where the
	// provider refused some texts and embedded the others, the error is a
	// *RefusedError and the others' vectors are returned (they are paid
	// for). Any other error wraps ErrProvider or is the context's; with it
	// may come the vectors that were made before, the others being nil.
	Embed(ctx context.Context, role Role, texts []string) ([][]float32, error)
}

// Prober is an Embedder that can be down, being a service elsewhere.
type Prober interface {
	// Probe asks the service for the vector of a short text, once. Its error
	// is as Embed's; one that wraps ErrNotConfigured says that it cannot be
	// asked without a caller's key.
	Probe(ctx context.Context) error
}

// RefusedError reports texts that the provider will not embed, whatever is
// tried.
type RefusedError struct {
	// Texts maps the index of each refused text to the reason.
	Texts map[int]error
}

// Error names the number of texts, never their content.
func (e *RefusedError) Error() string {
	for _, err := range e.Texts {
		if len(e.Texts) == 1 {
			return fmt.Sprintf("text refused: %v", err)
		}
		return fmt.Sprintf("%d texts refused, one because: %v", len(e.Texts), err)
	}
	return "no text refused"
}

// AsGiven returns a context under which Embed calls return vectors of the
// length that the model gives them.
func AsGiven(ctx context.Context) context.Context {
	return context.WithValue(ctx, asGiven{}, true)
}

// IsAsGiven reports whether ctx comes from AsGiven.
func IsAsGiven(ctx context.Context) bool {
	is, _ := ctx.Value(asGiven{}).(bool)
	return is
}

type asGiven struct{}

// CallerKey returns a context under which Embed calls may use the given
// provider key, where the server has none of its own.
func CallerKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, callerKey{}, key)
}

// CallerKeyFrom returns the key that CallerKey put into ctx, or "".
func CallerKeyFrom(ctx context.Context) string {
	key, _ := ctx.Value(callerKey{}).(string)
	return key
}

type callerKey struct{}
