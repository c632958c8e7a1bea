package pairs

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// DecisionRequest asks to note one decision.
type DecisionRequest struct {
	Domain   string `param:"domain" kind:"domain" need:""`
	Ref      search.Ref
	A        string `param:"a" need:"" help:"Id of one document, in full."`
	B        string `param:"b" need:"" help:"Id of the other."`
	Decision string `param:"decision" words:"same,different,later,open" need:"" help:"Whether they are the same thing: same, different, or later for not decided yet; open takes back what was decided."`
	By       string `param:"by" help:"Who says so."`
	Note     string `param:"note" help:"Why."`
}

// DecisionsRequest asks for the decisions that were made about documents of a domain.
type DecisionsRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	From   int    `param:"from" default:"1" least:"1" help:"List those from this number on."`
	Count  int    `param:"count" default:"100" least:"1" most:"1000" help:"Most to list, 1 to 1000."` // of a page
}

// Decisions returns all decisions from a number on, and the newest number.
func (m *Matcher) Decisions(req DecisionsRequest) (list []catalog.Decision, newest uint64, err error) {
	d, err := m.r.Domains().Domain(req.Domain)
	if err != nil {
		return nil, 0, err
	}
	list, newest, err = decisions(d)
	at, _ := slices.BinarySearchFunc(list, uint64(max(req.From, 0)), func(x catalog.Decision, n uint64) int { return cmp.Compare(x.N, n) })
	return list[at:], newest, err
}

// DecisionsAt returns the decisions that count at a commit, in the order they were made:
// those of it and of the commits that it was built on.
func (m *Matcher) DecisionsAt(domain, commit string) ([]catalog.Decision, error) {
	d, err := m.r.Domains().Domain(domain)
	if err != nil {
		return nil, err
	}
	list, _, err := decisions(d)
	counts := d.State().Lineage(commit)
	return slices.DeleteFunc(slices.Clone(list), func(x catalog.Decision) bool { return !counts(&x) }), err
}

// decisions returns those made and the number of the newest, 0 for none.
func decisions(d *search.Domain) (list []catalog.Decision, newest uint64, err error) {
	if list, err = d.Decisions(); len(list) > 0 {
		newest = list[len(list)-1].N
	}
	return list, newest, err
}

// Decided says which decisions an answer applies.
type Decided struct {
	// UpTo is the number of the last one, "none", or "newest". Where it is empty,
	// pairs by likeness go by the newest, those by distance by none.
	UpTo string `param:"decisions" kind:"decisions" name:"decided" placeholder:"N" help:"Apply decisions up to this number, none, or the newest."`
	// Also are applied after those, whatever commit they name.
	Also []catalog.Decision
}

// NoDecisions and NewestDecisions are words of [Decided].
const (
	NoDecisions     = "none"
	NewestDecisions = "newest"
)

// verdicts are the decisions that an answer applies; nil for none.
type verdicts struct {
	pairs map[[2]string]catalog.Verdict // the lower id first
	with  map[string][]string           // of each document, those it was decided about with
	sum   [sha256.Size]byte
}

// of returns what was decided about two documents, "" for nothing.
func (v *verdicts) of(a, b string) catalog.Verdict {
	if v == nil || len(v.pairs) == 0 {
		return ""
	}
	return v.pairs[[2]string{min(a, b), max(a, b)}]
}

// partners returns the documents that were decided to be so beside one.
func (v *verdicts) partners(id string, verdict catalog.Verdict) (ids []string) {
	if v == nil {
		return nil
	}
	for _, other := range v.with[id] {
		if v.of(id, other) == verdict {
			ids = append(ids, other)
		}
	}
	return ids
}

// known returns the pairs of a document with those of a selection that were decided to
// be the same as it, at whatever distance.
func (f *finder) known(e *snapshot.Entry, among *search.Selection) (pairs []pair, err error) {
	for _, id := range f.verdicts.partners(e.ID, catalog.DecidedSame) {
		other, ok := f.s.view.Lookup(id)
		if !ok || !among.Admits(other) {
			continue
		}
		d, err := f.s.distance(e, other)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{a: e, b: other, distance: outward(f.measure, d)})
	}
	return pairs, nil
}

// addDecided adds to pairs by distance those that were decided to be the same and
// are missing.
func (f *finder) addDecided(pairs []pair) ([]pair, error) {
	if f.verdicts == nil {
		return pairs, nil
	}
	there := make(map[[2]string]bool)
	for _, p := range pairs {
		there[[2]string{p.a.ID, p.b.ID}] = true
	}
	for _, id := range slices.Sorted(maps.Keys(f.verdicts.with)) {
		e, ok := f.s.view.Lookup(id)
		if !ok || !f.set.Admits(e) || f.since != nil && f.since.has(id) {
			continue
		}
		known, err := f.known(e, f.target)
		if err != nil {
			return nil, err
		}
		for _, p := range known {
			if p.b.ID < p.a.ID {
				p.a, p.b = p.b, p.a
			}
			if k := [2]string{p.a.ID, p.b.ID}; !there[k] {
				there[k] = true
				pairs = append(pairs, p)
			}
		}
	}
	return pairs, nil
}

