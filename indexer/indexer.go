package indexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs"
)

// Config is what an Indexer is made of. FS, Embedder and Renderer are
// required.
type Config struct {
	// FS is the data directory.
	FS vfs.FS
	// Source is where Index pulls documents from; nil: Index refuses.
	Source   contract.Source
	Embedder contract.Embedder
	Renderer contract.Renderer
	// TaskFile is the name of the task journal in FS; empty: tasks live in
	// memory alone. Losing it loses no commit.
	TaskFile string
	// PagePoolBytes bounds the buffer pool of vector pages (default
	// 256 MiB), SnapshotPoolBytes what is kept of open snapshots (default
	// 1 GiB).
	PagePoolBytes     int64
	SnapshotPoolBytes int64
	// Graph sets the graph's parameters; zero values mean the defaults.
	Graph Graph
	// PricePerMillion is what the provider asks for a million tokens, in
	// whatever currency; it is shown in plans. 0: not known.
	PricePerMillion float64
	// Workers is the number of goroutines a graph build or a duplicates
	// request spreads over; 0 means one per CPU.
	Workers int
	// Parallel is the number of tasks (of different domains) that run at
	// once; 0 means 4.
	Parallel int
	// Merges is the number of domains that are merged at once; 0 means 2, which is the
	// most.
	Merges int
	// Turns is the number of requests that compare many documents at once; 0 means 4.
	Turns int
	// BranchWait is how long a push waits for another one on its branch; 0
	// means 30 seconds.
	BranchWait time.Duration
	// QueryCacheBytes bounds what is kept of the vectors of queries; 0 means
	// 32 MiB, less than 0 that none are kept.
	QueryCacheBytes int64
	// Retention returns which commits of a domain stay; others go after commits and at
	// the start, but for what Prune keeps besides. nil: all stay.
	Retention func(domain string) Retention
	// RetentionDryRun has the log say what would go, and nothing go.
	RetentionDryRun bool
	// ScrubEvery is the time between two scrubs of the data directory, 0 for none, and
	// ScrubRate how many bytes a second they read; 0 means 16 MiB.
	ScrubEvery time.Duration
	ScrubRate  int64
	// Checks verify files of others that are in FS.
	Checks []Check
	// Observer is told what the Indexer has done; nil: nobody is.
	Observer Observer
	Logger   *slog.Logger // nil: nothing is logged
}

// Observer is told what an Indexer has done. Its methods are called by many
// goroutines at once, with locks held: they return at once, and call nothing of it.
type Observer interface {
	// TaskEnded is told of a task that is complete or has failed.
	TaskEnded(Task)
	// Merged is told how long a merge took, or tried to.
	Merged(took time.Duration, err error)
	// Pruned is told how many commits were pruned, and the bytes of their files.
	Pruned(commits int, bytes int64)
}

// Graph holds the parameters of graphs and of when they are built.
type Graph struct {
	M              int // links per node and layer; default 16
	EfConstruction int // breadth of the walk at build; default 200
	Ef             int // breadth of the walk at search; default 64
	// MinVectors is the number of live vectors from which on a checkpoint
	// carries a graph; below it every search scans. Default 5000.
	MinVectors int
	// MaxDeltas is the number of commit files that may stand between a
	// commit and its checkpoint before a merge, 2 at least; default 64.
	MaxDeltas int
}

// Indexer keeps the snapshots of a data directory. Make one with Open.
type Indexer struct {
	*search.Reader
	cfg    Config
	log    *slog.Logger
	tasks  *tasks.Registry
	queues queues

	mu sync.RWMutex // guards starting goroutines against Close

	// stop ends the goroutines: queue workers and the merger.
	stopCtx  context.Context
	stop     context.CancelCauseFunc
	wg       sync.WaitGroup
	targets  writers
	merges   *schedule
	running  chan struct{} // bounds the tasks that run at once
	flights  flights       // the texts being embedded
	counters counters
	scrub    scrubber
}

