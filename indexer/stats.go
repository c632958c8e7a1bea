package indexer

import (
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

// totals are a domain's documents and chunks over its branch heads, each
// document counted once.
type totals struct{ documents, chunks int }

// Head returns the branch's last indexed commit. A branch or domain never
// indexed gives a Head without commit, not an error.
func (ix *Indexer) Head(domainName, branch string) (Head, error) {
	if branch == "" {
		branch = contract.MainBranch
	}
	d, err := ix.domains.domain(domainName)
	if err != nil {
		return Head{Branch: branch}, nil
	}
	return d.head(branch), nil
}

// Commits lists the indexed commits of a domain, newest first.
func (ix *Indexer) Commits(domainName string) ([]CommitInfo, error) {
	d, err := ix.domains.domain(domainName)
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
			st.Settings = ix.shown(d, commits[0])
		}
		t, branches, err := ix.totals(d)
		if err != nil {
			return Statistics{}, err
		}
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

func (ix *Indexer) totals(d *domain) (totals, int, error) {
	d.mu.RLock()
	heads := make(map[string]struct{})
	for _, h := range d.heads {
		heads[h.Commit] = struct{}{}
	}
	branches, cached, seq := len(d.heads), d.totals, d.seq
	d.mu.RUnlock()
	if cached != nil {
		return *cached, branches, nil
	}
	var t totals
	seen := make(map[string]struct{})
	for commit := range heads {
		info, ok := d.real(commit)
		if !ok {
			continue
		}
		if len(heads) == 1 {
			t = totals{int(info.Documents), int(info.Chunks)}
			break
		}
		lease, err := ix.open(d, commit)
		if err != nil {
			return totals{}, 0, err
		}
		for e := range lease.res.(*openSnapshot).view.All() {
			if _, ok := seen[e.ID]; !ok {
				seen[e.ID] = struct{}{}
				t.documents++
				t.chunks += len(e.Chunks)
			}
		}
		lease.release()
	}
	d.mu.Lock()
	if d.seq == seq {
		d.totals = &t
	}
	d.mu.Unlock()
	return t, branches, nil
}

// counters count since the process started.
type counters struct {
	embedded atomic.Int64 // texts that the embedder gave vectors
	written  atomic.Int64 // vectors stored
}

func (ix *Indexer) activity(domains []*domain) Activity {
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
		branches, vectors, bytes := d.held()
		a.BusyBranches += branches
		a.Vectors += vectors
		a.VectorBytes += bytes
	}
	return a
}

// held returns the number of branches that pushes are at work on, and of the
// stored vectors and their bytes.
func (d *domain) held() (branches int, vectors, bytes int64) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, dim := d.slotEnd, uint32(0)
	if d.vecs != nil {
		n, dim = max(n, d.vecs.Len()), uint32(d.vecs.Dim())
	}
	for _, info := range d.commits {
		if dim > 0 {
			break
		}
		dim = info.Dim
	}
	return len(d.pushing), int64(n), 4 * int64(n) * int64(dim)
}

// Trim gives up memory that no search has used since the last Trim, and returns
// how many bytes: pages of vectors, which can be read again at any time.
func (ix *Indexer) Trim() int64 { return ix.pages.Trim() }
