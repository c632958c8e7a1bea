package indexer

import (
	"sync/atomic"

	"github.com/vectorlink/vectorlink/search"
)

// Statistics counts what is stored of one domain, or of all when the name is
// empty. An unknown domain counts as nothing.
func (ix *Indexer) Statistics(domainName string) (Statistics, error) {
	domains := ix.Domains().List(domainName)
	var st Statistics
	for _, d := range domains {
		state := d.State()
		for newest := range state.Newest() {
			if domainName != "" {
				st.Settings = ix.shown(ix.targets.of(d), newest)
			}
			break
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
	}
	st.StoreClustering = ix.tasks.StoresClustering(domainName)
	st.Tasks, _, _ = ix.tasks.Count()
	st.Activity = ix.activity(domainName, domains)
	use := ix.Usage()
	st.OpenSnapshots, st.SnapshotBytes = use.Snapshots, use.SnapshotBytes
	st.Pages = PageStatistics{Free: use.Pages.Free, Loading: use.Pages.Loading, Loaded: use.Pages.Loaded, Cached: use.Pages.Cached}
	st.Activity.Opened = use.Opened
	st.Activity.SnapshotLimit, st.Activity.PageLimit = use.SnapshotLimit, use.PageLimit
	st.Activity.Queries, st.Activity.QueryBytes, st.Activity.QueryHits, st.Activity.QueryMisses = use.Queries, use.QueryBytes, use.QueryHits, use.QueryMisses
	return st, nil
}

// counters count since the process started.
type counters struct {
	embedded atomic.Int64 // texts that the embedder gave vectors
	written  atomic.Int64 // vectors stored
}

func (ix *Indexer) activity(domain string, domains []*search.Domain) Activity {
	a := Activity{
		Embedded: ix.counters.embedded.Load(), Written: ix.counters.written.Load(),
	}
	_, a.Unfinished, a.Running = ix.tasks.Count()
	ix.flights.mu.Lock()
	a.Embedding = len(ix.flights.inAir)
	ix.flights.mu.Unlock()
	for _, d := range ix.Domains().InUse() {
		if domain == "" || d.Name() == domain {
			a.BusyDomains++
			a.BusyBranches += ix.targets.of(d).branchesPushed()
		}
	}
	for _, d := range domains {
		vectors, bytes := d.Held()
		a.Vectors += vectors
		a.VectorBytes += bytes
	}
	return a
}
