package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// Indexer is what the API needs of a *service.Service. All methods may be called
// by many goroutines at once, and wrap the errors of package contract.
type Indexer interface {
	service.Writer
	// Tags lists a domain's tags, PrunedCommits what was pruned.
	Tags(domain string) ([]search.TagInfo, error)
	PrunedCommits(domain string) ([]string, error)
	// Search ranks the documents by their distance to a text or a vector.
	Search(ctx context.Context, req search.SearchRequest) (search.Hits, error)
	// SearchDiff compares the hits at two commits, Diff all documents.
	SearchDiff(ctx context.Context, req search.SearchDiffRequest) (search.SearchDiff, error)
	Diff(ctx context.Context, req search.DiffRequest) (search.Diff, error)
	// ListDocuments lists a commit's documents.
	ListDocuments(ctx context.Context, req search.DocumentsRequest) (search.Documents, error)
	// Similar ranks them by their distance to one of themselves.
	Similar(ctx context.Context, req search.SimilarRequest) (search.Hits, error)
	// Duplicates lists near-equal pairs, nearest first.
	Duplicates(ctx context.Context, req pairs.DuplicatesRequest) (pairs.Pairs, error)
	// NearPairs calls use with all of them, which are found while they are
	// read, until it returns.
	NearPairs(ctx context.Context, req pairs.DuplicatesRequest, use func(*pairs.NearPairs) error) error
	// DuplicatesProfile says how the scores of pairs are spread.
	DuplicatesProfile(ctx context.Context, req pairs.ProfileRequest) (pairs.Profile, error)
	// Decide notes decisions about documents, Decisions lists them.
	Decide(ctx context.Context, req indexer.DecideRequest) ([]catalog.Decision, error)
	Decisions(req pairs.DecisionsRequest) (list []catalog.Decision, newest uint64, err error)
	// Suggest tells how the beginning of a query could go on.
	Suggest(ctx context.Context, req search.SuggestRequest) (search.Suggestions, error)
	// Candidates lists the nearest documents of two sets, in both directions.
	Candidates(ctx context.Context, req pairs.CandidatesRequest) (pairs.Candidates, error)
	// Clusters groups the documents of a commit; ClustersDiff says what became of
	// the groups at another. Map places the documents in the plane.
	Clusters(ctx context.Context, req overview.ClustersRequest) (*overview.Clusters, error)
	ClustersDiff(ctx context.Context, req overview.ClustersDiffRequest) (*overview.ClustersDiff, error)
	Map(ctx context.Context, req overview.MapRequest) (*overview.Map, error)
	// Compare returns the distance of two texts.
	Compare(ctx context.Context, req search.CompareRequest) (float32, error)
	// Embeddings calls use with the vectors of documents, which can be read
	// until it returns.
	Embeddings(ctx context.Context, req search.EmbeddingsRequest, use func(*search.Embeddings) error) error
	// Bundle calls use with what writes the snapshot file of a commit, until it returns.
	Bundle(ctx context.Context, req search.BundleRequest, use func(commit string, w *bundle.Writer) error) error
	// Import takes in a snapshot file.
	Import(ctx context.Context, req indexer.ImportRequest, body io.Reader) (indexer.ImportResult, error)
	// Document returns a document of a commit.
	Document(ctx context.Context, req search.DocumentRequest) (search.Document, error)
	// DomainInfos lists those of these domains that there are, by name.
	DomainInfos(of func(domain string) bool) []search.DomainInfo
	// Integrity says whether the files of a domain fit together.
	Integrity(domain string) (search.Integrity, error)
	// Head returns a branch's last indexed commit; nothing indexed is no
	// error. It must answer quickly while commits are being indexed.
	Head(domain, branch string) (search.Head, error)
	// Commits lists a domain's indexed commits, newest first.
	Commits(domain string) ([]search.CommitInfo, error)
}

// Watcher follows branches of the document database. Its methods may be called
// by many goroutines at once, and do not block.
type Watcher interface {
	// Notify has a domain looked at without delay; branch "" means any. It
	// reports whether that is followed.
	Notify(domain, branch string) bool
	// Lag lists how far followed branches are behind, of one domain or of
	// all for "".
	Lag(domain string) []indexer.BranchLag
}

