package vecstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// pageBytes is the page size of 384 dimensions, 5 records each.
const (
	poolDim   = 384
	pageBytes = 8192
)

// TestPoolLimit has many goroutines read through a pool of four pages, beside
// an appender, and watches the limit.
func TestPoolLimit(t *testing.T) {
	const readers, batches = 8, 30
	p := vecstore.NewPool(4 * pageBytes)
	s := create(t, vfstest.NewMem(), poolDim, 40, p)
	defer closeStore(t, s)
	var done atomic.Bool
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(r), 7))
			q, dst := vec(5000+r, poolDim), make([]float32, poolDim)
			for i := 0; i < 20 || !done.Load(); i++ {
				n := s.Len()
				slots := []uint32{rng.Uint32N(n), rng.Uint32N(n), n - 1, rng.Uint32N(n)}
				var dots [4]float32
				if err := s.Dots(q, slots, dots[:]); err != nil {
					t.Error(err)
					return
				}
				for i, slot := range slots {
					if want := vector.Dot(q, vec(int(slot), poolDim)); dots[i] != want {
						t.Errorf("slot %d: dot %g, want %g", slot, dots[i], want)
					}
				}
				pinned, err := s.Pin(slots[0])
				if err != nil {
					t.Error(err)
					return
				}
				if !slices.Equal(pinned.Values(), vec(int(slots[0]), poolDim)) {
					t.Errorf("slot %d pinned: another vector", slots[0])
				}
				if st := p.Stats(); st.Used > st.Limit || st.Free < 0 {
					t.Errorf("the pool is over its limit: %+v", st)
				}
				pinned.Release()
				if err := s.Read(slots[1], dst); err != nil || !slices.Equal(dst, vec(int(slots[1]), poolDim)) {
					t.Errorf("slot %d: another vector, or %v", slots[1], err)
				}
			}
		})
	}
	for b := range batches {
		from := 40 + 3*b
		wantAppend(t, s, seq(from, from+3), seq(from, from+3))
	}
	done.Store(true)
	wg.Wait()
	st := p.Stats()
	if st.Loaded != 0 || st.Loading != 0 || st.Cached > 4 || st.Used > st.Limit || st.Evictions == 0 {
		t.Errorf("in the end: %+v", st)
	}
	must(t, s.Verify(nil))
}

// TestPoolWaits: with every page pinned readers wait, and get their page in the
// order of their coming when pins are released.
func TestPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vecstore.NewPool(4 * pageBytes)
		s := create(t, vfstest.NewMem(), poolDim, 40, p)
		var pins []vecstore.Pinned
		for page := range uint32(4) {
			pin, err := s.Pin(5 * page)
			must(t, err)
			pins = append(pins, pin)
		}
		if st := p.Stats(); st.Loaded != 4 || st.Free != 0 || st.Waits != 0 {
			t.Errorf("with four pins: %+v", st)
		}
		order := make(chan int, 3)
		release := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				pin, err := s.Pin(uint32(20 + 5*i))
				if err != nil {
					t.Error(err)
				}
				order <- i
				<-release
				pin.Release()
			})
			synctest.Wait() // until it waits
		}
		// A page that is in memory needs no room.
		wantVec(t, s, 1, 1)
		if len(order) != 0 || p.Stats().Waits != 3 {
			t.Fatalf("%d of 3 did not wait: %+v", len(order), p.Stats())
		}
		for i := range 3 {
			pins[i].Release()
			synctest.Wait()
			if len(order) != 1 {
				t.Fatalf("after %d releases %d more readers went on", i+1, len(order))
			}
			if got := <-order; got != i {
				t.Errorf("reader %d goes on, want %d", got, i)
			}
		}
		if st := p.Stats(); st.Used != st.Limit || st.Loaded != 4 || st.Evictions != 3 {
			t.Errorf("with four pins again: %+v", st)
		}
		close(release)
		wg.Wait()
		pins[3].Release()
		closeStore(t, s)
		if st := p.Stats(); st.Used != 0 || st.Cached != 0 {
			t.Errorf("after Close: %+v", st)
		}
	})
}

// pinAll pins the first record of pages 0..n-1.
func pinAll(t *testing.T, s *vecstore.Store, perPage, n int) []vecstore.Pinned {
	t.Helper()
	var pins []vecstore.Pinned
	for page := range n {
		pin, err := s.Pin(uint32(perPage * page))
		must(t, err)
		pins = append(pins, pin)
	}
	return pins
}

