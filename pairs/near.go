package pairs

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
)

// nearJoin finds all pairs of documents within a distance. It measures every chunk of
// the set against every one of the target by their 8-bit codes, and exactly those that
// may be near enough by what codes lose at most (all of them where that is not known
// beforehand, the vectors being of any length). So it takes a time in proportion to the
// product of the numbers of chunks, and memory for two small records a chunk. Chunks of
// one text are found by their common slot, and where only these can be near enough
// nothing is measured.
type nearJoin struct {
	*finder
	rows    []nearChunk // of the set, by id
	columns []nearChunk // of the target, by id
	same    bool        // rows and columns are the same
	slots   []uint32    // of columns
	bySlot  []uint32    // columns ordered by slot
	codes   *vecstore.Codes
	scale   float32 // the largest of columns
}

// within calls each with the pairs within the bound until it wants no more.
func (f *finder) within(ctx context.Context, each func(pair) (bool, error)) error {
	j := &nearJoin{finder: f}
	j.gather()
	return j.pairs(ctx, each)
}

// nearChunk is a chunk of a document.
type nearChunk struct {
	entry *snapshot.Entry
	chunk int
	both  bool // the document is of the set and of the target
}

func (c *nearChunk) slot() uint32 { return c.entry.Chunks[c.chunk].Slot }

// gather lists the chunks of both sides.
func (j *nearJoin) gather() {
	j.same = j.oneSet && j.since == nil
	if j.s.vecs == nil {
		return
	}
	end := j.s.vecs.Len()
	for e := range j.s.view.All() {
		inSet := j.inSet(e)
		inTarget := j.target.Admits(e)
		for i := range e.Chunks {
			if e.Chunks[i].Slot >= end {
				continue // damaged: the store has lost its end
			}
			c := nearChunk{e, i, inSet && inTarget}
			if inSet {
				j.rows = append(j.rows, c)
			}
			if inTarget && !j.same {
				j.columns = append(j.columns, c)
			}
		}
	}
	if j.same {
		j.columns = j.rows
	}
	j.slots, j.bySlot = make([]uint32, len(j.columns)), make([]uint32, len(j.columns))
	for i := range j.columns {
		j.slots[i], j.bySlot[i] = j.columns[i].slot(), uint32(i)
	}
	slices.SortFunc(j.bySlot, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(j.slots[a], j.slots[b]), cmp.Compare(a, b))
	})
}

// measures reports whether other pairs than those of one text are near enough.
func (j *nearJoin) measures() bool { return j.bound >= j.measure.OfTexts(false, 0) }

// coded reports whether products by codes tell what is near enough: they are
// off by a known amount where both vectors have unit length.
func (j *nearJoin) coded() bool {
	return j.s.settings.Directed() && j.s.settings.Metric != catalog.MetricL2
}

// Rows are worked on in blocks of nearRows chunks (and to the end of a
// document), one block by one goroutine, against nearColumns columns at a time:
// so many codes stay in a processor's cache while all rows of a block are
// measured against them. Fewer rows where there are so many columns that a
// block's pairs, should all be near enough, were a burden to memory.
const (
	nearRows    = 64
	nearColumns = 512
	nearPairs   = 4 << 20
)

