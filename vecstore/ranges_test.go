package vecstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const rangesFile = "admin%2Fdb.ranges"

// wantRanges holds the ranges of a store of historyDim, whose ranges are pages
// of 7 records, against its file.
func wantRanges(t *testing.T, m *vfstest.Mem, s *vecstore.Store) []vecstore.Range {
	t.Helper()
	list, err := s.Ranges()
	must(t, err)
	if want := int(s.Len() / 7); len(list) != want {
		t.Errorf("%d ranges of %d slots, want %d", len(list), s.Len(), want)
	}
	data, err := m.ReadFile(file)
	must(t, err)
	for i, r := range list {
		page := make([]byte, 4096) // the last one of the file may stop after its records
		copy(page, data[r.Offset:min(r.Offset+r.Size, int64(len(data)))])
		if r.First != uint32(7*i) || r.Slots != 7 || r.Offset != int64(4096+4096*i) || r.Size != 4096 || r.Sum != sha256.Sum256(page) {
			t.Errorf("range %d is %+v", i, r)
		}
	}
	return list
}

// TestRanges: ranges are there once they are closed, stay what they are, and cost
// a later process nothing.
func TestRanges(t *testing.T) {
	vecstore.SmallRanges(t)
	m := vfstest.NewMem()
	s := create(t, m, historyDim, 0, pool())
	var before []vecstore.Range
	for n := 0; n < 100; n += 9 {
		if n%2 == 1 { // else Append has done it
			list := wantRanges(t, m, s)
			for i, r := range before {
				if list[i] != r {
					t.Errorf("range %d has changed", i)
				}
			}
			before = list
		}
		wantAppend(t, s, seq(n, n+9), seq(n, n+9))
	}
	stored, err := m.ReadFile(rangesFile)
	must(t, err)
	if want := 64 + 40*(108/7); len(stored) != want {
		t.Errorf("the file of ranges has %d bytes, want %d", len(stored), want)
	}
	if !bytes.Equal(stored[len(stored)-36:len(stored)-4], wantRanges(t, m, s)[14].Sum[:]) {
		t.Error("the last hash is not in the file")
	}
	closeStore(t, s)

	counted := vfstest.NewFault(m)
	s, err = vecstore.Open(counted, file, config(historyDim), pool())
	must(t, err)
	must(t, s.Recover(0))
	counted.Set(vfstest.Plan{})
	if list := wantRanges(t, m, s); len(list) != 15 || counted.Ops() > 4 {
		t.Errorf("%d ranges by %d operations, want 15 by an open, two reads and a close", len(list), counted.Ops())
	}
	must(t, s.Verify(nil))
	closeStore(t, s)

	// One that only reads hashes what the file does not say.
	m.WriteFile(rangesFile, stored[:64+3*40+11])
	r, err := vecstore.OpenRead(m, file, config(historyDim), pool())
	must(t, err)
	must(t, r.Refresh(108))
	wantRanges(t, m, r)
	must(t, r.Verify(nil))
	closeStore(t, r)
	if got, err := m.ReadFile(rangesFile); err != nil || len(got) != 64+3*40+11 {
		t.Errorf("the reader has changed the file of ranges: %d bytes, %v", len(got), err)
	}
	_, err = r.Ranges()
	unready, openErr := vecstore.Open(m, file, config(historyDim), pool())
	must(t, openErr)
	defer closeStore(t, unready)
	if _, unreadyErr := unready.Ranges(); !errors.Is(err, vecstore.ErrClosed) || !errors.Is(unreadyErr, vecstore.ErrInvalid) {
		t.Errorf("Ranges of a closed store: %v, before Recover: %v", err, unreadyErr)
	}
}

// TestRangesAreMadeAgain: whatever has become of the file of ranges, it is whole
// after Ranges, and so is its prefix after the next Append.
func TestRangesAreMadeAgain(t *testing.T) {
	vecstore.SmallRanges(t)
	m := vfstest.NewMem()
	closeStore(t, create(t, m, historyDim, 30, pool()))
	whole, err := m.ReadFile(rangesFile)
	must(t, err)
	check := func(damaged []byte) {
		t.Helper()
		m := m.CrashClone(0, 1)
		if damaged == nil {
			must(t, m.Remove(rangesFile))
		} else {
			m.WriteFile(rangesFile, damaged)
		}
		s := reopen(t, m, 30, pool())
		wantRanges(t, m, s)
		if got, err := m.ReadFile(rangesFile); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%d bytes after Ranges, %v", len(got), err)
		}
		wantAppend(t, s, seq(30, 36), seq(30, 36))
		if got, err := m.ReadFile(rangesFile); err != nil || len(got) != len(whole)+40 || !bytes.Equal(got[:len(whole)], whole) {
			t.Errorf("%d bytes after Append, %v", len(got), err)
		}
		wantRanges(t, m, s)
		must(t, s.Verify(nil))
		closeStore(t, s)
	}
	check(nil)
	for n := range whole {
		check(whole[:n])
		b := bytes.Clone(whole)
		b[n] ^= 1
		check(b)
	}
	check(append(bytes.Clone(whole), 1, 2, 3))
}

