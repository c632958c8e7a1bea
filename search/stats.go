package search

import (
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vecstore"
)

// Statistics counts what is stored, what a Reader holds of it, and what a writer
// does.
type Statistics struct {
	Domains        int
	Branches       int
	IndexedCommits int
	Documents      int // of all branch heads: one that several hold counts for each
	Chunks         int
	// Vectors and VectorBytes are what is stored for texts seen before.
	Vectors, VectorBytes int64
	// Settings are those of one domain, nil where all were asked for or nothing
	// is indexed. A writer puts its own in the place of those that the domain
	// leaves to it, which are 0.
	Settings *catalog.Settings
	// StoreClustering says whether that domain does.
	StoreClustering bool
	// Skipped are what the tasks of that domain's heads could not index, as far
	// as a writer knows them.
	Skipped []tasks.Skipped
	// Unreadable names the first documents of its newest commit that the model
	// cannot read, UnreadableTotal counts all.
	Unreadable      []string
	UnreadableTotal int
	Usage
	Activity // zero where there is no writer
}

// Usage is what a Reader holds in memory, and has done since it was made.
type Usage struct {
	Snapshots     int   // files and snapshots that are open
	SnapshotBytes int64 // what they take
	Opened        int64 // brought into memory since the start
	Pages         vecstore.Stats
	// SnapshotLimit and PageLimit are the bytes that snapshots and pages may take.
	SnapshotLimit, PageLimit int64
	// Queries and QueryBytes are the vectors of queries in memory, of QueryLimit
	// bytes at most. QueryHits counts queries answered from there, QueryMisses those embedded.
	Queries, QueryBytes, QueryLimit, QueryHits, QueryMisses int64
}

// Activity counts what a writer is at, and has done since the start.
type Activity struct {
	Tasks        int // known ones, finished ones included
	Unfinished   int // tasks
	Running      int // of them, those at work
	BusyDomains  int // with tasks at work or snapshots open
	BusyBranches int // that pushes are at work on
	Embedding    int // texts at the embedder at the moment
	Merging      int // merges due or under way
	// Embedded counts texts embedded for documents, and Written vectors stored.
	Embedded, Written int64
	Scrub             Scrub
}

// Readiness tells what works at the moment.
type Readiness struct {
	Index  bool // the store is open for writing
	Search bool // the embedding provider is not known to be down
	// Damaged counts what a scrub has found wrong that is not mended.
	Damaged int
}

// Statistics counts one domain, or all for "", from what the catalog says; of one
// domain it opens the newest commit besides, to look for texts that the model
// cannot read. An unknown domain counts as nothing.
func (r *Reader) Statistics(domain string) (Statistics, error) {
	st := Statistics{Usage: r.usage()}
	for _, d := range r.domains.List(domain) {
		state := d.State()
		if domain != "" {
			settings := r.Effective(d.shown())
			st.Settings, st.StoreClustering = &settings, StoresClustering(state)
			st.Unreadable, st.UnreadableTotal = r.listUnreadable(d)
		}
		documents, chunks, branches := d.Totals()
		st.Domains++
		st.Branches += branches
		st.IndexedCommits += state.Len()
		for _, h := range state.Heads() {
			for range state.Marks(h.Branch) {
				st.IndexedCommits--
			}
		}
		st.Documents += documents
		st.Chunks += chunks
		vectors, bytes := d.Held()
		st.Vectors += vectors
		st.VectorBytes += bytes
	}
	return st, nil
}

// shown returns the domain's settings, with the length of the vectors that it has.
func (d *Domain) shown() catalog.Settings {
	s, _ := d.Recorded()
	for newest := range d.State().Newest() {
		if s.Dim == 0 {
			s.Dim = int(newest.Dim)
		}
		break
	}
	return s
}

// Ready reports what works. It does no work itself.
func (r *Reader) Ready() Readiness { return Readiness{Search: r.Up()} }

// usage returns what the Reader holds.
func (r *Reader) usage() Usage {
	u := Usage{Opened: r.pool.loaded(), Pages: r.pages.Stats(), SnapshotLimit: r.cfg.SnapshotPoolBytes, PageLimit: r.cfg.PagePoolBytes, QueryLimit: max(r.cfg.QueryCacheBytes, 0)}
	u.Snapshots, u.SnapshotBytes = r.pool.stats()
	u.Queries, u.QueryBytes, u.QueryHits, u.QueryMisses = r.queries.stats()
	return u
}
