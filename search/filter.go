package search

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Filter restricts the documents a request considers, before any ranking: OR
// within each list, AND between them and the expression; an empty list and an
// empty expression restrict nothing.
type Filter struct {
	Types []string `param:"doc_type" name:"type" sep:"none" placeholder:"CLASS" help:"Only documents of this class; may be given again."`
	IDs   []string `param:"doc_id" name:"doc-id" sep:"none" placeholder:"IRI" help:"Only the document of this id; may be given again."`
	// Expr is an expression over the documents' fields, see
	// fields.ParseFilter. A field that the served commit does not have is
	// missing everywhere if it may be known elsewhere: at the last indexed
	// commit of the served one's branch or of main, or at the commit asked
	// for, when an ancestor stands in for that. Else it is a mistake.
	Expr string `param:"filter" kind:"expression" name:"filter" placeholder:"EXPR" help:"Only documents whose fields meet this expression, as language == \"fr\" and year >= 2000."`
}

func (f Filter) Empty() bool { return len(f.Types) == 0 && len(f.IDs) == 0 && f.Expr == "" }

// Key is a hash of the filter.
func (f Filter) Key() [sha256.Size]byte {
	b := make([]byte, 0, 64)
	for _, list := range [][]string{f.Types, f.IDs, {f.Expr}} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	return sha256.Sum256(b)
}

// filterTime is how long the evaluation of an expression may take.
const filterTime = 10 * time.Second

// Selection is what a filter admits of one snapshot: documents and the slots of
// their chunks. It is immutable; nil admits all.
type Selection struct {
	all       bool            // every document; only list counts
	files     []fileSelection // those that have admitted entries
	documents int
	slots     []uint64 // bit by slot
	count     int      // of slots
	list      []uint32 // the slots that the snapshot's graph holds, ascending; nil: not listed
	tail      []uint32 // the others, ascending
}

// fileSelection are the admitted entries of one file, by their places.
type fileSelection struct {
	file   *snapshot.File
	places *fields.Bitmap
}

func (l *Selection) size() int64 {
	n := int64(len(l.slots))*8 + 4*int64(cap(l.list)+cap(l.tail)) + 200
	for _, f := range l.files {
		n += int64(f.places.GetSizeInBytes()) + 50
	}
	return n
}

func (l *Selection) close() {}

// Admits reports whether the document is admitted.
func (l *Selection) Admits(e *snapshot.Entry) bool {
	if l == nil || l.all {
		return true
	}
	for i := range l.files {
		if l.files[i].file == e.File() {
			return l.files[i].places.Contains(uint32(e.Place()))
		}
	}
	return false
}

// places returns the places of a file's admitted entries, and perhaps of some
// that are not live. They are the caller's.
func (l *Selection) places(file *snapshot.File) *fields.Bitmap {
	if l == nil || l.all {
		all := &fields.Bitmap{}
		all.AddRange(0, uint64(len(file.Entries())))
		return all
	}
	for _, f := range l.files {
		if f.file == file {
			return f.places.Clone()
		}
	}
	return &fields.Bitmap{}
}

// Has reports whether an admitted document uses the slot. With Len and Slots it
// makes the selection a subset of the graph's slots.
func (l *Selection) Has(slot uint32) bool {
	word := slot / 64
	return uint64(word) < uint64(len(l.slots)) && l.slots[word]>>(slot%64)&1 != 0
}

// Len returns the number of slots that the graph holds.
func (l *Selection) Len() int { return l.count - len(l.tail) }

// Slots returns those that the graph holds, ascending.
func (l *Selection) Slots() []uint32 {
	if l.list != nil {
		return l.list
	}
	list, tail := make([]uint32, 0, l.Len()), l.tail
	for i, word := range l.slots {
		for ; word != 0; word &= word - 1 {
			slot := uint32(i*64 + bits.TrailingZeros64(word))
			if len(tail) > 0 && tail[0] == slot {
				tail = tail[1:]
				continue
			}
			list = append(list, slot)
		}
	}
	return list
}

// Admitted returns the number of documents.
func (l *Selection) Admitted() int { return l.documents }

// entries returns the admitted documents by ascending id.
func (l *Selection) entries() []*snapshot.Entry {
	found := make([]*snapshot.Entry, 0, l.documents)
	for _, f := range l.files {
		all := f.file.Entries()
		for it := f.places.Iterator(); it.HasNext(); {
			found = append(found, &all[it.Next()])
		}
	}
	if len(l.files) > 1 {
		slices.SortFunc(found, func(a, b *snapshot.Entry) int { return strings.Compare(a.ID, b.ID) })
	}
	return found
}

