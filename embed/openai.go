package embed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed/subword"
)

// Config says which provider to ask and how. The zero value is OpenAI's own
// service with a key that callers bring.
type Config struct {
	// Provider is the name of a preset, which gives what is left out below;
	// empty stands for openai.
	Provider string
	// URL is the provider's base address, http or https, with or without a
	// closing /v1 or /v1/embeddings; requests go to /v1/embeddings below it
	// (Azure's have no /v1), or to the address itself where it ends in
	// /embeddings. Empty stands for the preset's.
	URL string
	// Model is the name by which the provider knows the model, with Azure
	// that of the deployment; empty stands for the preset's.
	Model string
	// Dimensions, if not 0, is expected of every vector, and asked of
	// providers that can be asked. It is sent only when set, since most
	// models refuse it.
	Dimensions int
	// Key is sent with every request. Without one, the key of the caller is
	// used (contract.EmbedRequest), if there is any.
	Key contract.Secret
	// TokenizerPath is the model's tokenizer.json, plain or packed by bzip2.
	// Without it, tokens are counted by OpenAI's cl100k.
	TokenizerPath string
	// Batch is the number of texts of one request, up to 2048; 0 stands for
	// the preset's.
	Batch int
	// Parallel is the number of requests under way at once, over all Embed
	// calls; 0 stands for 4.
	Parallel int
	// Timeout bounds one request, its answer included; 0 stands for the
	// preset's, one minute or three. What somebody waits for has less time.
	Timeout time.Duration
	// Observe, if not nil, is told of every request, probes included. It is called
	// by many goroutines at once, and returns at once.
	Observe func(contract.EmbedCall)
}

const (
	azureVersion    = "2024-10-21"
	defaultParallel = 4
	maxDimensions   = 65536
)

// OpenAIEmbedder asks a provider over HTTP.
type OpenAIEmbedder struct {
	config    Config
	provider  Provider
	base      string // what go-openai appends /embeddings to
	model     model
	window    window
	tokenizer *subword.Tokenizer // nil: cl100k
	http      *http.Client
	retry     retryPolicy
	slots     chan struct{} // one per request under way
	pace      pace

	dim      atomic.Int64 // length of a vector, 0 until known
	most     atomic.Int64 // texts of a request, since more did not come in time; 0: no bound
	timely   atomic.Int64 // requests of so many that did
	base64   atomic.Bool  // the provider took a request for base64
	noBase64 atomic.Bool  // it takes none
}

var _ Service = (*OpenAIEmbedder)(nil)

// OpenAI returns an embedder for the provider that c describes. It sends
// nothing yet. A setting that makes no sense is reported as
// contract.ErrInvalid, all of them at once.
func OpenAI(c Config) (*OpenAIEmbedder, error) {
	var complaints []error
	complain := func(format string, args ...any) {
		complaints = append(complaints, fmt.Errorf(format, args...))
	}
	if c.Provider == "" {
		c.Provider = ProviderOpenAI
	}
	p, ok := Preset(c.Provider)
	if !ok {
		complain("provider: %q is none of %s", c.Provider, strings.Join(Presets(), ", "))
		p, _ = Preset(ProviderCompatible)
	}
	if c.URL == "" {
		c.URL = p.URL
	}
	base, err := baseURL(c.URL, p.Azure)
	if err != nil {
		complaints = append(complaints, err)
	}
	if c.Model == "" {
		c.Model = p.Model
	}
	if c.Model == "" {
		complain("model: the provider %s must be told which", c.Provider)
	}
	if c.Dimensions < 0 || c.Dimensions > maxDimensions {
		complain("dimensions: %d is not between 1 and %d", c.Dimensions, maxDimensions)
	}
	if c.Batch == 0 {
		c.Batch = p.Batch
	}
	if c.Batch < 1 || c.Batch > p.MostTexts {
		complain("batch: %d is not between 1 and %d", c.Batch, p.MostTexts)
	}
	if c.Parallel == 0 {
		c.Parallel = defaultParallel
	}
	if c.Parallel < 1 {
		complain("parallel: %d is less than 1", c.Parallel)
	}
	if c.Timeout == 0 {
		c.Timeout = p.Timeout
	}
	if c.Timeout < 0 {
		complain("timeout: %v is negative", c.Timeout)
	}
	m := models[c.Model]
	var tokenizer *subword.Tokenizer
	if c.TokenizerPath != "" {
		if tokenizer, err = subword.Open(c.TokenizerPath); err != nil {
			complain("tokenizer: %w", err)
		}
	}
	var w window
	if complaints == nil {
		if w = m.windowOf(tokenizer); w.size < minWindow {
			complain("tokenizer: it leaves room for %d tokens of a text", w.size)
		}
	}
	if complaints != nil {
		return nil, fmt.Errorf("embed: %w: %w", contract.ErrInvalid, errors.Join(complaints...))
	}
	if c.Dimensions != 0 {
		m.dim = c.Dimensions
	}
	e := &OpenAIEmbedder{
		config:    c,
		provider:  p,
		base:      base,
		model:     m,
		window:    w,
		tokenizer: tokenizer,
		http:      newClient(),
		retry:     defaultRetry,
		slots:     make(chan struct{}, c.Parallel),
	}
	e.dim.Store(int64(m.dim))
	return e, nil
}

