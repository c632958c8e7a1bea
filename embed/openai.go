package embed

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/vectorlink/vectorlink/indexer"
)

// Config says which provider to ask and how. The zero value is OpenAI's own
// service with a key that callers bring.
type Config struct {
	// URL is the provider's base address, http or https, with or without a
	// closing /v1; requests go to /v1/embeddings below it. Empty stands for
	// https://api.openai.com.
	URL string
	// Model is the name by which the provider knows the model; empty stands
	// for text-embedding-3-small.
	Model string
	// Dimensions, if not 0, is asked of the provider and expected of every
	// vector. It is sent only when set, since most models refuse it.
	Dimensions int
	// Key is sent with every request. Without one, the key of the caller
	// (indexer.CallerKey) is used, if there is any.
	Key Secret
	// Azure speaks the dialect of Azure OpenAI, where Model names the
	// deployment and URL has no /v1.
	Azure bool
	// Batch is the number of texts of one request, 1 to 2048; 0 stands for
	// 256.
	Batch int
	// Parallel is the number of requests under way at once, over all Embed
	// calls; 0 stands for 4.
	Parallel int
	// Timeout bounds one request, its answer included; 0 stands for 60 s.
	Timeout time.Duration
}

const (
	openaiURL    = "https://api.openai.com"
	defaultModel = "text-embedding-3-small"
	azureVersion = "2024-10-21"

	maxBatch         = 2048
	defaultBatch     = 256
	defaultParallel  = 4
	defaultTimeout   = time.Minute
	maxDimensions    = 65536
	maxRequestTokens = 250_000 // OpenAI takes 300,000
)

// A model is what is known of one by its name.
type model struct {
	dim      int // 0: not known, ask
	window   window
	prefixes bool // wants nomic's prefix for each role
}

// A model's own window and overlap need its own tokenizer; these have OpenAI's
// cl100k. Others are given windows of 480 of those tokens, which fit a window
// of 512 of most tokenizers.
var (
	openaiWindow  = window{size: 8191, overlap: 8191 / 7}
	unknownWindow = window{size: 480, overlap: 64}
)

var models = map[string]model{
	"text-embedding-3-small": {dim: 1536, window: openaiWindow},
	"text-embedding-3-large": {dim: 3072, window: openaiWindow},
	"text-embedding-ada-002": {dim: 1536, window: openaiWindow},

	"nomic-ai/nomic-embed-text-v2-moe": {dim: 768, window: unknownWindow, prefixes: true},
	"nomic-embed-text-v2-moe":          {dim: 768, window: unknownWindow, prefixes: true},
	"nomic-embed-v2":                   {dim: 768, window: unknownWindow, prefixes: true},
	"nomic-ai/nomic-embed-text-v1.5":   {dim: 768, window: unknownWindow, prefixes: true},
}

// nomicPrefixes tell nomic's models the role of a text.
var nomicPrefixes = map[indexer.Role]string{
	indexer.RoleDocument:       "search_document: ",
	indexer.RoleQuery:          "search_query: ",
	indexer.RoleClustering:     "clustering: ",
	indexer.RoleClassification: "classification: ",
}

// OpenAIEmbedder asks a provider over HTTP.
type OpenAIEmbedder struct {
	config Config
	base   string // what go-openai appends /embeddings to
	model  model
	http   *limitedClient
	retry  retryPolicy
	slots  chan struct{} // one per request under way

	dim atomic.Int64 // length of a vector, 0 until known
}

var _ indexer.Embedder = (*OpenAIEmbedder)(nil)

