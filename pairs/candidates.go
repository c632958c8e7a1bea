package pairs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

const (
	// exactCandidates is the number of documents up to which the nearest are
	// found by measuring all.
	exactCandidates = 30_000
	// MaxCandidateEdges bounds the partners listed in each direction.
	MaxCandidateEdges = 1_000_000
)

// CandidatesRequest asks, for each document of a set, for its nearest ones of
// a target, and the other way round.
type CandidatesRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    search.Ref
	// SetThreshold and TargetThreshold are the largest distances kept, of a
	// set's document to its partners and of a target's; with cosine 0 to 1.
	// Below 0, which only a likeness may go with, there is none.
	SetThreshold    float32 `param:"threshold_set" without:"-1" name:"threshold" placeholder:"D" help:"Go by the distance of vectors alone, up to this of a document to its partners. Without it documents are paired by likeness: one to one, or in groups where there is no target."`
	TargetThreshold float32 `param:"threshold_target,threshold_set" without:"-1" name:"target-threshold" placeholder:"D" help:"The same of a target's document to its partners (default that of the set's)."`
	Pairing         Pairing `embed:""`
	Decided         Decided `embed:""`
	K               int     `param:"k" default:"5" least:"1" help:"Most partners of a document, with a threshold or match=all (default 5)."` // partners at most, per document; with a likeness only of MatchAll
	Set             search.Filter
	// Target is where the partners are looked for; one that restricts
	// nothing stands for Set.
	Target search.Filter `param:"target_doc_type,target_doc_id,target_filter"`
	// Vectors and Content ask for what Candidates.Documents holds.
	Vectors, Content bool
}

// Complete has documents paired by likeness, unless a threshold is given and no
// likeness. Either must be said, or a target.
func (req *CandidatesRequest) Complete() error {
	byDistance := req.SetThreshold >= 0
	if !byDistance && req.Target.Empty() && !req.Pairing.given() {
		return errors.New("threshold_set is required, or a target or a likeness to pair documents by")
	}
	return req.Pairing.complete(byDistance)
}

// Candidates is the answer to a candidates request. Documents without partners
// are not listed.
type Candidates struct {
	Commit          string // the served commit
	SetToTarget     []CandidateList
	TargetToSet     []CandidateList
	SetDocuments    int // looked at
	TargetDocuments int
	Damaged         []string // as of Hits
	Decisions       string   // as of Pairs
	StoreClustering bool     // whether the domain does
	// Documents are all that are partners, by id, where the request
	// asks for something of them.
	Documents map[string]CandidateDocument
}

// CandidateList is a document and its partners, nearest first, equal ones by
// id. Lists ascend by id.
type CandidateList struct {
	ID       string
	Partners []Candidate
}

// Candidate is a document near another one.
type Candidate struct {
	ID       string  `json:"id"`
	Distance float32 `json:"distance"` // of the nearest chunks of both
	// Clustering is the distance of their nearest chunks by vectors in the role
	// of clustering, 0 to 2; nil where one has none.
	Clustering *float32        `json:"clustering_distance,omitempty"`
	*Alike                     // nil where only the distance counts
	Decided    catalog.Verdict `json:"decided,omitempty"`
}

// CandidateDocument is what else is known of a partner.
type CandidateDocument struct {
	Vector  []float32 // of its first chunk; nil where that is damaged, or there is none
	Content string    // its chunks' texts, joined by spaces; overlaps repeat
}

