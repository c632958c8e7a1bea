package fields

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Bitmap is a set of documents by their numbers, so that callers need not import the
// module of the bitmap.
type Bitmap = roaring.Bitmap

// Table holds the fields of numbered documents by column, for filters. It is
// immutable.
type Table struct {
	documents uint32
	columns   map[string]*column
	broken    int
	bytes     int64
}

// column holds the values of the documents under one name.
type column struct {
	kinds   Kinds
	present *Bitmap // the documents that have the field
	lists   *Bitmap // those of them where it is a list

	bools   [2]*Bitmap // false and true; nil for none
	numbers []number   // ascending, each once
	texts   []string   // ascending, each once
	dates   []date     // those of the texts that are dates, in time order
	dated   *Bitmap    // the documents that have one
	// Postings: the documents of numbers[i] are
	// byNumber.of(i), those of texts[i] byText.of(i).
	byNumber, byText postings
}

// date is a text that is a date.
type date struct {
	at   instant
	text uint32 // index in column.texts
}

// postings are lists of documents, one after the other.
type postings struct {
	starts []uint32 // of each list in documents, and the end of the last
	docs   []uint32 // ascending in each list
}

// between returns the documents of the lists from lo to hi, hi excluded, in
// ascending order within each list.
func (p *postings) between(lo, hi int) []uint32 {
	if lo >= hi {
		return nil
	}
	return p.docs[p.starts[lo]:p.starts[hi]]
}

// NewTable makes the table of n documents; object tells the fields of each.
// Texts of the objects are kept, not copied. Objects that are not canonical, as
// damage makes them, count as far as they can be read.
func NewTable(n int, object func(i int) Object) *Table {
	t := &Table{documents: uint32(n), columns: make(map[string]*column)}
	gather := make(map[string]*gathered)
	for i := range n {
		doc := uint32(i)
		ok := object(i).each(func(name string, v value, list bool) {
			g := gather[name]
			if g == nil {
				g = &gathered{}
				gather[name] = g
			}
			g.add(doc, v, list)
		})
		if !ok {
			t.broken++
		}
	}
	for name, g := range gather {
		c := g.column()
		t.columns[name] = c
		t.bytes += int64(len(name)) + c.size()
	}
	return t
}

// gathered are the values of a column to be.
type gathered struct {
	kinds          Kinds
	present, lists []uint32
	bools          [2][]uint32
	numbers        values[number]
	texts          values[string]
}

func (g *gathered) add(doc uint32, v value, list bool) {
	g.present = appendOnce(g.present, doc)
	if list {
		g.lists = appendOnce(g.lists, doc)
		g.kinds |= v.kind.Listed()
	} else {
		g.kinds |= v.kind
	}
	switch v.kind {
	case Bools:
		i := 0
		if v.b {
			i = 1
		}
		g.bools[i] = appendOnce(g.bools[i], doc)
	case Numbers:
		g.numbers.add(v.n, doc)
	case Texts:
		g.texts.add(v.s, doc)
	}
}

// values are what documents have, in the order of the documents.
type values[T comparable] struct {
	ids   map[T]uint32
	list  []T      // by id
	which []uint32 // id of each value that a document has
	docs  []uint32 // and the document
}

func (l *values[T]) add(v T, doc uint32) {
	id, ok := l.ids[v]
	if !ok {
		if l.ids == nil {
			l.ids = make(map[T]uint32)
		}
		id = uint32(len(l.list))
		l.ids[v] = id
		l.list = append(l.list, v)
	}
	l.which, l.docs = append(l.which, id), append(l.docs, doc)
}

