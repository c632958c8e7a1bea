package search

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// ReaderConfig is what a Reader is made of. FS, Catalog and Embedder are required.
type ReaderConfig struct {
	// FS is the data directory.
	FS       vfs.FS
	Catalog  *catalog.Catalog // of FS
	Embedder contract.Embedder
	// PagePoolBytes bounds the buffer pool of vector pages (default 256 MiB),
	// SnapshotPoolBytes what is kept of open snapshots (default 1 GiB).
	PagePoolBytes     int64
	SnapshotPoolBytes int64
	// QueryCacheBytes bounds what is kept of the vectors of queries; 0 means
	// 32 MiB, less than 0 that none are kept.
	QueryCacheBytes int64
	// Ef is the breadth of the graph walk at search; 0 means 64.
	Ef int
	// Graph is what graphs are built with where a domain leaves it to the server;
	// zeros are its own defaults.
	Graph hnsw.Params
	// Workers is the number of goroutines a request that compares many
	// documents spreads over; 0 means one per CPU.
	Workers int
	// Turns is the number of requests that compare many documents at once; 0 means 4.
	Turns int
	// ReadOnly has the Reader write no file: a full text whose file is missing
	// is built again for every Reader, and whenever it has left the pool.
	ReadOnly bool
	// Opened is called with every snapshot that was brought into memory; it may
	// be nil.
	Opened func(*Snapshot)
	Logger *slog.Logger // nil: nothing is logged
}

// Reader answers requests from the snapshots of a data directory.
type Reader struct {
	cfg     ReaderConfig
	log     *slog.Logger
	pages   *vecstore.Pool
	pool    *pool
	domains *Registry
	heavy   chan struct{} // bounds the requests that compare many documents
	queries *queryCache   // the vectors of queries
	serials atomic.Uint64 // of what was loaded, to tell it apart
}

// New returns a Reader of a data directory of which nothing is known yet.
func New(cfg ReaderConfig) *Reader {
	cfg.defaults()
	pages := vecstore.NewPool(cfg.PagePoolBytes)
	return &Reader{
		cfg:     cfg,
		log:     cfg.Logger,
		pages:   pages,
		pool:    newPool(cfg.SnapshotPoolBytes),
		domains: &Registry{log: cfg.Logger, catalog: cfg.Catalog, files: cfg.FS, pages: pages, readOnly: cfg.ReadOnly, domains: make(map[*catalog.Domain]*Domain)},
		heavy:   make(chan struct{}, cfg.Turns),
		queries: newQueryCache(cfg.QueryCacheBytes),
	}
}

func (cfg *ReaderConfig) defaults() {
	cfg.PagePoolBytes = cmp.Or(cfg.PagePoolBytes, 256<<20)
	cfg.SnapshotPoolBytes = cmp.Or(cfg.SnapshotPoolBytes, 1<<30)
	cfg.QueryCacheBytes = cmp.Or(cfg.QueryCacheBytes, 32<<20)
	cfg.Ef = cmp.Or(cfg.Ef, 64)
	cfg.Graph.M = cmp.Or(cfg.Graph.M, 16)
	cfg.Graph.EfConstruction = cmp.Or(cfg.Graph.EfConstruction, 200)
	cfg.Turns = cmp.Or(cfg.Turns, 4)
	cfg.Workers = cmp.Or(cfg.Workers, runtime.GOMAXPROCS(0))
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
}

// Effective returns the settings with the server's own in the place of those that
// the domain leaves to it.
func (r *Reader) Effective(s catalog.Settings) catalog.Settings {
	s.M = cmp.Or(s.M, r.cfg.Graph.M)
	s.EfConstruction = cmp.Or(s.EfConstruction, max(r.cfg.Graph.EfConstruction, s.M))
	return s
}

// Workers returns how many goroutines a request that compares many documents spreads
// over.
func (r *Reader) Workers() int { return max(r.cfg.Workers, 1) }

// Files returns the data directory.
func (r *Reader) Files() vfs.FS { return r.cfg.FS }

// Domains returns the Registry of what the Reader reads.
func (r *Reader) Domains() *Registry { return r.domains }

// Up reports whether the embedding provider is not known to be down.
func (r *Reader) Up() bool { return r.cfg.Embedder.Up() }

// Close closes all files. No request may be running.
func (r *Reader) Close() error {
	r.pool.purge()
	return errors.Join(r.domains.close()...)
}

// Turn waits for the turn of a request that compares many documents, and returns how
// to give it back.
func (r *Reader) Turn(ctx context.Context) (done func(), err error) {
	defer timed(ctx, PartWait)()
	select {
	case r.heavy <- struct{}{}:
		return func() { <-r.heavy }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
