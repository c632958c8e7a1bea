package search

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Bounds of where a document's partners are looked for.
const (
	// textPartners and vectorPartners are how many are compared, of those that
	// share its rarest words and trigrams, and of those nearest by vector.
	textPartners, vectorPartners = 12, 8
	// allPartners takes their place where all pairs are asked for.
	allPartners = 40
	// maxHeld is how many documents may have a word or trigram that partners are
	// looked for by, and maxPostings how many are looked at for one document.
	maxHeld, maxPostings = 4000, 4000
	// joinEf is the breadth of the walks of the graph.
	joinEf = 24
	// joinBlock is how many documents one goroutine works on at a time.
	joinBlock = 128
)

// join pairs documents by likeness.
type join struct {
	Pairing
	verdicts *verdicts
	r        *Reader
	s        *Snapshot
	since    *Snapshot // nil: every pair counts
	oneSet   bool
	bound    float32 // the largest distance; below 0 there is none
	measure  measure
	target   *selection
	text     *featureView
	norms    []float32 // by unit, of grams and words: what their weights make
	units    []unit
	unitOf   map[*snapshot.File][]uint32 // by place, 1 + the unit
	index    postings
	// strict is from 0, where numbers differ as often as words are mistyped, to 1,
	// where they differ on purpose.
	strict float32
	pairs  []likePair // over the least score and some below
	best   []bests    // by unit
	past   *join      // of since, without units; nil: not made yet
}

// unit is a document, or several of one text of which there is no telling which is
// meant.
type unit struct {
	entries    []*snapshot.Entry // ascending by id
	set        bool
	target     bool
	fresh      bool // since has it not, or another
	unreadable bool
	fields     []json.RawMessage
}

func (u *unit) entry() *snapshot.Entry { return u.entries[0] }

// likePair is a pair of units, a of the set and b of the target; the lower one first
// where both are of both.
type likePair struct {
	a, b     uint32
	alike    Alike
	distance float32
	same     bool // decided to be
}

func comparePairs(a, b likePair) int { return cmp.Or(cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b)) }

// joinRequest is what both requests have in common.
type joinRequest struct {
	Pairing
	set, target Filter
	bound       float32
	standIn     bool
	// pure leaves the pairs as they are, whatever was decided about them.
	pure bool
}

// newJoin finds the pairs of a request.
func (r *Reader) newJoin(ctx context.Context, s, since *Snapshot, v *verdicts, req joinRequest) (*join, error) {
	j := &join{verdicts: v, r: r, s: s, since: since, bound: req.bound, measure: measureOf(s.settings), oneSet: req.target.empty()}
	j.Pairing = req.withDefaults(j.oneSet)
	if err := s.known(ctx, &j.Pairing); err != nil {
		return nil, err
	}
	set, err := s.selection(ctx, req.set, req.standIn)
	if err != nil {
		return nil, err
	}
	if j.target = set; !j.oneSet {
		if j.target, err = s.selection(ctx, req.target, req.standIn); err != nil {
			return nil, err
		}
	}
	if j.text, err = r.features(ctx, s); err != nil {
		return nil, err
	}
	j.gather(set)
	rows := make([]uint32, 0, len(j.units))
	for i := range j.units {
		if j.units[i].set && (since == nil || j.units[i].fresh) {
			rows = append(rows, uint32(i))
		}
	}
	if j.Likeness == LikenessMixed {
		if err := j.judgeNumbers(ctx); err != nil {
			return nil, err
		}
	}
	if j.pairs, err = j.find(ctx, rows, j.partners); err != nil {
		return nil, err
	}
	if err := j.discountAll(ctx, j.pairs); err != nil {
		return nil, err
	}
	if !req.pure {
		if err := j.decide(); err != nil {
			return nil, err
		}
	}
	j.margins()
	return j, nil
}

