package indexer

import (
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/tasks"
)

// IndexRequest asks for the snapshot of a commit.
type IndexRequest struct {
	Domain   string // org/db
	Commit   string
	Branch   string // empty: main
	Previous string // proposed base, may be empty
	// Settings are those that the request names.
	Settings catalog.SettingsRequest
	// CallerKey is the caller's provider key, used where the server has
	// none; kept in memory only.
	CallerKey contract.Secret
}

// A task is package tasks' own.
type (
	Task      = tasks.Task
	TaskState = tasks.State
	Skipped   = tasks.Skipped
)

const (
	TaskPending  = tasks.Pending
	TaskComplete = tasks.Complete
	TaskFailed   = tasks.Failed
)

// Statistics counts what is stored.
type Statistics struct {
	Domains        int
	Branches       int
	IndexedCommits int
	Documents      int // over branch heads, distinct per domain
	Chunks         int
	Tasks          int
	// Settings are those of one domain, with the server's own in the place of
	// those it leaves to it; nil where all were asked for, or nothing is
	// indexed.
	Settings *catalog.Settings
	// StoreClustering says whether that domain does.
	StoreClustering bool
	OpenSnapshots   int
	SnapshotBytes   int64
	Pages           PageStatistics
	Activity        Activity
}

// Activity counts what the indexer is at and holds.
type Activity struct {
	Unfinished   int // tasks
	Running      int // of them, those at work
	BusyDomains  int // with tasks at work or snapshots open
	BusyBranches int // that pushes are at work on
	Embedding    int // texts at the embedder at the moment
	// Embedded counts texts embedded for documents, Written vectors stored,
	// and Opened snapshots and files brought into memory, all since the start.
	Embedded, Written, Opened int64
	// Vectors and VectorBytes are what is stored for texts seen before.
	Vectors, VectorBytes int64
	// Queries and QueryBytes are the vectors of queries in memory. QueryHits
	// counts queries answered from there, QueryMisses those embedded, since
	// the start.
	Queries, QueryBytes, QueryHits, QueryMisses int64
	// SnapshotLimit and PageLimit are the bytes that open snapshots and pages
	// of vectors may take.
	SnapshotLimit, PageLimit int64
}

// PageStatistics are the counters of the buffer pool of vector pages.
type PageStatistics struct {
	Free    int64 // bytes that no page takes
	Loading int   // pages being read
	Loaded  int   // pages in use
	Cached  int   // pages kept and not in use
}
