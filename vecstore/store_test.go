package vecstore_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const file = "admin%2Fdb.vecs"

func config(dim int) vecstore.Config {
	return vecstore.Config{Domain: "admin/db", Fingerprint: "test-model", Dim: dim, Metric: vecstore.Cosine, Normalized: true}
}

// key and vec make the i-th key and its vector, always the same.
func key(i int) vecstore.Key {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(i)))
}

func vec(i, dim int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	v := make([]float32, dim)
	for j := range v {
		v[j] = float32(rng.NormFloat64())
	}
	if !vector.Normalize(v) {
		v[0] = 1
	}
	return v
}

// batch returns the keys and vectors of ids.
func batch(dim int, ids ...int) (keys []vecstore.Key, vecs [][]float32) {
	for _, i := range ids {
		keys, vecs = append(keys, key(i)), append(vecs, vec(i, dim))
	}
	return keys, vecs
}

// seq returns from..to-1.
func seq(from, to int) []int {
	var s []int
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}

func pool() *vecstore.Pool { return vecstore.NewPool(4 << 20) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closeStore(t testing.TB, s *vecstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// create makes a store with the vectors 0..n-1 in slots 0..n-1.
func create(t testing.TB, fsys vfs.FS, dim, n int, p *vecstore.Pool) *vecstore.Store {
	t.Helper()
	s, err := vecstore.Create(fsys, file, config(dim), p)
	must(t, err)
	wantAppend(t, s, seq(0, n), seq(0, n))
	return s
}

// reopen opens and recovers.
func reopen(t testing.TB, fsys vfs.FS, floor uint32, p *vecstore.Pool) *vecstore.Store {
	t.Helper()
	s, err := vecstore.Open(fsys, file, vecstore.Config{}, p)
	must(t, err)
	must(t, s.Recover(floor))
	return s
}

func wantAppend(t testing.TB, s *vecstore.Store, ids, slots []int) {
	t.Helper()
	got, err := s.Append(batch(s.Dim(), ids...))
	must(t, err)
	if len(got) != len(slots) {
		t.Fatalf("Append(%v) = %v, want %v", ids, got, slots)
	}
	for i, slot := range got {
		if int(slot) != slots[i] {
			t.Fatalf("Append(%v) = %v, want %v", ids, got, slots)
		}
	}
}

// wantVec reads a slot in all the ways there are.
func wantVec(t testing.TB, s *vecstore.Store, slot uint32, id int) {
	t.Helper()
	want := vec(id, s.Dim())
	got := make([]float32, s.Dim())
	must(t, s.Read(slot, got))
	if !slices.Equal(got, want) {
		t.Errorf("slot %d holds another vector than %d", slot, id)
	}
	p, err := s.Pin(slot)
	must(t, err)
	if !slices.Equal(p.Values(), want) {
		t.Errorf("slot %d pinned: another vector than %d", slot, id)
	}
	p.Release()
	p.Release()
	q := vec(-1, s.Dim())
	var dot [1]float32
	must(t, s.Dots(q, []uint32{slot}, dot[:]))
	if w := vector.Dot(q, want); dot[0] != w {
		t.Errorf("slot %d: dot %g, want %g", slot, dot[0], w)
	}
	if k, err := s.Key(slot); err != nil || k != key(id) {
		t.Errorf("slot %d: key %x, %v", slot, k[:4], err)
	}
}

func TestAppendLookupRead(t *testing.T) {
	for _, dim := range []int{1, 3, 16, 384, 1536, 20000} {
		t.Run(fmt.Sprint(dim), func(t *testing.T) {
			m := vfstest.NewMem()
			s := create(t, m, dim, 3, pool())
			wantAppend(t, s, nil, nil)
			wantAppend(t, s, []int{7, 1, 7, 8}, []int{3, 1, 3, 4})
			wantAppend(t, s, seq(8, 30), seq(4, 26))
			check := func(s *vecstore.Store) {
				t.Helper()
				if s.Len() != 26 || s.Dim() != dim || s.Config() != config(dim) {
					t.Errorf("Len, Dim, Config = %d, %d, %+v", s.Len(), s.Dim(), s.Config())
				}
				for slot, id := range append([]int{0, 1, 2, 7}, seq(8, 30)...) {
					if got, ok := s.Lookup(key(id)); !ok || int(got) != slot {
						t.Errorf("Lookup(%d) = %d, %t, want %d", id, got, ok, slot)
					}
					wantVec(t, s, uint32(slot), id)
				}
				if slot, ok := s.Lookup(key(99)); ok {
					t.Errorf("Lookup of an unknown key = %d", slot)
				}
				must(t, s.Verify(func(slot uint32, err error) { t.Errorf("Verify: slot %d: %v", slot, err) }))
				if d := s.Damaged(); len(d) != 0 {
					t.Errorf("Damaged = %v", d)
				}
			}
			check(s)
			closeStore(t, s)
			s = reopen(t, m, 0, pool())
			check(s)
			wantAppend(t, s, []int{29, 30}, []int{25, 26})
			must(t, s.Recover(0)) // does nothing the second time
			wantVec(t, s, 26, 30)
			closeStore(t, s)
		})
	}
}

func TestDots(t *testing.T) {
	const dim, n = 384, 23
	s := create(t, vfstest.NewMem(), dim, n, pool())
	defer closeStore(t, s)
	q := vec(1000, dim)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		slots := make([]uint32, rng.IntN(40))
		for i := range slots {
			slots[i] = uint32(rng.IntN(n))
		}
		if rng.IntN(2) == 0 {
			slices.Sort(slots)
		}
		got := make([]float32, len(slots))
		must(t, s.Dots(q, slots, got))
		for i, slot := range slots {
			if want := vector.Dot(q, vec(int(slot), dim)); got[i] != want {
				t.Fatalf("dot of %v at %d = %g, want %g", slots, i, got[i], want)
			}
		}
	}
	slots, dst := []uint32{1, 7, 22, 0}, make([]float32, 4)
	if a := testing.AllocsPerRun(100, func() { must(t, s.Dots(q, slots, dst)) }); a != 0 {
		t.Errorf("Dots on pages in memory allocates %g times", a)
	}
}

func TestInvalidCalls(t *testing.T) {
	m := vfstest.NewMem()
	s := create(t, m, 3, 2, pool())
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, v := range map[string][]float32{
		"short": {1, 0}, "long": {1, 0, 0, 0}, "none": nil, "NaN": {1, 0, nan}, "Inf": {inf, 0, 0}, "zero": {0, 0, 0}, "not a unit": {1, 1, 0},
	} {
		keys, vecs := batch(3, 10, 11)
		vecs[1] = v
		if got, err := s.Append(keys, vecs); !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("%s vector: Append = %v, %v, want ErrInvalid", name, got, err)
		}
	}
	keys, vecs := batch(3, 10, 11)
	_, err := s.Append(keys, vecs[:1])
	_, pinErr := s.Pin(2)
	_, keyErr := s.Key(vecstore.NoSlot)
	var three [3]float32
	for name, err := range map[string]error{
		"Append of fewer vectors than keys": err,
		"Pin beyond the end":                pinErr,
		"Key beyond the end":                keyErr,
		"Read beyond the end":               s.Read(2, three[:]),
		"Read into too little":              s.Read(0, three[:2]),
		"Dots beyond the end":               s.Dots(three[:], []uint32{0, 1, 2}, three[:]),
		"Dots with a short query":           s.Dots(three[:2], []uint32{0}, three[:1]),
		"Dots into too little":              s.Dots(three[:], []uint32{0, 1}, three[:1]),
	} {
		if !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if s.Len() != 2 {
		t.Errorf("Len = %d after refused calls, want 2", s.Len())
	}
	wantAppend(t, s, []int{10}, []int{2})
	closeStore(t, s)

	r, err := vecstore.Open(m, file, vecstore.Config{}, pool())
	must(t, err)
	if _, ok := r.Lookup(key(0)); ok {
		t.Error("Lookup before Recover finds something")
	}
	if _, err := r.Append(batch(3, 0)); !errors.Is(err, vecstore.ErrInvalid) {
		t.Errorf("Append before Recover: %v, want ErrInvalid", err)
	}
	wantVec(t, r, 2, 10)
	closeStore(t, r)
}

func TestNotNormalized(t *testing.T) {
	cfg := config(2)
	cfg.Normalized, cfg.Metric = false, vecstore.Euclidean
	s, err := vecstore.Create(vfstest.NewMem(), file, cfg, pool())
	must(t, err)
	defer closeStore(t, s)
	_, err = s.Append([]vecstore.Key{key(1), key(2)}, [][]float32{{3, 4}, {0, 0}})
	must(t, err)
	_, err = s.Append([]vecstore.Key{key(3)}, [][]float32{{math.MaxFloat32, math.MaxFloat32}})
	if !errors.Is(err, vecstore.ErrInvalid) {
		t.Errorf("Append of a vector whose distances are no numbers: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	long := strings.Repeat("x", 2001)
	for name, change := range map[string]func(*vecstore.Config){
		"no domain":          func(c *vecstore.Config) { c.Domain = "" },
		"long domain":        func(c *vecstore.Config) { c.Domain = long },
		"no fingerprint":     func(c *vecstore.Config) { c.Fingerprint = "" },
		"long fingerprint":   func(c *vecstore.Config) { c.Fingerprint = long },
		"dimension 0":        func(c *vecstore.Config) { c.Dim = 0 },
		"dimension -1":       func(c *vecstore.Config) { c.Dim = -1 },
		"dimension 65537":    func(c *vecstore.Config) { c.Dim = 65537 },
		"no metric":          func(c *vecstore.Config) { c.Metric = 0 },
		"a metric to come":   func(c *vecstore.Config) { c.Metric = 4 },
		"pages too large":    func(c *vecstore.Config) { c.Dim = 65536 },
		"long and fitting":   func(c *vecstore.Config) { c.Domain, c.Fingerprint = long[1:], long[1:] },
		"anything but plain": func(c *vecstore.Config) { c.Domain = "\x00../\xff" },
	} {
		cfg := config(3)
		change(&cfg)
		m := vfstest.NewMem()
		s, err := vecstore.Create(m, file, cfg, vecstore.NewPool(64<<10))
		if name == "long and fitting" || name == "anything but plain" {
			must(t, err)
			if s.Config() != cfg {
				t.Errorf("%s: Config = %+v", name, s.Config())
			}
			closeStore(t, s)
			continue
		}
		if !errors.Is(err, vecstore.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
		if names, err := m.List(); err != nil || len(names) != 0 {
			t.Errorf("%s: leaves %q, %v", name, names, err)
		}
	}
	m := vfstest.NewMem()
	closeStore(t, create(t, m, 3, 2, pool()))
	if _, err := vecstore.Create(m, file, config(3), pool()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a file: %v, want fs.ErrExist", err)
	}
	if _, err := vecstore.Create(m, "a/b", config(3), pool()); !errors.Is(err, vfs.ErrName) {
		t.Errorf("Create outside: %v, want vfs.ErrName", err)
	}
	s := reopen(t, m, 0, pool())
	wantVec(t, s, 1, 1)
	closeStore(t, s)
}

func TestOpenRefuses(t *testing.T) {
	m := vfstest.NewMem()
	closeStore(t, create(t, m, 384, 2, pool()))
	tests := []struct {
		name string
		want vecstore.Config
		pool *vecstore.Pool
		err  error
	}{
		{"same", config(384), pool(), nil},
		{"anything", vecstore.Config{}, pool(), nil},
		{"domain", vecstore.Config{Domain: "admin/other"}, pool(), vecstore.ErrMismatch},
		{"fingerprint", vecstore.Config{Fingerprint: "other"}, pool(), vecstore.ErrMismatch},
		{"dimension", vecstore.Config{Dim: 385}, pool(), vecstore.ErrMismatch},
		{"metric", vecstore.Config{Metric: 2}, pool(), vecstore.ErrMismatch},
		{"pool of three pages", vecstore.Config{}, vecstore.NewPool(3 * 8192), vecstore.ErrInvalid},
		{"pool of four pages", vecstore.Config{}, vecstore.NewPool(4 * 8192), nil},
	}
	for _, tt := range tests {
		s, err := vecstore.Open(m, file, tt.want, tt.pool)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		if err == nil {
			closeStore(t, s)
		}
	}
	if _, err := vecstore.Open(m, "missing", vecstore.Config{}, pool()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v, want fs.ErrNotExist", err)
	}
}

func TestClosed(t *testing.T) {
	s := create(t, vfstest.NewMem(), 3, 2, pool())
	closeStore(t, s)
	_, appendErr := s.Append(batch(3, 9))
	var v [3]float32
	for name, err := range map[string]error{
		"Append": appendErr, "Read": s.Read(0, v[:]), "Recover": s.Recover(0), "Verify": s.Verify(nil), "Close": s.Close(),
	} {
		if !errors.Is(err, vecstore.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}

// TestOnDisk runs on the real file system.
func TestOnDisk(t *testing.T) {
	o, err := vfs.NewOS(t.TempDir())
	must(t, err)
	defer func() { must(t, o.Close()) }()
	closeStore(t, create(t, o, 384, 700, pool()))
	s := reopen(t, o, 700, pool())
	for slot := range uint32(700) {
		wantVec(t, s, slot, int(slot))
	}
	must(t, s.Verify(nil))
	closeStore(t, s)
}

func Example() {
	dir, err := os.MkdirTemp("", "vecs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	disk, err := vfs.NewOS(dir)
	if err != nil {
		panic(err)
	}
	defer disk.Close()

	pool := vecstore.NewPool(1 << 20)
	cfg := vecstore.Config{Domain: "admin/star_wars", Fingerprint: "some-model", Dim: 2, Metric: vecstore.Cosine, Normalized: true}
	s, err := vecstore.Create(disk, vfs.FileName(cfg.Domain, "", "vecs"), cfg, pool)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	yoda, luke := sha256.Sum256([]byte("Yoda")), sha256.Sum256([]byte("Luke"))
	slots, err := s.Append([]vecstore.Key{yoda, luke, yoda}, [][]float32{{1, 0}, {0.6, 0.8}, {1, 0}})
	if err != nil {
		panic(err)
	}
	dots := make([]float32, 3)
	if err := s.Dots([]float32{0, 1}, slots, dots); err != nil {
		panic(err)
	}
	fmt.Println(slots, dots)
	// Output: [0 1 0] [0 0.8 0]
}