// gather lists the units.
func (j *join) gather(set *selection) {
	j.unitOf = make(map[*snapshot.File][]uint32)
	for f := range j.s.view.Files() {
		j.unitOf[f] = make([]uint32, len(f.Entries()))
	}
	type key struct {
		text   [32]byte
		slot   uint32
		fields string
	}
	units := make(map[key]uint32)
	for e := range j.s.view.All() {
		inSet, inTarget := set.admits(e), j.target.admits(e)
		if !inSet && !inTarget || len(e.Chunks) == 0 && e.TextLen == 0 {
			continue
		}
		u := j.unit(e)
		u.set, u.target = inSet, inTarget
		u.fresh = j.since != nil && j.since.changed(e)
		if j.oneSet && j.Match == MatchGroups && !j.verdicts.about(e.ID) {
			k := key{text: e.TextHash}
			if e.Supplied() && len(e.Chunks) > 0 {
				k.slot = e.Chunks[0].Slot + 1
			}
			for _, f := range u.fields {
				k.fields += string(f) + "\x00"
			}
			if at, ok := units[k]; ok {
				old := &j.units[at]
				old.entries, old.fresh = append(old.entries, e), old.fresh || u.fresh
				j.unitOf[e.File()][e.Place()] = at + 1
				continue
			}
			units[k] = uint32(len(j.units))
		}
		j.units = append(j.units, u)
		j.unitOf[e.File()][e.Place()] = uint32(len(j.units))
	}
	j.weigh()
	if j.Likeness != LikenessVector {
		j.index.build(j)
	}
}

// unit returns the unit of a document.
func (j *join) unit(e *snapshot.Entry) unit {
	return unit{
		entries: []*snapshot.Entry{e}, fields: j.conditions(e),
		unreadable: j.Likeness != LikenessWords && j.Likeness != LikenessTrigrams && j.s.Unreadable(e),
	}
}

// weigh sets the norms of the units.
func (j *join) weigh() {
	j.norms = make([]float32, 2*len(j.units))
	for i := range j.units {
		grams, words := float32(0), float32(0)
		for _, g := range j.text.gramsOf(j.units[i].entry()) {
			grams += j.text.grams[g]
		}
		for _, w := range j.text.wordsOf(j.units[i].entry()) {
			words += j.text.words[wordPlace(w)]
		}
		j.norms[2*i], j.norms[2*i+1] = float32(math.Sqrt(float64(grams))), float32(math.Sqrt(float64(words)))
	}
}

// hasText reports whether a unit's document has words.
func (j *join) hasText(u uint32) bool { return j.norms[2*u] > 0 }

// postings list the units of the target by their grams and words, those that few
// enough have.
type postings struct {
	ends  []uint32 // by place of a feature, in units
	units []uint32
}

// places calls yield with the places of a unit's features in the lists.
func (j *join) places(u uint32, yield func(place uint32, weight float32)) {
	e := j.units[u].entry()
	for _, g := range j.text.gramsOf(e) {
		yield(uint32(g), j.text.grams[g])
	}
	for _, w := range j.text.wordsOf(e) {
		yield(wordsFrom+wordPlace(w), 2*j.text.words[wordPlace(w)])
	}
}

func (p *postings) build(j *join) {
	p.ends = make([]uint32, len(j.text.held)+1)
	wanted := make([]bool, len(j.text.held))
	for i := range j.units {
		if u := &j.units[i]; u.set && (j.since == nil || u.fresh) || j.sampled(u.entry()) {
			j.places(uint32(i), func(place uint32, _ float32) {
				wanted[place] = j.text.held[place] > 1 && j.text.held[place] <= maxHeld
			})
		}
	}
	each := func(yield func(unit, place uint32)) {
		for i := range j.units {
			if j.units[i].target {
				j.places(uint32(i), func(place uint32, _ float32) {
					if wanted[place] {
						yield(uint32(i), place)
					}
				})
			}
		}
	}
	each(func(_, place uint32) { p.ends[place+1]++ })
	for place := range wanted {
		p.ends[place+1] += p.ends[place]
	}
	p.units = make([]uint32, p.ends[len(p.ends)-1])
	next := slices.Clone(p.ends)
	each(func(unit, place uint32) {
		p.units[next[place]] = unit
		next[place]++
	})
}

func (p *postings) of(place uint32) []uint32 { return p.units[p.ends[place]:p.ends[place+1]] }

// joinWorker is one of the goroutines of a join, with its scratch memory.
type joinWorker struct {
	*join
	shared  []float32 // by unit, what it shares
	touched []uint32
	lists   []postingList
	grams   []float32 // weight by hash, of the row's
	v       []float32
	slots   []uint32
	dots    []float32
	records map[uint32]*record
}

type postingList struct {
	units  []uint32
	weight float32
}

