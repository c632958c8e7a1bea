package search

import (
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Head returns the branch's last indexed commit. A branch or domain never
// indexed gives a Head without commit, not an error.
func (r *Reader) Head(domainName, branch string) (Head, error) {
	if branch == "" {
		branch = contract.MainBranch
	}
	d, err := r.domains.Domain(domainName)
	if err != nil {
		return Head{Branch: branch}, nil
	}
	return d.Head(branch), nil
}

// Commits lists the indexed commits of a domain, newest first.
func (r *Reader) Commits(domainName string) ([]CommitInfo, error) {
	d, err := r.domains.Domain(domainName)
	if err != nil {
		return nil, err
	}
	list := d.List()
	out := make([]CommitInfo, 0, len(list))
	for _, info := range list {
		if IsMark(info) {
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

// totals are a domain's documents and chunks over its branch heads.
type totals struct{ Documents, Chunks int }

// totals returns the documents and chunks of the domain's branch heads, as their
// headers say: a snapshot that is the head of several branches counts once, a
// document that several heads hold once for each.
func (d *Domain) Totals() (t totals, branches int) {
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
		t.Documents += int(info.Documents)
		t.Chunks += int(info.Chunks)
	}
	return t, len(d.heads)
}

// held returns the number of the stored vectors and their bytes.
func (d *Domain) Held() (vectors, bytes int64) {
	store, _ := d.Current()
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, dim := d.slotEnd, d.dim
	if store != nil {
		n, dim = max(n, store.Len()), uint32(store.Dim())
	}
	return int64(n), 4 * int64(n) * int64(dim)
}
