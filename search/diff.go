package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Between names two commits, or branches by their last indexed commits. A name
// that is both is the commit's.
type Between struct {
	From string `param:"from" kind:"commit" need:"" required:"" placeholder:"COMMIT" help:"Commit or branch to compare with."`
	To   string `param:"to" kind:"commit" need:"" required:"" placeholder:"COMMIT" help:"Commit or branch to look at."`
}

// Change says what became of a document or hit between two commits.
type Change string

const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"

	Came  Change = "came"  // among the hits
	Went  Change = "went"  // from among the hits
	Moved Change = "moved" // to another rank
	Same  Change = "same"
)

// DiffRequest asks what changed between two commits.
type DiffRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Between
	Page  Page
	Texts bool `param:"texts" help:"Also tell the texts before and after."` // the texts before and after
}

// Diff is the answer to a DiffRequest: changed documents, those that moved most
// in meaning first, then added and then removed ones by their ids.
type Diff struct {
	From      string        `json:"from"` // the commits that were compared
	To        string        `json:"to"`
	Added     int           `json:"added"`
	Removed   int           `json:"removed"`
	Changed   int           `json:"changed"`
	Documents []DiffedEntry `json:"documents"` // a page of them

	Damaged []string `json:"-"` // as of Hits, of both
}

// DiffedEntry is a document that is not the same at two commits.
type DiffedEntry struct {
	ID     string `json:"id"`
	Change Change `json:"change"`
	// Distance is between the document's vectors, those of several chunks by their
	// mean; nil where it is not changed, or a vector is damaged.
	Distance *float32 `json:"distance,omitempty"`
	// FieldsOnly: its text and vector are the same.
	FieldsOnly bool    `json:"fields_only,omitempty"`
	Before     *string `json:"before,omitempty"`
	After      *string `json:"after,omitempty"`
}

// Both leases the snapshots of two commits, which are named in commits.
func (r *Reader) Both(ctx context.Context, domain string, b Between) (from, to *Snapshot, commits [2]string, err error) {
	var leased [2]*Snapshot
	for i, name := range []string{b.From, b.To} {
		_, commits[i], leased[i], err = r.Serve(ctx, domain, Ref{Commit: name})
		if errors.Is(err, contract.ErrNotFound) {
			if _, commit, s, branchErr := r.Serve(ctx, domain, Ref{Branch: name}); branchErr == nil {
				commits[i], leased[i], err = commit, s, nil
			}
		}
		if err != nil {
			if i == 1 {
				leased[0].Release()
			}
			return nil, nil, commits, fmt.Errorf("%s: %w", []string{"from", "to"}[i], err)
		}
	}
	return leased[0], leased[1], commits, nil
}

// Diff compares all documents of two commits.
func (r *Reader) Diff(ctx context.Context, req DiffRequest) (found Diff, err error) {
	defer func() { err = r.whileFollowing(err) }()
	if err := req.Page.Check(); err != nil {
		return Diff{}, err
	}
	from, to, commits, err := r.Both(ctx, req.Domain, req.Between)
	if err != nil {
		return Diff{}, err
	}
	defer from.Release()
	defer to.Release()
	found = Diff{From: commits[0], To: commits[1], Documents: []DiffedEntry{}}
	var all []DiffedEntry
	for a, b := range Differing(from, to) {
		if err := context.Cause(ctx); err != nil {
			return Diff{}, err
		}
		switch {
		case b == nil:
			found.Removed++
			all = append(all, DiffedEntry{ID: a.ID, Change: Removed})
		case a == nil:
			found.Added++
			all = append(all, DiffedEntry{ID: b.ID, Change: Added})
		default:
			found.Changed++
			d := DiffedEntry{ID: b.ID, Change: Changed, FieldsOnly: Identical(a, b) && a.TextHash == b.TextHash}
			if d.Distance, err = Shift(from, a, to, b); err != nil {
				return Diff{}, err
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b DiffedEntry) int {
		order := []Change{Changed, Added, Removed}
		if c := slices.Index(order, a.Change) - slices.Index(order, b.Change); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(deref(b.Distance), deref(a.Distance)), strings.Compare(a.ID, b.ID))
	})
	for _, d := range all[min(req.Page.Start, len(all)):min(req.Page.Start+req.Page.Count, len(all))] {
		if req.Texts {
			if d.Before, err = from.textOf(d.ID); err == nil {
				d.After, err = to.textOf(d.ID)
			}
			if err != nil {
				return Diff{}, err
			}
		}
		found.Documents = append(found.Documents, d)
	}
	found.Damaged = slices.Concat(from.Damaged(), to.Damaged())
	return found, nil
}

func deref(d *float32) float32 {
	if d == nil {
		return -1
	}
	return *d
}

// textOf returns what is shown of a document's text, nil without one.
func (s *Snapshot) textOf(id string) (*string, error) {
	e, ok := s.view.Lookup(id)
	if !ok {
		return nil, nil
	}
	text, _, err := s.shownText(e)
	return &text, err
}

// pairsOf yields the documents of two views by ascending key, nil where one does not
// have it.
func pairsOf(from, to *snapshot.View) iter.Seq2[*snapshot.Entry, *snapshot.Entry] {
	return func(yield func(a, b *snapshot.Entry) bool) {
		next, stop := iter.Pull(to.All())
		defer stop()
		b, more := next()
		for a := range from.All() {
			for more && b.Key().Compare(a.Key()) < 0 {
				if !yield(nil, b) {
					return
				}
				b, more = next()
			}
			if more && b.Key() == a.Key() {
				if !yield(a, b) {
					return
				}
				b, more = next()
			} else if !yield(a, nil) {
				return
			}
		}
		for ; more; b, more = next() {
			if !yield(nil, b) {
				return
			}
		}
	}
}