// OpenAI returns an embedder for the provider that c describes. It sends
// nothing yet. A setting that makes no sense is reported as
// indexer.ErrInvalid, all of them at once.
func OpenAI(c Config) (*OpenAIEmbedder, error) {
	var complaints []error
	complain := func(format string, args ...any) {
		complaints = append(complaints, fmt.Errorf(format, args...))
	}
	if c.URL == "" {
		c.URL = openaiURL
	}
	base, err := baseURL(c.URL, c.Azure)
	if err != nil {
		complaints = append(complaints, err)
	}
	if c.Model == "" {
		c.Model = defaultModel
	}
	if c.Dimensions < 0 || c.Dimensions > maxDimensions {
		complain("dimensions: %d is not between 1 and %d", c.Dimensions, maxDimensions)
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.Batch < 1 || c.Batch > maxBatch {
		complain("batch: %d is not between 1 and %d", c.Batch, maxBatch)
	}
	if c.Parallel == 0 {
		c.Parallel = defaultParallel
	}
	if c.Parallel < 1 {
		complain("parallel: %d is less than 1", c.Parallel)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Timeout < 0 {
		complain("timeout: %v is negative", c.Timeout)
	}
	if complaints != nil {
		return nil, fmt.Errorf("embed: %w: %w", indexer.ErrInvalid, errors.Join(complaints...))
	}
	m, known := models[c.Model]
	if !known {
		m.window = unknownWindow
	}
	if c.Dimensions != 0 {
		m.dim = c.Dimensions
	}
	e := &OpenAIEmbedder{
		config: c,
		base:   base,
		model:  m,
		http:   newClient(c.Timeout),
		retry:  defaultRetry,
		slots:  make(chan struct{}, c.Parallel),
	}
	e.dim.Store(int64(m.dim))
	return e, nil
}

// baseURL checks an address and brings it into the form that go-openai wants.
func baseURL(address string, azure bool) (string, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil: // its text would repeat the address
		return "", errors.New("url: not a valid address")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", errors.New("url: not an http or https address")
	case u.User != nil:
		return "", errors.New("url: credentials do not belong in the address; give them as the key")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("url: an address of this kind has no query and no fragment")
	}
	base := u.String()
	if !azure && !strings.HasSuffix(base, "/v1") {
		base += "/v1"
	}
	return base, nil
}

// Close closes idle connections. Calls under way are not disturbed, and the
// embedder may be used again.
func (e *OpenAIEmbedder) Close() { e.http.client.CloseIdleConnections() }

// Fingerprint implements indexer.Embedder. Where vectors come from does not
// matter, so that a model may move to another address: "openai", the model,
// the dimensions asked for or known (else "native"), the window and the kind
// of prefixes.
func (e *OpenAIEmbedder) Fingerprint() string {
	dim := "native"
	if e.model.dim != 0 {
		dim = fmt.Sprint(e.model.dim)
	}
	f := fmt.Sprintf("openai/%s/%s/w%d", e.config.Model, dim, e.model.window.size)
	if e.model.prefixes {
		f += "/nomic"
	}
	return f
}

// Dim returns the length of the vectors: the one set, the one known for the
// model, or that of a vector it asks the provider for, once.
func (e *OpenAIEmbedder) Dim(ctx context.Context) (int, error) {
	if dim := e.dim.Load(); dim != 0 {
		return int(dim), nil
	}
	client, err := e.client(ctx)
	if err != nil {
		return 0, err
	}
	if err := e.control(ctx, client); err != nil {
		return 0, e.failed(ctx, err)
	}
	return int(e.dim.Load()), nil
}

// Batch returns the number of texts of one request.
func (e *OpenAIEmbedder) Batch() int { return e.config.Batch }

// Tokens returns the number of cl100k tokens in text.
func (e *OpenAIEmbedder) Tokens(text string) int { return len(tokenEnds(text)) }

// Split counts tokens of OpenAI's cl100k encoding. OpenAI's models have
// windows of 8191 with 1170 of overlap, others of 480 with 64.
func (e *OpenAIEmbedder) Split(text string) ([]indexer.Chunk, int) {
	ends := tokenEnds(text)
	return e.model.window.split(text, len(ends), func(i int) (int, int) {
		if i == 0 {
			return 0, ends[0]
		}
		return ends[i-1], ends[i]
	}), len(ends)
}

// key returns the key for a call, which may be the caller's.
func (e *OpenAIEmbedder) key(ctx context.Context) string {
	if key := e.config.Key.Reveal(); key != "" {
		return key
	}
	return indexer.CallerKeyFrom(ctx)
}

// client returns go-openai's client with the key for this call.
func (e *OpenAIEmbedder) client(ctx context.Context) (*openai.Client, error) {
	key := e.key(ctx)
	if key == "" && e.config.URL == openaiURL {
		return nil, fmt.Errorf("embed: %w: %w: OpenAI wants a key: set VECTORLINK_EMBED_KEY, or send one with the request", indexer.ErrProvider, indexer.ErrNotConfigured)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, fmt.Errorf("embed: %w: the key has characters that no key has; look for a line break or a quote at its end", indexer.ErrProvider)
	}
	var c openai.ClientConfig
	if e.config.Azure {
		c = openai.DefaultAzureConfig(key, e.base)
		c.APIVersion = azureVersion
		c.AzureModelMapperFunc = url.PathEscape
	} else {
		c = openai.DefaultConfig(key)
		c.BaseURL = e.base
	}
	c.HTTPClient = e.http
	return openai.NewClientWithConfig(c), nil
}
