package space_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSnapshotOfNothing takes a space out that nothing was ever written to, frozen or not.
func TestSnapshotOfNothing(t *testing.T) {
	ctx := t.Context()
	w := open(t, vfstest.NewMem())
	defer w.shut()
	for _, name := range []string{"open", "frozen"} {
		sp := w.make(name, space.Schema{Dims: 2, Fields: map[string]space.FieldType{"n": space.Integer}})
		if name == "frozen" {
			must(t, sp.Freeze(ctx))
		}
		var file bytes.Buffer
		must(t, sp.Bundle(ctx, main_, func(_ string, b *bundle.Writer) error { return b.Write(&file) }))
		got, err := w.Import(ctx, name+"-fork", &file)
		must(t, err)
		fork, at, err := w.Find(ctx, name+"-fork")
		must(t, err)
		if got.Imported != 0 || len(all(t, fork, at)) != 0 || fork.Schema().Fields["n"] != space.Integer {
			t.Errorf("%s: %+v, %+v", name, got, fork.Schema())
		}
		must(t, fork.Set(ctx, at, space.Item{Key: str("a"), Vector: []float32{1, 2}, Fields: json.RawMessage(`{"n":1}`)}))
		if log, _ := sp.Log(main_, 9); len(log) != 1 {
			t.Errorf("%s: %+v", name, log)
		}
	}
}

// TestSnapshotOfSpace takes a space out as a file, what is pending in it, and reads it
// offline and as a fork: items, schema and distances are the same.
func TestSnapshotOfSpace(t *testing.T) {
	ctx := t.Context()
	w := open(t, vfstest.NewMem())
	defer w.shut()
	sp := w.make("a/b", space.Schema{Dims: 2, Metric: catalog.MetricL2, Normalize: true, Fields: map[string]space.FieldType{"lang": space.String}})
	for i, k := range []space.Key{str("1"), space.IntKey(1), str("b"), str("c")} {
		must(t, sp.Set(ctx, main_, space.Item{Key: k, Vector: []float32{float32(i + 1), 2}, Fields: json.RawMessage(`{"lang":"fr"}`)}))
	}
	var file bytes.Buffer
	commit := ""
	must(t, sp.Bundle(ctx, main_, func(at string, b *bundle.Writer) error {
		commit = at
		return b.Write(&file)
	}))
	answers := func(sp *space.Space, at space.At) string {
		t.Helper()
		hits, err := sp.Nearest(ctx, at, space.NearestRequest{Keys: []space.Key{space.IntKey(1)}, N: 3})
		must(t, err)
		return fmt.Sprint(all(t, sp, at), hits, sp.Schema())
	}
	want := answers(sp, main_)
	must(t, sp.Set(ctx, main_, space.Item{Key: str("b"), Vector: []float32{9, 9}}))

	f, err := bundle.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	must(t, err)
	_, err = f.Check()
	must(t, err)
	r, err := search.OpenBundle(ctx, search.ReaderConfig{Embedder: &indexertest.Embedder{}}, f)
	must(t, err)
	offline := space.New(space.Config{FS: f, Service: service.New(r, nil), ReadOnly: true})
	defer func() { must(t, errors.Join(offline.Close(), r.Close())) }()
	list, err := offline.List(ctx)
	must(t, err)
	if len(list) != 1 || list[0].Name != "a/b" || list[0].Keys != 4 || list[0].Head != commit {
		t.Errorf("%+v", list)
	}
	copied, at, err := offline.Find(context.Background(), "a/b")
	must(t, err)
	if got := answers(copied, at); got != want {
		t.Errorf("offline\n%s\nnot\n%s", got, want)
	}
	must(t, copied.Bundle(ctx, at, func(_ string, b *bundle.Writer) error {
		var again bytes.Buffer
		if err := b.Write(&again); err != nil || !bytes.Equal(again.Bytes(), file.Bytes()) {
			t.Errorf("the file of the file is another one, %v", err)
		}
		return nil
	}))

	got, err := w.Import(ctx, "a/fork", bytes.NewReader(file.Bytes()))
	must(t, err)
	fork, at, err := w.Find(context.Background(), "a/fork")
	must(t, err)
	if now := answers(fork, at); now != want || got.Imported != 4 {
		t.Errorf("%+v: the fork\n%s\nnot\n%s", got, now, want)
	}
	must(t, fork.Set(ctx, main_, space.Item{Key: str("new"), Vector: []float32{1, 1}}))
	// What is there, pending too, is newer and stays.
	must(t, fork.Delete(ctx, main_, str("c")))
	got, err = w.Import(ctx, "a/fork", bytes.NewReader(file.Bytes()))
	must(t, err)
	if items := all(t, fork, main_); got.Imported != 1 || got.Kept != 3 || len(items) != 5 {
		t.Errorf("%+v, %v", got, items)
	}
	must(t, fork.Set(ctx, main_, space.Item{Key: str("newer"), Vector: []float32{1, 1}}))
	if items := all(t, fork, main_); len(items) != 6 {
		t.Errorf("%v", items)
	}
	if _, err := w.Import(ctx, "a@c", bytes.NewReader(file.Bytes())); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := offline.Import(ctx, "a/c", bytes.NewReader(file.Bytes())); !errors.Is(err, contract.ErrReadOnly) {
		t.Errorf("%v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
