package pairs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// maxPairs is the number of nearest pairs kept before paging.
const maxPairs = 10_000

// rounding is more than what scores and products are off by.
const rounding = 1e-5

// Matcher pairs the documents of a Reader's snapshots. It may be used by many
// goroutines at once.
type Matcher struct{ r *search.Reader }

// New returns the Matcher of a Reader.
func New(r *search.Reader) *Matcher { return &Matcher{r} }

// opened is a snapshot as documents are paired in it.
type opened struct {
	*search.Snapshot
	view     *snapshot.View
	vecs     *vecstore.Store // nil where none exist
	settings catalog.Settings
	measure  search.Measure
}

func newOpened(s *search.Snapshot) *opened {
	return &opened{s, s.View(), s.Store(), s.Settings(), search.MeasureOf(s.Settings())}
}

// pairRequest is what all requests for pairs have in common.
type pairRequest struct {
	Pairing
	domain      string
	ref         search.Ref
	since       string
	set, target search.Filter
	decided     Decided
	bound       float32
}

// finder answers a request for pairs. Candidates come from one of four sources: the
// nearest of each chunk (duplicates.go), the nearest of each document (candidates.go), all
// within a distance (near.go), and those that share words, trigrams or a neighbourhood
// (join.go). The first three go by distance alone, the last one by likeness.
type finder struct {
	Pairing
	r           *search.Reader
	d           *search.Domain
	commit      string // the served one
	s           *opened
	since       *opened // nil: every pair counts
	measure     search.Measure
	oneSet      bool
	set, target *search.Selection
	bound       float32 // the largest distance; below 0, with a likeness, there is none
	verdicts    *verdicts
	applied     string // as Pairs.Decisions
}

// finder opens what a request is answered from, which close gives back.
func (m *Matcher) finder(ctx context.Context, req pairRequest) (_ *finder, err error) {
	d, commit, s, err := m.r.Serve(ctx, req.domain, req.ref)
	if err != nil {
		return nil, err
	}
	f := &finder{r: m.r, d: d, commit: commit, s: newOpened(s), bound: req.bound, oneSet: req.target.Empty()}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if req.since != "" {
		old, err := m.r.Open(ctx, d, req.since)
		if err != nil {
			return nil, fmt.Errorf("since: %w", err)
		}
		f.since = newOpened(old)
	}
	f.measure = f.s.measure
	byLikeness := req.Likeness != ""
	if byLikeness {
		f.Pairing = req.withDefaults(f.oneSet)
		if err := f.s.known(ctx, &f.Pairing); err != nil {
			return nil, err
		}
	}
	standIn := search.Replaced(req.ref, f.commit)
	if f.set, err = f.s.Select(ctx, req.set, standIn); err != nil {
		return nil, err
	}
	if f.target = f.set; !f.oneSet {
		if f.target, err = f.s.Select(ctx, req.target, standIn); err != nil {
			return nil, err
		}
	}
	f.verdicts, f.applied, err = verdictsAt(f.d, f.commit, req.decided, byLikeness)
	return f, err
}

func (f *finder) close() {
	f.s.Release()
	if f.since != nil {
		f.since.Release()
	}
}

// identity returns a hash of what the pairs depend on, the request aside.
func (f *finder) identity() [sha256.Size]byte {
	return f.verdicts.mixed(f.s.Identity())
}

// inSet reports whether a document is of the set, and new or another where that is
// asked for.
func (f *finder) inSet(e *snapshot.Entry) bool {
	return f.set.Admits(e) && (f.since == nil || f.since.changed(e))
}

// counts reports whether a pair that is near enough counts: it was not decided to be
// different, is near by what the model can read, and was not near enough at the commit that is asked about.
func (f *finder) counts(p *pair) (bool, error) {
	if f.verdicts.of(p.a.ID, p.b.ID) == catalog.DecidedDifferent {
		return false, nil
	}
	if blind, err := f.s.blind(p.a, p.b, p.chunkB, p.distance); blind || err != nil {
		return false, err
	}
	if f.since == nil {
		return true, nil
	}
	old, err := f.since.paired(p.a.ID, p.b.ID, f.bound)
	return !old, err
}

// pair is two documents and the chunks by which they are near.
type pair struct {
	a, b           *snapshot.Entry
	chunkA, chunkB int
	distance       float32
	alike          *Alike // nil where only the distance counts
}

// told returns a pair as answers have it, the lower id first.
func (f *finder) told(p pair, snippets bool) (Pair, error) {
	if p.b.ID < p.a.ID {
		p.a, p.b, p.chunkA, p.chunkB = p.b, p.a, p.chunkB, p.chunkA
	}
	out := Pair{A: PairMember{ID: p.a.ID}, B: PairMember{ID: p.b.ID}, Distance: outward(f.measure, p.distance), Alike: p.alike, Decided: f.verdicts.of(p.a.ID, p.b.ID)}
	if !snippets {
		return out, nil
	}
	var err error
	if out.A.Snippet, err = f.s.ChunkText(p.a, p.chunkA); err == nil {
		out.B.Snippet, err = f.s.ChunkText(p.b, p.chunkB)
	}
	return out, err
}

// outward returns a distance as answers tell it: what cannot be measured, a vector
// being damaged, is far.
func outward(m search.Measure, distance float32) float32 {
	if math.IsInf(float64(distance), 0) {
		return m.Distance(-1)
	}
	return distance
}