func (j *join) worker() *joinWorker {
	w := &joinWorker{join: j, grams: make([]float32, 1<<16), records: make(map[uint32]*record)}
	if j.s.vecs != nil {
		w.v = make([]float32, j.s.vecs.Dim())
	}
	return w
}

// find returns the pairs of the rows with the partners that are found for each, from
// half the least score on.
func (j *join) find(ctx context.Context, rows []uint32, partners func(context.Context, *joinWorker, uint32) ([]uint32, error)) ([]likePair, error) {
	workers := make([]*joinWorker, max(j.r.cfg.Workers, 1))
	var pairs []likePair
	err := parallel.Ordered(ctx, len(workers), (len(rows)+joinBlock-1)/joinBlock, func(ctx context.Context, worker, i int) ([]likePair, error) {
		w := workers[worker]
		if w == nil {
			w = j.worker()
			workers[worker] = w
		}
		var found []likePair
		for _, row := range rows[i*joinBlock : min((i+1)*joinBlock, len(rows))] {
			others, err := partners(ctx, w, row)
			if err != nil {
				return nil, err
			}
			if found, err = w.score(found, row, others, j.MinScore/2); err != nil {
				return nil, err
			}
		}
		return found, nil
	}, func(found []likePair) (bool, error) {
		pairs = append(pairs, found...)
		return true, nil
	})
	slices.SortFunc(pairs, comparePairs)
	return slices.CompactFunc(pairs, func(a, b likePair) bool { return comparePairs(a, b) == 0 }), err
}