// baseURL brings an address into the form that go-openai wants.
func baseURL(address string, azure bool) (string, error) {
	if address == "" {
		return "", errors.New("url: the provider has no address of its own")
	}
	u, err := contract.ParseAddress(address)
	if err != nil {
		return "", fmt.Errorf("url: %w", err)
	}
	base, whole := strings.CutSuffix(u.String(), "/embeddings")
	switch {
	case azure && (whole || strings.Contains(base, "/openai/")):
		return "", errors.New("url: of azure it is the resource's address alone, https://NAME.openai.azure.com; the deployment is the model's name")
	case !azure && !whole && !strings.HasSuffix(base, "/v1"):
		base += "/v1"
	}
	return base, nil
}

// Close closes idle connections. Calls under way are not disturbed, and the
// embedder may be used again.
func (e *OpenAIEmbedder) Close() { e.http.CloseIdleConnections() }

// Fingerprint implements contract.Embedder. Where vectors come from does not
// matter, so that a model may move to another address: the provider's name,
// the model, the dimensions asked for or known (else "native"), the window and
// how requests give the role.
func (e *OpenAIEmbedder) Fingerprint() string {
	dim := "native"
	if e.model.dim != 0 {
		dim = fmt.Sprint(e.model.dim)
	}
	f := fmt.Sprintf("%s/%s/%s/w%d", e.provider.Name, e.config.Model, dim, e.window.size)
	if e.model.prefixes {
		f += "/nomic"
	}
	if e.provider.InputTypes != nil {
		f += "/input_type"
	}
	return f
}

// Dim returns the length of the vectors: the one set, the one known for the
// model, or that of a vector it asks the provider for, once.
func (e *OpenAIEmbedder) Dim(ctx context.Context, key contract.Secret) (int, error) {
	if dim := e.dim.Load(); dim != 0 {
		return int(dim), nil
	}
	c, err := e.caller(contract.EmbedRequest{Role: contract.RoleDocument, Patient: true, Key: key})
	if err != nil {
		return 0, err
	}
	if err := c.control(ctx); err != nil {
		return 0, failed(ctx, err)
	}
	return int(e.dim.Load()), nil
}

// Probe implements Service. It waits neither for other requests nor for what the
// provider allows, and asks without a key if the server has none: a provider
// that limits the rate, or wants a key, is up.
func (e *OpenAIEmbedder) Probe(ctx context.Context) error {
	key, err := e.key(contract.Secret{})
	if err != nil && !errors.Is(err, contract.ErrNotConfigured) {
		return err
	}
	c := e.with(key, contract.EmbedRequest{Role: contract.RoleQuery})
	texts := []string{controlText}
	x, err := c.exchange(ctx, texts, false, false)
	if err == nil {
		_, _, err = c.check(&x.answer, len(texts))
	}
	if err != nil {
		return failed(ctx, err)
	}
	return nil
}

// Up returns true: a Guard keeps track of failures.
func (e *OpenAIEmbedder) Up() bool { return true }

// Batch returns the number of texts that fill all the requests that may be
// under way at once.
func (e *OpenAIEmbedder) Batch() int { return e.config.Batch * e.config.Parallel }

// Tokens returns the number of tokens in text, by the model's tokenizer if
// there is one, else by cl100k.
func (e *OpenAIEmbedder) Tokens(text string) int {
	if e.tokenizer != nil {
		return len(e.tokenizer.Tokens(text))
	}
	return len(tokenEnds(text))
}

// Split cuts texts into windows of 8191 tokens that overlap by 1170 for
// OpenAI's models, of 512 less what is put around a text for models of which
// there is the tokenizer, overlapping by a seventh, and of 480 that overlap by
// 64 for others.
func (e *OpenAIEmbedder) Split(text string) ([]contract.Chunk, int) {
	if e.tokenizer != nil {
		tokens := e.tokenizer.Tokens(text)
		return e.window.split(text, len(tokens), func(i int) (int, int) {
			return tokens[i].Start, tokens[i].End
		}), len(tokens)
	}
	ends := tokenEnds(text)
	return e.window.split(text, len(ends), func(i int) (int, int) {
		if i == 0 {
			return 0, ends[0]
		}
		return ends[i-1], ends[i]
	}), len(ends)
}

// key returns the key for a call, the caller's where the server has none.
func (e *OpenAIEmbedder) key(callers contract.Secret) (string, error) {
	key := e.config.Key.Reveal()
	if key == "" {
		key = callers.Reveal()
	}
	if key == "" && e.provider.Key && (e.provider.Azure || e.base == e.provider.URL+"/v1") {
		return "", fmt.Errorf("embed: %w: %w: the provider %s wants a key: set VECTORLINK_EMBED_KEY, or send one with the request", contract.ErrProvider, contract.ErrNotConfigured, e.provider.Name)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", fmt.Errorf("embed: %w: the key has characters that no key has; look for a line break or a quote at its end", contract.ErrProvider)
	}
	return key, nil
}

// caller returns what sends the requests of one call.
func (e *OpenAIEmbedder) caller(r contract.EmbedRequest) (*caller, error) {
	key, err := e.key(r.Key)
	if err != nil {
		return nil, err
	}
	return e.with(key, r), nil
}

func (e *OpenAIEmbedder) with(key string, r contract.EmbedRequest) *caller {
	c := &caller{
		OpenAIEmbedder: e, client: e.provider.client(e.base, key), key: key,
		role: r.Role, asGiven: r.AsGiven, retry: e.retry, limit: e.config.Timeout,
	}
	if !r.Patient {
		c.limit = min(c.limit, impatience)
		c.retry.elapsed = min(c.retry.elapsed, impatience)
	}
	return c
}
