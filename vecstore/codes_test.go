package vecstore_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func slots(n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}

func mustCodes(t testing.TB, s *vecstore.Store, of []uint32) *vecstore.Codes {
	t.Helper()
	c, err := s.Codes(of)
	must(t, err)
	return c
}

// wantCodes checks that the codes of the slots are those of vectors first,
// first+1 and so on.
func wantCodes(t testing.TB, c *vecstore.Codes, of []uint32, first int) {
	t.Helper()
	codes := c.Codes()
	want := vector.Planes{
		Stride: codes.Stride, Upper: make([]byte, codes.Stride), Lower: make([]byte, codes.Stride), Scales: make([]float32, 1),
	}
	for _, slot := range of {
		want.Set(0, vec(first+int(slot), c.Dim()))
		at := int(slot) * codes.Stride
		upper, lower := codes.Upper[at:at+codes.Stride], codes.Lower[at:at+codes.Stride]
		if !slices.Equal(upper, want.Upper) || !slices.Equal(lower, want.Lower) || codes.Scales[slot] != want.Scales[0] {
			t.Errorf("slot %d has the wrong codes", slot)
			return
		}
	}
}

// TestCodes asks for some slots, more slots, and slots that come later.
func TestCodes(t *testing.T) {
	for _, dim := range []int{1, historyDim, 384, 5000} {
		const n = 12
		s := create(t, vfstest.NewMem(), dim, n, vecstore.NewPool(16<<20))
		few := []uint32{11, 2, 7, 3, 2}
		a := mustCodes(t, s, few)
		wantCodes(t, a, few, 0)
		if got, want := a.Bytes(), int64(len(few)*(2*vector.PlaneLen(dim)+4)); got != want {
			t.Errorf("dim %d: Bytes = %d, want %d", dim, got, want)
		}
		b := mustCodes(t, s, slots(n))
		wantCodes(t, b, slots(n), 0)

		ids := seq(n, 8*n) // beyond what the arena has room for
		keys, vecs := batch(dim, ids...)
		_, err := s.Append(keys, vecs)
		must(t, err)
		c := mustCodes(t, s, slots(8*n))
		wantCodes(t, c, slots(8*n), 0)
		a.Release()
		a.Release()
		wantCodes(t, b, slots(n), 0)
		b.Release()
		wantCodes(t, c, slots(8*n), 0)

		q, dots, want := vec(7, dim), make([]float32, 1), make([]float32, 1)
		must(t, c.Dots(q, []uint32{9}, dots))
		must(t, s.Dots(q, []uint32{9}, want))
		v := make([]float32, dim)
		must(t, c.Read(9, v))
		if dots[0] != want[0] || !slices.Equal(v, vec(9, dim)) {
			t.Errorf("dim %d: Dots and Read through codes are not the store's", dim)
		}
		closeStore(t, s)
		wantCodes(t, c, slots(8*n), 0) // codes outlive the store
		c.Release()
		if _, err := s.Codes(few); !errors.Is(err, vecstore.ErrClosed) {
			t.Errorf("Codes of a closed store: %v, want ErrClosed", err)
		}
	}
}

func TestCodesRefuses(t *testing.T) {
	s := create(t, vfstest.NewMem(), historyDim, 3, pool())
	defer closeStore(t, s)
	for _, of := range [][]uint32{{3}, {0, math.MaxUint32}} {
		if _, err := s.Codes(of); !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("Codes(%v): %v, want ErrInvalid", of, err)
		}
	}
	none := mustCodes(t, s, nil)
	if got := none.Bytes(); got != 0 {
		t.Errorf("no codes take %d bytes", got)
	}
	none.Release()
}