func (s *opened) has(id string) bool {
	_, ok := s.view.Lookup(id)
	return ok
}

// decide applies the decisions to the pairs: those decided different are none, and
// those decided the same are there whatever their scores.
func (j *join) decide() error {
	if j.verdicts == nil || len(j.verdicts.pairs) == 0 {
		return nil
	}
	at := make(map[uint64]int)
	j.pairs = slices.DeleteFunc(j.pairs, func(p likePair) bool { return j.verdict(p.a, p.b) == catalog.DecidedDifferent })
	for i, p := range j.pairs {
		at[pairKey(p.a, p.b)] = i
	}
	w := j.worker()
	for ids, verdict := range j.verdicts.pairs {
		a, b := j.unitFor(ids[0]), j.unitFor(ids[1])
		if verdict != catalog.DecidedSame || a == b || a < 0 || b < 0 {
			continue
		}
		if u, v := &j.units[a], &j.units[b]; !(u.set && v.target) {
			if a, b = b, a; !(v.set && u.target) {
				continue
			}
		}
		i, ok := at[pairKey(uint32(a), uint32(b))]
		if !ok {
			found, err := w.score(nil, uint32(a), []uint32{uint32(b)}, whatever)
			if err == nil {
				err = w.discount(&found[0])
			}
			if err != nil {
				return err
			}
			i = len(j.pairs)
			j.pairs = append(j.pairs, found[0])
		}
		j.pairs[i].same = true
	}
	slices.SortFunc(j.pairs, comparePairs)
	return nil
}

// unitFor returns the unit of a document, below 0 for none.
func (j *join) unitFor(id string) int {
	e, ok := j.s.view.Lookup(id)
	if !ok {
		return -1
	}
	return int(j.unitOf[e.File()][e.Place()]) - 1
}

// verdict returns what was decided about two units. Documents that a decision is
// about have units of their own.
func (j *join) verdict(a, b uint32) catalog.Verdict {
	return j.verdicts.of(j.units[a].entry().ID, j.units[b].entry().ID)
}

// apart reports whether any of two groups' documents were decided to be different.
func (j *join) apart(a, b *likeGroup, of map[uint32]*likeGroup) bool {
	if j.verdicts == nil {
		return false
	}
	for _, u := range a.units {
		for _, id := range j.verdicts.partners(j.units[u].entry().ID, catalog.DecidedDifferent) {
			if v := j.unitFor(id); v >= 0 && of[uint32(v)] == b {
				return true
			}
		}
	}
	return false
}

// about reports whether a decision is about a document.
func (v *verdicts) about(id string) bool { return v != nil && len(v.with[id]) > 0 }

// mixed returns a hash of what an answer depends on, the decisions with it.
func (v *verdicts) mixed(identity [sha256.Size]byte) [sha256.Size]byte {
	if v == nil {
		return identity
	}
	return sha256.Sum256(append(identity[:], v.sum[:]...))
}

// verdicts returns the decisions that an answer at a commit applies, and up to which
// number, as answers tell it.
func verdictsAt(d *search.Domain, commit string, req Decided, byDefault bool) (*verdicts, string, error) {
	var list []catalog.Decision
	var newest uint64
	applied := ""
	switch {
	case req.UpTo == NoDecisions:
		applied = NoDecisions
	case req.UpTo != "" || byDefault:
		var err error
		if list, newest, err = decisions(d); err != nil {
			return nil, "", err
		}
		if req.UpTo != "" && req.UpTo != NewestDecisions {
			n, err := strconv.ParseUint(req.UpTo, 10, 64)
			if err != nil {
				return nil, "", fmt.Errorf("%w: decisions must be a number, none or newest", contract.ErrInvalid)
			}
			if n > newest {
				return nil, "", fmt.Errorf("%w: no decision has the number %d: the newest about %s is %d", contract.ErrNotFound, n, d.Name(), newest)
			}
			newest = n
		}
		applied = strconv.FormatUint(newest, 10)
	}
	if (applied == "" || applied == NoDecisions) && len(req.Also) == 0 {
		return nil, applied, nil
	}
	v := &verdicts{pairs: make(map[[2]string]catalog.Verdict), with: make(map[string][]string)}
	counts := d.State().Lineage(commit)
	for i := range list {
		if x := &list[i]; x.N <= newest && counts(x) {
			v.note(x)
		}
	}
	for i := range req.Also {
		v.note(&req.Also[i])
	}
	sum := sha256.New()
	keys := slices.SortedFunc(maps.Keys(v.pairs), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		v.with[k[0]], v.with[k[1]] = append(v.with[k[0]], k[1]), append(v.with[k[1]], k[0])
		for _, text := range []string{k[0], k[1], string(v.pairs[k])} {
			_ = binary.Write(sum, binary.LittleEndian, uint32(len(text))) // a hash takes all
			sum.Write([]byte(text))
		}
	}
	sum.Sum(v.sum[:0])
	return v, applied, nil
}

// note has a decision stand in the place of those before it.
func (v *verdicts) note(x *catalog.Decision) {
	if k := [2]string{x.A, x.B}; x.Verdict == catalog.DecidedOpen {
		delete(v.pairs, k)
	} else {
		v.pairs[k] = x.Verdict
	}
}
