package docdb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/web"
)

// Defaults and limits of a Config.
const (
	DefaultUser      = "admin"
	DefaultBatchSize = 1000
	MaxBatchSize     = 1000
	DefaultTimeout   = time.Minute
	DefaultMaxAnswer = 64 << 20
)

// Config says where the database is and who asks.
type Config struct {
	// URL of the server, such as http://localhost:6363; a path in it is
	// kept. It holds no user or password. Required.
	URL string
	// User asks the questions; empty means DefaultUser. It needs no more
	// than TerminusDB's Consumer Role on the databases to index.
	User string
	// Password goes with User (Basic authentication). At most one of
	// Password and Token is set.
	Password contract.Secret
	// Token is sent as a Bearer token instead of User and Password.
	Token contract.Secret
	// ForwardHeader, when set, is the name of the server's insecure user
	// header: its value is User, and no password or token is sent.
	ForwardHeader string
	// BatchSize is the number of documents asked for at once, 1 to
	// MaxBatchSize; 0 means DefaultBatchSize.
	BatchSize int
	// Timeout bounds each request together with its answer; 0 means
	// DefaultTimeout.
	Timeout time.Duration
	// MaxAnswer bounds each answer in bytes; 0 means DefaultMaxAnswer. A
	// batch whose answer is longer is split.
	MaxAnswer int64
	// Logger; nil means no log.
	Logger *slog.Logger
}

// Client reads one TerminusDB server. It may be used by many goroutines.
type Client struct {
	wire  *wire
	batch int
	log   *slog.Logger
}

var _ contract.Source = (*Client)(nil)

// NewClient checks cfg and returns a client; it does not connect.
func NewClient(cfg Config) (*Client, error) {
	base, err := contract.ParseAddress(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("docdb: VECTORLINK_TERMINUSDB_URL %w", err)
	}
	if !cfg.Password.IsZero() && !cfg.Token.IsZero() {
		return nil, errors.New("docdb: set VECTORLINK_TERMINUSDB_PASSWORD or VECTORLINK_TERMINUSDB_TOKEN, not both")
	}
	if cfg.ForwardHeader != "" && !web.IsHeader(cfg.ForwardHeader) {
		return nil, fmt.Errorf("docdb: VECTORLINK_USER_FORWARD_HEADER: %q is not a header name", cfg.ForwardHeader)
	}
	if cfg.BatchSize < 0 || cfg.BatchSize > MaxBatchSize {
		return nil, fmt.Errorf("docdb: batch size %d is not between 1 and %d", cfg.BatchSize, MaxBatchSize)
	}
	if cfg.Timeout < 0 || cfg.MaxAnswer < 0 {
		return nil, errors.New("docdb: timeout and answer limit must not be negative")
	}
	cfg.User, cfg.BatchSize = cmp.Or(cfg.User, DefaultUser), cmp.Or(cfg.BatchSize, DefaultBatchSize)
	cfg.Timeout, cfg.MaxAnswer = cmp.Or(cfg.Timeout, DefaultTimeout), cmp.Or(cfg.MaxAnswer, DefaultMaxAnswer)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return &Client{wire: &wire{base, web.NewClient(cfg.Timeout, maxConns), cfg}, batch: cfg.BatchSize, log: cfg.Logger}, nil
}

// ask sends a request about a domain to an interface of the database, with further
// segments of its path, and reads the JSON of its answer into v. Where the status
// is not 200 it returns that with the error.
func (c *Client) ask(ctx context.Context, method, endpoint, domain string, segments []string, query url.Values, body []byte, v any) (*answer, error) {
	path, err := web.Resource("/api/"+endpoint, domain, append([]string{"local"}, segments...)...)
	if err != nil {
		return nil, err
	}
	a, err := c.wire.do(ctx, method, path, query, body)
	switch {
	case err != nil:
		return nil, err
	case a.status != http.StatusOK:
		return a, c.wire.fault(a, domain)
	case json.Unmarshal(a.body, v) != nil:
		return nil, c.wire.garbage("/api/" + endpoint + " answered something else than was asked for")
	}
	return a, nil
}

// get is ask by GET.
func (c *Client) get(ctx context.Context, endpoint, domain string, segments []string, query url.Values, v any) (*answer, error) {
	return c.ask(ctx, http.MethodGet, endpoint, domain, segments, query, nil, v)
}