// pairs calls each with the pairs in order, until it wants no more.
func (j *nearJoin) pairs(ctx context.Context, each func(pair) (more bool, err error)) error {
	if len(j.rows) == 0 || len(j.columns) == 0 {
		return nil
	}
	if j.measures() && j.coded() {
		slots := slices.Clone(j.slots)
		for i := range j.rows {
			slots = append(slots, j.rows[i].slot())
		}
		var err error
		if j.codes, err = j.s.vecs.Codes(slots); err != nil {
			return catalog.StoreError(err)
		}
		defer j.codes.Release()
		for _, slot := range j.slots {
			j.scale = max(j.scale, j.codes.Codes().Scales[slot])
		}
	}
	blocks := j.blocks()
	workers := make([]*nearWorker, j.r.Workers())
	return parallel.Ordered(ctx, len(workers), len(blocks), func(ctx context.Context, worker, i int) ([]pair, error) {
		if workers[worker] == nil {
			workers[worker] = j.worker()
		}
		return workers[worker].block(ctx, blocks[i])
	}, func(found []pair) (bool, error) {
		for _, p := range found {
			if more, err := each(p); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	})
}

// rowSpan is a stretch of rows.
type rowSpan struct{ from, to int }

// blocks parts the rows, at the ends of documents.
func (j *nearJoin) blocks() []rowSpan {
	size := max(1, min(nearRows, nearPairs/len(j.columns)))
	var blocks []rowSpan
	for from := 0; from < len(j.rows); {
		to := min(from+size, len(j.rows))
		for to < len(j.rows) && j.rows[to].entry == j.rows[to-1].entry {
			to++
		}
		blocks = append(blocks, rowSpan{from, to})
		from = to
	}
	return blocks
}

// nearWorker is one of the goroutines of a nearJoin, with its scratch memory.
type nearWorker struct {
	*nearJoin
	queries []vector.Query // by row of the block
	bars    []bar
	near    [][]uint32 // columns that may be near enough
	dots    []float32
	sums    []int32
	ids     []uint32
	along   []uint32
	v       []float32

	exactSlots []uint32
	exact      []float32
}

func (j *nearJoin) worker() *nearWorker {
	return &nearWorker{nearJoin: j, dots: make([]float32, nearColumns), sums: make([]int32, nearColumns), along: make([]uint32, nearColumns), v: make([]float32, j.s.view.Header().Dim)}
}

// block returns the pairs of the rows of a block, in order.
func (w *nearWorker) block(ctx context.Context, b rowSpan) ([]pair, error) {
	for len(w.near) < b.to-b.from {
		w.near, w.queries = append(w.near, nil), append(w.queries, vector.Query{})
	}
	for i := range w.near {
		w.near[i] = w.near[i][:0]
	}
	if w.measures() {
		if err := w.guess(ctx, b); err != nil {
			return nil, err
		}
	}
	var out []pair
	for from := b.from; from < b.to; {
		to := from + 1
		for to < b.to && w.rows[to].entry == w.rows[from].entry {
			to++
		}
		found, err := w.document(from, to, w.near[from-b.from:to-b.from])
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		from = to
	}
	return out, nil
}

// guess finds, for each row of the block, the columns that by their codes may
// be near enough.
func (w *nearWorker) guess(ctx context.Context, b rowSpan) error {
	if !w.coded() {
		return w.measureAll(ctx, b)
	}
	codes := w.codes.Codes()
	rows := w.queries[:b.to-b.from]
	bars := w.bars[:0]
	for i := range rows {
		slot := w.rows[b.from+i].slot()
		if ok, err := w.s.QueryVector(slot, w.v); err != nil {
			return err
		} else if !ok {
			clear(w.v) // near to nothing
		}
		rows[i].Set(w.v)
		bars = append(bars, w.bar(&rows[i]))
	}
	w.bars = bars
	from := 0
	if w.same {
		from = b.from // pairs with those before were found from there
	}
	for ; from < len(w.columns); from += nearColumns {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// A copy: Screen moves what it is given, if it drops some. Here it drops
		// none, for it would drop some that are near enough.
		w.ids = append(w.ids[:0], w.slots[from:min(from+nearColumns, len(w.columns))]...)
		dots, sums, along := w.dots[:len(w.ids)], w.sums[:len(w.ids)], w.along[:len(w.ids)]
		for i := range rows {
			codes.Screen(sums, &rows[i], w.ids, along, float32(math.Inf(-1)))
			codes.Dots(dots, sums, &rows[i], w.ids)
			lowest := bars[i].least - bars[i].slope*w.scale // of any column
			for k, dot := range dots {
				if dot >= lowest && dot+bars[i].slope*codes.Scales[w.ids[k]] >= bars[i].least {
					w.near[i] = append(w.near[i], uint32(from+k))
				}
			}
		}
	}
	return nil
}

// bar says which columns a row is to be measured with: those whose product by
// codes and slope times their scale make at least least.
type bar struct{ least, slope float32 }

// halfScale is what a code errs by at most, in scales, with room for how it is
// computed.
const halfScale = 0.501

// bar returns the bar of a row, for whose vector, which is in w.v, the query was
// set. No column is left out that is near enough: what is added for rounding is
// the most that it can take, whichever way the values err.
func (w *nearWorker) bar(row *vector.Query) bar {
	length, sum := row.Loss(w.v)
	least := 1 - 2*w.bound // as in measure.distance
	if w.s.settings.Metric == catalog.MetricIP {
		least = 1 - w.bound
	}
	return bar{least - length - rounding, halfScale * sum}
}

// measureAll does guess's work exactly.
func (w *nearWorker) measureAll(ctx context.Context, b rowSpan) error {
	for i, row := range w.rows[b.from:b.to] {
		if ok, err := w.s.QueryVector(row.slot(), w.v); err != nil {
			return err
		} else if !ok {
			continue
		}
		for from := 0; from < len(w.columns); from += nearColumns {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			slots := w.slots[from:min(from+nearColumns, len(w.columns))]
			dots := w.dots[:len(slots)]
			if err := w.s.Vectors().Dots(w.v, slots, dots); err != nil {
				return catalog.StoreError(err)
			}
			for k, dot := range dots {
				if w.measure.Distance(dot) <= w.bound {
					w.near[i] = append(w.near[i], uint32(from+k))
				}
			}
		}
	}
	return nil
}

// document returns the pairs of a document, whose chunks are the rows from from
// to to, nearest first.
func (w *nearWorker) document(from, to int, near [][]uint32) ([]pair, error) {
	var found []pair
	for i, row := range w.rows[from:to] {
		slot := row.slot()
		at, _ := slices.BinarySearchFunc(w.bySlot, slot, func(c, slot uint32) int { return cmp.Compare(w.slots[c], slot) })
		zero := w.measure.Zero() // else a common slot says nothing
		for ; zero && at < len(w.bySlot) && w.slots[w.bySlot[at]] == slot; at++ {
			w.add(&found, &row, &w.columns[w.bySlot[at]], 0)
		}
		columns := slices.DeleteFunc(near[i], func(c uint32) bool { return zero && w.slots[c] == slot || !wants(&row, &w.columns[c]) })
		if len(columns) == 0 {
			continue
		}
		if ok, err := w.s.QueryVector(slot, w.v); !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		w.exactSlots = w.exactSlots[:0]
		for _, c := range columns {
			w.exactSlots = append(w.exactSlots, w.slots[c])
		}
		w.exact = slices.Grow(w.exact[:0], len(columns))[:len(columns)]
		if err := w.s.Vectors().Dots(w.v, w.exactSlots, w.exact); err != nil {
			return nil, catalog.StoreError(err)
		}
		for k, c := range columns {
			w.add(&found, &row, &w.columns[c], w.measure.Distance(w.exact[k]))
		}
	}
	// Of each partner the nearest pair of chunks.
	slices.SortFunc(found, func(a, b pair) int {
		if a.b != b.b {
			return strings.Compare(a.b.ID, b.b.ID)
		}
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.chunkA, b.chunkA), cmp.Compare(a.chunkB, b.chunkB))
	})
	found = slices.CompactFunc(found, func(a, b pair) bool { return a.b == b.b })
	var err error
	found = slices.DeleteFunc(found, func(p pair) bool {
		ok, e := w.counts(&p)
		err = cmp.Or(err, e)
		return !ok
	})
	if err != nil {
		return nil, err
	}
	known, err := w.decidedSame(w.rows[from])
	if err != nil {
		return nil, err
	}
	for _, p := range known {
		if !slices.ContainsFunc(found, func(q pair) bool { return q.b == p.b }) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.b.ID, b.b.ID))
	})
	return found, nil
}