// invert sorts the values and gives each its documents.
func (l *values[T]) invert(compare func(a, b T) int) ([]T, postings) {
	if len(l.list) == 0 {
		return nil, postings{}
	}
	order := make([]uint32, len(l.list)) // ids by value
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return compare(l.list[a], l.list[b]) })
	sorted, rank := make([]T, len(order)), make([]uint32, len(order))
	for i, id := range order {
		sorted[i], rank[id] = l.list[id], uint32(i)
	}
	last := make([]uint32, len(order)) // by rank: 1 + the last document met
	p := postings{starts: make([]uint32, len(order)+1)}
	// A list may hold a value twice, which is next to itself here but for
	// other values of the list.
	each := func(use func(rank, doc uint32)) {
		clear(last)
		for i, id := range l.which {
			if r := rank[id]; last[r] != l.docs[i]+1 {
				last[r] = l.docs[i] + 1
				use(r, l.docs[i])
			}
		}
	}
	each(func(r, _ uint32) { p.starts[r+1]++ })
	for i := range order {
		p.starts[i+1] += p.starts[i]
	}
	p.docs = make([]uint32, p.starts[len(order)])
	next := slices.Clone(p.starts)
	each(func(r, doc uint32) {
		p.docs[next[r]] = doc
		next[r]++
	})
	return sorted, p
}

// appendOnce appends to ascending numbers.
func appendOnce(docs []uint32, doc uint32) []uint32 {
	if n := len(docs); n > 0 && docs[n-1] == doc {
		return docs
	}
	return append(docs, doc)
}

func (g *gathered) column() *column {
	c := &column{kinds: g.kinds, present: bitmapOf(g.present), lists: bitmapOf(g.lists), dated: roaring.New()}
	for i, docs := range g.bools {
		if len(docs) > 0 {
			c.bools[i] = bitmapOf(docs)
		}
	}
	c.numbers, c.byNumber = g.numbers.invert(compareNumbers)
	c.texts, c.byText = g.texts.invert(strings.Compare)
	for i, s := range c.texts {
		if at, ok := parseDate(s); ok {
			c.dates = append(c.dates, date{at, uint32(i)})
			c.dated.AddMany(c.byText.between(i, i+1))
		}
	}
	if len(c.dates) > 0 {
		texts := g.kinds & (Texts | Texts.Listed())
		c.kinds |= texts << 1 // the same of Dates
		if len(c.dates) == len(c.texts) {
			c.kinds &^= texts
		}
	}
	slices.SortFunc(c.dates, func(a, b date) int {
		return cmp.Or(compareInstants(a.at, b.at), cmp.Compare(a.text, b.text))
	})
	c.dates = slices.Clip(c.dates)
	return c
}

func bitmapOf(docs []uint32) *Bitmap {
	b := roaring.New()
	b.AddMany(docs)
	b.RunOptimize()
	return b
}

// size is about what the column takes in memory, its texts included, although
// they may be parts of the objects.
func (c *column) size() int64 {
	n := int64(200) + int64(c.present.GetSizeInBytes()+c.lists.GetSizeInBytes()+c.dated.GetSizeInBytes())
	for _, b := range c.bools {
		if b != nil {
			n += int64(b.GetSizeInBytes())
		}
	}
	n += int64(cap(c.numbers))*24 + int64(cap(c.texts))*16 + int64(cap(c.dates))*24
	for _, s := range c.texts {
		n += int64(len(s))
	}
	for _, p := range []*postings{&c.byNumber, &c.byText} {
		n += 4 * int64(cap(p.starts)+cap(p.docs))
	}
	return n
}

// Bytes returns about how many bytes of memory the table takes.
func (t *Table) Bytes() int64 { return t.bytes + 100 }

// Broken returns the number of objects that are not canonical.
func (t *Table) Broken() int { return t.broken }

// Kinds returns what kinds of values the documents have under a name; 0 for
// none.
func (t *Table) Kinds(name string) Kinds {
	if c := t.columns[name]; c != nil {
		return c.kinds
	}
	return 0
}

// Names returns the names of the fields that the documents have, in no order.
func (t *Table) Names() []string { return slices.Collect(maps.Keys(t.columns)) }