// TestRangesOfAnotherFile: ranges of a file that had the name before, or of slots
// that were given to other vectors, are not taken for those of the new ones.
func TestRangesOfAnotherFile(t *testing.T) {
	vecstore.SmallRanges(t)
	m := vfstest.NewMem()
	closeStore(t, create(t, m, historyDim, 30, pool()))
	must(t, m.Remove(file)) // as an earlier program did
	s := create(t, m, historyDim, 0, pool())
	wantAppend(t, s, seq(50, 80), seq(0, 30))
	wantRanges(t, m, s)
	must(t, s.Verify(nil))
	closeStore(t, s)

	// A record rots that no commit refers to: the file is cut there.
	data, err := m.ReadFile(file)
	must(t, err)
	flip(t, m, int64(recordAt(data, historyDim, 8)))
	s = reopen(t, m, 3, pool())
	wantAppend(t, s, seq(90, 112), seq(8, 30))
	wantRanges(t, m, s)
	must(t, s.Verify(nil))
	closeStore(t, s)

	must(t, vecstore.Remove(m, file))
	if names, err := m.List(); err != nil || len(names) != 0 {
		t.Errorf("Remove leaves %q, %v", names, err)
	}
	if err := vecstore.Remove(m, file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove of nothing: %v", err)
	}
}

// TestVerifyRanges: a hash that is whole, and not that of its bytes, is found.
func TestVerifyRanges(t *testing.T) {
	vecstore.SmallRanges(t)
	m, other := vfstest.NewMem(), vfstest.NewMem()
	closeStore(t, create(t, m, historyDim, 30, pool()))
	s := create(t, other, historyDim, 7, pool())
	wantAppend(t, s, seq(40, 60), seq(7, 27))
	closeStore(t, s)
	b, err := other.ReadFile(rangesFile)
	must(t, err)
	m.WriteFile(rangesFile, b)
	s = reopen(t, m, 30, pool())
	defer closeStore(t, s)
	found := 0
	err = s.Verify(func(slot uint32, err error) {
		found++
		if slot != vecstore.NoSlot {
			t.Errorf("slot %d: %v", slot, err)
		}
	})
	if !errors.Is(err, vecstore.ErrCorrupt) || found != 2 {
		t.Errorf("Verify finds %d ranges, %v, want 2 of 3", found, err)
	}
}

// TestRangesFaults fails every operation of appends that close ranges. A failure
// in what concerns ranges alone is none of Append; Ranges tells it, and makes
// good for it the next time.
func TestRangesFaults(t *testing.T) {
	vecstore.SmallRanges(t)
	for _, forever := range []bool{false, true} {
		for at := 0; ; at++ {
			m := vfstest.NewMem()
			fault := vfstest.NewFault(m)
			s := create(t, fault, historyDim, 10, pool())
			fault.Set(vfstest.Plan{At: at, Forever: forever, Err: syscall.EIO, Short: true})
			stored, err := s.Append(batch(historyDim, seq(10, 30)...))
			_, rangesErr := s.Ranges()
			hits := fault.Hits()
			fault.Set(vfstest.Plan{})
			if err != nil && !errors.Is(err, syscall.EIO) || rangesErr != nil && !errors.Is(rangesErr, syscall.EIO) {
				t.Errorf("operation %d: %v, %v", at, err, rangesErr)
			}
			if at >= 2 && err != nil { // its write and its sync
				t.Errorf("operation %d failed Append: %v", at, err)
			}
			if err == nil && len(stored) != 20 {
				t.Errorf("operation %d: %d slots", at, len(stored))
			}
			wantRanges(t, m, s)
			if err == nil { // else part of a record stands at the end
				must(t, s.Verify(nil))
			}
			for seed, share := range []float64{0, 0.5, 1} {
				crashed := m.CrashClone(uint64(seed), share)
				s := reopen(t, crashed, 10, pool())
				wantRanges(t, crashed, s)
				must(t, s.Verify(nil))
				closeStore(t, s)
			}
			closeStore(t, s)
			if hits == 0 {
				break
			}
		}
	}
}

// TestRangesOfRealSize: a range is about 4 MiB.
func TestRangesOfRealSize(t *testing.T) {
	m := vfstest.NewMem()
	s := create(t, m, vecstore.MaxDim, 1, pool())
	defer closeStore(t, s)
	for n := 1; n < 16; n++ {
		wantAppend(t, s, []int{n}, []int{n})
	}
	list, err := s.Ranges()
	must(t, err)
	if len(list) != 1 || list[0].Size < 7<<19 || list[0].Size > 4<<20 {
		t.Errorf("ranges %+v", list)
	}
	if _, err := m.Open(rangesFile, vfs.Read); err != nil {
		t.Error(err)
	}
}

// FuzzRanges: whatever is in the file of ranges, Ranges are those of the vectors,
// unless an entry's checksum says that its hash was written.
func FuzzRanges(f *testing.F) {
	vecstore.SmallRanges(f)
	m := vfstest.NewMem()
	closeStore(f, create(f, m, historyDim, 30, pool()))
	whole, err := m.ReadFile(rangesFile)
	must(f, err)
	f.Add(whole)
	f.Add(whole[:64])
	f.Add(append(bytes.Clone(whole[:104]), whole[64:104]...))
	f.Add([]byte("\x89VLRNGS\n\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := m.CrashClone(0, 1)
		m.WriteFile(rangesFile, b)
		s := reopen(t, m, 30, pool())
		defer closeStore(t, s)
		wantRanges(t, m, s)
	})
}
