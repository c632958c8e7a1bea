package pairs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Likeness says what documents are compared by to pair them.
type Likeness string

const (
	// LikenessMixed is the mean of the three others, less what numbers and codes
	// count that differ.
	LikenessMixed Likeness = "mixed"
	// LikenessVector is the cosine of the nearest chunks.
	LikenessVector Likeness = "vector"
	// LikenessWords is the cosine of the sets of words, each weighing its inverse
	// document frequency.
	LikenessWords Likeness = "words"
	// LikenessTrigrams is that of the sets of trigrams of characters.
	LikenessTrigrams Likeness = "trigrams"
)

// Match says which of the pairs over the least score count.
type Match string

const (
	// MatchAll takes each.
	MatchAll Match = "all"
	// MatchMutual takes those of which either document is the other's best.
	MatchMutual Match = "mutual"
	// MatchOneToOne gives each document one partner at most, best pairs first.
	MatchOneToOne Match = "one_to_one"
	// MatchGroups joins documents to groups whose members are alike on average.
	// It is the default within one set; between two it is one_to_one.
	MatchGroups Match = "groups"
)

// Pairing says how documents are paired by likeness. The zero value of Likeness
// stands for pairs by the distance of vectors alone.
type Pairing struct {
	Likeness Likeness `param:"likeness" words:"mixed,vector,words,trigrams" help:"What to compare by: mixed (the default), vector, words or trigrams."`
	Match    Match    `param:"match" words:"all,mutual,one_to_one,groups" help:"Which pairs count: groups (the default), all, mutual or one_to_one."`
	// MinScore is the least likeness of a pair; below 0 it is the default for
	// Likeness and Match.
	MinScore float32 `param:"min_score" without:"-1" help:"Least likeness of a pair, from 0 to 1 (the default depends on likeness and match)."`
	// Same are fields that are equal in both documents, or missing in one; Differ
	// those that keep two documents apart which both have them and not equal. They
	// are two ways to say one thing.
	Same   []string `param:"same" kind:"names" most:"20" placeholder:"FIELD" help:"Only pairs of which these fields are equal, or missing in one."`
	Differ []string `param:"differ" kind:"names" most:"20" placeholder:"FIELD" help:"No pairs of which these fields differ."`
}

// leastScores are the default least scores within one set and between two, where a
// document has one partner at most and what is there is seldom by chance. They were
// chosen on several sets at once: see docs/benchmarks.md.
var leastScores = map[Likeness][2]float32{
	LikenessMixed: {.5, .35}, LikenessVector: {.9, .8}, LikenessWords: {.35, .25}, LikenessTrigrams: {.45, .35},
}

// given reports whether anything is asked for by likeness.
func (p *Pairing) given() bool {
	return p.Likeness != "" || p.Match != "" || p.MinScore >= 0 || len(p.Same) > 0 || len(p.Differ) > 0
}

// complete completes parameters as they came: pairs are by distance where
// thresholds are given and no likeness.
func (p *Pairing) complete(byDistance bool) error {
	for _, list := range []*[]string{&p.Same, &p.Differ} {
		var names []string
		for _, text := range *list {
			for name := range strings.SplitSeq(text, ",") {
				if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
		*list = names
	}
	if byDistance && p.Likeness == "" {
		if p.given() {
			return errors.New("match, min_score, same and differ are about pairs by likeness: give likeness too, or no threshold")
		}
		*p = Pairing{}
		return nil
	}
	if p.Likeness == "" {
		p.Likeness = LikenessMixed
	}
	return p.check()
}

// check reports what is wrong with a pairing by likeness.
func (p *Pairing) check() error {
	if p.MinScore > 1 || math.IsNaN(float64(p.MinScore)) {
		return fmt.Errorf("%w: min_score must be from 0 to 1", contract.ErrInvalid)
	}
	return nil
}

// withDefaults returns the pairing with what is not given filled in.
func (p Pairing) withDefaults(oneSet bool) Pairing {
	if p.Match == "" {
		p.Match = MatchOneToOne
		if oneSet {
			p.Match = MatchGroups
		}
	}
	if p.MinScore < 0 {
		p.MinScore = p.least(p.Likeness)
	}
	return p
}

func (p *Pairing) least(l Likeness) float32 {
	if p.Match == MatchOneToOne {
		return leastScores[l][1]
	}
	return leastScores[l][0]
}

// Alike says how much alike two documents are, each from 0 to 1.
type Alike struct {
	Score    float32 `json:"score"` // the likeness asked for
	Vector   float32 `json:"vector"`
	Words    float32 `json:"words"`
	Trigrams float32 `json:"trigrams"`
	// Margin is Score less the best score of either document with another one.
	Margin float32 `json:"margin"`
}

// conditions returns what a document has of the fields that must not differ.
func (p *Pairing) conditions(e *snapshot.Entry) []json.RawMessage {
	if len(p.Same)+len(p.Differ) == 0 || e.Fields == "" {
		return nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(e.Fields), &all) != nil {
		return nil // as if it had none
	}
	var values []json.RawMessage
	for _, name := range slices.Concat(p.Same, p.Differ) {
		values = append(values, all[name])
	}
	return values
}

// agree reports whether documents of such fields may be a pair.
func agree(a, b []json.RawMessage) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != nil && b[i] != nil && string(a[i]) != string(b[i]) {
			return false
		}
	}
	return true
}

// known reports fields of the pairing that no document of the snapshot has.
func (s *opened) known(ctx context.Context, p *Pairing) error {
	if len(p.Same)+len(p.Differ) == 0 {
		return nil
	}
	names, err := s.FieldNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(p.Same, p.Differ) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: same, differ: no document has the field %.100q; they have %.500s", contract.ErrInvalid, name, cmp.Or(strings.Join(names, ", "), "none"))
		}
	}
	return nil
}

// likenessOf is the part of the likeness that vectors of that distance have.
func likenessOf(metric catalog.Metric, distance float32) float32 {
	switch metric {
	case catalog.MetricL2:
		return 1 / (1 + distance)
	case catalog.MetricIP:
		return min(max(1-distance, 0), 1)
	}
	return max(1-2*distance, 0)
}