// pager counts what is listed.
type pager struct {
	search.Page
	at int
}

// next reports whether the next one is of the page, and whether others may be.
func (p *pager) next() (wanted, more bool) {
	p.at++
	return p.at > p.Start, p.Count == 0 || p.at < p.Start+p.Count
}

// Complete has documents paired by likeness, unless a threshold is given and no
// likeness.
func (req *DuplicatesRequest) Complete() error { return req.Pairing.complete(req.Threshold >= 0) }

func (req *DuplicatesRequest) check() error {
	if t := float64(req.Threshold); math.IsNaN(t) || math.IsInf(t, 0) || t < 0 && req.Pairing.Likeness == "" {
		return fmt.Errorf("%w: threshold must be a finite number, 0 or more", contract.ErrInvalid)
	}
	if err := req.Pairing.check(); err != nil {
		return err
	}
	if req.Page.Count != 0 || req.Page.Start != 0 {
		return search.Page{Start: req.Page.Start, Count: max(req.Page.Count, 1)}.Check()
	}
	return nil
}

// duplicates opens what a request for duplicates is answered from.
func (m *Matcher) duplicates(ctx context.Context, req DuplicatesRequest) (*finder, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	return m.finder(ctx, pairRequest{req.Pairing, req.Domain, req.Ref, req.Since, req.Set, req.Target, req.Decided, req.Threshold})
}

// Duplicates lists pairs of documents, or groups of them: by likeness, the best first;
// or by distance the nearest partner of each chunk, nearest first, then by ids.
func (m *Matcher) Duplicates(ctx context.Context, req DuplicatesRequest) (Pairs, error) {
	f, err := m.duplicates(ctx, req)
	if err != nil {
		return Pairs{}, err
	}
	defer f.close()
	done, err := m.r.Turn(ctx)
	if err != nil {
		return Pairs{}, err
	}
	defer done()
	out, page := Pairs{Commit: f.commit, Decisions: f.applied}, pager{Page: req.Page}
	switch {
	case f.Likeness == "":
		out.Pairs = []Pair{}
		found := 0
		if found, err = f.nearestPairs(ctx, page, req.Snippet, &out.Pairs); found == maxPairs {
			out.Warnings = append(out.Warnings, fmt.Sprintf("no more than the nearest %d pairs are listed; lines have all (Accept: application/x-ndjson)", maxPairs))
		}
	case f.Match == MatchGroups:
		out.Groups = []Group{}
		err = f.eachGroup(ctx, req.Snippet, func(g Group) (bool, error) {
			wanted, more := page.next()
			if wanted {
				out.Groups = append(out.Groups, g)
			}
			return more, nil
		})
	default:
		err = f.eachPair(ctx, page, req.Snippet, func(p Pair) (bool, error) {
			out.Pairs = append(out.Pairs, p)
			return true, nil
		})
	}
	out.Damaged = f.s.Damaged()
	return out, err
}

// NearPairs are all pairs of documents that a request is about. They can be read
// until the function they were handed to returns.
type NearPairs struct {
	Commit  string   // the served commit
	Damaged []string // as of Hits
	// Decisions is as of Pairs.
	Decisions string
	// Identity returns a hash of what the pairs depend on, the request aside:
	// see Embeddings.
	Identity func() [sha256.Size]byte
	// Pairs yields them: by likeness the best first, or group by group; by distance
	// while they are found, by the id of Set's document (the smaller one where both
	// are of both sides), then by distance, then by the other id. An error ends it.
	Pairs iter.Seq2[Pair, error]
}

// NearPairs calls use with every pair of documents, one of Set and one of
// Target. Its error is use's, if that was called. A document of both sides pairs once
// with another. By distance it finds all whose nearest chunks are within the threshold.
func (m *Matcher) NearPairs(ctx context.Context, req DuplicatesRequest, use func(*NearPairs) error) error {
	f, err := m.duplicates(ctx, req)
	if err != nil {
		return err
	}
	defer f.close()
	return use(&NearPairs{Commit: f.commit, Damaged: f.s.Damaged(), Decisions: f.applied, Identity: f.identity, Pairs: func(yield func(Pair, error) bool) {
		done, err := m.r.Turn(ctx)
		if err == nil {
			defer done()
			err = f.eachPair(ctx, pager{Page: req.Page}, req.Snippet, func(p Pair) (bool, error) { return yield(p, nil), nil })
		}
		if err != nil {
			yield(Pair{}, err)
		}
	}})
}

// eachPair calls each with the pairs of a page until it wants no more.
func (f *finder) eachPair(ctx context.Context, page pager, snippets bool, each func(Pair) (bool, error)) error {
	if f.Match == MatchGroups {
		return f.eachGroup(ctx, snippets, func(g Group) (bool, error) {
			for p, err := range g.Pairs {
				if err != nil {
					return false, err
				}
				wanted, more := page.next()
				if wanted {
					again, err := each(p)
					if err != nil {
						return false, err
					}
					more = more && again
				}
				if !more {
					return false, nil
				}
			}
			return true, nil
		})
	}
	find := f.within
	if f.Likeness != "" {
		find = f.likely
	}
	return find(ctx, func(p pair) (bool, error) {
		wanted, more := page.next()
		if !wanted {
			return more, nil
		}
		out, err := f.told(p, snippets)
		if err != nil {
			return false, err
		}
		again, err := each(out)
		return again && more, err
	})
}