// decidedSame returns the pairs of a row's document that were decided to be the same.
func (w *nearWorker) decidedSame(row nearChunk) ([]pair, error) {
	if !w.verdicts.about(row.entry.ID) {
		return nil, nil
	}
	known, err := w.known(row.entry, w.target)
	return slices.DeleteFunc(known, func(p pair) bool {
		column := nearChunk{entry: p.b, both: w.inSet(p.b) && w.target.Admits(p.b)}
		return w.since != nil && w.since.has(p.a.ID) && w.since.has(p.b.ID) || !wants(&row, &column)
	}), err
}

// wants reports whether the pair of a row and a column is to be listed, from
// there and not from the other side.
func wants(row, column *nearChunk) bool {
	return row.entry != column.entry && !(row.both && column.both && column.entry.ID < row.entry.ID)
}

// add adds the pair of a row and a column, of the document a and its partner b,
// if it is near enough.
func (w *nearWorker) add(found *[]pair, row, column *nearChunk, distance float32) {
	if !wants(row, column) || !w.s.comparable(row.entry, column.entry, row.slot(), column.slot()) {
		return
	}
	distance = w.measure.OfEntries(row.entry, column.entry, distance)
	if distance <= w.bound { // which no distance to a damaged vector is
		*found = append(*found, pair{a: row.entry, chunkA: row.chunk, b: column.entry, chunkB: column.chunk, distance: distance})
	}
}