// Page answers requests for pages under /ui/. It asks for no credentials, which were
// checked. Its methods may be called by many goroutines at once.
type Page interface {
	// Serve answers a request, or returns why it cannot and has then written nothing.
	Serve(w http.ResponseWriter, r *http.Request) error
	// Refuse answers a request that has failed for a reason, with the status that it
	// has in the API and the id that finds the request in the log.
	Refuse(w http.ResponseWriter, r *http.Request, status int, reason, request string) error
}

// Config is what New needs to know.
type Config struct {
	// Watcher is who follows branches; nil: nobody does.
	Watcher Watcher
	// User is the user name of Basic credentials; empty: admin.
	User string
	// Secret is the password of Basic credentials and the token of Bearer
	// ones. Empty: every request is let in, which Listen refuses on other
	// addresses than loopback.
	Secret contract.Secret
	// Keys are those of a file, beside Secret; nil: there are none.
	Keys *service.Keys
	// Certificate is what the server is reached by TLS with, nil for no TLS.
	Certificate *Certificate
	// Inside admits the callers of other requests alone, as [service.Call] has put them
	// into a request's context, and no credentials.
	Inside bool
	// Insecure lets Listen open any address without a Secret.
	Insecure bool
	// SearchReady false answers every search with 503, for an operator who
	// wants the traffic elsewhere. Set it.
	SearchReady bool
	// SearchTimeout bounds a search, including the embedding of its text;
	// 0: two minutes. Listing duplicates is bounded by its caller alone.
	SearchTimeout time.Duration
	// RateLimit is the number of requests a second that one client address may
	// begin, on the average; twice as many may come at once. The health
	// probes and the contract are free. 0: no limit.
	RateLimit float64
	// MaxLine bounds a line of a pushed body, in bytes; 0: 64 MiB.
	MaxLine int
	// PushIdle is how long a client may send nothing in the middle of a
	// pushed body; 0: five minutes.
	PushIdle time.Duration
	// ProgressEvery is the longest time between two lines of a push's
	// progress; 0: five seconds.
	ProgressEvery time.Duration
	// Page is what people see under /ui/, where / leads to; nil: nothing.
	Page Page
	// Routes are those of other protocols, beside the API's own.
	Routes []service.Route
	// MaxImport bounds a snapshot file that is taken in, in bytes; 0: 64 GiB.
	MaxImport int64
	// Spaces, if not nil, forgets the journal of a space whose domain remove purges.
	Spaces interface {
		Forget(name string, remove func() error) error
	}
	// Logger receives one line per request, of LevelRequest; nil: none are written.
	Logger *slog.Logger
	// Slow is how long a request that reads may take before a line of the log says
	// where its time went; 0: no line does.
	Slow time.Duration
	// Metrics counts requests; nil: nobody does.
	Metrics *Metrics
	// Profile has /debug/pprof answer, which shows the inside of the process and takes its time.
	Profile bool
	// Version is the program's version, reported by /statistics.
	Version string
}

const (
	defaultUser          = "admin"
	defaultSearchTimeout = 2 * time.Minute
)

// server holds what handlers share.
type server struct {
	ix      Indexer
	cfg     Config
	log     *slog.Logger
	access  *service.Access
	origins *http.CrossOriginProtection
	limiter *service.Limiter
}

// New returns the handler of all endpoints, over ix.
func New(cfg Config, ix Indexer) http.Handler {
	s := newServer(cfg, ix)
	return s.observe(s.routes())
}

func newServer(cfg Config, ix Indexer) *server {
	if cfg.User == "" {
		cfg.User = defaultUser
	}
	if cfg.SearchTimeout <= 0 {
		cfg.SearchTimeout = defaultSearchTimeout
	}
	if cfg.MaxLine <= 0 {
		cfg.MaxLine = defaultMaxLine
	}
	if cfg.MaxImport <= 0 {
		cfg.MaxImport = defaultMaxImport
	}
	if cfg.PushIdle <= 0 {
		cfg.PushIdle = defaultPushIdle
	}
	if cfg.ProgressEvery <= 0 {
		cfg.ProgressEvery = defaultProgressEvery
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &server{
		ix:      ix,
		cfg:     cfg,
		log:     cfg.Logger,
		access:  service.NewAccess(cfg.User, cfg.Secret, cfg.Keys),
		origins: http.NewCrossOriginProtection(),
		limiter: service.NewLimiter(cfg.RateLimit),
	}
}
