package search

import (
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
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
	return d.State().Head(branch), nil
}

// Commits lists the indexed commits of a domain, newest first, without tags.
func (r *Reader) Commits(domainName string) ([]CommitInfo, error) {
	d, err := r.domains.Domain(domainName)
	if err != nil {
		return nil, err
	}
	state := d.State()
	out := make([]CommitInfo, 0, state.Len())
	for info := range state.Newest() {
		if catalog.IsMark(info) || info.Tag {
			continue
		}
		out = append(out, CommitInfo{
			Commit: info.Commit, Base: info.Base, Branch: info.Branch, Kind: info.Kind.String(),
			Version: info.Seq, Created: time.Unix(info.Created, 0).UTC(), Bytes: info.Size,
			Documents: int(info.Documents), Chunks: int(info.Chunks),
			Indexed: int(info.Indexed), Deleted: int(info.Deleted),
			Embedded: int(info.Embedded), Reused: int(info.Reused), Tokens: int(info.Tokens), Skipped: int(info.Skipped), About: info.Said(),
		})
	}
	return out, nil
}

// Totals returns the documents and chunks of the domain's branch heads, as their
// headers say, and the number of branches: a snapshot that is the head of several
// counts once, a document that several heads hold once for each.
func (d *Domain) Totals() (documents, chunks, branches int) {
	state := d.State()
	heads := state.Heads()
	seen := make(map[string]struct{}, len(heads))
	for _, h := range heads {
		info, ok := state.Real(h.Commit)
		if _, counted := seen[info.Commit]; !ok || counted {
			continue
		}
		seen[info.Commit] = struct{}{}
		documents += int(info.Documents)
		chunks += int(info.Chunks)
	}
	return documents, chunks, len(heads)
}

// Held returns the number of the stored vectors and their bytes.
func (d *Domain) Held() (vectors, bytes int64) {
	state := d.State()
	n, dim := state.SlotEnd(), uint32(0)
	if store, _ := d.Current(); store != nil {
		n, dim = max(n, store.Len()), uint32(store.Dim())
	}
	if n > 0 && dim == 0 {
		for info := range state.Newest() {
			if dim = info.Dim; dim > 0 {
				break
			}
		}
	}
	return int64(n), 4 * int64(n) * int64(dim)
}