// Select returns what the filter admits of the snapshot, nil for one that
// restricts nothing. standIn reports that the snapshot is of an ancestor of the
// requested commit. Selections are kept in the pool, so that a filter that is used
// again costs nothing.
func (s *Snapshot) Select(ctx context.Context, f Filter, standIn bool) (*Selection, error) {
	if f.Empty() {
		return nil, nil
	}
	defer timed(ctx, PartFilter)()
	key := fmt.Sprintf("filter\x00%d\x00%t\x00%x", s.serial, standIn, f.Key())
	if l := s.r.pool.peek(key); l != nil {
		defer l.release() // it is memory alone, which outlives the lease
		return l.res.(*Selection).narrowed(), nil
	}
	made, err := s.selects(ctx, f, standIn)
	if err != nil {
		return nil, err
	}
	l, err := s.r.pool.acquire(ctx, key, func() (resource, error) { return made, nil })
	if err != nil {
		return nil, err
	}
	l.release()
	return made.narrowed(), nil
}

// narrowed returns nil for a selection of every document.
func (l *Selection) narrowed() *Selection {
	if l.all {
		return nil
	}
	return l
}

// selects is selection where nothing is kept.
func (s *Snapshot) selects(ctx context.Context, f Filter, standIn bool) (*Selection, error) {
	var filter *fields.Filter
	if f.Expr != "" {
		var err error
		if filter, err = s.compile(ctx, f.Expr, standIn); err != nil {
			return nil, err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, filterTime)
		defer cancel()
	}
	named := make(map[*snapshot.File]*fields.Bitmap) // by id
	for _, id := range f.IDs {
		if e, ok := s.view.Lookup(id); ok {
			if named[e.File()] == nil {
				named[e.File()] = &fields.Bitmap{}
			}
			named[e.File()].Add(uint32(e.Place()))
		}
	}
	l := &Selection{slots: make([]uint64, (int(s.view.SlotEnd())+63)/64)}
	for _, lease := range slices.Backward(s.files) { // from the checkpoint up
		file := lease.res.(*openFile).file
		places := named[file] // nil: all, where none are named
		if len(file.Entries()) == 0 || places == nil && len(f.IDs) > 0 {
			continue
		}
		if filter != nil {
			table, err := s.r.table(ctx, lease.res.(*openFile))
			if err != nil {
				return nil, err
			}
			found, err := filter.Documents(ctx, table)
			if err != nil {
				return nil, err
			}
			if places != nil {
				found.And(places)
			}
			places = found
		}
		l.add(s.view, file, places, f.Types)
	}
	l.finish(s)
	return l, nil
}

// add takes the entries of a file at the places (nil: all) that are live and of
// one of the types (none: any).
func (l *Selection) add(view *snapshot.View, file *snapshot.File, places *fields.Bitmap, types []string) {
	entries := file.Entries()
	admitted := &fields.Bitmap{}
	var run []uint32 // admitted, to be added together
	take := func(place uint32) {
		e := &entries[place]
		if len(types) > 0 && !slices.Contains(types, e.Type) || !view.Holds(e) {
			return
		}
		run = append(run, place)
		for _, c := range e.Chunks {
			word, bit := c.Slot/64, uint64(1)<<(c.Slot%64)
			if l.slots[word]&bit == 0 {
				l.slots[word] |= bit
				l.count++
			}
		}
	}
	if places == nil {
		for i := range entries {
			take(uint32(i))
		}
	} else {
		for it := places.Iterator(); it.HasNext(); {
			take(it.Next())
		}
	}
	if len(run) == 0 {
		return
	}
	admitted.AddMany(run)
	admitted.RunOptimize()
	l.documents += len(run)
	l.files = append(l.files, fileSelection{file, admitted})
}

// Exactly returns the same selection, to be searched by measuring all of its
// slots.
func (l *Selection) Exactly(documents []*snapshot.Entry) *Selection {
	exact := Selection{all: true}
	if l != nil {
		exact = *l
	}
	exact.tail = SlotsOf(documents)
	exact.count, exact.list = len(exact.tail), nil
	return &exact
}

