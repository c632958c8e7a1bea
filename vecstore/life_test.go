package vecstore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestRetire: stores that failed a write and were replaced do not pile up: each
// closes when its last reader leaves.
func TestRetire(t *testing.T) {
	fault := vfstest.NewFault(vfstest.NewMem())
	l := vfs.Limit(fault, 100)
	s := create(t, l, 3, 2, pool())
	for i := range 20 {
		must(t, s.Acquire())
		must(t, s.Acquire())
		fault.Set(vfstest.Plan{Only: []vfstest.Op{vfstest.OpWriteAt}, Forever: true, Err: syscall.ENOSPC})
		if _, err := s.Append(batch(3, 9)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		fault.Set(vfstest.Plan{})
		must(t, s.Retire())
		wantVec(t, s, 1, 1) // by those who have it
		if _, ok := s.Lookup(key(1)); ok {
			t.Error("a retired store keeps its keys")
		}
		_, appendErr := s.Append(batch(3, 9))
		for op, err := range map[string]error{"Acquire": s.Acquire(), "Append": appendErr, "Recover": s.Recover(0), "Retire": s.Retire()} {
			if !errors.Is(err, vecstore.ErrClosed) {
				t.Errorf("%s after Retire: %v, want ErrClosed", op, err)
			}
		}
		s.Release()
		wantVec(t, s, 1, 1)
		s.Release()
		if err := s.Read(1, make([]float32, 3)); !errors.Is(err, vecstore.ErrClosed) {
			t.Errorf("Read after the last Release: %v, want ErrClosed", err)
		}
		if n := l.Stats().Files; n != 0 {
			t.Fatalf("round %d: %d files are open", i, n)
		}
		s = reopen(t, l, 2, pool())
	}
	must(t, s.Retire()) // nobody reads it
	if n := l.Stats().Files; n != 0 {
		t.Errorf("%d files are open at the end", n)
	}
}

// TestRetireWhileReading: readers come and go while a store retires.
func TestRetireWhileReading(t *testing.T) {
	l := vfs.Limit(vfstest.NewMem(), 3)
	s := create(t, l, 3, 40, pool())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				if err := s.Acquire(); err != nil {
					if !errors.Is(err, vecstore.ErrClosed) {
						t.Error(err)
					}
					return
				}
				for slot := range uint32(40) {
					wantVec(t, s, slot, int(slot))
				}
				s.Release()
			}
		})
	}
	must(t, s.Retire())
	wg.Wait()
	if n := l.Stats().Files; n != 0 {
		t.Errorf("%d files are open at the end", n)
	}
}

// TestOpenRead follows a writer from another process.
func TestOpenRead(t *testing.T) {
	dir := t.TempDir()
	disk := func() vfs.FS {
		o, err := vfs.NewOS(dir)
		must(t, err)
		t.Cleanup(func() { must(t, o.Close()) })
		return o
	}
	w := create(t, disk(), 128, 3, pool()) // 7 records a page
	counted := vfstest.NewFault(disk())
	counted.OnOp(func(_ int, op vfstest.Op) {
		switch op {
		case vfstest.OpOpen, vfstest.OpReadAt, vfstest.OpSize, vfstest.OpClose:
		default:
			t.Errorf("the reader did a %s", op)
		}
	})
	r, err := vecstore.OpenRead(counted, file, config(128), pool())
	must(t, err)
	defer closeStore(t, r)
	v := make([]float32, 128)
	if err := r.Read(0, v); !errors.Is(err, vecstore.ErrInvalid) {
		t.Errorf("Read before Refresh: %v, want ErrInvalid", err)
	}
	for n := 3; n < 60; n += 5 {
		must(t, r.Refresh(uint32(n)))
		must(t, r.Refresh(2)) // an older commit takes nothing away
		if got := r.Len(); got != uint32(n) {
			t.Errorf("Len = %d, want %d", got, n)
		}
		for slot := range n {
			wantVec(t, r, uint32(slot), slot)
		}
		must(t, r.Verify(nil))
		wantAppend(t, w, seq(n, n+5), seq(n, n+5))
	}
	_, appendErr := r.Append(batch(128, 99))
	for op, err := range map[string]error{"Append": appendErr, "Recover": r.Recover(0), "Refresh of a writer": w.Refresh(1)} {
		if !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", op, err)
		}
	}
	if err := r.Refresh(1000); !errors.Is(err, vecstore.ErrCorrupt) || r.Len() != w.Len() {
		t.Errorf("Refresh beyond the end: %v, Len %d, want ErrCorrupt and %d", err, r.Len(), w.Len())
	}
	if _, err := vecstore.OpenRead(counted, "other", config(128), pool()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}

	// The domain is deleted, and made again.
	must(t, vecstore.Remove(disk(), file))
	if err := r.Refresh(4); !errors.Is(err, vfs.ErrReplaced) {
		t.Errorf("Refresh of a removed file: %v, want ErrReplaced", err)
	}
	w2 := create(t, disk(), 128, 3, pool())
	if err := r.Refresh(3); !errors.Is(err, vfs.ErrReplaced) {
		t.Errorf("Refresh of a replaced file: %v, want ErrReplaced", err)
	}
	wantVec(t, r, 0, 0)
	closeStore(t, w2)
	closeStore(t, w)
}

