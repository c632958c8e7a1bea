package pairs

import (
	"context"
	"encoding/binary"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/snapshot"
)

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
		if o == row || least != whatever && (!agree(u.fields, v.fields)) {
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
	e := w.units[row].entry()
	for _, c := range e.Chunks {
		if c.Slot >= end {
			continue // damaged: the store has lost its end
		}
		if ok, err := w.s.QueryVector(c.Slot, w.v); err != nil || !ok {
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
			for k, o := range other.Chunks {
				if o.Slot >= end {
					continue
				}
				d := w.measure.OfEntries(e, other, w.measure.Distance(w.dots[at]))
				if at++; d >= pairs[i].distance || !w.s.comparable(e, other, c.Slot, o.Slot) {
					continue
				}
				blind, err := w.s.blind(e, other, k, d)
				if err != nil {
					return err
				}
				if !blind {
					pairs[i].distance = d
				}
			}
		}
	}
	for i := range pairs {
		if d := pairs[i].distance; !math.IsInf(float64(d), 0) {
			pairs[i].alike.Vector = likenessOf(w.s.settings.Metric, d)
		}
	}
	return nil
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
			text, ok := w.texts[u]
			if !ok {
				var err error
				if text, err = w.s.SoundText(w.units[u].entry()); err != nil {
					return difference{}, err
				}
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
	if err := j.readTexts(ctx, pairs); err != nil {
		return err
	}
	defer func() { j.texts = nil }()
	workers := make([]*joinWorker, j.r.Workers())
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

// maxTexts bounds the texts that are read ahead, in bytes.
const maxTexts = 64 << 20

// readTexts reads the texts that the discounts of the pairs need in the order in which
// they lie in files, where many are compressed together. Those that are too much are
// read when they are needed.
func (j *join) readTexts(ctx context.Context, pairs []likePair) error {
	needed := make([]bool, len(j.units))
	for i := range pairs {
		if p := &pairs[i]; p.alike.Score >= j.MinScore {
			needed[p.a], needed[p.b] = true, true
		}
	}
	j.texts = make(map[uint32]string)
	size := 0
	for u := range needed {
		if !needed[u] {
			continue
		}
		text, err := j.s.SoundText(j.units[u].entry())
		if size += len(text); err != nil || size > maxTexts {
			return err
		}
		if j.texts[uint32(u)] = text; u%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
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