// Open opens the data directory: it reads the header of every commit file,
// takes away what unfinished writes left, and resumes the tasks that were
// running. The directory must be locked by the caller (vfs.FS.Lock).
func Open(cfg Config) (*Indexer, error) {
	if cfg.FS == nil || cfg.Embedder == nil || cfg.Renderer == nil {
		return nil, errors.New("indexer: FS, Embedder and Renderer are required")
	}
	defaults(&cfg)
	if err := cfg.Graph.params().Validate(); err != nil {
		return nil, fmt.Errorf("indexer: %w: %w", contract.ErrInvalid, err)
	}
	names, err := cleanDir(cfg.FS)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	ix := &Indexer{
		cfg:     cfg,
		log:     cfg.Logger,
		targets: writers{domains: make(map[*search.Domain]*domain)},
		merges:  newSchedule(),
		running: make(chan struct{}, cfg.Parallel),
	}
	known, err := catalog.Open(catalog.Config{FS: cfg.FS, Names: names, Check: catalog.CheckSettings, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	ix.Reader = search.New(search.ReaderConfig{
		FS: cfg.FS, Catalog: known, Embedder: cfg.Embedder, PagePoolBytes: cfg.PagePoolBytes, SnapshotPoolBytes: cfg.SnapshotPoolBytes,
		QueryCacheBytes: cfg.QueryCacheBytes, Graph: cfg.Graph.params(), Ef: cfg.Graph.Ef, Workers: cfg.Workers, Turns: cfg.Turns,
		Opened: ix.considerOpened, Logger: cfg.Logger,
	})
	ix.stopCtx, ix.stop = context.WithCancelCause(context.Background())
	if err := ix.sweepTexts(names); err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	if ix.tasks, err = tasks.Open(cfg.FS, cfg.TaskFile, ix.log); err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	if cfg.Observer != nil {
		ix.tasks.Observe(cfg.Observer.TaskEnded)
	}
	ix.findMerges()
	for range cfg.Merges {
		ix.wg.Go(ix.mergeLoop)
	}
	ix.resume()
	if cfg.ScrubEvery > 0 {
		ix.wg.Go(ix.scrubLoop)
	}
	return ix, nil
}

func defaults(cfg *Config) {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&cfg.Graph.M, 16)
	set(&cfg.Graph.EfConstruction, 200)
	set(&cfg.Graph.MinVectors, 5000)
	set(&cfg.Graph.MaxDeltas, 64)
	set(&cfg.Workers, runtime.GOMAXPROCS(0))
	set(&cfg.Parallel, 4)
	set(&cfg.Merges, mergeWorkers)
	cfg.Merges = min(cfg.Merges, mergeWorkers)
	if cfg.ScrubRate <= 0 {
		cfg.ScrubRate = defaultScrubRate
	}
	if cfg.BranchWait == 0 {
		cfg.BranchWait = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
}

func (g Graph) params() hnsw.Params {
	return hnsw.Params{M: g.M, EfConstruction: g.EfConstruction}
}

// Close stops accepting tasks, stops the running ones at their next batch
// (they resume at the next start, and find the vectors they have paid for),
// and closes every file. It waits for them until ctx ends. Searches must have
// ended before.
func (ix *Indexer) Close(ctx context.Context) error {
	ix.mu.Lock()
	ix.stop(contract.ErrClosed) // under mu, so that no goroutine is started after it
	ix.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ix.wg.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("indexer: close: %w", context.Cause(ctx))
	}
	return errors.Join(ix.Reader.Close(), ix.tasks.Close())
}

// Ready reports what works. It does no work itself.
func (ix *Indexer) Ready() search.Readiness {
	open := ix.stopCtx.Err() == nil
	return search.Readiness{
		Index:  open,
		Search: open && ix.Up(),

		Damaged: ix.damaged(),
	}
}

// cleanDir removes what unfinished writes left behind, and returns the names
// that there were before.
func cleanDir(files vfs.FS) ([]string, error) {
	names, err := files.List()
	if err != nil {
		return nil, err
	}
	// To list a large directory takes long: mostly there is nothing to clean.
	if slices.ContainsFunc(names, vfs.IsTemp) {
		if err := vfs.Clean(files); err != nil {
			return nil, err
		}
	}
	return names, cleanStages(files, names)
}

// now is the clock of commits; their times are shown to people.
func now() time.Time { return time.Now().UTC() }
