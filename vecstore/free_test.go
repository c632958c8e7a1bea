package vecstore_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// freeDim gives 5 records a page of two blocks.
const freeDim = 384

// kept reports whether a slot of freeStore is used: those of the first, the fourth
// and the last pages, and one in the middle of the third.
func kept(slot uint32) bool {
	return slot < 5 || slot == 12 || slot >= 15 && slot < 20 || slot >= 60
}

// freeStore fills a file with 70 vectors.
func freeStore(t *testing.T, fsys vfs.FS) {
	s := create(t, fsys, freeDim, 70, pool())
	_, err := s.Ranges()
	must(t, err)
	closeStore(t, s)
}

// free frees what kept does not name.
func free(fsys vfs.FS, dry bool) (vecstore.Freed, error) {
	s, err := vecstore.Open(fsys, file, vecstore.Config{}, pool())
	if err != nil {
		return vecstore.Freed{}, err
	}
	sum, err := s.Free(66, kept, dry)
	return sum, errors.Join(err, s.Close())
}

// wantFreed holds a recovered store against what Free has left: with all, nothing.
func wantFreed(t *testing.T, fsys vfs.FS, all bool) {
	t.Helper()
	s := reopen(t, fsys, 66, pool())
	defer closeStore(t, s)
	must(t, s.Verify(nil))
	if len(s.Damaged()) > 0 || s.Len() != 70 {
		t.Errorf("%d slots, damaged are %v", s.Len(), s.Damaged())
	}
	for i := range 70 {
		slot := uint32(i)
		gone := !all && (i >= 5 && i < 10 || i >= 20 && i < 60)
		if s.IsFreed(slot) != gone {
			t.Errorf("slot %d: freed is %t, want %t", i, !gone, gone)
		}
		if got, ok := s.Lookup(key(i)); ok == gone || ok && got != slot {
			t.Errorf("key %d is found at %d, %t", i, got, ok)
		}
		if !gone {
			wantVec(t, s, slot, i)
		} else if err := s.Read(slot, make([]float32, freeDim)); !errors.Is(err, vecstore.ErrCorrupt) {
			t.Errorf("slot %d, which was freed, reads %v", i, err)
		}
	}
	_, err := s.Ranges()
	must(t, err)
	must(t, s.Verify(nil)) // they are those of the new file
}

// TestFree: whole pages that are not used give their bytes back; all other slots
// are as they were, and freed ones are never given again.
func TestFree(t *testing.T) {
	vecstore.SmallRanges(t)
	m := vfstest.NewMem()
	freeStore(t, m)
	before, err := m.ReadFile(file)
	must(t, err)
	want := vecstore.Freed{Vectors: 45, Bytes: 9*8192 - 2*4096}
	if sum, err := free(m, true); err != nil || sum != want {
		t.Fatalf("dry run: %+v, %v", sum, err)
	}
	if after, err := m.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("a dry run changed the file, %v", err)
	}
	if sum, err := free(m, false); err != nil || sum != want {
		t.Fatalf("%+v, %v", sum, err)
	}
	wantFreed(t, m, false)
	if sum, err := free(m, false); err != nil || sum != (vecstore.Freed{}) {
		t.Errorf("again: %+v, %v", sum, err)
	}
	s := reopen(t, m, 70, pool())
	defer closeStore(t, s)
	wantAppend(t, s, []int{20, 4, 21}, []int{70, 4, 71}) // what comes back gets new slots
	must(t, s.Verify(nil))
}

// TestFreeMore: what is freed later leaves what was freed before.
func TestFreeMore(t *testing.T) {
	m := vfstest.NewMem()
	freeStore(t, m)
	if _, err := free(m, false); err != nil {
		t.Fatal(err)
	}
	s, err := vecstore.Open(m, file, vecstore.Config{}, pool())
	must(t, err)
	sum, err := s.Free(70, func(slot uint32) bool { return slot < 5 || slot == 69 }, false)
	if want := (vecstore.Freed{Vectors: 15, Bytes: 3*8192 - 2*4096}); err != nil || sum != want {
		t.Errorf("%+v, %v", sum, err)
	}
	closeStore(t, s)
	s = reopen(t, m, 70, pool())
	defer closeStore(t, s)
	for slot := range uint32(70) {
		if gone := slot >= 5 && slot < 65; s.IsFreed(slot) != gone {
			t.Errorf("slot %d: freed is %t", slot, !gone)
		}
	}
	if len(s.Damaged()) > 0 {
		t.Errorf("damaged are %v", s.Damaged())
	}
	must(t, s.Verify(nil))
}

// TestFreeLittle: a file is not copied for a page.
func TestFreeLittle(t *testing.T) {
	m := vfstest.NewMem()
	closeStore(t, create(t, m, freeDim, 400, pool()))
	s, err := vecstore.Open(m, file, vecstore.Config{}, pool())
	must(t, err)
	defer closeStore(t, s)
	if sum, err := s.Free(400, func(slot uint32) bool { return slot >= 10 }, false); err != nil || sum != (vecstore.Freed{}) {
		t.Errorf("%+v, %v", sum, err)
	}
}

// TestFreeCrashes cuts the power before each operation of a Free, and fails each:
// the file is the old one or the new one, and nothing that is used is lost.
func TestFreeCrashes(t *testing.T) {
	vecstore.SmallRanges(t)
	first := vfstest.NewMem()
	freeStore(t, first)
	count := vfstest.NewFault(first.CrashClone(1, 1))
	if _, err := free(count, false); err != nil {
		t.Fatal(err)
	}
	for n := range count.Ops() + 1 {
		var images []*vfstest.Mem
		mem := first.CrashClone(1, 1)
		f := vfstest.NewFault(mem)
		f.OnOp(func(i int, _ vfstest.Op) {
			if i == n {
				for s, share := range []float64{0, 0.5, 0.5, 1} {
					images = append(images, mem.CrashClone(uint64(4*n+s), share))
				}
			}
		})
		if _, err := free(f, false); err != nil {
			t.Fatal(err)
		}
		for _, forever := range []bool{false, true} {
			broken := first.CrashClone(1, 1)
			f := vfstest.NewFault(broken)
			f.Set(vfstest.Plan{At: n, Err: syscall.EIO, Forever: forever})
			if _, err := free(f, false); err == nil && f.Hits() > 0 {
				t.Errorf("operation %d failed unnoticed", n)
			}
			images = append(images, broken, broken.CrashClone(uint64(n), 0.5))
		}
		for i, im := range images {
			t.Run(fmt.Sprintf("operation %d, image %d", n, i), func(t *testing.T) {
				must(t, vfs.Clean(im))
				s := reopen(t, im, 66, pool())
				all := !s.IsFreed(5)
				closeStore(t, s)
				wantFreed(t, im, all)
				if _, err := free(im, false); err != nil {
					t.Fatal(err)
				}
				wantFreed(t, im, false)
			})
		}
	}
}
