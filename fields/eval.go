package fields

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// condition is a part of a filter. It is immutable.
type condition interface {
	// documents returns those for which it holds, for the caller to change.
	documents(e *evaluation) (*Bitmap, error)
}

// evaluation is one filter on one table.
type evaluation struct {
	ctx   context.Context
	table *Table
}

// Documents returns the documents of the table for which the filter holds; the
// bitmap is the caller's. The error is the context's.
func (f *Filter) Documents(ctx context.Context, t *Table) (*Bitmap, error) {
	return f.root.documents(&evaluation{ctx, t})
}

func (e *evaluation) all() *Bitmap {
	b := roaring.New()
	b.AddRange(0, uint64(e.table.documents))
	return b
}

// add adds documents in any order. Many are added faster by way of plain bits.
func (e *evaluation) add(b *Bitmap, docs []uint32) {
	if len(docs) < 1000 {
		b.AddMany(docs)
		return
	}
	plain := make([]uint64, (e.table.documents+63)/64)
	for _, doc := range docs {
		plain[doc/64] |= 1 << (doc % 64)
	}
	b.Or(roaring.FromDense(plain, false))
}

// always holds for every document, or for none.
type always bool

func (c always) documents(e *evaluation) (*Bitmap, error) {
	if c {
		return e.all(), nil
	}
	return roaring.New(), nil
}

type not struct{ x condition }

func (c not) documents(e *evaluation) (*Bitmap, error) {
	b, err := c.x.documents(e)
	if err != nil {
		return nil, err
	}
	b.Flip(0, uint64(e.table.documents))
	return b, nil
}

type both struct{ l, r condition }

func (c both) documents(e *evaluation) (*Bitmap, error) {
	l, err := c.l.documents(e)
	if err != nil || l.IsEmpty() {
		return l, err
	}
	r, err := c.r.documents(e)
	if err != nil {
		return nil, err
	}
	l.And(r)
	return l, e.ctx.Err()
}

type either struct{ l, r condition }

func (c either) documents(e *evaluation) (*Bitmap, error) {
	l, err := c.l.documents(e)
	if err != nil {
		return nil, err
	}
	r, err := c.r.documents(e)
	if err != nil {
		return nil, err
	}
	l.Or(r)
	return l, e.ctx.Err()
}

// has holds where the document has the field.
type has struct{ name string }

func (c has) documents(e *evaluation) (*Bitmap, error) {
	col := e.table.columns[c.name]
	if col == nil {
		return roaring.New(), nil
	}
	return col.present.Clone(), nil
}

// equal holds where the field is the value.
type equal struct {
	name  string
	value literal
}

func (c equal) documents(e *evaluation) (*Bitmap, error) {
	return among{c.name, []literal{c.value}}.documents(e)
}

// among holds where the field is one of the values.
type among struct {
	name   string
	values []literal
}

func (c among) documents(e *evaluation) (*Bitmap, error) {
	b := roaring.New()
	col := e.table.columns[c.name]
	if col == nil {
		return b, nil
	}
	for _, v := range c.values {
		col.holding(e, b, v)
	}
	b.AndNot(col.lists)
	return b, e.ctx.Err()
}

// member holds where the field is a list that holds the value, or the value
// itself: what is not a list counts as one of one.
type member struct {
	name  string
	value literal
}

func (c member) documents(e *evaluation) (*Bitmap, error) {
	b := roaring.New()
	if col := e.table.columns[c.name]; col != nil {
		col.holding(e, b, c.value)
	}
	return b, nil
}

// holding adds the documents that have the value, in a list or not.
func (c *column) holding(e *evaluation, b *Bitmap, v literal) {
	switch v.kind {
	case Bools:
		i := 0
		if v.b {
			i = 1
		}
		if c.bools[i] != nil {
			b.Or(c.bools[i])
		}
	case Numbers:
		if i, ok := slices.BinarySearchFunc(c.numbers, v.n, compareNumbers); ok {
			e.add(b, c.byNumber.between(i, i+1))
		}
	case Texts:
		if i, ok := slices.BinarySearch(c.texts, v.s); ok {
			e.add(b, c.byText.between(i, i+1))
		}
		if v.date {
			lo, hi := c.datesAt(v.at)
			c.addDates(e, b, lo, hi)
		}
	}
}

