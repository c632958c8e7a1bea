package indexer

import (
	"sync/atomic"
)

// Statistics counts what is stored of one domain, or of all when the name is
// empty. An unknown domain counts as nothing.
func (ix *Indexer) Statistics(domainName string) (Statistics, error) {
	domains := ix.domains.list(domainName)
	var st Statistics
	for _, d := range domains {
		commits := d.list()
		if len(commits) == 0 {
			continue
		}
		if domainName != "" {
			st.Settings = ix.shown(ix.targets.of(d), commits[0])
		}
		t, branches := d.totals()
		st.Domains++
		st.Branches += branches
		for _, info := range commits {
			if !isMark(info) {
				st.IndexedCommits++
			}
		}
		st.Documents += t.documents
		st.Chunks += t.chunks
	}
	st.StoreClustering = ix.tasks.clusters(domainName)
	st.Tasks = ix.tasks.count()
	st.Activity = ix.activity(domains)
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

func (ix *Indexer) activity(domains []*Domain) Activity {
	a := Activity{
		Embedded: ix.counters.embedded.Load(), Written: ix.counters.written.Load(),
	}
	a.Unfinished, a.Running = ix.tasks.active()
	ix.flights.mu.Lock()
	a.Embedding = len(ix.flights.inAir)
	ix.flights.mu.Unlock()
	a.BusyDomains = ix.domains.busy(domains)
	for _, d := range domains {
		vectors, bytes := d.held()
		a.BusyBranches += ix.targets.of(d).branchesPushed()
		a.Vectors += vectors
		a.VectorBytes += bytes
	}
	return a
}