// Candidates lists, for every document of the set, its nearest ones of the
// target, and for every one of the target its nearest of the set, each within
// a threshold of its own.
func (m *Matcher) Candidates(ctx context.Context, req CandidatesRequest) (Candidates, error) {
	for _, t := range []float32{req.SetThreshold, req.TargetThreshold} {
		if math.IsNaN(float64(t)) || math.IsInf(float64(t), 0) || t < 0 && req.Pairing.Likeness == "" {
			return Candidates{}, fmt.Errorf("%w: thresholds must be finite and 0 or more", contract.ErrInvalid)
		}
	}
	if err := req.Pairing.check(); err != nil {
		return Candidates{}, err
	}
	if req.K < 1 {
		return Candidates{}, fmt.Errorf("%w: k must be at least 1", contract.ErrInvalid)
	}
	f, err := m.finder(ctx, pairRequest{req.Pairing, req.Domain, req.Ref, "", req.Set, req.Target, req.Decided, max(req.SetThreshold, req.TargetThreshold)})
	if err != nil {
		return Candidates{}, err
	}
	defer f.close()
	s := f.s
	if s.settings.Metric == catalog.MetricCosine {
		for name, t := range map[string]float32{"threshold_set": req.SetThreshold, "threshold_target": req.TargetThreshold} {
			if t > 1 {
				return Candidates{}, fmt.Errorf("%w: %s must be from 0 to 1, the metric being cosine", contract.ErrInvalid, name)
			}
		}
	}
	done, err := m.r.Turn(ctx)
	if err != nil {
		return Candidates{}, err
	}
	defer done()
	set := s.population(f.set)
	target := set
	if !f.oneSet {
		target = s.population(f.target)
	}
	out := Candidates{Commit: f.commit, Decisions: f.applied, SetDocuments: len(set.documents), TargetDocuments: len(target.documents)}
	if f.Likeness != "" {
		err = f.likelyEdges(ctx, req, &out)
	} else if out.SetToTarget, err = f.edges(ctx, set, target, req.K, req.SetThreshold); err == nil {
		out.TargetToSet, err = f.edges(ctx, target, set, req.K, req.TargetThreshold)
	}
	if err != nil {
		return Candidates{}, err
	}
	if out.StoreClustering = search.StoresClustering(f.d.State()); out.StoreClustering {
		if err := s.measureClustering(ctx, out.SetToTarget, out.TargetToSet); err != nil {
			return Candidates{}, err
		}
	}
	out.Damaged = s.Damaged()
	if req.Vectors || req.Content {
		out.Documents, err = s.partnerDocuments(req, out.SetToTarget, out.TargetToSet)
	}
	return out, err
}

// population is one side of a candidates request.
type population struct {
	documents []*snapshot.Entry
	among     *search.Selection
}

func (s *opened) population(among *search.Selection) population {
	p := population{s.Documents(among), among}
	if len(p.documents) <= exactCandidates {
		p.among = among.Exactly(p.documents)
	}
	return p
}

