package space_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var main_ = space.At{Branch: contract.MainBranch}

// world is a data directory with an indexer and its spaces.
type world struct {
	*space.Spaces
	t     testing.TB
	files vfs.FS
	ix    *indexer.Indexer
}

func open(t testing.TB, files vfs.FS) *world {
	t.Helper()
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, files: files, ix: ix}
	w.Spaces = space.New(space.Config{FS: files, Service: service.New(ix.Reader, ix)})
	return w
}

// shut closes all, and with commit false as a process does that ends.
func (w *world) shut() {
	w.t.Helper()
	if err := errors.Join(w.Close(), w.ix.Close(context.Background())); err != nil {
		w.t.Error(err)
	}
}

func (w *world) make(name string, schema space.Schema) *space.Space {
	w.t.Helper()
	if _, _, err := w.Create(w.t.Context(), name, schema); err != nil {
		w.t.Fatal(err)
	}
	sp, _, err := w.Find(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return sp
}

func str(id string) space.Key { return space.Key{ID: id} }

func all(t *testing.T, sp *space.Space, at space.At) map[space.Key][]float32 {
	t.Helper()
	found := make(map[space.Key][]float32)
	err := sp.Items(t.Context(), at, nil, func(count int, items iter.Seq2[space.Item, error]) error {
		var last *space.Key
		for it, err := range items {
			if err != nil {
				return err
			}
			if last != nil && last.Compare(it.Key) >= 0 {
				return fmt.Errorf("%v comes behind %v", it.Key, *last)
			}
			last = &it.Key
			found[it.Key] = it.Vector
		}
		if count != len(found) {
			return fmt.Errorf("%d items of %d", len(found), count)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRandomHistory compares a space with a map, through single writes, bulks, commits
// and new starts, and every commit with what the map was then.
func TestRandomHistory(t *testing.T) {
	for _, metric := range []catalog.Metric{catalog.MetricL2, catalog.MetricCosine} {
		seed := rand.Uint64()
		t.Logf("metric %s, seed %d", metric, seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		files := vfstest.NewMem()
		w := open(t, files)
		sp := w.make("a/b", space.Schema{Dims: 3, Metric: metric})
		model := make(map[space.Key][]float32)
		then := make(map[string]map[space.Key][]float32)
		key := func() space.Key {
			n := rng.IntN(8)
			if rng.IntN(2) == 0 {
				return space.IntKey(int64(n - 3))
			}
			return str(fmt.Sprint(n - 3))
		}
		vector := func() []float32 {
			if rng.IntN(9) == 0 {
				return make([]float32, 3)
			}
			return []float32{rng.Float32(), rng.Float32() * 1000, -rng.Float32()}
		}
		ctx := t.Context()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 150 {
			switch n := rng.IntN(20); {
			case n < 9:
				k, v := key(), vector()
				check(sp.Set(ctx, main_, space.Item{Key: k, Vector: v}))
				model[k] = v
			case n < 13:
				k := key()
				check(sp.Delete(ctx, main_, k))
				delete(model, k)
			case n < 15:
				b, err := sp.Bulk(ctx, main_)
				check(err)
				next := make(map[space.Key][]float32)
				for range rng.IntN(4) {
					k, v := key(), vector()
					check(b.Set(space.Item{Key: k, Vector: v}))
					next[k] = v
				}
				if rng.IntN(3) == 0 {
					if err := b.Set(space.Item{Key: str("x"), Vector: []float32{1}}); !errors.Is(err, contract.ErrInvalid) {
						t.Fatalf("a vector that is too short: %v", err)
					}
					b.Abort()
					break
				}
				_, err = b.Commit()
				check(err)
				maps.Copy(model, next)
			case n < 17:
				commit, err := sp.Commit(ctx, main_)
				check(err)
				if commit != "" {
					copied := make(map[space.Key][]float32)
					maps.Copy(copied, model)
					then[commit] = copied
				}
			case n < 18:
				w.shut()
				w = open(t, files)
				sp = w.make("a/b", space.Schema{Dims: 3, Metric: metric})
			default:
				nearest(t, sp, model, metric, vector())
			}
			if got := all(t, sp, main_); !equal(got, model) {
				t.Fatalf("the space has %v, want %v", got, model)
			}
		}
		for commit, want := range then {
			_, at, err := w.Find(context.Background(), "a/b@"+commit)
			check(err)
			if got := all(t, sp, at); !equal(got, want) {
				t.Fatalf("commit %s has %v, want %v", commit, got, want)
			}
		}
		w.shut()
	}
}

func equal(a, b map[space.Key][]float32) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if other, ok := b[k]; !ok || !slices.Equal(v, other) {
			return false
		}
	}
	return true
}

// nearest compares an answer with one by the sums of squares, or by cosines.
func nearest(t *testing.T, sp *space.Space, model map[space.Key][]float32, metric catalog.Metric, from []float32) {
	t.Helper()
	hits, err := sp.Nearest(t.Context(), main_, space.NearestRequest{Vector: from, N: 4})
	if metric == catalog.MetricCosine && slices.Max(from) == 0 && slices.Min(from) == 0 {
		if !errors.Is(err, contract.ErrInvalid) {
			t.Fatalf("a vector without a direction: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, v := range model {
		if metric == catalog.MetricL2 || slices.Max(v) != 0 || slices.Min(v) != 0 {
			found++ // a zero vector has no direction
		}
	}
	if len(hits) != min(4, found) {
		t.Fatalf("%d hits of %d", len(hits), found)
	}
	for i, h := range hits {
		v, ok := model[h.Key]
		if !ok {
			t.Fatalf("a hit %v that is not there", h.Key)
		}
		if metric == catalog.MetricL2 {
			d := float32(0)
			for j := range v {
				d += (v[j] - from[j]) * (v[j] - from[j])
			}
			if diff := d - h.Distance; diff > 1e-3*d+1e-3 || diff < -1e-3*d-1e-3 {
				t.Fatalf("distance %g, want %g", h.Distance, d)
			}
		}
		if i > 0 && hits[i-1].Distance > h.Distance {
			t.Fatal("hits are not in order")
		}
	}
}

// TestRules holds what writes are refused, and that nothing of such a batch is stored.
func TestRules(t *testing.T) {
	w := open(t, vfstest.NewMem())
	defer func() { w.shut() }()
	ctx := t.Context()
	sp := w.make("s", space.Schema{Dims: 2, Fields: map[string]space.FieldType{"n": space.Integer, "j": space.JSON}})
	good := space.Item{Key: str("good"), Vector: []float32{1, 2}}
	for name, it := range map[string]space.Item{
		"dimensions": {Key: str("a"), Vector: []float32{1}},
		"too long":   {Key: str("a"), Vector: []float32{1e30, 1e30}},
		"type":       {Key: str("a"), Vector: []float32{1, 2}, Fields: json.RawMessage(`{"n":1.5}`)},
		"no object":  {Key: str("a"), Vector: []float32{1, 2}, Fields: json.RawMessage(`[1]`)},
	} {
		if err := sp.Set(ctx, main_, good, it); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sp.Get(ctx, main_, good.Key); !errors.Is(err, contract.ErrNoKey) {
		t.Errorf("a part of a refused batch: %v", err)
	}
	if _, _, err := w.Create(ctx, "s", space.Schema{Dims: 3}); !errors.Is(err, contract.ErrConflict) {
		t.Errorf("another schema: %v", err)
	}
	if _, _, err := w.Create(ctx, "s@t", space.Schema{Dims: 3}); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("a name with @: %v", err)
	}
	if _, _, err := w.Find(context.Background(), "none"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a space that is not there: %v", err)
	}
	text := "a text"
	if err := sp.Set(ctx, main_, space.Item{Key: str("j"), Vector: []float32{1, 2}, Text: &text, Fields: json.RawMessage(`{"j":{"a":[1]},"n":7}`)}); err != nil {
		t.Fatal(err)
	}
	for _, commit := range []bool{false, true} {
		if commit {
			if _, err := sp.Commit(ctx, main_); err != nil {
				t.Fatal(err)
			}
		}
		it, err := sp.Get(ctx, main_, str("j"))
		if err != nil || it.Text == nil || *it.Text != text || string(it.Fields) != `{"j":{"a":[1]},"n":7}` {
			t.Errorf("committed %t: %v, %s, %v", commit, it.Text, it.Fields, err)
		}
	}
	if err := sp.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sp.Set(ctx, main_, good); !errors.Is(err, contract.ErrFrozen) {
			t.Errorf("a write to a frozen space: %v", err)
		}
		files := w.files
		w.shut()
		w = open(t, files)
		sp = w.make("s", space.Schema{Dims: 2, Fields: map[string]space.FieldType{"n": space.Integer, "j": space.JSON}})
	}
	if err := w.Delete(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Find(context.Background(), "s"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a deleted space: %v", err)
	}
}

// TestBranches merges two branches, and takes the merge back.
func TestBranches(t *testing.T) {
	w := open(t, vfstest.NewMem())
	defer w.shut()
	ctx := t.Context()
	sp := w.make("s", space.Schema{Dims: 1})
	set := func(at space.At, id string, x float32) {
		t.Helper()
		if err := sp.Set(ctx, at, space.Item{Key: str(id), Vector: []float32{x}}); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		set(main_, id, float32(i))
	}
	if err := sp.MakeBranch(ctx, main_, "try"); err != nil {
		t.Fatal(err)
	}
	try := space.At{Branch: "try"}
	set(main_, "a", 10) // both; theirs is later
	set(main_, "c", 12)
	before, err := sp.Commit(ctx, main_)
	if err != nil {
		t.Fatal(err)
	}
	set(try, "a", 20)
	set(try, "e", 24)
	if err := sp.Delete(ctx, try, str("b")); err != nil {
		t.Fatal(err)
	}
	_, conflicts, err := sp.Merge(ctx, main_, "try")
	if err != nil || len(conflicts) != 1 || conflicts[0].Key != str("a") || conflicts[0].Kept != "theirs" || conflicts[0].Ours != before {
		t.Fatalf("%+v, %v", conflicts, err)
	}
	want := map[space.Key][]float32{str("a"): {20}, str("c"): {12}, str("d"): {3}, str("e"): {24}}
	if got := all(t, sp, main_); !equal(got, want) {
		t.Errorf("merged: %v, want %v", got, want)
	}
	if _, err := sp.Revert(ctx, main_, before); err != nil {
		t.Fatal(err)
	}
	if got := all(t, sp, main_); !equal(got, map[space.Key][]float32{str("a"): {10}, str("b"): {1}, str("c"): {12}, str("d"): {3}}) {
		t.Errorf("taken back: %v", got)
	}
	if log, _ := sp.Log(main_, 10); len(log) != 4 {
		t.Errorf("%d commits, want 4", len(log))
	}
}