// finish says how the selection lies to the snapshot's graph.
func (l *Selection) finish(s *Snapshot) {
	if l.documents == s.view.Len() {
		*l = Selection{all: true}
		return
	}
	l.tail = []uint32{}
	for _, slot := range s.scanned {
		if l.Has(slot) {
			l.tail = append(l.tail, slot)
		}
	}
	// A long list is seldom wanted, and soon made.
	if l.Len() <= s.view.LiveCount()/2 {
		l.list = l.Slots()
	}
}

// narrow reports whether measuring all of the selection's slots in the graph is
// cheaper than a walk of that breadth, which passes over what is not selected: a
// walk costs the more the smaller the share of the graph that is selected, a
// scan the less. Where both cost the same was measured (docs/benchmarks.md).
func (l *Selection) narrow(graph *hnsw.Graph, ef int) bool {
	n := float64(l.Len())
	return n*n <= exactFactor*float64(ef)*float64(graph.Len())
}

// exactFactor says where: at n selected slots, where n² is so many times the
// breadth of the walk and the slots of the graph.
const exactFactor = 4

// compile reads an expression and holds it against the fields.
func (s *Snapshot) compile(ctx context.Context, expr string, standIn bool) (*fields.Filter, error) {
	filter, err := fields.ParseFilter(expr)
	if err != nil {
		return nil, fmt.Errorf("%w: filter: %w", contract.ErrInvalid, err)
	}
	kinds := make(map[string]fields.Kinds)
	if err := s.addKinds(ctx, kinds, filter.Names()); err != nil {
		return nil, err
	}
	err = checkFilter(filter, kinds)
	if err == nil || standIn {
		// The fields of the requested commit are not known.
		return filter, nil
	}
	info, _ := s.d.State().Commit(s.real)
	for _, branch := range []string{info.Branch, contract.MainBranch} {
		if head := s.d.State().Head(branch).Commit; head != "" && head != s.real {
			at, err := s.r.Open(ctx, s.d, head)
			if err != nil {
				continue // it only could have known better
			}
			err = at.addKinds(ctx, kinds, filter.Names())
			at.Release()
			if err != nil {
				return nil, err
			}
		}
	}
	if err = checkFilter(filter, kinds); err == nil {
		return filter, nil
	}
	var unknown *unknownField
	if errors.As(err, &unknown) {
		names, listErr := s.FieldNames(ctx)
		if listErr != nil {
			return nil, listErr
		}
		err = errors.New(unknown.Error() + fields.Suggest(unknown.name, names))
	}
	return nil, fmt.Errorf("%w: filter: %w", contract.ErrInvalid, err)
}

// unknownField is the mistake of naming a field that no document has.
type unknownField struct{ name, at string }

func (e *unknownField) Error() string { return "no document has the field at " + e.at }

func checkFilter(filter *fields.Filter, kinds map[string]fields.Kinds) error {
	for _, name := range filter.Names() {
		if kinds[name] == 0 {
			return &unknownField{name, filter.At(name)}
		}
	}
	return filter.Check(kinds)
}

// addKinds adds what the snapshot's files know of the fields of those names.
func (s *Snapshot) addKinds(ctx context.Context, kinds map[string]fields.Kinds, names []string) error {
	return s.tables(ctx, func(t *fields.Table) {
		for _, name := range names {
			kinds[name] |= t.Kinds(name)
		}
	})
}

// FieldNames returns the names of all fields that the snapshot's files have.
func (s *Snapshot) FieldNames(ctx context.Context) ([]string, error) {
	names := make(map[string]struct{})
	err := s.tables(ctx, func(t *fields.Table) {
		for _, name := range t.Names() {
			names[name] = struct{}{}
		}
	})
	return slices.Sorted(maps.Keys(names)), err
}

// tables calls use with the table of each of the snapshot's files.
func (s *Snapshot) tables(ctx context.Context, use func(t *fields.Table)) error {
	for _, file := range s.files {
		t, err := s.r.table(ctx, file.res.(*openFile))
		if err != nil {
			return err
		}
		use(t)
	}
	return nil
}

// table returns the fields of one commit file, by column.
func (r *Reader) table(ctx context.Context, f *openFile) (*fields.Table, error) {
	d, err := r.keepOf(ctx, f, "fields", func(file *snapshot.File) (Derived, error) {
		entries := file.Entries()
		t := fields.NewTable(len(entries), func(i int) fields.Object { return fields.Object(entries[i].Fields) })
		if n := t.Broken(); n > 0 {
			r.log.Error("fields of documents cannot be read: filters go on without them", "file", file.Name(), "documents", n)
		}
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	return d.(*fields.Table), nil
}
