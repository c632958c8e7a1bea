package space

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
)

// view is what is seen at a place: a commit, nil for none, and above it the writes that
// are in none yet. What a write says of a key counts, whatever the commit does.
type view struct {
	sp   *Space
	tail *tail
	base *search.Snapshot
}

// nothing is the tail of what has none.
var nothing = newTail()

// past returns a view of commits alone.
func (sp *Space) past() *view { return &view{sp: sp, tail: nothing} }

// view leases what is seen at a place; its release must be called. The tail is looked at
// first: what has left it since is in the commit.
func (sp *Space) view(ctx context.Context, at At) (*view, error) {
	v := sp.past()
	if at.Branch != "" {
		sp.mu.Lock()
		if h := sp.heads[at.Branch]; h != nil && h.tail.Len() > 0 {
			v.tail = h.tail.Copy()
		}
		sp.mu.Unlock()
	}
	return v, v.open(ctx, at)
}

// open leases the commit.
func (v *view) open(ctx context.Context, at At) error {
	commit := at.Commit
	if at.Branch != "" {
		commit = v.sp.last(at.Branch)
	}
	if commit == "" {
		return nil
	}
	d := v.sp.domain()
	if d == nil {
		return noSpace(v.sp.name)
	}
	var err error
	v.base, err = v.sp.s.cfg.Service.Open(ctx, d, commit)
	return err
}

func (v *view) release() {
	if v.base != nil {
		v.base.Release()
	}
}

// item returns what a write says; false if it is a deletion.
func (sp *Space) item(w *write) (Item, bool) {
	if w.deleted {
		return Item{}, false
	}
	return Item{Key: w.key, Vector: w.vector, Fields: sp.schema.showFields(w.fields), Text: w.text}, true
}

// entry returns what a commit says.
func (v *view) entry(e *snapshot.Entry) (Item, error) {
	it := Item{Key: e.Key(), Fields: v.sp.schema.showFields(e.Fields)}
	var err error
	if it.Vector, err = v.base.Vector(e); err != nil {
		return Item{}, err
	}
	if it.Vector == nil {
		it.Vector = make([]float32, v.sp.schema.Dims)
	}
	if !e.NoText {
		text, err := v.base.View().Text(e)
		if err != nil && !errors.Is(err, snapshot.ErrCorrupt) {
			return Item{}, err
		}
		it.Text = &text
	}
	return it, nil
}

// get returns the item of a key, false where there is none.
func (v *view) get(k Key) (Item, bool, error) {
	if w := written(v.tail, k); w != nil {
		it, ok := v.sp.item(w)
		return it, ok, nil
	}
	if v.base == nil {
		return Item{}, false, nil
	}
	e, ok := v.base.View().LookupKey(k)
	if !ok {
		return Item{}, false, nil
	}
	it, err := v.entry(e)
	return it, err == nil, err
}

// keys returns the number of keys.
func (v *view) keys() int {
	n := 0
	if v.base != nil {
		n = v.base.View().Len()
	}
	for _, w := range v.tail.Items() {
		there := false
		if v.base != nil {
			_, there = v.base.View().LookupKey(w.key)
		}
		switch {
		case there && w.deleted:
			n--
		case !there && !w.deleted:
			n++
		}
	}
	return n
}

// all yields the items by ascending key, from behind one on if it is given: integers
// first.
func (v *view) all(ctx context.Context, after *Key) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		tail := v.tail.Items()
		behind := func(k Key) bool { return after == nil || k.Compare(*after) > 0 }
		give := func(w *write) bool {
			it, ok := v.sp.item(w)
			return !ok || !behind(w.key) || yield(it, nil)
		}
		i := 0
		if v.base != nil {
			for e := range v.base.View().All() {
				for i < len(tail) && tail[i].key.Compare(e.Key()) < 0 {
					if !give(tail[i]) {
						return
					}
					i++
				}
				if i < len(tail) && tail[i].key == e.Key() || !behind(e.Key()) {
					continue // it was written since
				}
				it, err := v.entry(e)
				if err == nil {
					err = context.Cause(ctx)
				}
				if !yield(it, err) || err != nil {
					return
				}
			}
		}
		for ; i < len(tail); i++ {
			if !give(tail[i]) {
				return
			}
		}
	}
}

