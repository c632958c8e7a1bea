package indexer

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// ReaderConfig is what a Reader is made of. FS and Embedder are required.
type ReaderConfig struct {
	// FS is the data directory.
	FS       vfs.FS
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
	// Workers is the number of goroutines a request that compares many
	// documents spreads over; 0 means one per CPU.
	Workers int
	Logger  *slog.Logger // nil: nothing is logged
}

// Reader answers requests from the snapshots of a data directory.
type Reader struct {
	cfg      ReaderConfig
	log      *slog.Logger
	pages    *vecstore.Pool
	pool     *pool
	domains  *registry
	heavy    chan struct{} // bounds the requests that compare many documents
	provider *provider
	recall   *recall       // the vectors of queries
	serials  atomic.Uint64 // of what was loaded, to tell it apart
	// clustered reports whether a domain stores clustering vectors.
	clustered func(domain string) bool
	// opened is called with every snapshot that was brought into memory; nil: nobody asks.
	opened func(*openSnapshot)
}

// embed calls the embedder for a domain with such settings, and remembers
// whether it worked.
func (r *Reader) embed(ctx context.Context, s Settings, role contract.Role, texts []string) ([][]float32, error) {
	if !s.Normalize {
		ctx = contract.AsGiven(ctx)
	}
	vectors, err := r.cfg.Embedder.Embed(ctx, role, texts)
	r.provider.note(ctx, err)
	return vectors, err
}
