package vecstore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// long reports whether the long sweeps are wanted.
func long() bool { return os.Getenv("VECTORLINK_LONG") != "" }

// history is what a program does with a store, and what it has been promised.
type history struct {
	created bool        // Create has returned
	acked   map[int]int // id → slot, as Append has returned them
	floor   uint32      // slots that a commit refers to
}

// historyDim gives 7 records a page and a gap after them.
const historyDim = 128

// run creates, appends, commits, reopens and appends, and stops at an error.
func (h *history) run(fsys vfs.FS) (err error) {
	h.acked = map[int]int{}
	p := pool()
	s, err := vecstore.Create(fsys, file, config(historyDim), p)
	if err != nil {
		return err
	}
	h.created = true
	for _, ids := range [][]int{seq(0, 3), seq(2, 10)} {
		if err := h.append(s, ids); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	h.floor = 5
	if err := s.Close(); err != nil {
		return err
	}
	return h.resume(fsys, 10)
}

// resume opens the store again, appends 12 vectors from id first on, and reads.
func (h *history) resume(fsys vfs.FS, first int) error {
	s, err := vecstore.Open(fsys, file, config(historyDim), pool())
	if err != nil {
		return err
	}
	err = s.Recover(h.floor)
	if err == nil {
		err = h.append(s, seq(first, first+12))
	}
	if err == nil {
		slots := make([]uint32, s.Len())
		for i := range slots {
			slots[i] = uint32(i)
		}
		err = s.Dots(vec(0, historyDim), slots, make([]float32, len(slots)))
	}
	if err == nil {
		err = s.Verify(nil)
	}
	return errors.Join(err, s.Close())
}

func (h *history) append(s *vecstore.Store, ids []int) error {
	slots, err := s.Append(batch(historyDim, ids...))
	if err != nil {
		return err
	}
	for i, slot := range slots {
		h.acked[ids[i]] = int(slot)
	}
	return nil
}

// snapshot is a copy of h for later.
func (h *history) snapshot() history {
	return history{created: h.created, acked: maps.Clone(h.acked), floor: h.floor}
}

// checkAfter opens what a crash has left and holds it against the promises; it
// returns the ids that are there, all of which are whole.
func (h *history) checkAfter(t *testing.T, fsys vfs.FS, floor uint32) []int {
	t.Helper()
	names, err := fsys.List()
	must(t, err)
	if !slices.Contains(names, file) {
		if h.created {
			t.Error("the file is gone")
		}
		return nil
	}
	s, err := vecstore.Open(fsys, file, config(historyDim), pool())
	if err != nil {
		t.Errorf("open: %v", err)
		return nil
	}
	defer closeStore(t, s)
	if err := s.Recover(floor); err != nil {
		t.Errorf("recover: %v", err)
		return nil
	}
	for id, slot := range h.acked {
		if got, ok := s.Lookup(key(id)); !ok || int(got) != slot {
			t.Errorf("id %d is at %d, %t, was promised at %d", id, got, ok, slot)
		}
	}
	if len(s.Damaged()) != 0 {
		t.Errorf("Damaged = %v", s.Damaged())
	}
	if err := s.Verify(func(slot uint32, err error) { t.Error(err) }); err != nil {
		t.Error(err)
	}
	var there []int
	for id := range 60 {
		if slot, ok := s.Lookup(key(id)); ok {
			wantVec(t, s, slot, id)
			there = append(there, id)
		}
	}
	if len(there) != int(s.Len()) {
		t.Errorf("%d slots for %d vectors", s.Len(), len(there))
	}
	return there
}

// TestPowerCut cuts the power before every operation and after the last, also
// where one file may be open at a time.
func TestPowerCut(t *testing.T) {
	t.Run("unlimited", func(t *testing.T) { powerCut(t, func(fsys vfs.FS) vfs.FS { return fsys }) })
	t.Run("one file", func(t *testing.T) { powerCut(t, func(fsys vfs.FS) vfs.FS { return vfs.Limit(fsys, 1) }) })
}

func powerCut(t *testing.T, above func(vfs.FS) vfs.FS) {
	type crash struct {
		name string
		fs   *vfstest.Mem
		then history
	}
	seeds := uint64(6)
	if long() {
		seeds = 300
	}
	m := vfstest.NewMem()
	var h history
	var crashes []crash
	cut := func(n int, op vfstest.Op) {
		for seed := range seeds {
			for _, share := range []float64{0, 0.5, 1} {
				if share == 0.5 || seed == 0 {
					crashes = append(crashes, crash{fmt.Sprintf("before %d %s, seed %d, %.0f%%", n, op, seed, 100*share), m.CrashClone(seed, share), h.snapshot()})
				}
			}
		}
	}
	f := vfstest.NewFault(m)
	f.OnOp(cut)
	must(t, h.run(above(f)))
	ops := f.Ops()
	cut(ops, "end")
	for _, c := range crashes {
		t.Run(c.name, func(t *testing.T) {
			c.then.checkAfter(t, c.fs.CrashClone(0, 1), 0)
			there := c.then.checkAfter(t, c.fs, c.then.floor)
			// What has been found is relied upon, and must last.
			c.then.created = there != nil
			for i, id := range there {
				c.then.acked[id] = i
			}
			c.then.checkAfter(t, c.fs.CrashClone(0, 0), 0)
		})
	}
	t.Logf("%d crashes at %d operations", len(crashes), ops)
}

// TestPowerCutWhileRecovering cuts the power again and again, while recovery
// and the appends after it run.
func TestPowerCutWhileRecovering(t *testing.T) {
	seeds := uint64(10)
	if long() {
		seeds = 500
	}
	for seed := range seeds {
		m := vfstest.NewMem()
		var h history
		must(t, h.run(m))
		for depth := range uint64(10) {
			// Find out how many operations there are, then crash in one of them.
			probe := vfstest.NewFault(m.CrashClone(0, 1))
			before := h.snapshot()
			must(t, before.resume(probe, 22))
			at := int((seed*31 + depth*17) % uint64(probe.Ops()))
			var clone *vfstest.Mem
			var then history
			f := vfstest.NewFault(m)
			f.OnOp(func(n int, op vfstest.Op) {
				if n == at {
					clone, then = m.CrashClone(seed*100+depth, 0.5), h.snapshot()
				}
			})
			must(t, h.resume(f, 22))
			m, h = clone, then
		}
		h.checkAfter(t, m, h.floor)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestFaultSweep fails every operation in turn, once and for good. The error
// must surface; then a new process, and a power cut after it has recovered,
// must find all that was acknowledged and all that the new process has found.
func TestFaultSweep(t *testing.T) {
	plans := []vfstest.Plan{
		{Err: syscall.EIO},
		{Err: syscall.EIO, Forever: true},
		{Err: syscall.ENOSPC, Short: true},
		{Err: syscall.ENOSPC, Short: true, Forever: true},
	}
	for _, plan := range plans {
		for plan.At = 0; ; plan.At++ {
			m := vfstest.NewMem()
			f := vfstest.NewFault(m)
			f.Set(plan)
			var h history
			err := h.run(f)
			if f.Hits() == 0 {
				must(t, err)
				break
			}
			if !errors.Is(err, plan.Err) {
				t.Errorf("%+v: the fault did not surface, the error is %v", plan, err)
			}
			if !h.created { // a second try works
				s, err := vecstore.Create(m, file, config(historyDim), pool())
				if err == nil {
					closeStore(t, s)
				} else if !errors.Is(err, fs.ErrExist) {
					t.Errorf("%+v: Create after the fault: %v", plan, err)
				}
				h.created = true
			}
			there := h.checkAfter(t, m, 0)
			for i, id := range there {
				h.acked[id] = i
			}
			h.checkAfter(t, m.CrashClone(0, 0), 0)
			if t.Failed() {
				t.Fatalf("%+v", plan)
			}
		}
	}
}

// TestFailedAppendIsFinal: after a failed write or sync the store serves
// readers and refuses to append; a new one takes over.
func TestFailedAppendIsFinal(t *testing.T) {
	for _, op := range []vfstest.Op{vfstest.OpWriteAt, vfstest.OpSync} {
		m := vfstest.NewMem()
		f := vfstest.NewFault(m)
		s := create(t, f, historyDim, 5, pool())
		f.Set(vfstest.Plan{Only: []vfstest.Op{op}, Forever: true, Err: syscall.EIO})
		if _, err := s.Append(batch(historyDim, 5, 6)); !errors.Is(err, syscall.EIO) {
			t.Errorf("failing %s: Append = %v, want EIO", op, err)
		}
		f.Set(vfstest.Plan{})
		for _, ids := range [][]int{{5}, {7}, {1}} {
			_, err := s.Append(batch(historyDim, ids...))
			if !errors.Is(err, vecstore.ErrFailed) || !errors.Is(err, syscall.EIO) {
				t.Errorf("failed %s: next Append = %v, want ErrFailed and its cause", op, err)
			}
		}
		if _, ok := s.Lookup(key(5)); ok || s.Len() != 5 {
			t.Errorf("failed %s: a vector that was not acknowledged is found, Len %d", op, s.Len())
		}
		wantVec(t, s, 4, 4)
		closeStore(t, s)
		s = reopen(t, f, 5, pool())
		next := int(s.Len()) // 7 if the failed ones are there
		wantAppend(t, s, []int{7}, []int{next})
		closeStore(t, s)
		s = reopen(t, m.CrashClone(0, 0), 0, pool())
		wantVec(t, s, uint32(next), 7)
		must(t, s.Verify(nil))
		closeStore(t, s)
	}
}

// TestKilledBeforeNameIsDurable: a process is killed in Create between rename
// and directory sync; the next one appends; then the power fails.
func TestKilledBeforeNameIsDurable(t *testing.T) {
	old := vfstest.NewMem()
	closeStore(t, create(t, old, 3, 0, pool()))
	header, err := old.ReadFile(file)
	must(t, err)
	m := vfstest.NewMem()
	f, err := m.Open(file, vfs.Create)
	must(t, err)
	_, err = f.WriteAt(header, 0)
	must(t, errors.Join(err, f.Sync(), f.Close()))

	s := reopen(t, m, 0, pool())
	wantAppend(t, s, []int{1}, []int{0})
	closeStore(t, s)
	s = reopen(t, m.CrashClone(0, 0), 0, pool())
	wantVec(t, s, 0, 1)
	closeStore(t, s)
}

// TestTornTail cuts the file at many lengths (at all if long), with and without zeros instead of
// the rest: recovery keeps the whole records, and appending goes on.
func TestTornTail(t *testing.T) {
	const dim, n = 3, 70 // 64 records of 64 bytes a page
	m := vfstest.NewMem()
	closeStore(t, create(t, m, dim, n, pool()))
	data, err := m.ReadFile(file)
	must(t, err)
	for size := 0; size <= len(data); size++ {
		if inside := size > 100 && size < 4000 || size > 4096+3*64 && size < 8192-64; inside && size%37 != 0 && !long() {
			continue
		}
		for _, zeros := range []bool{false, true} {
			torn := slices.Clone(data[:size])
			if zeros {
				torn = append(torn, make([]byte, len(data)-size+100)...)
			}
			m.WriteFile(file, torn)
			s, err := vecstore.Open(m, file, vecstore.Config{}, pool())
			if size < 4096 && !(zeros && data[size] == 0 && allZero(data[size:4096])) {
				if !errors.Is(err, vecstore.ErrCorrupt) {
					t.Fatalf("size %d: Open = %v, want ErrCorrupt", size, err)
				}
				continue
			}
			must(t, err)
			must(t, s.Recover(0))
			want := max(0, size-4096) / 64
			if int(s.Len()) != want {
				t.Fatalf("size %d (zeros %t): %d records, want %d", size, zeros, s.Len(), want)
			}
			wantAppend(t, s, []int{200}, []int{want})
			if want > 0 {
				wantVec(t, s, uint32(want-1), want-1)
			}
			must(t, s.Verify(nil))
			closeStore(t, s)
		}
	}
}

// TestReadBeforeRecover reads a torn tail first: what recovery cuts off is
// forgotten.
func TestReadBeforeRecover(t *testing.T) {
	const n = 8 // the second page holds one record
	m := vfstest.NewMem()
	closeStore(t, create(t, m, historyDim, n, pool()))
	data, err := m.ReadFile(file)
	must(t, err)
	data[len(data)-7] = 1 // in the last record
	m.WriteFile(file, data)
	s, err := vecstore.Open(m, file, vecstore.Config{}, pool())
	must(t, err)
	defer closeStore(t, s)
	v := make([]float32, historyDim)
	if err := s.Read(7, v); !errors.Is(err, vecstore.ErrCorrupt) {
		t.Errorf("Read of a torn record = %v, want ErrCorrupt", err)
	}
	must(t, s.Recover(0))
	if err := s.Read(7, v); !errors.Is(err, vecstore.ErrInvalid) {
		t.Errorf("Read of a record cut off = %v, want ErrInvalid", err)
	}
	wantAppend(t, s, []int{70}, []int{7})
	wantVec(t, s, 7, 70)
	must(t, s.Verify(nil))
	if d := s.Damaged(); len(d) != 0 {
		t.Errorf("Damaged = %v", d)
	}
}

// TestBytesBetweenPages: what is not zero there is made so by recovery.
func TestBytesBetweenPages(t *testing.T) {
	m := vfstest.NewMem()
	closeStore(t, create(t, m, historyDim, 8, pool()))
	flip(t, m, 8192-10)
	s := reopen(t, m, 0, pool())
	must(t, s.Verify(nil))
	wantVec(t, s, 7, 7)
	closeStore(t, s)
}

func allZero(b []byte) bool { return !slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) }

// TestDamageBelowFloor: slots that commits refer to are never cut and their
// numbers never reused, not even when the file has lost them.
func TestDamageBelowFloor(t *testing.T) {
	const dim, n = historyDim, 16
	m := vfstest.NewMem()
	closeStore(t, create(t, m, dim, n, pool()))
	data, err := m.ReadFile(file)
	must(t, err)
	offset := func(slot int) int { return 4096 + slot/7*4096 + slot%7*576 }

	data[offset(3)+100] ^= 1 // slot 3, a value
	data[offset(12)] ^= 1
	data[offset(14)+520] ^= 1 // slot 14, its key
	for _, tt := range []struct {
		floor, size int
		damaged     []uint32
		len         int
	}{
		{16, len(data), []uint32{3, 12, 14}, 16},
		{14, len(data), []uint32{3, 12}, 14},
		{13, len(data), []uint32{3, 12}, 14},
		{12, len(data), []uint32{3}, 12},
		{0, len(data), nil, 3},
		{16, offset(13) + 50, []uint32{3, 12, 13, 14, 15}, 16},
		{17, 4096, []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 17},
	} {
		m.WriteFile(file, data[:tt.size])
		s := reopen(t, m, uint32(tt.floor), pool())
		if got := s.Damaged(); !slices.Equal(got, tt.damaged) || int(s.Len()) != tt.len {
			t.Errorf("floor %d: Damaged = %v, Len %d, want %v, %d", tt.floor, got, s.Len(), tt.damaged, tt.len)
		}
		var v [dim]float32
		for _, slot := range tt.damaged {
			var corrupt *vecstore.CorruptError
			if err := s.Read(slot, v[:]); !errors.As(err, &corrupt) || corrupt.Slot != slot || !errors.Is(err, vecstore.ErrCorrupt) {
				t.Errorf("floor %d: Read(%d) = %v, want a CorruptError", tt.floor, slot, err)
			}
			if got, ok := s.Lookup(key(int(slot))); ok {
				t.Errorf("floor %d: damaged slot %d is found at %d", tt.floor, slot, got)
			}
		}
		// What is damaged is embedded again and gets new slots; the rest stays.
		var slots []int
		next := tt.len
		for i := range n {
			if i >= tt.len || slices.Contains(tt.damaged, uint32(i)) {
				slots = append(slots, next)
				next++
			} else {
				slots = append(slots, i)
			}
		}
		wantAppend(t, s, seq(0, n), slots)
		closeStore(t, s)
		s = reopen(t, m, uint32(tt.floor), pool())
		for i, slot := range slots {
			if got, ok := s.Lookup(key(i)); !ok || int(got) != slot {
				t.Errorf("floor %d: id %d is at %d, %t, want %d", tt.floor, i, got, ok, slot)
			}
			wantVec(t, s, uint32(slot), i)
		}
		closeStore(t, s)
	}
}