// Info describes what is at a place.
func (sp *Space) Info(ctx context.Context, at At) (Info, error) {
	v, err := sp.view(ctx, at)
	if err != nil {
		return Info{}, err
	}
	defer v.release()
	info := Info{Name: sp.name, Schema: sp.schema, Keys: v.keys(), Branch: at.Branch, Head: at.Commit, Pending: v.tail.Len(), Sync: sp.s.cfg.Sync}
	if at.Branch != "" {
		info.Head = sp.last(at.Branch)
	}
	sp.mu.RLock()
	info.Frozen = sp.frozen
	sp.mu.RUnlock()
	return info, nil
}

// Schema returns what the space was created with.
func (sp *Space) Schema() Schema { return sp.schema }

// Name returns the space's name.
func (sp *Space) Name() string { return sp.name }

// Get returns the item of a key; ErrNoKey where there is none.
func (sp *Space) Get(ctx context.Context, at At, k Key) (Item, error) {
	if at.Branch != "" {
		// What is in the tail needs no commit.
		sp.mu.RLock()
		h := sp.heads[at.Branch]
		var w *write
		if h != nil {
			w = written(h.tail, k)
		}
		sp.mu.RUnlock()
		if w != nil {
			if it, ok := sp.item(w); ok {
				return it, nil
			}
			return Item{}, sp.noKey(k)
		}
	}
	v := sp.past()
	if err := v.open(ctx, at); err != nil {
		return Item{}, err
	}
	defer v.release()
	it, ok, err := v.get(k)
	if err == nil && !ok {
		err = sp.noKey(k)
	}
	return it, err
}

func (sp *Space) noKey(k Key) error {
	return fmt.Errorf("%w: space %s has no key %s", contract.ErrNoKey, sp.name, shown(k))
}

// Look calls use with a function that returns items by their keys, all as they are at
// one moment; it is false where there is none.
func (sp *Space) Look(ctx context.Context, at At, use func(get func(Key) (Item, bool, error)) error) error {
	v, err := sp.view(ctx, at)
	if err != nil {
		return err
	}
	defer v.release()
	return use(v.get)
}

// Items calls use with all items as they are at one moment, by ascending key, integers
// first, from behind a key on if that is not nil; and with the number of all keys.
func (sp *Space) Items(ctx context.Context, at At, after *Key, use func(count int, items iter.Seq2[Item, error]) error) error {
	v, err := sp.view(ctx, at)
	if err != nil {
		return err
	}
	defer v.release()
	return use(v.keys(), v.all(ctx, after))
}

// NearestRequest asks for the items nearest to one, to the mean of several, or to a
// vector.
type NearestRequest struct {
	Keys   []Key // these are left out of the answer
	Vector []float32
	N      int
	Filter string
	Ef     int
	// OutputFields are the names of the fields that hits bring, "*" for all.
	OutputFields []string
}

// MaxNearest and MaxNearestKeys bound a NearestRequest.
const (
	MaxNearest     = search.MaxCount
	MaxNearestKeys = search.MaxSimilarIDs
)

// Hit is an item that was found.
type Hit struct {
	Key      Key
	Distance float32
	Score    float32 // greater for nearer
	Fields   json.RawMessage
}

