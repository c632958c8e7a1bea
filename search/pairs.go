package search

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

const (
	// maxHeavy is the number of duplicates and candidates requests that run at
	// once.
	maxHeavy = 4
	// maxPairs is the number of nearest pairs kept before paging.
	maxPairs = 10_000
)

// heavyTurn waits for the turn of a request that takes long, and returns how
// to give it back.
func (r *Reader) heavyTurn(ctx context.Context) (done func(), err error) {
	select {
	case r.heavy <- struct{}{}:
		return func() { <-r.heavy }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// pairRequest is what all requests for pairs have in common.
type pairRequest struct {
	Pairing
	domain      string
	ref         Ref
	since       string
	set, target Filter
	decided     Decided
	bound       float32
}

// finder answers a request for pairs. Candidates come from one of four sources: the
// nearest of each chunk (duplicates.go), the nearest of each document (candidates.go), all
// within a distance (near.go), and those that share words, trigrams or a neighbourhood
// (join.go). The first three go by distance alone, the last one by likeness.
type finder struct {
	Pairing
	r           *Reader
	d           *Domain
	commit      string // the served one
	s           *Snapshot
	since       *Snapshot // nil: every pair counts
	measure     measure
	oneSet      bool
	set, target *selection
	bound       float32 // the largest distance; below 0, with a likeness, there is none
	verdicts    *verdicts
	applied     string // as Pairs.Decisions
}

// finder opens what a request is answered from, which close gives back.
func (r *Reader) finder(ctx context.Context, req pairRequest) (_ *finder, err error) {
	f := &finder{r: r, bound: req.bound, oneSet: req.target.empty()}
	if f.d, f.commit, f.s, err = r.serve(ctx, req.domain, req.ref); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if req.since != "" {
		if f.since, err = r.Open(ctx, f.d, req.since); err != nil {
			return nil, fmt.Errorf("since: %w", err)
		}
	}
	f.measure = measureOf(f.s.settings)
	byLikeness := req.Likeness != ""
	if byLikeness {
		f.Pairing = req.withDefaults(f.oneSet)
		if err := f.s.known(ctx, &f.Pairing); err != nil {
			return nil, err
		}
	}
	standIn := replaced(req.ref, f.commit)
	if f.set, err = f.s.selection(ctx, req.set, standIn); err != nil {
		return nil, err
	}
	if f.target = f.set; !f.oneSet {
		if f.target, err = f.s.selection(ctx, req.target, standIn); err != nil {
			return nil, err
		}
	}
	f.verdicts, f.applied, err = f.d.verdicts(f.commit, req.decided, byLikeness)
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
	return f.verdicts.mixed(f.s.identity(f.s.firstChunks(slices.Collect(f.s.view.All()), snapshot.MainVectors)))
}

// inSet reports whether a document is of the set, and new or another where that is
// asked for.
func (f *finder) inSet(e *snapshot.Entry) bool {
	return f.set.admits(e) && (f.since == nil || f.since.changed(e))
}

// counts reports whether a pair that is near enough counts: it was not decided to be
// different, is near by what the model can read, and was not near enough at the commit that is asked about.
func (f *finder) counts(p *pair) (bool, error) {
	switch f.verdicts.of(p.a.ID, p.b.ID) {
	case catalog.DecidedDifferent:
		return false, nil
	case catalog.DecidedSame:
	default:
		if blind, err := f.s.blind(p.a, p.b, p.chunkB, p.distance); blind || err != nil {
			return false, err
		}
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
	out := Pair{A: PairMember{ID: p.a.ID}, B: PairMember{ID: p.b.ID}, Distance: f.measure.outward(p.distance), Alike: p.alike, Decided: f.verdicts.of(p.a.ID, p.b.ID)}
	if !snippets {
		return out, nil
	}
	var err error
	if out.A.Snippet, err = f.s.chunkText(p.a, p.chunkA); err == nil {
		out.B.Snippet, err = f.s.chunkText(p.b, p.chunkB)
	}
	return out, err
}

// pager counts what is listed.
type pager struct {
	Page
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
		return checkPage(Page{req.Page.Start, max(req.Page.Count, 1)})
	}
	return nil
}

// duplicates opens what a request for duplicates is answered from.
func (r *Reader) duplicates(ctx context.Context, req DuplicatesRequest) (*finder, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	return r.finder(ctx, pairRequest{req.Pairing, req.Domain, req.Ref, req.Since, req.Set, req.Target, req.Decided, req.Threshold})
}

// Duplicates lists pairs of documents, or groups of them: by likeness, the best first;
// or by distance the nearest partner of each chunk, nearest first, then by ids.
func (r *Reader) Duplicates(ctx context.Context, req DuplicatesRequest) (Pairs, error) {
	f, err := r.duplicates(ctx, req)
	if err != nil {
		return Pairs{}, err
	}
	defer f.close()
	done, err := r.heavyTurn(ctx)
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
func (r *Reader) NearPairs(ctx context.Context, req DuplicatesRequest, use func(*NearPairs) error) error {
	f, err := r.duplicates(ctx, req)
	if err != nil {
		return err
	}
	defer f.close()
	return use(&NearPairs{Commit: f.commit, Damaged: f.s.Damaged(), Decisions: f.applied, Identity: f.identity, Pairs: func(yield func(Pair, error) bool) {
		done, err := r.heavyTurn(ctx)
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