// TestPoolWaitsOfTwoSizes: who needs a large page is not passed by those who
// need small ones, and the room of a large page serves several small ones.
func TestPoolWaitsOfTwoSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vecstore.NewPool(4 * 16384)
		large := create(t, vfstest.NewMem(), 784, 40, p) // 5 records on 16 KiB
		small := create(t, vfstest.NewMem(), 384, 60, p) // 5 records on 8 KiB
		tiny := create(t, vfstest.NewMem(), 2, 64*8, p)  // 64 records on 4 KiB
		pins := pinAll(t, small, 5, 7)                   // 8 KiB are left
		var order []string
		var wg sync.WaitGroup
		hold := make(chan struct{})
		read := func(name string, s *vecstore.Store, slot uint32) {
			wg.Go(func() {
				pin, err := s.Pin(slot)
				if err != nil {
					t.Error(err)
				}
				order = append(order, name)
				<-hold
				pin.Release()
			})
			synctest.Wait()
		}
		read("large", large, 0)
		read("small", small, 50)
		if len(order) != 0 {
			t.Errorf("%v went on with 8 KiB left", order)
		}
		pins[0].Release()
		synctest.Wait()
		if !slices.Equal(order, []string{"large"}) {
			t.Errorf("%v went on with 16 KiB left, want the large one only", order)
		}
		pins[1].Release()
		synctest.Wait()
		if !slices.Equal(order, []string{"large", "small"}) {
			t.Errorf("%v went on", order)
		}
		close(hold)
		wg.Wait()
		for i := range pins {
			pins[i].Release()
		}

		pins = pinAll(t, large, 5, 4)
		var there sync.WaitGroup
		there.Add(4)
		for i := range 4 {
			wg.Go(func() {
				pin, err := tiny.Pin(uint32(64 * i))
				if err != nil {
					t.Error(err)
				}
				there.Done()
				there.Wait() // nobody lets go before all have theirs
				pin.Release()
			})
		}
		synctest.Wait()
		pins[0].Release()
		wg.Wait()
		for i := range pins {
			pins[i].Release()
		}
		for _, s := range []*vecstore.Store{large, small, tiny} {
			closeStore(t, s)
		}
		if st := p.Stats(); st.Used != 0 {
			t.Errorf("in the end: %+v", st)
		}
	})
}

// TestPoolReadPanics: a panic while a page is read reaches the goroutine that
// reads it, is an error to those who wait for the page, and leaves the page to be
// read again.
func TestPoolReadPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := vfstest.NewFault(vfstest.NewMem())
		p := vecstore.NewPool(4 * pageBytes)
		s := create(t, fault, poolDim, 5, p)
		defer closeStore(t, s)
		proceed := make(chan struct{})
		fault.OnOp(func(_ int, op vfstest.Op) {
			if op == vfstest.OpReadAt {
				<-proceed
				panic("bug below")
			}
		})
		read := func() (recovered any, err error) {
			defer func() { recovered = recover() }()
			return nil, s.Read(0, make([]float32, poolDim))
		}
		var wg sync.WaitGroup
		var panics, failures atomic.Int32
		for range 2 {
			wg.Go(func() {
				recovered, err := read()
				if recovered != nil {
					panics.Add(1)
				} else if err != nil {
					failures.Add(1)
				}
			})
		}
		synctest.Wait()
		close(proceed)
		wg.Wait()
		if panics.Load() != 1 || failures.Load() != 1 {
			t.Errorf("%d panics and %d errors, want one of each", panics.Load(), failures.Load())
		}
		fault.OnOp(nil)
		if recovered, err := read(); err != nil || recovered != nil {
			t.Errorf("read again: %v, %v", err, recovered)
		}
		if st := p.Stats(); st.Loading != 0 || st.Loaded != 0 {
			t.Errorf("afterwards: %+v", st)
		}
	})
}

