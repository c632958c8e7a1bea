package contract

import (
	"context"
	"fmt"
	"slices"
	"time"
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

// roles are the names of the roles, as the wire spells them, by their numbers.
var roles = []string{"", "document", "query", "clustering", "classification"}

// RoleNamed returns the role of a name, 0 if there is none.
func RoleNamed(name string) Role { return Role(max(slices.Index(roles, name), 0)) }

// String returns the role's name as the wire spells it.
func (r Role) String() string {
	if r == 0 || int(r) >= len(roles) {
		return fmt.Sprintf("role(%d)", uint8(r))
	}
	return roles[r]
}

// Chunk is a piece of a text that fits the model's window.
type Chunk struct {
	Start, End int // byte range in the text, on character boundaries
	TokenStart int // index of its first token in the text
	Tokens     int // number of its tokens
	// Unreadable says that the model knows next to nothing of the piece, so that
	// its vector is about that of any other such piece. Embedders that cannot
	// tell say so of none.
	Unreadable bool
}

// EmbedRequest is what one Embed call asks for.
type EmbedRequest struct {
	// Role is what the texts are to the model.
	Role Role
	// Texts are embedded whole, each as one vector.
	Texts []string
	// AsGiven asks for vectors of the length that the model gives them,
	// instead of unit length.
	AsGiven bool
	// Patient says that nobody waits for the answer: what fails for the
	// moment is tried again for minutes, not for seconds.
	Patient bool
	// Key is the caller's key at the provider, used where the server has
	// none of its own.
	Key Secret
}

// EmbedCall is one request to whoever embeds: a provider, or the model in this
// process.
type EmbedCall struct {
	Took   time.Duration
	Texts  int
	Tokens int // of an answer, as the provider counts them, or about as many
	// Outcome is ok, refused, limited, unavailable or cancelled.
	Outcome string
	Retry   bool // it repeats one that failed
}

// Embedder turns texts into vectors. It is used by many goroutines at once.
type Embedder interface {
	// Fingerprint identifies everything that decides a vector: provider
	// kind, model, dimension, prefixes, window. Vectors of different
	// fingerprints are never compared. It holds no secret and no URL.
	Fingerprint() string
	// Dim returns the length of the vectors. It may ask the provider once,
	// with the caller's key where the server has none.
	Dim(ctx context.Context, key Secret) (int, error)
	// Batch returns the number of texts that one Embed call should carry.
	Batch() int
	// Split cuts a text into chunks that fit the model's window and returns
	// the number of tokens in the whole text. Every text has at least one
	// chunk, and a text that fits has exactly one, the whole text.
	Split(text string) (chunks []Chunk, tokens int)
	// Embed returns one vector per text, in order. Where the provider
	// refused some texts and embedded the others, the error is a
	// *RefusedError and the others' vectors are returned (they are paid
	// for). Any other error wraps ErrProvider (ErrUnavailable, where the
	// provider itself is in trouble), or ErrDown, or is the context's; with
	// it may come the vectors that were made before, the others being nil.
	Embed(ctx context.Context, r EmbedRequest) ([][]float32, error)
	// Up reports whether Embed can be expected to work. It is false while
	// the service behind the Embedder is known to be down.
	Up() bool
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
