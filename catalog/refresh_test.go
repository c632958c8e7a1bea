package catalog_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestFollow has a reader refresh before every operation of a writer, and after
// each step finds that it has missed nothing. A second one refreshes seldom.
func TestFollow(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	check := must(t)
	mem := vfstest.NewMem()
	reader := func() *catalog.Catalog {
		c, err := catalog.Open(catalog.Config{FS: mem, ReadOnly: true})
		check(err)
		return c
	}
	often, seldom := reader(), reader()
	fault := vfstest.NewFault(mem)
	fault.OnOp(func(int, vfstest.Op) { check(often.Refresh()) })
	w, err := catalog.Open(catalog.Config{FS: fault})
	check(err)
	for n := range 300 {
		d := w.Create(fmt.Sprint("d", rng.IntN(3)))
		commit := fmt.Sprint("c", rng.IntN(8))
		switch has := d.State().Has(commit); {
		case rng.IntN(40) == 0:
			for info := range d.State().Newest() {
				check(remove(fault, d, info.Commit))
			}
			w.Forget(d)
		case rng.IntN(30) == 0:
			// The writer starts again, perhaps without its files.
			if rng.IntN(2) == 0 {
				for _, d := range w.Domains() {
					if err := mem.Remove(catalog.FileName(d.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Fatal(err)
					}
				}
			}
			w, err = catalog.Open(catalog.Config{FS: fault})
			check(err)
		case !has:
			check(put(fault, d, commit, ""))
		case rng.IntN(3) == 0:
			check(remove(fault, d, commit))
		default:
			check(replace(fault, d, commit, fmt.Sprintf("%0*d", n%5+1, n)))
		}
		check(often.Refresh())
		check(agree(often, mem))
		if rng.IntN(10) == 0 {
			check(seldom.Refresh())
			check(agree(seldom, mem))
		}
	}
}

// TestFollowDuring has a writer go on before every operation of a reader's look:
// the next look misses nothing of it, and keeps nothing that is gone.
func TestFollowDuring(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	check := must(t)
	mem := vfstest.NewMem()
	w := open(t, mem)
	n := 0
	write := func() {
		d := w.Create(fmt.Sprint("d", rng.IntN(2)))
		commit := fmt.Sprint("c", rng.IntN(4))
		n++
		switch has := d.State().Has(commit); {
		case rng.IntN(6) == 0:
			for info := range d.State().Newest() {
				check(remove(mem, d, info.Commit))
			}
			w.Forget(d)
		case !has:
			check(put(mem, d, commit, ""))
		case rng.IntN(2) == 0:
			check(remove(mem, d, commit))
		case rng.IntN(2) == 0:
			check(d.Update(func(tx *catalog.Tx) error { return tx.BeginReplace(commit) }))
		default:
			check(replace(mem, d, commit, fmt.Sprintf("%0*d", n%5+1, n)))
		}
	}
	fault := vfstest.NewFault(mem)
	reader, err := catalog.Open(catalog.Config{FS: fault, ReadOnly: true})
	check(err)
	for range 200 {
		fault.OnOp(func(int, vfstest.Op) {
			for range rng.IntN(3) {
				write()
			}
		})
		_ = reader.Refresh() // a file may have gone while it was read
		fault.OnOp(nil)
		check(reader.Refresh())
		check(agree(reader, mem))
	}
}

// TestFollowWithoutAWord has a reader follow what no catalog file says: as after a
// crash of the writer, or where that could not write it.
func TestFollowWithoutAWord(t *testing.T) {
	check := must(t)
	mem := vfstest.NewMem()
	w := open(t, mem)
	check(put(mem, w.Create("a/b"), "c0", ""))
	r, err := catalog.Open(catalog.Config{FS: mem, ReadOnly: true})
	check(err)
	_, err = write(mem, "a/b", "c1", "", 7, "t")
	check(err)
	_, err = write(mem, "new/one", "c1", "", 7, "t")
	check(err)
	check(mem.Remove(snapshot.FileName("a/b", "c0")))
	check(r.Refresh())
	check(agree(r, mem))
	if d, err := r.Domain("new/one"); err != nil || d.State().Seq() != 7 {
		t.Errorf("Domain: %v", err)
	}

	// A replacement that was cut short, on either side of the rename.
	cut := errors.New("cut short")
	for _, text := range []string{"", "a longer text"} {
		d := open(t, mem).Create("a/b")
		err = d.Update(func(tx *catalog.Tx) error {
			check(tx.BeginReplace("c1"))
			if text != "" {
				_, err := write(mem, "a/b", "c1", "", 7, text)
				check(err)
			}
			return cut
		})
		if !errors.Is(err, cut) {
			t.Fatal(err)
		}
		truth, _, err := snapshot.List(mem)
		check(err)
		if got, _ := d.State().Commit("c1"); got.Size != truth[0].Size {
			t.Errorf("size %d, the file has %d", got.Size, truth[0].Size)
		}
		check(r.Refresh())
		check(agree(r, mem))
		_, n := headersRead(t, mem, true)
		if n != 1 {
			t.Errorf("%d headers were read, one is in doubt", n)
		}
	}
}

// TestReadersDuringUpdates reads states while a writer swaps them.
func TestReadersDuringUpdates(t *testing.T) {
	check := must(t)
	mem := vfstest.NewMem()
	c := open(t, mem)
	d := c.Create("a/b")
	fill(t, d, history("a/b", 200))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := d.State()
				n := 0
				for info := range s.Newest() {
					if !s.Has(info.Commit) {
						t.Errorf("commit %s is listed and not there", info.Commit)
					}
					n++
				}
				if n != s.Len() {
					t.Errorf("%d commits of %d", n, s.Len())
				}
				if h := s.Head("main"); !s.Has(h.Commit) {
					t.Errorf("head %v is not there", h)
				}
				s.FreeSeq(s.Seq())
				c.Domains()
			}
		})
	}
	for n := range 100 {
		name := fmt.Sprint("new", n)
		check(put(mem, d, name, commitName(200)))
		if n%3 == 0 {
			check(replace(mem, d, name, fmt.Sprint(n)))
		}
		if n%5 == 0 {
			check(remove(mem, d, name))
		}
	}
	close(stop)
	wg.Wait()
}
