package indexer

import (
	"time"

	"github.com/vectorlink/vectorlink/catalog"
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
	CallerKey string
}

// TaskState is the state of a task.
type TaskState string

const (
	TaskPending  TaskState = "pending"
	TaskComplete TaskState = "complete"
	TaskFailed   TaskState = "failed"
)

// Task is the state of one indexing task.
type Task struct {
	ID     string    `json:"id"` // "task-" and 32 hex digits
	Domain string    `json:"domain"`
	Commit string    `json:"commit"`
	Branch string    `json:"branch"`
	State  TaskState `json:"state"`
	// Percentage is the share of the work done, 0 to 100; it never falls. Up
	// to 10 it counts documents read, then tokens embedded.
	Percentage float64 `json:"percentage"`
	// Documents is the number of documents in the finished snapshot.
	Documents int `json:"documents"`
	// Indexed is the number of documents inserted or changed by this task,
	// Deleted the number removed.
	Indexed int `json:"indexed"`
	Deleted int `json:"deleted"`
	// Embedded is the number of distinct texts (chunks) sent to the
	// embedder, Reused that of the snapshot's texts whose vectors were there
	// already (while the task runs: of those looked at so far). Tokens
	// counts the embedded texts' tokens, of TokensToEmbed, which is known
	// once all documents are read.
	Embedded      int `json:"embedded"`
	Reused        int `json:"reused"`
	Tokens        int `json:"tokens"`
	TokensToEmbed int `json:"tokens_to_embed"`
	// Base is the commit the snapshot was built on, or "".
	Base string `json:"base,omitempty"`
	// HeadMoved reports whether the branch's last indexed commit is now
	// this one.
	HeadMoved bool `json:"head_moved"`
	// Skipped names what could not be indexed; of a commit that was indexed
	// before, then.
	Skipped []Skipped `json:"skipped"`
	// Error is why the task failed, fit for the user; ErrorCode is its kind
	// for programs (see Code).
	Error     string    `json:"error,omitempty"`
	ErrorCode string    `json:"error_code,omitempty"`
	Created   time.Time `json:"created"`
	Finished  time.Time `json:"finished,omitzero"`
}

// Skipped names a document that could not be indexed, and why.
type Skipped struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

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
