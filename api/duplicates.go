package api

import (
	"net/http"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/service"
)

// Group is the wire form of documents that are nearly the same.
type Group struct {
	Group        []GroupMember   `json:"group"`
	Distance     float32         `json:"distance"`
	*pairs.Alike                 // of a pair by likeness
	Decided      catalog.Verdict `json:"decided,omitempty"`
	// The rest is of groups by likeness.
	MeanScore      *float32 `json:"mean_score,omitempty"`
	Representative string   `json:"representative,omitempty"`
	Pairs          []Group  `json:"pairs,omitempty"`
	PairCount      int      `json:"pair_count,omitempty"`
}

// GroupMember is one of them.
type GroupMember struct {
	ID      string  `json:"id"`
	Snippet *string `json:"snippet,omitempty"`
}

// duplicatesRequest asks for duplicates, in groups or as pairs of ids alone.
type duplicatesRequest struct {
	pairs.DuplicatesRequest
	Format string `param:"format" words:"groups,pairs"`
}

// duplicates answers GET /duplicates, and POST with decisions by lines that are applied,
// too.
func (s *server) duplicates(w *response, r *http.Request, asked *duplicatesRequest) error {
	req, pairsOnly := asked.DuplicatesRequest, asked.Format == "pairs"
	var err error
	if req.Decided.Also, err = alsoDecided(r); err != nil {
		return err
	}
	wire := func(pair pairs.Pair) any {
		if pairsOnly {
			return [2]string{pair.A.ID, pair.B.ID}
		}
		return groupOf(pair, req.Snippet)
	}
	w.Header().Set("Vary", "Accept")
	if service.Preferred(r, mediaJSON, mediaND) == mediaND {
		return s.ix.NearPairs(r.Context(), req, func(found *pairs.NearPairs) error {
			served(w, found.Commit)
			harmed(w, found.Damaged)
			applied(w, req.Decided, found.Decisions)
			if w.kept(r, req.Ref, found.Commit, found.Identity, mediaND) {
				return nil
			}
			return sendLines(w, r, found.Pairs, wire)
		})
	}
	found, err := s.ix.Duplicates(r.Context(), req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	warn(w, found.Warnings)
	applied(w, req.Decided, found.Decisions)
	list := make([]any, 0, len(found.Pairs)+len(found.Groups))
	for _, pair := range found.Pairs {
		list = append(list, wire(pair))
	}
	for _, g := range found.Groups {
		whole := wholeGroup(g, req.Snippet)
		for pair, err := range g.Pairs {
			if err != nil {
				return err
			}
			if pairsOnly {
				list = append(list, wire(pair))
			} else if whole.Pairs = append(whole.Pairs, groupOf(pair, false)); len(whole.Pairs) == maxGroupPairs {
				break
			}
		}
		if !pairsOnly {
			list = append(list, whole)
		}
	}
	return answer(w, r, req.Ref, found.Commit, list)
}

// maxGroupPairs is how many pairs an answer in one piece lists of a group: lines
// list all.
const maxGroupPairs = 1000

// wholeGroup returns the wire form of a group by likeness, without its pairs.
func wholeGroup(g pairs.Group, snippet bool) Group {
	whole := Group{Distance: g.Distance, MeanScore: &g.Score, Representative: g.Representative, PairCount: g.Count}
	for _, m := range g.Members {
		whole.Group = append(whole.Group, memberOf(m, snippet))
	}
	return whole
}

func memberOf(m pairs.PairMember, snippet bool) GroupMember {
	if !snippet {
		return GroupMember{ID: m.ID}
	}
	return GroupMember{m.ID, &m.Snippet}
}

func groupOf(pair pairs.Pair, snippet bool) Group {
	return Group{
		Group:    []GroupMember{memberOf(pair.A, snippet), memberOf(pair.B, snippet)},
		Distance: pair.Distance, Alike: pair.Alike, Decided: pair.Decided,
	}
}

// profileStep is the wire form of a step of a profile.
type profileStep struct {
	pairs.ProfileStep
	Examples []Group `json:"examples"`
}

// duplicatesProfile answers GET /duplicates/profile: how many pairs have which score,
// with some of each.
func (s *server) duplicatesProfile(w *response, r *http.Request, req *pairs.ProfileRequest) error {
	var err error
	if req.Decided.Also, err = alsoDecided(r); err != nil {
		return err
	}
	found, err := s.ix.DuplicatesProfile(r.Context(), *req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	applied(w, req.Decided, found.Decisions)
	out := struct {
		pairs.Profile
		Steps []profileStep `json:"steps"`
	}{found, []profileStep{}}
	for _, step := range found.Steps {
		examples := []Group{}
		for _, pair := range step.Examples {
			examples = append(examples, groupOf(pair, true))
		}
		out.Steps = append(out.Steps, profileStep{step, examples})
	}
	return answer(w, r, req.Ref, found.Commit, out)
}
