package search

import "github.com/vectorlink/vectorlink/catalog"

// DomainInfo describes a domain, for listings.
type DomainInfo struct {
	Domain  string `json:"domain"`
	Heads   []Head `json:"heads"` // of its branches, by name
	Commits int    `json:"indexed_commits"`
	// Documents and Chunks are those of the heads, as in Statistics.
	Documents   int   `json:"documents"`
	Chunks      int   `json:"chunks"`
	CommitBytes int64 `json:"commit_bytes"` // of the commits' files
	VectorBytes int64 `json:"vector_bytes"`
}

// DomainInfos lists those of these domains of which something is indexed, by name. It
// takes no time for others.
func (r *Reader) DomainInfos(of func(domain string) bool) []DomainInfo {
	list := []DomainInfo{}
	for _, d := range r.domains.List("") {
		if !of(d.Name()) {
			continue
		}
		state := d.State()
		info := DomainInfo{Domain: d.Name(), Heads: state.Heads()}
		for c := range state.Newest() {
			info.CommitBytes += c.Size
			if !catalog.IsMark(c) && !c.Tag {
				info.Commits++
			}
		}
		info.Documents, info.Chunks, _ = d.Totals()
		_, info.VectorBytes = d.Held()
		list = append(list, info)
	}
	return list
}