// TestOpenReadFaults: every failing operation of a refresh surfaces, and the
// next one is good.
func TestOpenReadFaults(t *testing.T) {
	mem := vfstest.NewMem()
	defer closeStore(t, create(t, mem, 3, 5, pool()))
	fault := vfstest.NewFault(mem)
	r, err := vecstore.OpenRead(fault, file, config(3), pool())
	must(t, err)
	defer closeStore(t, r)
	for at := 0; ; at++ {
		fault.Set(vfstest.Plan{At: at, Err: syscall.EIO})
		err := r.Refresh(5)
		if fault.Hits() == 0 {
			must(t, err)
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d failed: %v", at, err)
		}
	}
	fault.Set(vfstest.Plan{})
	wantVec(t, r, 4, 4)
}

// TestNames: a domain's other vectors have a file of their own, whose header
// says which they are.
func TestNames(t *testing.T) {
	mem := vfstest.NewMem()
	name := func(n string) string { return vecstore.FileName("admin/db", n) }
	if name("") != file || name(vecstore.Main) != file || name("clustering") == file {
		t.Errorf("names %q, %q, %q", name(""), name(vecstore.Main), name("clustering"))
	}
	for i, n := range []string{vecstore.Main, "clustering", "x"} {
		cfg := config(3)
		cfg.Name = n
		s, err := vecstore.Create(mem, name(n), cfg, pool())
		must(t, err)
		wantAppend(t, s, seq(i, i+9), seq(0, 9))
		closeStore(t, s)
		for _, other := range []string{"", vecstore.Main, "clustering", "x"} {
			cfg.Name = other
			s, err := vecstore.Open(mem, name(n), cfg, pool())
			if same := other == n || other == "" && n == vecstore.Main; same && err != nil || !same && !errors.Is(err, vecstore.ErrMismatch) {
				t.Errorf("open of %q as %q: %v", n, other, err)
			}
			if err == nil {
				wantVec(t, s, 8, i+8)
				if got := s.Config().Name; got != n && (got != "" || n != vecstore.Main) {
					t.Errorf("the name of %q is %q", n, got)
				}
				closeStore(t, s)
			}
		}
		b, err := mem.ReadFile(name(n))
		must(t, err)
		if got, want := fmt.Sprint(b[8]), map[bool]string{true: "1", false: "2"}[n == vecstore.Main]; got != want {
			t.Errorf("%q is a file of version %s, want %s", n, got, want)
		}
		damaged := append([]byte(nil), b...)
		damaged[70] ^= 1
		mem.WriteFile("damaged", damaged)
		cfg.Name = n
		must(t, vecstore.RepairHeader(mem, "damaged", cfg))
		if got, err := mem.ReadFile("damaged"); err != nil || string(got) != string(b) {
			t.Errorf("%q: mended to another file, %v", n, err)
		}
	}
	long := config(3)
	for _, n := range []int{65, 64} {
		long.Name = string(make([]byte, n))
		if _, err := vecstore.Create(mem, "long", long, pool()); !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("a name of %d bytes beside %d and %d: %v", n, len(long.Domain), len(long.Fingerprint), err)
		}
		long.Domain, long.Fingerprint = string(make([]byte, 2000)), string(make([]byte, 2000))
	}
}