// edges returns the partners among to of every document of from.
func (f *finder) edges(ctx context.Context, from, to population, k int, threshold float32) ([]CandidateList, error) {
	lists := make([]CandidateList, len(from.documents))
	var edges atomic.Int64
	err := parallel.Do(ctx, f.r.Workers(), len(from.documents), func(ctx context.Context, _, i int) (err error) {
		if lists[i], err = f.partnersOf(ctx, from.documents[i], to, k, threshold); err != nil {
			return err
		}
		if edges.Add(int64(len(lists[i].Partners))) > MaxCandidateEdges {
			return fmt.Errorf("%w: more than %d candidates; lower the thresholds or k", contract.ErrInvalid, MaxCandidateEdges)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	n := 0
	for _, l := range lists {
		if len(l.Partners) > 0 {
			lists[n] = l
			n++
		}
	}
	return lists[:n], nil
}

// partnersOf returns the k nearest partners of a document, in a list of its own.
func (f *finder) partnersOf(ctx context.Context, e *snapshot.Entry, to population, k int, threshold float32) (CandidateList, error) {
	s, list := f.s, CandidateList{ID: e.ID}
	unreadable := s.Unreadable(e)
	without := append(f.verdicts.partners(e.ID, catalog.DecidedDifferent), e.ID)
	ranked, err := s.NearestTo(ctx, e, to.among, without, min(k, len(to.documents)), threshold)
	if err != nil {
		return list, err
	}
	for _, r := range ranked {
		if r.Distance > threshold || len(list.Partners) == k {
			break
		}
		blind, err := s.blind(e, r.Entry, r.Chunk, r.Distance)
		if err != nil {
			return list, err
		}
		if !blind && !(unreadable || s.Unreadable(r.Entry)) || search.Identical(e, r.Entry) {
			list.Partners = append(list.Partners, Candidate{ID: r.Entry.ID, Distance: r.Distance, Decided: f.verdicts.of(e.ID, r.Entry.ID)})
		}
	}
	known, err := f.known(e, to.among)
	for _, p := range known {
		if !slices.ContainsFunc(list.Partners, func(c Candidate) bool { return c.ID == p.b.ID }) {
			list.Partners = append(list.Partners, Candidate{ID: p.b.ID, Distance: p.distance, Decided: catalog.DecidedSame})
		}
	}
	return list, err
}

// likelyEdges is edges by likeness, in both directions.
func (f *finder) likelyEdges(ctx context.Context, req CandidatesRequest, out *Candidates) error {
	lists := [2]map[string][]Candidate{{}, {}}
	edges := 0
	add := func(direction int, threshold float32, id string, c Candidate) error {
		l := lists[direction]
		if threshold >= 0 && c.Distance > threshold && c.Decided != catalog.DecidedSame || f.Match == MatchAll && len(l[id]) == req.K {
			return nil
		}
		if edges++; edges > MaxCandidateEdges {
			return fmt.Errorf("%w: more than %d candidates; raise min_score or lower k", contract.ErrInvalid, MaxCandidateEdges)
		}
		l[id] = append(l[id], c)
		return nil
	}
	err := f.eachPair(ctx, pager{}, false, func(p Pair) (bool, error) {
		for _, ends := range [][2]string{{p.A.ID, p.B.ID}, {p.B.ID, p.A.ID}} {
			a, _ := f.s.view.Lookup(ends[0])
			b, _ := f.s.view.Lookup(ends[1])
			if !f.set.Admits(a) || !f.target.Admits(b) {
				continue
			}
			err := add(0, req.SetThreshold, ends[0], Candidate{ID: ends[1], Distance: p.Distance, Alike: p.Alike, Decided: p.Decided})
			if err == nil {
				err = add(1, req.TargetThreshold, ends[1], Candidate{ID: ends[0], Distance: p.Distance, Alike: p.Alike, Decided: p.Decided})
			}
			if err != nil {
				return false, err
			}
		}
		return true, nil
	})
	for i, into := range []*[]CandidateList{&out.SetToTarget, &out.TargetToSet} {
		for _, id := range slices.Sorted(maps.Keys(lists[i])) {
			slices.SortStableFunc(lists[i][id], func(a, b Candidate) int { return cmp.Compare(b.Alike.Score, a.Alike.Score) })
			*into = append(*into, CandidateList{id, lists[i][id]})
		}
	}
	return err
}

// partnerDocuments reads what the request asks for of all partners listed.
func (s *opened) partnerDocuments(req CandidatesRequest, directions ...[]CandidateList) (map[string]CandidateDocument, error) {
	found := make(map[string]CandidateDocument)
	for _, lists := range directions {
		for _, list := range lists {
			for _, p := range list.Partners {
				if _, ok := found[p.ID]; ok {
					continue
				}
				e, _ := s.view.Lookup(p.ID)
				d, err := s.candidateDocument(e, req)
				if err != nil {
					return nil, err
				}
				found[p.ID] = d
			}
		}
	}
	return found, nil
}

func (s *opened) candidateDocument(e *snapshot.Entry, req CandidatesRequest) (d CandidateDocument, err error) {
	if req.Vectors && len(e.Chunks) > 0 {
		d.Vector = make([]float32, s.vecs.Dim())
		ok, err := s.ReadVector(e.Chunks[0].Slot, d.Vector)
		if err != nil {
			return d, err
		}
		if !ok {
			d.Vector = nil
		}
	}
	if req.Content {
		d.Content, err = s.content(e)
	}
	return d, err
}

// content returns the texts of a document's chunks, joined by spaces. What
// overlaps is there twice. Of a damaged text it is empty.
func (s *opened) content(e *snapshot.Entry) (string, error) {
	text, err := s.SoundText(e)
	if err != nil || text == "" || len(e.Chunks) == 0 {
		return text, err
	}
	chunks := make([]string, len(e.Chunks))
	for i, c := range e.Chunks {
		chunks[i] = text[c.Start:c.End]
	}
	return strings.Join(chunks, " "), nil
}

// measureClustering adds to every edge that has one the distance of its documents'
// nearest chunks by their clustering vectors, 1 − dot and at least 0 (wire
// contract §4, /candidates).
func (s *opened) measureClustering(ctx context.Context, directions ...[]CandidateList) error {
	for _, lists := range directions {
		for _, list := range lists {
			e, _ := s.view.Lookup(list.ID)
			from, err := s.ClusteringOf(e)
			if err != nil {
				return err
			}
			if len(from) == 0 {
				continue
			}
			for i, p := range list.Partners {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				partner, _ := s.view.Lookup(p.ID)
				to, err := s.ClusteringOf(partner)
				if err != nil {
					return err
				}
				if len(to) > 0 {
					d := nearestOf(from, to)
					list.Partners[i].Clustering = &d
				}
			}
		}
	}
	return nil
}

// nearestOf returns the least distance of a vector of from to one of to.
func nearestOf(from, to [][]float32) float32 {
	best := float32(-1)
	for _, x := range from {
		for _, y := range to {
			best = max(best, vector.Dot(x, y))
		}
	}
	return max(0, 1-best)
}
