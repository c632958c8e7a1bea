package indexer

import (
	"encoding/json"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

// Ref chooses the commit that a request is answered from (wire contract §2.9,
// §2.10): Commit if given, else the last indexed commit of Branch.
type Ref struct {
	Commit string
	Branch string
	// Ancestors are commits that may stand in for Commit while that one is
	// not indexed, nearest first. Nothing else is ever served.
	Ancestors []string
}

// replaced reports whether a served commit is one that stands in for that asked
// for.
func (r Ref) replaced(served string) bool { return r.Commit != "" && served != r.Commit }

// Page cuts a ranking: Count results from Start on.
type Page struct {
	Start int // 0..MaxStart
	Count int // 1..MaxCount
}

// Limits of a Page.
const (
	MaxStart = 1_000_000
	MaxCount = 1_000
)

// IndexRequest asks for the snapshot of a commit.
type IndexRequest struct {
	Domain   string // org/db
	Commit   string
	Branch   string // empty: main
	Previous string // proposed base, may be empty
	// Settings are those that the request names.
	Settings SettingsRequest
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

// Mode says what a search goes by.
type Mode string

const (
	// ModeVector goes by the nearness of vectors; it is the default here.
	ModeVector Mode = "vector"
	// ModeText goes by words (BM25); no embedding is needed.
	ModeText Mode = "fts"
	// ModeHybrid fuses both rankings.
	ModeHybrid Mode = "hybrid"
)

// Syntax says how the text of a search by words is read.
type Syntax string

const (
	// SyntaxPlain takes the text as words and nothing else; it is the default.
	SyntaxPlain Syntax = "plain"
	// SyntaxQuery takes it as a query with operators, see [textindex.Parse]. In
	// a hybrid search what the query requires or excludes holds for what is
	// found by vector too.
	SyntaxQuery Syntax = "query"
)

// SearchRequest asks for the documents nearest to a text or a vector.
type SearchRequest struct {
	Domain string
	Ref    Ref
	// Text is embedded in the role Role; Vector, when not nil, is used
	// instead.
	Text   string
	Role   contract.Role
	Vector []float32
	Filter Filter
	Page   Page
	Mode   Mode
	Syntax Syntax // of Text, where Mode goes by words
	// RankByDistance has a hybrid search order by distance, not by the fused
	// rank.
	RankByDistance bool
	// Ef is the breadth of the graph walk; 0 means the default.
	Ef      int
	Snippet bool
	// OutputFields are the names of the fields that hits bring: "*" for all
	// that a document has, "vector" for the vector of the hit's chunk.
	OutputFields []string
	// CallerKey: see IndexRequest.
	CallerKey string
}

// MaxSimilarIDs bounds the documents of a SimilarRequest.
const MaxSimilarIDs = 1_000

// SimilarRequest asks for the documents nearest to one of the snapshot's own,
// or to the mean of several.
type SimilarRequest struct {
	Domain string
	Ref    Ref
	ID     string // full IRI, read at the served commit
	// IDs, where there are any, stand in the place of ID: the search goes by
	// the mean of these documents' vectors at unit length, in which each counts
	// the same, with the mean of its chunks. At most MaxSimilarIDs.
	IDs         []string
	IncludeSelf bool // list the documents asked with, too
	Filter      Filter
	Page        Page
	Ef          int
	Snippet     bool
	// OutputFields: see SearchRequest.
	OutputFields []string
}

// DuplicatesRequest asks for pairs of near-equal documents.
type DuplicatesRequest struct {
	Domain    string
	Ref       Ref
	Threshold float32 // largest distance kept, inclusive; ≥ 0
	Set       Filter
	// Target, when it restricts anything, is where the partner of each
	// document of Set is looked for; otherwise partners come from Set.
	Target Filter
	// Since, when not empty, is an indexed commit: only pairs that came
	// about since are listed, that is pairs of which at least one document
	// is new or has another text there, and which were no pair within
	// Threshold there.
	Since   string
	Page    Page // Count 0: all
	Snippet bool
}

// Hits is the answer to a search.
type Hits struct {
	Commit string // the served commit
	Hits   []Hit
	// Damaged are the ids of the commit's documents of which a vector or the
	// text is known to be damaged, ascending: they may be missing from Hits,
	// or be ranked by what is whole of them. Nil for none. Shared.
	Damaged []string
}

// Hit is one document and its best chunk.
type Hit struct {
	ID       string
	Distance float32 // by the domain's metric: see [Metric]
	Chunk    HitChunk
	Output   *Output // nil where nothing is asked for by OutputFields
}

// Output is what hits bring besides.
type Output struct {
	Fields json.RawMessage // of the document, an object; nil if not asked for
	Vector []float32       // of the chunk; nil if not asked for, or damaged
}

// HitChunk describes the chunk of a document that matched best.
type HitChunk struct {
	Index      int // among the document's chunks, from 0
	Count      int
	TokenStart int
	DocTokens  int
	Snippet    string // the chunk's text, when asked for
}

// Pairs is the answer to a duplicates request.
type Pairs struct {
	Commit  string
	Pairs   []Pair
	Damaged []string // as of Hits
}

// Pair is two documents, the lower id first.
type Pair struct {
	A, B     PairMember
	Distance float32
}

// PairMember is one side of a Pair.
type PairMember struct {
	ID      string
	Snippet string // when asked for
}

// Head is a branch's last indexed commit.
type Head struct {
	Branch  string
	Commit  string // "" when nothing is indexed
	Version uint64 // grows along a branch; 0 when nothing is indexed
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
	Settings *Settings
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

// CommitInfo describes one indexed commit, for listings.
type CommitInfo struct {
	Commit, Base, Branch string
	Kind                 string // checkpoint, delta or alias
	Version              uint64
	Created              time.Time
	Bytes                int64 // size of its file
	// Documents and Chunks count the whole snapshot; the others are what it
	// cost when it was indexed, as in Task.
	Documents, Chunks                  int
	Indexed, Deleted, Embedded, Reused int
	Tokens                             int
	// Skipped counts the documents that the snapshot does not hold as the
	// commit does: they could not be read or embedded. Commits that build on
	// it try them again.
	Skipped int
}
