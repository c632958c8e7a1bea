package pairs

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// bests are the two best scores of a document with others, for margins.
type bests struct {
	first, second float32
	partner       uint32 // of the first
}

// margins sets the margin of every pair, and the best partner of each unit. Documents
// of one text are each other's best.
func (j *join) margins() {
	best := make([]bests, len(j.units))
	for i := range best {
		best[i].partner = uint32(i)
		if len(j.units[i].entries) > 1 {
			best[i].first = 1
		}
	}
	add := func(unit, partner uint32, score float32) {
		switch b := &best[unit]; {
		case score > b.first || score == b.first && score > 0 && b.partner != unit && partner < b.partner:
			*b = bests{score, b.first, partner}
		default:
			b.second = max(b.second, score)
		}
	}
	for i := range j.pairs {
		p := &j.pairs[i]
		add(p.a, p.b, p.alike.Score)
		add(p.b, p.a, p.alike.Score)
	}
	for i := range j.pairs {
		j.pairs[i].alike.Margin = margin(&j.pairs[i], best)
	}
	j.best = best
}

// margin returns that of a pair.
func margin(p *likePair, best []bests) float32 {
	other := func(unit, partner uint32) float32 {
		if b := best[unit]; b.partner != partner {
			return b.first
		}
		return best[unit].second
	}
	return p.alike.Score - max(other(p.a, p.b), other(p.b, p.a))
}

// matched returns the pairs that count, the best first.
func (j *join) matched() []likePair {
	pairs := slices.DeleteFunc(j.pairs, func(p likePair) bool {
		return !p.same && (p.alike.Score < j.MinScore || j.Match == MatchMutual && (j.best[p.a].partner != p.b || j.best[p.b].partner != p.a))
	})
	slices.SortFunc(pairs, func(a, b likePair) int {
		if a.same != b.same {
			return map[bool]int{true: -1, false: 1}[a.same]
		}
		return cmp.Or(cmp.Compare(b.alike.Score, a.alike.Score), cmp.Compare(a.distance, b.distance), comparePairs(a, b))
	})
	if j.Match == MatchOneToOne {
		taken := make([]bool, len(j.units))
		pairs = slices.DeleteFunc(pairs, func(p likePair) bool {
			if !p.same && (taken[p.a] || taken[p.b]) {
				return true
			}
			taken[p.a], taken[p.b] = true, true
			return false
		})
	}
	return pairs
}

// likeGroup is a group of units.
type likeGroup struct {
	units []uint32            // ascending
	pairs map[uint64]likePair // of its units, by both numbers
}

func pairKey(a, b uint32) uint64 { return uint64(min(a, b))<<32 | uint64(max(a, b)) }

// maxLinked is how many pairs of two groups are looked at to tell whether they are
// alike on average.
const maxLinked = 4000

// maxGrouped bounds the pairs of different texts that groups are made of.
const maxGrouped = 4_000_000