// TestCodesOfDamage: a damaged record is named, has codes of zeros, and its
// neighbours are what they are.
func TestCodesOfDamage(t *testing.T) {
	m := vfstest.NewMem()
	s := create(t, m, historyDim, 9, pool())
	defer closeStore(t, s)
	flip(t, m, 4096+2*576+5)
	c := mustCodes(t, s, slots(9))
	defer c.Release()
	wantCodes(t, c, []uint32{0, 1, 3, 4, 5, 6, 7, 8}, 0)
	codes := c.Codes()
	for _, plane := range [][]byte{codes.Upper, codes.Lower} {
		if row := plane[2*codes.Stride:][:codes.Stride]; codes.Scales[2] != 0 || slices.Max(row) != 0x88 || slices.Min(row) != 0x88 {
			t.Errorf("a damaged slot has codes %v with scale %v", row, codes.Scales[2])
		}
	}
	if got := s.Damaged(); !slices.Equal(got, []uint32{2}) {
		t.Errorf("Damaged = %v, want [2]", got)
	}
	if err := c.Dots(vec(0, historyDim), []uint32{2}, make([]float32, 1)); !errors.Is(err, vecstore.ErrCorrupt) {
		t.Errorf("Dots with a damaged slot: %v, want ErrCorrupt", err)
	}
}

// TestCodesFault: a read that fails fails the call, and the next one is not
// harmed by what the first left behind.
func TestCodesFault(t *testing.T) {
	const n = 3000 // some reads' worth
	m := vfstest.NewMem()
	closeStore(t, create(t, m, 384, n, pool()))
	failing := &failFS{FS: m}
	s, err := vecstore.Open(failing, file, vecstore.Config{}, pool())
	must(t, err)
	defer closeStore(t, s)
	for range 3 {
		failing.mu.Lock()
		failing.left = 2
		failing.mu.Unlock()
		if _, err := s.Codes(slots(n)); !errors.Is(err, errDisk) {
			t.Fatalf("Codes = %v, want the disk's error", err)
		}
	}
	failing.mu.Lock()
	failing.left = math.MaxInt
	failing.mu.Unlock()
	c := mustCodes(t, s, slots(n))
	wantCodes(t, c, slots(n), 0)
	c.Release()
}

var errDisk = errors.New("broken disk")

// failFS fails all reads after so many.
type failFS struct {
	vfs.FS
	mu   sync.Mutex
	left int
}

type failFile struct {
	vfs.File
	fs *failFS
}

func (f *failFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f.left = math.MaxInt
	file, err := f.FS.Open(name, mode)
	return &failFile{file, f}, err
}

func (f *failFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	f.fs.left--
	fail := f.fs.left < 0
	f.fs.mu.Unlock()
	if fail {
		return 0, errDisk
	}
	return f.File.ReadAt(b, off)
}

// TestCodesConcurrently: takers and givers at once, while the store grows.
func TestCodesConcurrently(t *testing.T) {
	s := create(t, vfstest.NewMem(), historyDim, 50, pool())
	defer closeStore(t, s)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 40))
			for range 50 {
				of := make([]uint32, 20)
				for i := range of {
					of[i] = r.Uint32N(s.Len())
				}
				c, err := s.Codes(of)
				if err != nil {
					t.Error(err)
					return
				}
				wantCodes(t, c, of, 0)
				c.Release()
			}
		})
	}
	wg.Go(func() {
		for i := range 10 {
			keys, vecs := batch(historyDim, seq(50+40*i, 90+40*i)...)
			if _, err := s.Append(keys, vecs); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

// TestDotsBatches: any slots in any order, from a pool too small for them.
func TestDotsBatches(t *testing.T) {
	const dim, n = 384, 400
	m := vfstest.NewMem()
	s := create(t, m, dim, n, vecstore.NewPool(5*8192))
	defer closeStore(t, s)
	q := vec(3, dim)
	r := rand.New(rand.NewPCG(1, 41))
	for range 50 {
		of := make([]uint32, r.IntN(200))
		for i := range of {
			of[i] = r.Uint32N(n)
		}
		if r.IntN(2) == 0 {
			slices.Sort(of)
		}
		dots := make([]float32, len(of))
		must(t, s.Dots(q, of, dots))
		for i, slot := range of {
			if want := vector.Dot(q, vec(int(slot), dim)); dots[i] != want {
				t.Fatalf("product with slot %d is %v, want %v", slot, dots[i], want)
			}
		}
	}
}

func BenchmarkCodes(b *testing.B) {
	const dim, n = 384, 20000
	fsys, err := vfs.NewOS(b.TempDir())
	must(b, err)
	s := create(b, fsys, dim, n, pool())
	defer closeStore(b, s)
	all := slots(n)
	b.SetBytes(int64(n * 4 * dim))
	for b.Loop() {
		mustCodes(b, s, all).Release()
	}
}
