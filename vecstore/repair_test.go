package vecstore_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestRepairHeader: a header is rebuilt from what the file was created with,
// whatever has become of it, and only if the records are of such a file.
func TestRepairHeader(t *testing.T) {
	const n = 9
	m := vfstest.NewMem()
	s := create(t, m, historyDim, n, pool())
	cfg := s.Config()
	closeStore(t, s)
	whole, err := m.ReadFile(file)
	must(t, err)
	for _, at := range []int{0, 7, 8, 12, 16, 20, 24, 28, 31, 40, 64, 4091, 4095} {
		for name, spoil := range map[string]func(b []byte){
			"a bit":      func(b []byte) { b[at] ^= 4 },
			"zeros":      func(b []byte) { clear(b[:4096]) },
			"and record": func(b []byte) { b[at]++; b[4096+3]++ },
		} {
			b := bytes.Clone(whole)
			spoil(b)
			m.WriteFile(file, b)
			other := cfg
			other.Fingerprint += "2"
			if err := vecstore.RepairHeader(m, file, other); !errors.Is(err, vecstore.ErrCorrupt) {
				t.Errorf("byte %d, %s: mended as another file: %v", at, name, err)
			}
			other = cfg
			other.Dim = 3
			if err := vecstore.RepairHeader(m, file, other); !errors.Is(err, vecstore.ErrCorrupt) {
				t.Errorf("byte %d, %s: mended with another dimension: %v", at, name, err)
			}
			if got, err := m.ReadFile(file); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("byte %d, %s: the file has changed (%v)", at, name, err)
			}
			must(t, vecstore.RepairHeader(m, file, cfg))
			if got, err := m.ReadFile(file); err != nil || !bytes.Equal(got[:4096], whole[:4096]) {
				t.Fatalf("byte %d, %s: the header is not what it was (%v)", at, name, err)
			}
		}
	}
	// Of a file that was cut in its header nothing is left.
	m.WriteFile(file, whole[:100])
	must(t, vecstore.RepairHeader(m, file, cfg))
	if got, err := m.ReadFile(file); err != nil || !bytes.Equal(got, whole[:4096]) {
		t.Errorf("a cut header was not made anew (%v)", err)
	}
	if err := vecstore.RepairHeader(m, file, vecstore.Config{}); !errors.Is(err, vecstore.ErrInvalid) {
		t.Errorf("without a configuration: %v, want ErrInvalid", err)
	}
}

// TestRepairHeaderFails: whatever fails and whenever, the header can be mended
// afterwards.
func TestRepairHeaderFails(t *testing.T) {
	m := vfstest.NewMem()
	s := create(t, m, historyDim, 3, pool())
	cfg := s.Config()
	closeStore(t, s)
	whole, err := m.ReadFile(file)
	must(t, err)
	for at := 0; ; at++ {
		b := bytes.Clone(whole)
		b[20]++
		m := vfstest.NewMem()
		m.WriteFile(file, b)
		faults := vfstest.NewFault(m)
		faults.Set(vfstest.Plan{At: at, Err: syscall.EIO, Short: true})
		err := vecstore.RepairHeader(faults, file, cfg)
		if faults.Hits() == 0 {
			must(t, err)
			break
		}
		if err == nil {
			t.Errorf("operation %d failed, and RepairHeader did not", at)
		}
		must(t, vecstore.RepairHeader(m, file, cfg))
		if got, err := m.ReadFile(file); err != nil || !slices.Equal(got, whole) {
			t.Errorf("operation %d: not mended afterwards (%v)", at, err)
		}
	}
}

// TestRandomFlips flips bits of a file all over at once, 10,000 of them in 100 MB
// when sweeps are long: Verify and Read name every record that was hit, and no
// other.
func TestRandomFlips(t *testing.T) {
	const seed, dim = 51, 375 // records of 1,536 bytes
	n, flips := 4000, 500
	if long() {
		n, flips = 68_000, 10_000
	}
	m := vfstest.NewMem()
	s, err := vecstore.Create(m, file, config(dim), pool())
	must(t, err)
	for from := 0; from < n; from += 1000 {
		wantAppend(t, s, seq(from, from+1000), seq(from, from+1000))
	}
	closeStore(t, s)
	b, err := m.ReadFile(file)
	must(t, err)
	b = bytes.Clone(b)
	r, hit := rand.New(rand.NewPCG(seed, 0)), make(map[uint32]bool)
	d, err := vecstore.Inspect(m, file)
	must(t, err)
	for len(hit) < flips {
		slot := r.IntN(n)
		if !hit[uint32(slot)] {
			at := 4096 + slot/d.RecordsPerPage*d.PageSize + slot%d.RecordsPerPage*d.RecordSize
			b[at+r.IntN(d.RecordSize)] ^= 1 << r.IntN(8)
			hit[uint32(slot)] = true
		}
	}
	m.WriteFile(file, b)
	s = reopen(t, m, uint32(n), pool())
	defer closeStore(t, s)
	found := make(map[uint32]bool)
	if err := s.Verify(func(slot uint32, _ error) { found[slot] = true }); !errors.Is(err, vecstore.ErrCorrupt) || !maps.Equal(found, hit) {
		t.Errorf("seed %d: Verify finds %d records, want %d: %v", seed, len(found), len(hit), err)
	}
	v := make([]float32, dim)
	for slot := range uint32(n) {
		if err := s.Read(slot, v); errors.Is(err, vecstore.ErrCorrupt) != hit[slot] || err == nil && !slices.Equal(v, vec(int(slot), dim)) {
			t.Fatalf("seed %d: slot %d, damaged %t: %v", seed, slot, hit[slot], err)
		}
	}
}
