package indexer

import (
	"sync/atomic"

	"github.com/vectorlink/vectorlink/search"
)

// Statistics counts what is stored of one domain, or of all when the name is
// empty, and what the Indexer does. An unknown domain counts as nothing.
func (ix *Indexer) Statistics(domain string) (search.Statistics, error) {
	st, err := ix.Reader.Statistics(domain)
	if domain != "" {
		st.Skipped = ix.skippedAtHeads(domain)
	}
	st.Activity = ix.activity(domain)
	return st, err
}

// Integrity examines a domain, with what the last scrub found of its files.
func (ix *Indexer) Integrity(domain string) (search.Integrity, error) {
	found, err := ix.Reader.Integrity(domain)
	if err != nil {
		return found, err
	}
	s := ix.Scrubbed()
	found.Scrubbed = s.Finished
	for _, f := range s.Findings {
		if d := ix.ownerOf(f.File); d != nil && d.Name() == domain {
			found.Findings = append(found.Findings, f)
			found.Warnings = append(found.Warnings, f.File+": "+f.Reason)
		}
	}
	return found, nil
}

// maxShownSkipped is how many Statistics shows of what one head skipped.
const maxShownSkipped = 100

// skippedAtHeads returns what the last tasks of a domain's heads skipped, as long
// as those are known.
func (ix *Indexer) skippedAtHeads(domain string) (all []Skipped) {
	seen := make(map[Skipped]bool)
	for _, d := range ix.Domains().List(domain) {
		for _, h := range d.State().Heads() {
			list, _ := ix.tasks.LastSkipped(domain, h.Commit)
			for _, s := range list[:min(len(list), maxShownSkipped)] {
				if !seen[s] {
					seen[s] = true
					all = append(all, s)
				}
			}
		}
	}
	return all
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
	a.Merging = ix.Merging()
	a.Scrub = ix.Scrubbed()
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