// TestPoolWaitsForSamePage: of two who wait for room for one page the first
// brings it for both. One whose store is closed waits no longer.
func TestPoolWaitsForSamePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vecstore.NewPool(4 * pageBytes)
		s := create(t, vfstest.NewMem(), poolDim, 40, p)
		other := create(t, vfstest.NewMem(), poolDim, 5, p)
		pins := pinAll(t, s, 5, 4)
		var wg sync.WaitGroup
		hold := make(chan struct{})
		var got, refused atomic.Int32
		for i := range 3 {
			wg.Go(func() {
				pin, err := s.Pin(uint32(20 + i))
				if err != nil {
					t.Error(err)
				}
				got.Add(1)
				<-hold
				pin.Release()
			})
		}
		wg.Go(func() {
			if err := other.Read(0, make([]float32, poolDim)); !errors.Is(err, vecstore.ErrClosed) {
				t.Errorf("Read of a store closed while it waits: %v, want ErrClosed", err)
			}
			refused.Add(1)
		})
		synctest.Wait()
		if st := p.Stats(); st.Waits != 4 {
			t.Errorf("%d wait, want 4", st.Waits)
		}
		closeStore(t, other)
		synctest.Wait()
		if refused.Load() != 1 {
			t.Error("the reader of the closed store still waits")
		}
		pins[0].Release()
		synctest.Wait()
		if got.Load() != 3 {
			t.Errorf("%d of 3 readers have the page", got.Load())
		}
		if st := p.Stats(); st.Loads != 5 || st.Loaded != 4 || st.Loading != 0 {
			t.Errorf("after one release: %+v", st)
		}
		close(hold)
		wg.Wait()
		for i := range pins {
			pins[i].Release()
		}
		closeStore(t, s)
		if st := p.Stats(); st.Used != 0 {
			t.Errorf("in the end: %+v", st)
		}
	})
}

// TestPoolFullOfDroppedPages: pins on a closed store leave nothing to evict.
func TestPoolFullOfDroppedPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vecstore.NewPool(4 * 16384)
		gone := create(t, vfstest.NewMem(), 384, 40, p)
		pins := pinAll(t, gone, 5, 7)
		closeStore(t, gone)
		tiny := create(t, vfstest.NewMem(), 2, 3*64, p)
		for page := range 3 { // into room for two
			wantVec(t, tiny, uint32(64*page), 64*page)
		}
		large := create(t, vfstest.NewMem(), 784, 1, p)
		var wg sync.WaitGroup
		wg.Go(func() { wantVec(t, large, 0, 0) })
		synctest.Wait()
		if st := p.Stats(); st.Waits != 1 || st.Evictions != 3 {
			t.Errorf("with all room taken by pages of a closed store: %+v", st)
		}
		for i := range pins {
			pins[i].Release()
		}
		wg.Wait()
		closeStore(t, tiny)
		closeStore(t, large)
		if st := p.Stats(); st.Used != 0 {
			t.Errorf("in the end: %+v", st)
		}
	})
}

// slowFS lets reads of page data through one by one.
type slowFS struct {
	vfs.FS
	gate  chan error // what a read is to return; nil for the real thing
	reads *atomic.Int32
}

func (s *slowFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := s.FS.Open(name, mode)
	return &slowFile{f, s}, err
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (f *slowFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= 4096 && f.fs.gate != nil {
		f.fs.reads.Add(1)
		if err := <-f.fs.gate; err != nil {
			return 0, err
		}
	}
	return f.File.ReadAt(p, off)
}

// TestPoolSingleFlight: a page that many need is read once, its error goes to
// all who waited for that read, and to nobody else.
func TestPoolSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := vfstest.NewMem()
		closeStore(t, create(t, m, poolDim, 40, pool()))
		slow := &slowFS{m, make(chan error), new(atomic.Int32)}
		p := vecstore.NewPool(4 * pageBytes)
		s, err := vecstore.Open(slow, file, vecstore.Config{}, p)
		must(t, err)
		for _, fault := range []error{syscall.EIO, nil} {
			slow.reads.Store(0)
			var failed atomic.Int32
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					v := make([]float32, poolDim)
					switch err := s.Read(uint32(i%5), v); {
					case err == nil && slices.Equal(v, vec(i%5, poolDim)):
					case errors.Is(err, syscall.EIO) && !errors.Is(err, vecstore.ErrCorrupt):
						failed.Add(1)
					default:
						t.Errorf("Read = %v", err)
					}
				})
			}
			synctest.Wait()
			if st := p.Stats(); st.Loading != 1 || slow.reads.Load() != 1 {
				t.Errorf("%d reads for one page, %+v", slow.reads.Load(), st)
			}
			slow.gate <- fault
			wg.Wait()
			if want := fault != nil; failed.Load() != 10 && want || failed.Load() != 0 && !want {
				t.Errorf("fault %v: %d of 10 readers failed", fault, failed.Load())
			}
		}
		if st := p.Stats(); st.Loads != 2 || st.Cached != 1 || st.Used != pageBytes {
			t.Errorf("in the end: %+v", st)
		}
		closeStore(t, s)
	})
}