// groups joins units by average link (Sokal and Michener 1958), along the pairs from
// the best down: two groups become one if their members are on average as much alike
// as a pair must be. So a chain of pairs makes no group of what has nothing in
// common.
func (j *join) groups(ctx context.Context) ([]likeGroup, error) {
	known := make(map[uint64]likePair, len(j.pairs))
	for _, p := range j.pairs {
		known[pairKey(p.a, p.b)] = p
	}
	w := j.worker()
	pair := func(a, b uint32) (likePair, error) {
		k := pairKey(a, b)
		p, ok := known[k]
		if ok {
			return p, nil
		}
		if len(known) > maxGrouped {
			return p, fmt.Errorf("%w: groups of more than %d pairs; raise min_score, or ask for match=all", contract.ErrInvalid, maxGrouped)
		}
		a, b = min(a, b), max(a, b)
		found, err := w.score(nil, a, []uint32{b}, 0)
		if err == nil && len(found) > 0 {
			p = found[0]
			err = w.discount(&p)
		}
		if p.a == p.b { // it is none
			p = likePair{a: a, b: b, distance: float32(math.Inf(1))}
		}
		p.alike.Margin = margin(&p, j.best)
		known[k] = p
		return p, err
	}
	of := make(map[uint32]*likeGroup)
	get := func(u uint32) *likeGroup {
		if of[u] == nil {
			of[u] = &likeGroup{units: []uint32{u}}
		}
		return of[u]
	}
	type attempt struct{ a, b *likeGroup }
	failed := make(map[attempt]int) // the units of both then
	for _, p := range j.matched() {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		a, b := get(p.a), get(p.b)
		if a == b || failed[attempt{a, b}] == len(a.units)+len(b.units) {
			continue
		}
		if !p.same && j.apart(a, b, of) {
			failed[attempt{a, b}], failed[attempt{b, a}] = len(a.units)+len(b.units), len(a.units)+len(b.units)
			continue
		}
		sum, n := float32(0), 0
		step := 1 + len(a.units)*len(b.units)/maxLinked
		for i := 0; i < len(a.units)*len(b.units); i += step {
			x, err := pair(a.units[i/len(b.units)], b.units[i%len(b.units)])
			if err != nil {
				return nil, err
			}
			sum, n = sum+x.alike.Score, n+1
		}
		if sum/float32(n) < j.MinScore && !p.same {
			failed[attempt{a, b}], failed[attempt{b, a}] = len(a.units)+len(b.units), len(a.units)+len(b.units)
			continue
		}
		if len(a.units) < len(b.units) {
			a, b = b, a
		}
		a.units = append(a.units, b.units...)
		for _, u := range b.units {
			of[u] = a
		}
	}
	var groups []likeGroup
	for i := range j.units {
		u := uint32(i)
		c := of[u]
		if c == nil && len(j.units[i].entries) > 1 && (j.since == nil || j.units[i].fresh) {
			c = &likeGroup{units: []uint32{u}}
		}
		if c == nil || c.units[0] == ^uint32(0) || len(c.units) == 1 && len(j.units[i].entries) == 1 {
			continue
		}
		g := likeGroup{units: slices.Sorted(slices.Values(c.units)), pairs: make(map[uint64]likePair)}
		for k, a := range g.units {
			for _, b := range g.units[k+1:] {
				p, err := pair(a, b)
				if err != nil {
					return nil, err
				}
				g.pairs[pairKey(a, b)] = p
			}
		}
		groups = append(groups, g)
		c.units[0] = ^uint32(0) // listed
	}
	return groups, nil
}

// Group is documents that are taken for one.
type Group struct {
	Members  []PairMember // ascending by id
	Distance float32      // of its nearest pair
	Score    float32      // the mean of its pairs'
	// Representative is the id of the member that is most like the others.
	Representative string
	// Count is the number of its pairs, which Pairs yields, by ids.
	Count int
	Pairs iter.Seq2[Pair, error]
}

// group makes what answers tell of a group.
func (j *join) group(ctx context.Context, c likeGroup, snippets bool) (Group, error) {
	type member struct {
		entry *snapshot.Entry
		unit  uint32
	}
	var members []member
	for _, u := range c.units {
		for _, e := range j.units[u].entries {
			members = append(members, member{e, u})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.entry.ID, b.entry.ID) })
	same := func(u uint32) *likePair {
		p := j.ofOneText(u)
		if len(j.units[u].entries) == 2 {
			p.alike.Margin = 1
			for _, other := range c.pairs {
				if other.a == u || other.b == u {
					p.alike.Margin = min(p.alike.Margin, 1-other.alike.Score)
				}
			}
		}
		return &p
	}
	g := Group{}
	pairOf := func(a, b int) *likePair {
		if members[a].unit == members[b].unit {
			return same(members[a].unit)
		}
		p := c.pairs[pairKey(members[a].unit, members[b].unit)]
		return &p
	}
	// Means are taken over units, each as often as it has documents: a text that a
	// thousand documents share makes half a million pairs.
	sum, n, typical := 0.0, 0.0, -1.0
	first := true
	for _, u := range c.units {
		size := float64(len(j.units[u].entries))
		likeness := size - 1
		sum, n = sum+size*(size-1)/2, n+size*(size-1)/2
		if size > 1 {
			g.Distance, first = 0, false
		}
		for _, v := range c.units {
			if v == u {
				continue
			}
			if j.verdict(u, v) == catalog.DecidedDifferent {
				continue
			}
			p := c.pairs[pairKey(u, v)]
			likeness += float64(p.alike.Score) * float64(len(j.units[v].entries))
			if v > u {
				pairs := size * float64(len(j.units[v].entries))
				sum, n = sum+float64(p.alike.Score)*pairs, n+pairs
			}
			if first || p.distance < g.Distance {
				g.Distance, first = p.distance, false
			}
		}
		id := j.units[u].entry().ID
		if likeness > typical || likeness == typical && id < g.Representative {
			typical, g.Representative = likeness, id
		}
	}
	g.Distance = outward(j.measure, g.Distance)
	g.Score, g.Count = float32(sum/n), int(n)
	for _, m := range members {
		one := PairMember{ID: m.entry.ID}
		if snippets {
			var err error
			if one.Snippet, err = j.s.ChunkText(m.entry, 0); err != nil {
				return g, err
			}
		}
		g.Members = append(g.Members, one)
	}
	g.Pairs = func(yield func(Pair, error) bool) {
		for a := range members {
			for b := a + 1; b < len(members); b++ {
				decided := j.verdicts.of(g.Members[a].ID, g.Members[b].ID)
				if decided == catalog.DecidedDifferent {
					continue // others hold them together
				}
				p := pairOf(a, b)
				brought, err := j.brought(ctx, members[a].entry, members[b].entry, p)
				if err != nil {
					yield(Pair{}, err)
					return
				}
				if brought && !yield(Pair{A: g.Members[a], B: g.Members[b], Distance: outward(j.measure, p.distance), Alike: &p.alike, Decided: decided}, nil) {
					return
				}
			}
		}
	}
	return g, nil
}

