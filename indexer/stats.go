package indexer

import (
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// totals are a domain's documents and chunks over its branch heads.
type totals struct{ documents, chunks int }

// Head returns the branch's last indexed commit. A branch or domain never
// indexed gives a Head without commit, not an error.
func (ix *Indexer) Head(domainName, branch string) (Head, error) {
	if branch == "" {
		branch = contract.MainBranch
	}
	d, err := ix.domain(domainName)
	if err != nil {
		return Head{Branch: branch}, nil
	}
	return d.head(branch), nil
}

// Commits lists the indexed commits of a domain, newest first.
func (ix *Indexer) Commits(domainName string) ([]CommitInfo, error) {
	d, err := ix.domain(domainName)
	if err != nil {
		return nil, err
	}
	list := d.list()
	out := make([]CommitInfo, 0, len(list))
	for _, info := range list {
		if isMark(info) {
			continue
		}
		out = append(out, CommitInfo{
			Commit: info.Commit, Base: info.Base, Branch: info.Branch, Kind: info.Kind.String(),
			Version: info.Seq, Created: time.Unix(info.Created, 0).UTC(), Bytes: info.Size,
			Documents: int(info.Documents), Chunks: int(info.Chunks),
			Indexed: int(info.Indexed), Deleted: int(info.Deleted),
			Embedded: int(info.Embedded), Reused: int(info.Reused), Tokens: int(info.Tokens), Skipped: int(info.Skipped),
		})
	}
	return out, nil
}

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
	st.OpenSnapshots, st.SnapshotBytes = ix.pool.stats()
	pages := ix.pages.Stats()
	st.Pages = PageStatistics{Free: pages.Free, Loading: pages.Loading, Loaded: pages.Loaded, Cached: pages.Cached}
	return st, nil
}

// totals returns the documents and chunks of the domain's branch heads, as their
// headers say: a snapshot that is the head of several branches counts once, a
// document that several heads hold once for each.
func (d *Domain) totals() (t totals, branches int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	seen := make(map[string]struct{}, len(d.heads))
	for _, h := range d.heads {
		info := d.commits[h.Commit]
		if info.Kind == snapshot.Alias {
			info = d.commits[info.Base]
		}
		if _, ok := seen[info.Commit]; ok {
			continue
		}
		seen[info.Commit] = struct{}{}
		t.documents += int(info.Documents)
		t.chunks += int(info.Chunks)
	}
	return t, len(d.heads)
}

// counters count since the process started.
type counters struct {
	embedded atomic.Int64 // texts that the embedder gave vectors
	written  atomic.Int64 // vectors stored
}

func (ix *Indexer) activity(domains []*Domain) Activity {
	a := Activity{
		Embedded: ix.counters.embedded.Load(), Written: ix.counters.written.Load(),
		Opened:        ix.pool.loaded(),
		SnapshotLimit: ix.cfg.SnapshotPoolBytes, PageLimit: ix.cfg.PagePoolBytes,
	}
	a.Unfinished, a.Running = ix.tasks.active()
	a.Queries, a.QueryBytes, a.QueryHits, a.QueryMisses = ix.recall.stats()
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

// held returns the number of the stored vectors and their bytes.
func (d *Domain) held() (vectors, bytes int64) {
	store, _ := d.current()
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, dim := d.slotEnd, d.dim
	if store != nil {
		n, dim = max(n, store.Len()), uint32(store.Dim())
	}
	return int64(n), 4 * int64(n) * int64(dim)
}

// Trim gives up memory that no search has used since the last Trim, and returns
// how many bytes: pages of vectors, which can be read again at any time.
func (ix *Indexer) Trim() int64 { return ix.pages.Trim() }
