package catalog

import (
	"slices"
	"unique"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// record is what the catalog keeps in memory of one commit. It is immutable: an
// Info takes twice the space, most of it strings that all commits share.
type record struct {
	commit, base string
	on           string // the commit whose file this one's needs, "" for none
	shared       unique.Handle[shared]
	// others are the vectors beside the main ones; nil for none.
	others *[]snapshot.NamedVectors
	about  *contract.About // nil for nothing

	seq, tokens   uint64
	id            uint64 // of the file
	created, size int64

	slotEnd, documents, chunks         uint32
	changed, removed, skipped          uint32
	indexed, deleted, embedded, reused uint32

	kind       snapshot.Kind
	tag, graph bool
	listed     bool // at Open: its file is there
}

// shared is what many commits of a domain have in common.
type shared struct {
	domain, branch, settings  string
	fingerprint, vecs, metric string

	dim        uint32
	normalized bool
}

// newRecord returns the record of a commit. known returns the record of another
// commit, if there is one: its name is then kept once.
func newRecord(info *snapshot.Info, known func(commit string) *record) *record {
	v := &info.Vectors
	s := shared{
		domain: info.Domain, branch: info.Branch, settings: info.Settings,
		fingerprint: v.Fingerprint, vecs: v.Vecs, metric: v.Metric, dim: v.Dim, normalized: v.Normalized,
	}
	r := &record{
		commit: info.Commit, base: info.Base, on: info.On,
		seq: info.Seq, tokens: info.Tokens, created: info.Created, size: info.Size, id: info.ID,
		slotEnd: v.SlotEnd, documents: info.Documents, chunks: v.Chunks,
		changed: info.Changed, removed: info.Removed, skipped: info.Skipped,
		indexed: info.Indexed, deleted: info.Deleted, embedded: info.Embedded, reused: info.Reused,
		kind: info.Kind, tag: info.Tag, graph: v.Graph, about: info.About,
	}
	if len(info.Others) > 0 {
		others := slices.Clone(info.Others)
		r.others = &others
	}
	base := known(r.base)
	if base != nil {
		r.base = base.commit
	}
	if base != nil && base.shared.Value() == s {
		r.shared = base.shared
	} else {
		r.shared = unique.Make(s)
	}
	if r.on == r.base {
		r.on = r.base // one string, not two equal ones
	} else if on := known(r.on); on != nil {
		r.on = on.commit
	}
	return r
}

// info returns what newRecord was given.
func (r *record) info() snapshot.Info {
	s := r.shared.Value()
	h := snapshot.Header{
		Kind: r.kind, Tag: r.tag, Domain: s.domain, Commit: r.commit, Base: r.base, On: r.on, Branch: s.branch,
		Seq: r.seq, Created: r.created, Settings: s.settings,
		Vectors: snapshot.Vectors{
			Fingerprint: s.fingerprint, Vecs: s.vecs, Metric: s.metric, Dim: s.dim,
			SlotEnd: r.slotEnd, Chunks: r.chunks, Normalized: s.normalized, Graph: r.graph,
		},
		Documents: r.documents, Changed: r.changed, Removed: r.removed, Skipped: r.skipped,
		Indexed: r.indexed, Deleted: r.deleted, Embedded: r.embedded, Reused: r.reused, Tokens: r.tokens, About: r.about,
	}
	if r.others != nil {
		h.Others = slices.Clone(*r.others)
	}
	return snapshot.Info{Header: h, Size: r.size, ID: r.id}
}

// fileName returns the name of the commit's file, which follows from its domain
// and commit; snapshot reads no header under any other.
func (r *record) fileName() string { return snapshot.FileName(r.shared.Value().domain, r.commit) }

func (r *record) branch() string { return r.shared.Value().branch }

// mark reports whether the commit is a mark, see [IsMark].
func (r *record) mark() bool { return isMark(r.kind, r.commit) }

// head returns the head that the commit makes of its branch.
func (r *record) head() Head {
	h := Head{Branch: r.branch(), Commit: r.commit, Version: r.seq}
	if r.mark() {
		h.Commit = r.base
	}
	return h
}