// TestPoolCloseWhilePinned: pinned values outlive the store; what was being
// read when it closed does no harm, and all bytes come back.
func TestPoolCloseWhilePinned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := vfstest.NewMem()
		closeStore(t, create(t, m, poolDim, 40, pool()))
		slow := &slowFS{m, make(chan error, 1), new(atomic.Int32)}
		p := vecstore.NewPool(4 * pageBytes)
		s, err := vecstore.Open(slow, file, vecstore.Config{}, p)
		must(t, err)
		slow.gate <- nil
		pin, err := s.Pin(3)
		must(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			// The read ends after the Close: closed, whatever the disk says.
			if err := s.Read(20, make([]float32, poolDim)); err == nil {
				t.Error("Read across Close: no error")
			}
		})
		synctest.Wait()
		closeStore(t, s)
		slow.gate <- nil
		wg.Wait()
		if st := p.Stats(); st.Used != pageBytes || st.Cached+st.Loaded+st.Loading != 0 {
			t.Errorf("after Close, one page pinned: %+v", st)
		}
		if !slices.Equal(pin.Values(), vec(3, poolDim)) {
			t.Error("the pinned vector has changed")
		}
		pin.Release()
		if st := p.Stats(); st.Used != 0 {
			t.Errorf("after the last release: %+v", st)
		}
	})
}

// TestPoolTwoPageSizes shares a pool between stores of different dimensions,
// from several goroutines.
func TestPoolTwoPageSizes(t *testing.T) {
	p := vecstore.NewPool(5 * 16384)
	dims := []int{384, 784, 2} // pages of 8, 16 and 4 KiB
	var stores []*vecstore.Store
	for _, dim := range dims {
		stores = append(stores, create(t, vfstest.NewMem(), dim, 200, p))
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for range 300 {
				i := rng.IntN(len(stores))
				slot := rng.IntN(200)
				v := make([]float32, dims[i])
				if err := stores[i].Read(uint32(slot), v); err != nil || !slices.Equal(v, vec(slot, dims[i])) {
					t.Errorf("dimension %d, slot %d: another vector, or %v", dims[i], slot, err)
				}
				if st := p.Stats(); st.Used > st.Limit {
					t.Errorf("the pool is over its limit: %+v", st)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		closeStore(t, s)
	}
	if st := p.Stats(); st.Used != 0 || st.Evictions == 0 {
		t.Errorf("in the end: %+v", st)
	}
}

// TestTailPageGrows: readers of a page that is in memory see what is appended
// to it, while older pins on it stay as they are.
func TestTailPageGrows(t *testing.T) {
	p := pool()
	s := create(t, vfstest.NewMem(), poolDim, 1, p)
	defer closeStore(t, s)
	first, err := s.Pin(0)
	must(t, err)
	for i := 1; i < 12; i++ {
		wantAppend(t, s, []int{i}, []int{i})
		wantVec(t, s, uint32(i), i)
	}
	if !slices.Equal(first.Values(), vec(0, poolDim)) {
		t.Error("the first vector has changed")
	}
	first.Release()
	if st := p.Stats(); st.Cached != 3 || st.Used != 3*pageBytes || st.Loads != 12 {
		t.Errorf("12 loads into 3 pages: %+v", st)
	}
}

func BenchmarkDots(b *testing.B) {
	for _, dim := range []int{384, 1536} {
		const n = 5000
		s := create(b, vfstest.NewMem(), dim, n, vecstore.NewPool(256<<20))
		q := vec(-1, dim)
		slots, dst := make([]uint32, n), make([]float32, n)
		for i := range slots {
			slots[i] = uint32(i)
		}
		run := func(name string) {
			b.Run(fmt.Sprintf("%d/%s", dim, name), func(b *testing.B) {
				for b.Loop() {
					must(b, s.Dots(q, slots, dst))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/vector")
			})
		}
		run("in order")
		rng := rand.New(rand.NewPCG(1, 1))
		rng.Shuffle(n, func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
		run("at random")
		v := vec(1, dim)
		b.Run(fmt.Sprintf("%d/vector.Dot", dim), func(b *testing.B) {
			var sum float32
			for b.Loop() {
				for range n {
					sum += vector.Dot(q, v)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/vector")
		})
		closeStore(b, s)
	}
}

func BenchmarkAppend(b *testing.B) {
	o, err := vfs.NewOS(b.TempDir())
	must(b, err)
	s := create(b, o, 384, 0, pool())
	i := 0
	for b.Loop() {
		_, err := s.Append(batch(384, seq(i, i+256)...))
		must(b, err)
		i += 256
	}
	closeStore(b, s)
	must(b, o.Close())
}

func BenchmarkRecover(b *testing.B) {
	const n = 20000
	m := vfstest.NewMem()
	closeStore(b, create(b, m, 384, n, pool()))
	for b.Loop() {
		closeStore(b, reopen(b, m, n, pool()))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/vector")
}