// Nearest returns the nearest items, nearest first, equal distances by key. Writes that
// are in no commit are measured one by one; a request with a filter has them committed
// first.
func (sp *Space) Nearest(ctx context.Context, at At, req NearestRequest) ([]Hit, error) {
	switch {
	case req.N < 1 || req.N > MaxNearest:
		return nil, invalid("n must be 1 to %d", MaxNearest)
	case len(req.Keys) > MaxNearestKeys:
		return nil, invalid("keys are at most %d", MaxNearestKeys)
	case (len(req.Keys) > 0) == (req.Vector != nil):
		return nil, invalid("one of key, keys and vector is needed")
	case req.Vector != nil && len(req.Vector) != sp.schema.Dims:
		return nil, invalid("vector has %d numbers, space %s has %d dimensions", len(req.Vector), sp.name, sp.schema.Dims)
	}
	if req.Vector != nil && !isZero(req.Vector) {
		if err := sp.schema.vectors().Check(req.Vector); err != nil {
			return nil, invalid("vector: %s", reason(err))
		}
	}
	if req.Filter != "" && at.Branch != "" && !sp.s.cfg.ReadOnly {
		if _, err := sp.Commit(ctx, at); err != nil {
			return nil, err
		}
	}
	v, err := sp.view(ctx, at)
	if err != nil {
		return nil, err
	}
	defer v.release()
	from := req.Vector
	if from == nil {
		if from, err = v.mean(req.Keys); err != nil {
			return nil, err
		}
	}
	return v.nearest(ctx, from, req)
}

// mean returns the mean of the vectors of keys; of directions, where those count.
func (v *view) mean(keys []Key) ([]float32, error) {
	sum := make([]float64, v.sp.schema.Dims)
	for _, k := range keys {
		it, ok, err := v.get(k)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, v.sp.noKey(k)
		}
		if len(keys) == 1 {
			return it.Vector, nil
		}
		length := 1.0
		if v.sp.settings.Directed() {
			length = lengthOf(it.Vector)
		}
		for i, x := range it.Vector {
			if length > 0 {
				sum[i] += float64(x) / length
			}
		}
	}
	mean := make([]float32, len(sum))
	for i, x := range sum {
		mean[i] = float32(x / float64(len(keys)))
	}
	return mean, nil
}

// scanned is a hit in the making.
type scanned struct {
	Hit
	stored string // fields
}

func (v *view) nearest(ctx context.Context, from []float32, req NearestRequest) ([]Hit, error) {
	sp := v.sp
	distance, ok := search.Distances(sp.settings, from)
	if !ok {
		return nil, invalid("the vector to search with is zero, and has no direction")
	}
	var found []scanned
	without := slices.Clone(req.Keys)
	for _, w := range v.tail.Items() {
		without = append(without, w.key)
		if w.deleted || w.bare || slices.Contains(req.Keys, w.key) {
			continue // what is bare is no hit of the commit either
		}
		found = append(found, scanned{Hit{Key: w.key, Distance: distance(w.vector)}, w.fields})
	}
	if v.base != nil {
		hits, err := v.base.Nearest(ctx, search.NearestRequest{Vector: from, Without: without, Options: search.Options{
			Page: search.Page{Count: req.N}, Filter: search.Filter{Expr: req.Filter}, Ef: req.Ef,
		}})
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			k := Key{ID: h.ID, Int: h.Int}
			f := ""
			if e, ok := v.base.View().LookupKey(k); ok {
				f = e.Fields
			}
			found = append(found, scanned{Hit{Key: k, Distance: h.Distance}, f})
		}
	}
	slices.SortFunc(found, func(a, b scanned) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), a.Key.Compare(b.Key))
	})
	hits := make([]Hit, min(req.N, len(found)))
	for i := range hits {
		h := found[i].Hit
		h.Score = search.ScoreOf(sp.settings, h.Distance)
		h.Distance = sp.schema.distance(h.Distance)
		if len(req.OutputFields) > 0 {
			h.Fields = sp.schema.showFields(string(fields.Object(found[i].stored).Select(req.OutputFields)))
		}
		hits[i] = h
	}
	return hits, nil
}