// partners returns what a row is to be compared with.
func (j *join) partners(ctx context.Context, w *joinWorker, row uint32) ([]uint32, error) {
	text, near := textPartners, vectorPartners
	if j.Match == MatchAll {
		text, near = allPartners, allPartners
	}
	var found []uint32
	if j.Likeness != LikenessVector {
		found = w.byText(row, text)
	}
	// Where no graph stands for a large set, the words must do.
	byVector := j.Likeness == LikenessVector || j.Likeness == LikenessMixed && (len(j.s.scanned) <= maxScanned || !j.hasText(row))
	if byVector && j.s.vecs != nil && !j.units[row].unreadable {
		for _, slot := range slotsOf(j.units[row].entries[:1]) {
			if ok, err := j.s.queryVector(slot, w.v); err != nil || !ok {
				if err != nil {
					return nil, err
				}
				continue
			}
			hits, err := j.r.slots(ctx, j.s, w.v, j.target, near+1, max(joinEf, near), nil)
			if err != nil {
				return nil, err
			}
			for _, h := range hits {
				for e := range j.s.view.Holders(h.Slot) {
					if u := j.unitOf[e.File()][e.Place()]; u > 0 && j.units[u-1].target {
						found = append(found, u-1)
					}
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// maxScanned is how many vectors may be measured one by one for each document.
const maxScanned = 10_000

// byText returns the units of the target that share most with a row, of its rarest
// words and trigrams.
func (w *joinWorker) byText(row uint32, most int) []uint32 {
	if w.shared == nil {
		w.shared = make([]float32, len(w.units))
	}
	w.lists, w.touched = w.lists[:0], w.touched[:0]
	w.places(row, func(place uint32, weight float32) {
		if units := w.index.of(place); len(units) > 0 {
			w.lists = append(w.lists, postingList{units, weight})
		}
	})
	slices.SortFunc(w.lists, func(a, b postingList) int {
		return cmp.Or(cmp.Compare(len(a.units), len(b.units)), cmp.Compare(b.weight, a.weight))
	})
	looked := 0
	for i, l := range w.lists {
		if looked += len(l.units); looked > maxPostings && len(w.touched) > 0 {
			w.lists = w.lists[:i]
			break
		}
		for _, u := range l.units {
			if w.shared[u] == 0 {
				w.touched = append(w.touched, u)
			}
			w.shared[u] += l.weight
		}
	}
	for _, u := range w.touched {
		w.shared[u] /= w.norms[2*u]
	}
	w.shared[row] = 0
	best := first(w.touched, most+1, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(w.shared[b], w.shared[a]), cmp.Compare(a, b))
	})
	found := slices.Clone(best)
	for _, l := range w.lists {
		for _, u := range l.units {
			w.shared[u] = 0
		}
	}
	return found
}

// whatever is the least score of pairs that nothing keeps apart.
const whatever = -1

// score adds the pairs of a row and others that are at least so much alike.
func (w *joinWorker) score(pairs []likePair, row uint32, others []uint32, least float32) ([]likePair, error) {
	from := len(pairs)
	u := &w.units[row]
	for _, g := range w.text.gramsOf(u.entry()) {
		w.grams[g] = w.text.grams[g]
	}
	for _, o := range others {
		v := &w.units[o]
		if o == row || least != whatever && (!agree(u.fields, v.fields) || (u.unreadable || v.unreadable) && !identical(u.entry(), v.entry())) {
			continue
		}
		p := likePair{a: row, b: o, distance: float32(math.Inf(1))}
		if v.set && u.target && o < row {
			p.a, p.b = o, row
		}
		for _, g := range w.text.gramsOf(v.entry()) {
			p.alike.Trigrams += w.grams[g]
		}
		p.alike.Trigrams = ratio(p.alike.Trigrams, w.norms[2*row]*w.norms[2*o])
		p.alike.Words = ratio(w.sharedWords(u.entry(), v.entry()), w.norms[2*row+1]*w.norms[2*o+1])
		pairs = append(pairs, p)
	}
	for _, g := range w.text.gramsOf(u.entry()) {
		w.grams[g] = 0
	}
	if err := w.distances(row, pairs[from:]); err != nil {
		return nil, err
	}
	kept := pairs[:from]
	for _, p := range pairs[from:] {
		if w.bound >= 0 && !(p.distance <= w.bound) && least != whatever {
			continue
		}
		if p.alike.Score = w.mix(&p); p.alike.Score >= least {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

// ratio is a cosine; rounding may take it above 1.
func ratio(a, b float32) float32 {
	if b <= 0 {
		return 0
	}
	if a = a / b; a > 1-rounding {
		return 1
	}
	return a
}

// sharedWords returns the weight of the words that both have.
func (j *join) sharedWords(a, b *snapshot.Entry) (sum float32) {
	x, y := j.text.wordsOf(a), j.text.wordsOf(b)
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] < y[0]:
			x = x[1:]
		case x[0] > y[0]:
			y = y[1:]
		default:
			sum += j.text.words[wordPlace(x[0])]
			x, y = x[1:], y[1:]
		}
	}
	return sum
}

// distances measures the pairs of a row by their nearest chunks.
func (w *joinWorker) distances(row uint32, pairs []likePair) error {
	if w.s.vecs == nil {
		return nil
	}
	end := w.s.vecs.Len()
	for _, c := range w.units[row].entry().Chunks {
		if c.Slot >= end {
			continue // damaged: the store has lost its end
		}
		if ok, err := w.s.queryVector(c.Slot, w.v); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		w.slots = w.slots[:0]
		for i := range pairs {
			for _, c := range w.units[pairs[i].a^pairs[i].b^row].entry().Chunks {
				if c.Slot < end {
					w.slots = append(w.slots, c.Slot)
				}
			}
		}
		w.dots = slices.Grow(w.dots[:0], len(w.slots))[:len(w.slots)]
		if err := w.s.Vectors().Dots(w.v, w.slots, w.dots); err != nil {
			return catalog.StoreError(err)
		}
		at := 0
		for i := range pairs {
			other := w.units[pairs[i].a^pairs[i].b^row].entry()
			for _, c := range other.Chunks {
				if c.Slot < end {
					d := w.measure.ofEntries(w.units[row].entry(), other, w.measure.distance(w.dots[at]))
					pairs[i].distance = min(pairs[i].distance, d)
					at++
				}
			}
		}
	}
	for i := range pairs {
		if d := pairs[i].distance; !math.IsInf(float64(d), 0) {
			pairs[i].alike.Vector = w.measure.likenessOf(d)
		}
	}
	return nil
}

// outward returns a distance as answers tell it: what cannot be measured, a vector
// being damaged, is far.
func (m measure) outward(distance float32) float32 {
	if math.IsInf(float64(distance), 0) {
		return m.distance(-1)
	}
	return distance
}

// mix returns the score of a pair by its parts.
func (j *join) mix(p *likePair) float32 {
	switch j.Likeness {
	case LikenessVector:
		return p.alike.Vector
	case LikenessWords:
		return p.alike.Words
	case LikenessTrigrams:
		return p.alike.Trigrams
	}
	if !j.hasText(p.a) || !j.hasText(p.b) {
		// The vector alone must say more than beside the others: what is a pair by it
		// by default is one by the mixed likeness.
		mixed, alone := j.least(LikenessMixed), j.least(LikenessVector)
		return max(0, mixed+(p.alike.Vector-alone)*(1-mixed)/(1-alone))
	}
	if math.IsInf(float64(p.distance), 0) {
		return (p.alike.Words + p.alike.Trigrams) / 2
	}
	return (p.alike.Vector + p.alike.Words + p.alike.Trigrams) / 3
}

// The part of a score that numbers that differ can take, and from which score on two
// documents tell what such numbers mean.
const (
	numbersTake = 0.7
	clearlyLike = 0.6
	sampleSize  = 1000
)

// sampled reports whether a document is one of those by which numbers are judged:
// about sampleSize, by their texts, so that it does not matter who asks when.
func (j *join) sampled(e *snapshot.Entry) bool {
	return j.Likeness == LikenessMixed &&
		uint64(binary.LittleEndian.Uint32(e.TextHash[:]))*uint64(max(len(j.units), 1)) <= sampleSize<<32
}

// judgeNumbers tells whether numbers that differ tell two things apart in this set,
// or are mistyped as words are. In a catalogue, texts that are alike and have other
// numbers have the same words; where people type, mistakes in numbers and in words
// come together.
func (j *join) judgeNumbers(ctx context.Context) error {
	var rows []uint32
	for i := range j.units {
		if j.units[i].target && j.sampled(j.units[i].entry()) {
			rows = append(rows, uint32(i))
		}
	}
	pairs, err := j.find(ctx, rows, func(_ context.Context, w *joinWorker, row uint32) ([]uint32, error) {
		return w.byText(row, 4), nil
	})
	if err != nil {
		return err
	}
	w := j.worker()
	alone, together := 2, 0 // where nothing is known they are meant
	for i := range pairs {
		if pairs[i].alike.Score < clearlyLike {
			continue
		}
		d, err := w.difference(pairs[i].a, pairs[i].b)
		if err != nil {
			return err
		}
		switch {
		case d.numbers && d.typing:
			together++
		case d.numbers && !d.words:
			alone++
		}
	}
	j.strict = min(max((float32(alone)/float32(alone+together)-.4)/.2, 0), 1)
	return ctx.Err()
}

// difference says how the texts of two units differ.
func (w *joinWorker) difference(a, b uint32) (difference, error) {
	var records [2]*record
	if len(w.records) > 500 {
		clear(w.records)
	}
	for i, u := range [2]uint32{a, b} {
		if w.records[u] == nil {
			text, err := w.s.soundText(w.units[u].entry())
			if err != nil {
				return difference{}, err
			}
			w.records[u] = newRecord(text)
		}
		records[i] = w.records[u]
	}
	few := uint32(max(3, len(w.units)/5000))
	return records[0].compare(records[1], func(word string) bool {
		h := hashBasis
		for _, r := range word {
			h = hashed(h, uint32(r))
		}
		return w.text.held[wordsFrom+wordPlace(h)] <= few
	}), nil
}

// discountAll is discount for the pairs.
func (j *join) discountAll(ctx context.Context, pairs []likePair) error {
	if j.strict == 0 {
		return nil
	}
	workers := make([]*joinWorker, max(j.r.cfg.Workers, 1))
	return parallel.Do(ctx, len(workers), (len(pairs)+joinBlock-1)/joinBlock, func(ctx context.Context, worker, i int) error {
		if workers[worker] == nil {
			workers[worker] = j.worker()
		}
		for k := i * joinBlock; k < min((i+1)*joinBlock, len(pairs)); k++ {
			if err := workers[worker].discount(&pairs[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

// discount takes from the score of a pair what numbers and codes count that differ.
// What is no pair without is left as it is.
func (w *joinWorker) discount(p *likePair) error {
	if w.strict == 0 || p.alike.Score < w.MinScore {
		return nil
	}
	d, err := w.difference(p.a, p.b)
	if err != nil || !d.numbers {
		return err
	}
	share := d.share
	if w.oneSet && !d.typing {
		share = 1
	}
	p.alike.Score *= 1 - numbersTake*w.strict*share
	return nil
}