// Unchanged reports whether a document is the same at two commits.
func Unchanged(a, b *snapshot.Entry) bool {
	return Identical(a, b) && a.TextHash == b.TextHash && a.NoText == b.NoText && a.Fields == b.Fields
}

// Differing yields the entries that are not the same in two snapshots of a domain, by
// ascending key; nil where one does not have it. Either snapshot may be nil, and is
// empty then.
func Differing(from, to *Snapshot) iter.Seq2[*snapshot.Entry, *snapshot.Entry] {
	return func(yield func(a, b *snapshot.Entry) bool) {
		if from == nil || to == nil {
			side, flip := to, false
			if to == nil {
				side, flip = from, true
			}
			if side == nil {
				return
			}
			for e := range side.view.All() {
				if flip && !yield(e, nil) || !flip && !yield(nil, e) {
					return
				}
			}
			return
		}
		for a, b := range pairsOf(from.view, to.view) {
			if (a == nil || b == nil || !Unchanged(a, b)) && !yield(a, b) {
				return
			}
		}
	}
}

// Shift returns the distance of a document at one commit to that at another, nil where
// it has no vector at one of them, or that is damaged.
func Shift(from *Snapshot, a *snapshot.Entry, to *Snapshot, b *snapshot.Entry) (*float32, error) {
	d := float32(0)
	if Identical(a, b) {
		return &d, nil
	}
	old, err := from.meanVector([]*snapshot.Entry{a})
	if err != nil {
		return nil, err
	}
	now, err := to.meanVector([]*snapshot.Entry{b})
	if err != nil || len(old) == 0 || len(now) == 0 {
		return nil, err
	}
	m := MeasureOf(to.settings)
	d = m.OfEntries(a, b, m.Between(old[0], now[0]))
	return &d, nil
}

// SearchDiffRequest asks how the answer to a search changed between two commits.
type SearchDiffRequest struct {
	SearchRequest `ref:"none"`
	Between
}

// SearchDiff is the answer to a SearchDiffRequest: the hits at To in their order,
// then those of From that went.
type SearchDiff struct {
	From string      `json:"from"` // the commits that were searched
	To   string      `json:"to"`
	Hits []DiffedHit `json:"hits"`
	// Damaged and Warnings are as of Hits, of both searches.
	Damaged  []string `json:"-"`
	Warnings []string `json:"-"`
	Fallback bool     `json:"-"`
}

// DiffedHit is a hit at one of two commits, or both.
type DiffedHit struct {
	ID     string  `json:"id"`
	Change Change  `json:"change"`
	Before *Placed `json:"before,omitempty"`
	After  *Placed `json:"after,omitempty"`
	// TextChanged: the document's text is another at To. Added: it is not there at
	// From; Removed: not at To.
	TextChanged bool `json:"text_changed,omitempty"`
	Added       bool `json:"added,omitempty"`
	Removed     bool `json:"removed,omitempty"`
}

// Placed is where a hit stood.
type Placed struct {
	Rank     int     `json:"rank"` // from 1
	Distance float32 `json:"distance"`
	Score    float32 `json:"score"`
	Text     *string `json:"text,omitempty"` // when asked for
}

// SearchDiff searches at two commits and compares the hits.
func (r *Reader) SearchDiff(ctx context.Context, req SearchDiffRequest) (found SearchDiff, err error) {
	from, to, commits, err := r.Both(ctx, req.Domain, req.Between)
	if err != nil {
		return SearchDiff{}, err
	}
	defer from.Release()
	defer to.Release()
	found = SearchDiff{From: commits[0], To: commits[1], Hits: []DiffedHit{}}
	var lists [2][]Hit
	for i, commit := range commits {
		one := req.SearchRequest
		one.Ref = Ref{Commit: commit}
		hits, err := r.Search(ctx, one)
		if err != nil {
			return SearchDiff{}, err
		}
		lists[i] = hits.Hits
		found.Damaged = append(found.Damaged, hits.Damaged...)
		found.Fallback = found.Fallback || hits.Fallback
		for _, w := range hits.Warnings {
			if !slices.Contains(found.Warnings, w) {
				found.Warnings = append(found.Warnings, w)
			}
		}
	}
	placed := func(list []Hit, i int) *Placed {
		p := &Placed{Rank: req.Page.Start + i + 1, Distance: list[i].Distance, Score: list[i].Score}
		if req.Texts {
			p.Text = &list[i].Text
		}
		return p
	}
	at := func(list []Hit, id string) int { return slices.IndexFunc(list, func(h Hit) bool { return h.ID == id }) }
	describe := func(h DiffedHit) DiffedHit {
		a, before := from.view.Lookup(h.ID)
		b, after := to.view.Lookup(h.ID)
		h.Added, h.Removed = !before, !after
		h.TextChanged = before && after && a.TextHash != b.TextHash
		return h
	}
	for i, h := range lists[1] {
		d := DiffedHit{ID: h.ID, Change: Same, After: placed(lists[1], i)}
		switch j := at(lists[0], h.ID); {
		case j < 0:
			d.Change = Came
		case j != i:
			d.Change, d.Before = Moved, placed(lists[0], j)
		default:
			d.Before = placed(lists[0], j)
		}
		found.Hits = append(found.Hits, describe(d))
	}
	for i, h := range lists[0] {
		if at(lists[1], h.ID) < 0 {
			found.Hits = append(found.Hits, describe(DiffedHit{ID: h.ID, Change: Went, Before: placed(lists[0], i)}))
		}
	}
	return found, nil
}
