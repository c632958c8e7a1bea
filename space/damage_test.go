package space_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestDamagedJournal changes each byte of a journal of three acknowledged writes, and
// cuts it at each. What is damaged before a later record is told, and the file left as it
// is; of a torn end the writes before it are there.
func TestDamagedJournal(t *testing.T) {
	ctx := t.Context()
	mem := vfstest.NewMem()
	w := open(t, mem)
	sp := w.make("s", space.Schema{Dims: 2})
	name := space.FileName("s")
	var ends []int64
	size := func(files vfs.FS) int64 {
		f, err := files.Open(name, vfs.Read)
		must(t, err)
		n, err := f.Size()
		must(t, errors.Join(err, f.Close()))
		return n
	}
	ends = append(ends, size(mem))
	for i, k := range []string{"a", "b", "c"} {
		must(t, sp.Set(ctx, main_, item(str(k), float32(i))))
		ends = append(ends, size(mem))
	}
	disk := mem.CrashClone(1, 0)
	w.shut()
	last := ends[len(ends)-1]
	for at := range last {
		for _, cut := range []bool{false, true} {
			files := disk.CrashClone(1, 1)
			f, err := files.Open(name, vfs.ReadWrite)
			must(t, err)
			if cut {
				must(t, f.Truncate(at))
			} else {
				var b [1]byte
				must(t, vfs.ReadFull(f, b[:], at))
				b[0] ^= 0x41
				_, err = f.WriteAt(b[:], at)
				must(t, err)
			}
			must(t, errors.Join(f.Sync(), f.Close()))
			whole := 0 // writes before the damage
			for whole+1 < len(ends) && ends[whole+1] <= at {
				whole++
			}
			told := at < ends[0] || !cut && whole < 2
			if _, err := space.Inspect(files, name); errors.Is(err, contract.ErrCorrupt) != told {
				t.Fatalf("byte %d, cut %v: inspected: %v", at, cut, err)
			}
			if at%5 > 0 && at != ends[1]+10 {
				continue // a server is dear
			}
			w := open(t, files)
			sp, _, err := w.Find(context.Background(), "s")
			if errors.Is(err, contract.ErrCorrupt) != told || err != nil && !told {
				t.Fatalf("byte %d, cut %v: %v", at, cut, err)
			}
			if err == nil && len(all(t, sp, main_)) != whole {
				t.Fatalf("byte %d, cut %v: %v", at, cut, all(t, sp, main_))
			}
			if list, err := w.List(ctx); err != nil || (len(list) == 0) != told {
				t.Fatalf("byte %d, cut %v: listed %v, %v", at, cut, list, err)
			}
			if told && at == ends[1]+10 {
				must(t, w.Delete(ctx, "s"))
				w.make("s", space.Schema{Dims: 3})
				told = false
			}
			w.shut()
			if _, err := space.Inspect(files, name); told && !errors.Is(err, contract.ErrCorrupt) {
				t.Fatalf("byte %d, cut %v: the damage was not left as it is: %v", at, cut, err)
			}
		}
	}
}

// TestSlowBulk holds a commit open. Other branches and spaces are committed and synced
// meanwhile, who wants a commit of the same branch is told that it is busy, and a freeze
// has the last word.
func TestSlowBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		mem := vfstest.NewMem()
		ix, err := indexer.Open(indexer.Config{FS: mem, Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
		must(t, err)
		w := &world{t: t, files: mem, ix: ix}
		w.Spaces = space.New(space.Config{FS: mem, Service: service.New(ix.Reader, ix), Sync: space.SyncEverySecond})
		defer w.shut()
		a, b := w.make("a", space.Schema{Dims: 2}), w.make("b", space.Schema{Dims: 2})
		bulk, err := a.Bulk(ctx, main_)
		must(t, err)
		defer bulk.Abort()
		must(t, bulk.Set(item(str("bulk"), 1)))
		must(t, a.Set(ctx, main_, item(str("x"), 2)))
		time.Sleep(2500 * time.Millisecond)
		must(t, b.Set(ctx, main_, item(str("y"), 3)))
		time.Sleep(2500 * time.Millisecond)
		if info, err := b.Info(ctx, main_); err != nil || info.Pending > 0 || info.Head == "" {
			t.Errorf("another space is not committed: %+v, %v", info, err)
		}
		crashed := open(t, mem.CrashClone(1, 0))
		sp, _, err := crashed.Find(context.Background(), "a")
		must(t, err)
		if len(all(t, sp, main_)) != 1 {
			t.Error("a write of more than a second ago is lost")
		}
		crashed.shut()
		if _, err := a.Commit(ctx, main_); !errors.Is(err, contract.ErrBusy) {
			t.Errorf("a second commit: %v", err)
		}
		frozen := make(chan error)
		go func() { frozen <- a.Freeze(context.Background()) }()
		synctest.Wait()
		if err := bulk.Set(item(str("more"), 4)); err != nil {
			t.Error(err)
		}
		if _, err := bulk.Commit(); !errors.Is(err, contract.ErrFrozen) {
			t.Errorf("a commit after the freeze: %v", err)
		}
		must(t, <-frozen)
		if info, err := a.Info(ctx, main_); err != nil || info.Keys != 1 || info.Pending > 0 || !info.Frozen {
			t.Errorf("%+v, %v", info, err)
		}
	})
}

// TestDeletedIsGone deletes a space in the middle of a commit: nothing of it comes back,
// nor is it found while its commits are removed.
func TestDeletedIsGone(t *testing.T) {
	ctx := t.Context()
	w := open(t, vfstest.NewMem())
	defer w.shut()
	sp := w.make("s", space.Schema{Dims: 2})
	bulk, err := sp.Bulk(ctx, main_)
	must(t, err)
	defer bulk.Abort()
	must(t, bulk.Set(item(str("a"), 1)))
	must(t, w.Delete(ctx, "s"))
	if err := sp.Set(ctx, main_, item(str("a"), 1)); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a write to a deleted space: %v", err)
	}
	if _, err := bulk.Commit(); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a commit to a deleted space: %v", err)
	}
	if _, _, err := w.Find(context.Background(), "s"); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("a deleted space: %v", err)
	}
	sp = w.make("s", space.Schema{Dims: 2})
	must(t, sp.Set(ctx, main_, item(str("a"), 1)))
	_, err = sp.Commit(ctx, main_)
	must(t, err)
	must(t, w.Forget("s", func() error {
		if _, _, err := w.Find(context.Background(), "s"); !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("while it is deleted: %v", err)
		}
		if _, _, err := w.Create(ctx, "s", space.Schema{Dims: 2}); !errors.Is(err, contract.ErrBusy) {
			t.Errorf("made while it is deleted: %v", err)
		}
		return nil
	}))
}

// TestDeletedBesideWrites deletes a space and makes it again while it is written: a write
// is taken, or told that there is no space.
func TestDeletedBesideWrites(t *testing.T) {
	ctx := t.Context()
	w := open(t, vfstest.NewMem())
	defer w.shut()
	sp := w.make("s", space.Schema{Dims: 2})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				sp, _, err := w.Find(context.Background(), "s")
				if err == nil {
					err = sp.Set(ctx, main_, item(space.IntKey(int64(i)), float32(n)))
				}
				if err != nil && !errors.Is(err, contract.ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		must(t, w.Delete(ctx, "s"))
		sp = w.make("s", space.Schema{Dims: 2})
	}
	close(stop)
	wg.Wait()
	must(t, sp.Set(ctx, main_, item(str("a"), 1)))
}