// ofOneText returns the pair of any two documents of a unit.
func (j *join) ofOneText(u uint32) likePair {
	p := likePair{a: u, b: u, alike: Alike{Score: 1, Words: 1, Trigrams: 1}}
	if len(j.units[u].entry().Chunks) > 0 {
		p.alike.Vector = 1
	}
	return p
}

// pairOf returns the pair of the first documents of two units, or of one.
func (j *join) pairOf(p *likePair) pair {
	out := pair{a: j.units[p.a].entry(), b: j.units[p.b].entry(), distance: p.distance, alike: &p.alike}
	if p.a == p.b {
		out.b = j.units[p.a].entries[1]
	}
	return out
}

// brought reports whether a pair came about since the commit that is asked about:
// one of its documents is new or another, and both were no pair there.
func (j *join) brought(ctx context.Context, a, b *snapshot.Entry, p *likePair) (bool, error) {
	if j.since == nil {
		return true, nil
	}
	if !j.since.changed(a) && !j.since.changed(b) {
		return false, nil
	}
	oldA, okA := j.since.view.Lookup(a.ID)
	oldB, okB := j.since.view.Lookup(b.ID)
	if !okA || !okB {
		return true, nil
	}
	if p.alike.Score < j.MinScore {
		return false, nil // it is one by its group, as it may have been
	}
	score, err := j.before(ctx, oldA, oldB)
	return score < j.MinScore, err
}

// before returns the score of two documents of the commit that is asked about.
func (j *join) before(ctx context.Context, a, b *snapshot.Entry) (float32, error) {
	if j.past == nil {
		text, err := j.since.features(ctx, j.r.Workers())
		if err != nil {
			return 0, err
		}
		past := finder{Pairing: j.Pairing, r: j.r, s: j.since, oneSet: j.oneSet, bound: j.bound, measure: j.measure}
		j.past = &join{finder: &past, text: text, strict: j.strict}
	}
	old := *j.past
	old.units = []unit{j.unit(a), j.unit(b)}
	old.weigh()
	w := old.worker()
	found, err := w.score(nil, 0, []uint32{1}, 0)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	err = w.discount(&found[0])
	return found[0].alike.Score, err
}

// eachGroup calls each with the groups, the best first, until it wants no more.
func (f *finder) eachGroup(ctx context.Context, snippets bool, each func(Group) (bool, error)) error {
	j, err := f.join(ctx, false)
	if err != nil {
		return err
	}
	clusters, err := j.groups(ctx)
	if err != nil {
		return err
	}
	var groups []Group
	for _, c := range clusters {
		g, err := j.group(ctx, c, snippets)
		if err != nil {
			return err
		}
		for _, err := range g.Pairs { // it has one, unless none came about since
			if err != nil {
				return err
			}
			groups = append(groups, g)
			break
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Members[0].ID, b.Members[0].ID))
	})
	for _, g := range groups {
		if more, err := each(g); err != nil || !more {
			return err
		}
	}
	return nil
}

// likely calls each with the pairs that match, the best first, until it wants no more.
func (f *finder) likely(ctx context.Context, each func(pair) (bool, error)) error {
	j, err := f.join(ctx, false)
	if err != nil {
		return err
	}
	for _, p := range j.matched() {
		out := j.pairOf(&p)
		brought, err := j.brought(ctx, out.a, out.b, &p)
		if err != nil {
			return err
		}
		if !brought {
			continue
		}
		if more, err := each(out); err != nil || !more {
			return err
		}
	}
	return nil
}