// datesAt returns where the dates of that instant begin and end.
func (c *column) datesAt(at instant) (lo, hi int) {
	lo = sort.Search(len(c.dates), func(i int) bool { return compareInstants(c.dates[i].at, at) >= 0 })
	hi = lo
	for hi < len(c.dates) && c.dates[hi].at == at {
		hi++
	}
	return lo, hi
}

// addDates adds the documents of the dates from lo to hi.
func (c *column) addDates(e *evaluation, b *Bitmap, lo, hi int) {
	var docs []uint32
	for _, d := range c.dates[lo:hi] {
		docs = append(docs, c.byText.between(int(d.text), int(d.text)+1)...)
	}
	e.add(b, docs)
}

// order holds where the field is of the value's kind and before or behind it.
type order struct {
	name  string
	op    string // < <= > >=
	value literal
}

func (c order) documents(e *evaluation) (*Bitmap, error) {
	b := roaring.New()
	col := e.table.columns[c.name]
	if col == nil {
		return b, nil
	}
	if c.value.kind == Numbers {
		lo, ok := slices.BinarySearchFunc(col.numbers, c.value.n, compareNumbers)
		lo, hi := c.span(lo, ok, len(col.numbers))
		e.add(b, col.byNumber.between(lo, hi))
		b.AndNot(col.lists)
		return b, nil
	}
	// Two dates are compared in time, any other two texts by their bytes.
	at, ok := slices.BinarySearch(col.texts, c.value.s)
	lo, hi := c.span(at, ok, len(col.texts))
	e.add(b, col.byText.between(lo, hi))
	if c.value.date && len(col.dates) > 0 {
		b.AndNot(col.dated)
		lo, hi := col.datesAt(c.value.at)
		switch c.op {
		case "<":
			lo, hi = 0, lo
		case "<=":
			lo = 0
		case ">":
			lo, hi = hi, len(col.dates)
		default:
			hi = len(col.dates)
		}
		col.addDates(e, b, lo, hi)
	}
	b.AndNot(col.lists)
	return b, e.ctx.Err()
}

// span returns which of n ascending values are meant: at is the place of the
// filter's value, found tells whether one of them equals it.
func (c order) span(at int, found bool, n int) (lo, hi int) {
	next := at
	if found {
		next++
	}
	switch c.op {
	case "<":
		return 0, at
	case "<=":
		return 0, next
	case ">":
		return next, n
	}
	return at, n
}

// match holds where the field is a text with that beginning, end or part.
type match struct {
	name string
	op   string // contains, startsWith, endsWith
	text string
}

// checkEvery is how many values are looked at between looks at the context.
const checkEvery = 1024

func (c match) documents(e *evaluation) (*Bitmap, error) {
	b := roaring.New()
	col := e.table.columns[c.name]
	if col == nil {
		return b, nil
	}
	fits := strings.Contains
	from := 0
	switch c.op {
	case "startsWith":
		fits = strings.HasPrefix
		from, _ = slices.BinarySearch(col.texts, c.text)
	case "endsWith":
		fits = strings.HasSuffix
	}
	var docs []uint32
	for i := from; i < len(col.texts); i++ {
		if i%checkEvery == 0 && e.ctx.Err() != nil {
			return nil, e.ctx.Err()
		}
		if fits(col.texts[i], c.text) {
			docs = append(docs, col.byText.between(i, i+1)...)
		} else if c.op == "startsWith" {
			break
		}
	}
	e.add(b, docs)
	b.AndNot(col.lists)
	return b, nil
}
