package pairs

import (
	"context"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/search"
)

// ProfileRequest asks how the scores of a set's pairs are spread, to choose a least
// score by.
type ProfileRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    search.Ref
	// Pairing is as of DuplicatesRequest; its MinScore is the least score that is
	// counted, by default the step at half the default of duplicates.
	Pairing Pairing `embed:""`
	Set     search.Filter
	Target  search.Filter `param:"target_doc_type,target_doc_id,target_filter"`
	Decided Decided       `embed:""`
	// Examples is how many pairs are shown of each step.
	Examples int `param:"examples" default:"3" least:"0" most:"20" help:"Pairs to show of each step, 0 to 20 (default 3)."`
}

// Complete has documents paired by likeness.
func (req *ProfileRequest) Complete() error { return req.Pairing.complete(false) }

// Profile says how scores are spread.
type Profile struct {
	Commit    string   `json:"commit"` // the served one
	Likeness  Likeness `json:"likeness"`
	Match     Match    `json:"match"`
	MinScore  float32  `json:"min_score"` // the default of duplicates so matched
	Documents int      `json:"documents"` // of both sides, those without a partner as well
	// Steps are from the best down.
	Steps     []ProfileStep `json:"steps"`
	Damaged   []string      `json:"-"` // as of Hits
	Decisions string        `json:"-"` // as of Pairs
}

// ProfileStep counts scores from From to below the step before.
type ProfileStep struct {
	From      float32 `json:"from"`
	Documents int     `json:"documents"` // whose best partner scores so
	Pairs     int     `json:"pairs"`     // that match and score so
	// Same and Different are those of the pairs that people decided to be so.
	Same      int `json:"same"`
	Different int `json:"different"`
	// Precision is the estimated part of true pairs among those that a least score
	// of From lists: in each step as in its decided pairs. The steps without any are
	// left out of account; nil where all are.
	Precision *float32 `json:"precision"`
	Examples  []Pair   `json:"-"` // with snippets, from the best down, evenly spread
}

// profileSteps is how many steps there are from 0 to 1.
const profileSteps = 20

func profileStep(score float32) int { return min(int(score*profileSteps+rounding), profileSteps-1) }

// DuplicatesProfile counts the pairs of a set, or between two, by their scores. What
// was decided about them changes no score and takes no pair away.
func (m *Matcher) DuplicatesProfile(ctx context.Context, req ProfileRequest) (Profile, error) {
	if err := req.Pairing.check(); err != nil {
		return Profile{}, err
	}
	usual := req.Pairing
	usual.MinScore = -1
	usual = usual.withDefaults(req.Target.Empty())
	if req.Pairing.MinScore < 0 {
		req.Pairing.MinScore = float32(profileStep(usual.MinScore/2)) / profileSteps
	}
	f, err := m.finder(ctx, pairRequest{req.Pairing, req.Domain, req.Ref, "", req.Set, req.Target, req.Decided, -1})
	if err != nil {
		return Profile{}, err
	}
	defer f.close()
	done, err := m.r.Turn(ctx)
	if err != nil {
		return Profile{}, err
	}
	defer done()
	j, err := f.join(ctx, true)
	if err != nil {
		return Profile{}, err
	}
	out := Profile{Commit: f.commit, Likeness: usual.Likeness, Match: usual.Match, MinScore: usual.MinScore, Decisions: f.applied}
	out.Steps, err = j.steps(req.Examples)
	for i := range j.units {
		out.Documents += len(j.units[i].entries)
	}
	out.Damaged = f.s.Damaged()
	return out, err
}

// steps counts the pairs, and the documents by their best partners.
func (j *join) steps(examples int) ([]ProfileStep, error) {
	lowest := profileStep(j.MinScore)
	steps := make([]ProfileStep, profileSteps-lowest)
	at := func(score float32) *ProfileStep { return &steps[profileSteps-1-profileStep(score)] }
	shown := make([][]likePair, len(steps))
	add := func(p likePair, pairs int) {
		i := profileSteps - 1 - profileStep(p.alike.Score)
		steps[i].Pairs += pairs
		shown[i] = append(shown[i], p)
		switch j.verdict(p.a, p.b) {
		case catalog.DecidedSame:
			steps[i].Same++
		case catalog.DecidedDifferent:
			steps[i].Different++
		}
	}
	for i := range j.units {
		n := len(j.units[i].entries)
		if j.best[i].first >= j.MinScore {
			at(j.best[i].first).Documents += n
		}
		if n > 1 {
			add(j.ofOneText(uint32(i)), n*(n-1)/2)
		}
	}
	for _, p := range j.matched() {
		add(p, len(j.units[p.a].entries)*len(j.units[p.b].entries))
	}
	listed, right := float32(0), float32(0)
	for i := range steps {
		step := &steps[i]
		step.From = max(float32(profileSteps-1-i)/profileSteps, j.MinScore)
		if decided := step.Same + step.Different; decided > 0 {
			listed += float32(step.Pairs)
			right += float32(step.Pairs) * float32(step.Same) / float32(decided)
		}
		if listed > 0 {
			precision := right / listed
			step.Precision = &precision
		}
		n := min(examples, len(shown[i]))
		for k := range n {
			p := shown[i][k*(len(shown[i])-1)/max(n-1, 1)]
			example, err := j.told(j.pairOf(&p), true)
			if err != nil {
				return nil, err
			}
			step.Examples = append(step.Examples, example)
		}
	}
	return steps, nil
}
