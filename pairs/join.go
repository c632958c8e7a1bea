package pairs

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/internal/top"
	"github.com/vectorlink/vectorlink/search"
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
	*finder
	pure   bool // pairs are as they are, whatever was decided about them
	text   *featureView
	norms  []float32 // by unit, of grams and words: what their weights make
	units  []unit
	unitOf map[*snapshot.File][]uint32 // by place, 1 + the unit
	index  postings
	// strict is from 0, where numbers differ as often as words are mistyped, to 1,
	// where they differ on purpose.
	strict float32
	texts  map[uint32]string // by unit, of those that are compared for their numbers
	pairs  []likePair        // over the least score and some below
	best   []bests           // by unit
	past   *join             // of since, without units; nil: not made yet
}

// unit is a document, or several of one text of which there is no telling which is
// meant.
type unit struct {
	entries []*snapshot.Entry // ascending by id
	set     bool
	target  bool
	fresh   bool // since has it not, or another
	fields  []json.RawMessage
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

// join finds the pairs of a request by likeness.
func (f *finder) join(ctx context.Context, pure bool) (j *join, err error) {
	j = &join{finder: f, pure: pure}
	if j.text, err = f.s.features(ctx, f.r.Workers()); err != nil {
		return nil, err
	}
	j.gather()
	rows := make([]uint32, 0, len(j.units))
	for i := range j.units {
		if j.units[i].set && (f.since == nil || j.units[i].fresh) {
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
	if !pure {
		if err := j.decide(); err != nil {
			return nil, err
		}
	}
	j.margins()
	return j, nil
}

// gather lists the units.
func (j *join) gather() {
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
		inSet, inTarget := j.set.Admits(e), j.target.Admits(e)
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
	return unit{entries: []*snapshot.Entry{e}, fields: j.conditions(e)}
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
	starts, ends []uint32 // by place of a feature, in units
	units        []uint32
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
	held := j.text.held
	wanted := make([]bool, len(held))
	for i := range j.units {
		if u := &j.units[i]; u.set && (j.since == nil || u.fresh) || j.sampled(u.entry()) {
			j.places(uint32(i), func(place uint32, _ float32) {
				wanted[place] = held[place] > 1 && held[place] <= maxHeld
			})
		}
	}
	// A list has room for all documents of the snapshot that have the feature.
	p.starts = make([]uint32, len(held)+1)
	for place := range wanted {
		p.starts[place+1] = p.starts[place]
		if wanted[place] {
			p.starts[place+1] += held[place]
		}
	}
	p.units = make([]uint32, p.starts[len(held)])
	p.ends = slices.Clone(p.starts)
	for i := range j.units {
		if !j.units[i].target {
			continue
		}
		e := j.units[i].entry()
		for _, g := range j.text.gramsOf(e) {
			if wanted[g] {
				p.add(uint32(g), uint32(i))
			}
		}
		for _, w := range j.text.wordsOf(e) {
			if place := wordsFrom + wordPlace(w); wanted[place] {
				p.add(place, uint32(i))
			}
		}
	}
}

func (p *postings) add(place, unit uint32) {
	p.units[p.ends[place]] = unit
	p.ends[place]++
}

func (p *postings) of(place uint32) []uint32 { return p.units[p.starts[place]:p.ends[place]] }

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
	workers := make([]*joinWorker, j.r.Workers())
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
	byVector := j.Likeness == LikenessVector || j.Likeness == LikenessMixed && (len(j.s.Scanned()) <= maxScanned || !j.hasText(row))
	if byVector && j.s.vecs != nil {
		for _, slot := range search.SlotsOf(j.units[row].entries[:1]) {
			if j.s.view.Unreadable(slot) { // near to nothing but itself
				found = j.holders(found, slot)
				continue
			}
			if ok, err := j.s.QueryVector(slot, w.v); err != nil || !ok {
				if err != nil {
					return nil, err
				}
				continue
			}
			hits, err := j.r.Slots(ctx, j.s.Snapshot, w.v, j.target, near+1, max(joinEf, near), nil)
			if err != nil {
				return nil, err
			}
			for _, h := range hits {
				found = j.holders(found, h.Slot)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// holders adds the units of the target that have a slot.
func (j *join) holders(found []uint32, slot uint32) []uint32 {
	for e := range j.s.view.Holders(slot) {
		if u := j.unitOf[e.File()][e.Place()]; u > 0 && j.units[u-1].target {
			found = append(found, u-1)
		}
	}
	return found
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
	best := top.First(w.touched, most+1, func(a, b uint32) int {
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
