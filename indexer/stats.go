package indexer

import (
	"sync/atomic"

	"github.com/vectorlink/vectorlink/search"
)

// Statistics counts what is stored of one domain, or of all when the name is
// empty, and what the Indexer does. An unknown domain counts as nothing.
func (ix *Indexer) Statistics(domain string) (search.Statistics, error) {
	st, err := ix.Reader.Statistics(domain)
	if st.Settings != nil {
		s := ix.effective(*st.Settings)
		st.Settings = &s
	}
	st.Activity = ix.activity(domain)
	return st, err
}

// counters count since the process started.
type counters struct {
	embedded atomic.Int64 // texts that the embedder gave vectors
	written  atomic.Int64 // vectors stored
}

func (ix *Indexer) activity(domain string) search.Activity {
	a := search.Activity{
		Embedded: ix.counters.embedded.Load(), Written: ix.counters.written.Load(),
	}
	a.Tasks, a.Unfinished, a.Running = ix.tasks.Count()
	ix.flights.mu.Lock()
	a.Embedding = len(ix.flights.inAir)
	ix.flights.mu.Unlock()
	for _, d := range ix.Domains().InUse() {
		if domain == "" || d.Name() == domain {
			a.BusyDomains++
			a.BusyBranches += ix.targets.of(d).branchesPushed()
		}
	}
	return a
}
