package vecstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden describes the bytes of a file with two dimensions and 65 records, of
// which 64 fill the first page. Runs of zeros are named by their length.
func golden(data []byte) string {
	var b strings.Builder
	at := 0
	field := func(size int, name string) {
		part := data[at : at+size]
		text := fmt.Sprintf("%x", part)
		if size > 32 || size > 8 && allZero(part) {
			text = fmt.Sprintf("%d bytes", size)
			if allZero(part) {
				text += " of zero"
			}
		}
		fmt.Fprintf(&b, "%6d  %-64s  %s\n", at, text, name)
		at += size
	}
	field(8, "magic")
	field(4, "version 1")
	field(4, "page size 4096")
	field(4, "dimension 2")
	field(4, "metric 1, cosine")
	field(4, "flags: unit length")
	field(2, "domain: 8 bytes")
	field(2, "fingerprint: 10 bytes")
	field(32, "identity")
	field(8, `domain "admin/db"`)
	field(10, `fingerprint "test-model"`)
	field(4096-4-at, "reserved")
	field(4, "checksum of the header")
	for slot := range 65 {
		if slot == 2 {
			field(62*64, "slots 2 to 63")
			continue
		}
		if slot > 2 && slot < 64 {
			continue
		}
		field(4, fmt.Sprintf("slot %d: value 0", slot))
		field(4, "value 1")
		field(32, "key")
		field(20, "reserved")
		field(4, "checksum of the record")
	}
	return b.String()
}

// TestGolden: the format does not change by accident, and what version 1 has
// written is read for ever.
func TestGolden(t *testing.T) {
	m := vfstest.NewMem()
	closeStore(t, create(t, m, 2, 65, pool()))
	data, err := m.ReadFile(file)
	must(t, err)
	const hexFile, rawFile = "testdata/v1.golden", "testdata/v1.vecs"
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(hexFile, []byte(golden(data)), 0o644))
		must(t, os.WriteFile(rawFile, data, 0o644))
	}
	want, err := os.ReadFile(hexFile)
	must(t, err)
	if got := golden(data); got != string(want) {
		t.Errorf("the file is now\n%s\nwant\n%s", got, want)
	}
	raw, err := os.ReadFile(rawFile)
	must(t, err)
	if !bytes.Equal(raw, data) {
		t.Errorf("the bytes differ from %s", rawFile)
	}
	m.WriteFile(file, raw)
	s := reopen(t, m, 0, pool())
	defer closeStore(t, s)
	for i := range 65 {
		wantVec(t, s, uint32(i), i)
	}
	must(t, s.Verify(nil))
}

// TestGoldenNamed: the same of version 2, and of ranges.
func TestGoldenNamed(t *testing.T) {
	vecstore.SmallRanges(t)
	const name = "admin%2Fdb@clustering"
	m := vfstest.NewMem()
	cfg := config(128)
	cfg.Name = "clustering"
	s, err := vecstore.Create(m, name+".vecs", cfg, pool())
	must(t, err)
	wantAppend(t, s, seq(0, 15), seq(0, 15))
	closeStore(t, s)
	for of, golden := range map[string]string{name + ".vecs": "testdata/v2.vecs", name + ".ranges": "testdata/v1.ranges"} {
		data, err := m.ReadFile(of)
		must(t, err)
		if *update {
			must(t, os.WriteFile(golden, data, 0o644))
		}
		want, err := os.ReadFile(golden)
		must(t, err)
		if !bytes.Equal(data, want) {
			t.Errorf("the bytes of %s differ from %s", of, golden)
		}
		m.WriteFile(of, want)
	}
	s, err = vecstore.OpenRead(m, name+".vecs", cfg, pool())
	must(t, err)
	defer closeStore(t, s)
	must(t, s.Refresh(15))
	must(t, s.Verify(nil))
	if list, err := s.Ranges(); err != nil || len(list) != 2 {
		t.Errorf("%d ranges, %v, want 2", len(list), err)
	}
	for i := range 15 {
		wantVec(t, s, uint32(i), i)
	}
}

// TestNewerVersion: a version that is not known is that of a newer program if
// the header is sound, else it is damage.
func TestNewerVersion(t *testing.T) {
	m := vfstest.NewMem()
	closeStore(t, create(t, m, 2, 1, pool()))
	data, err := m.ReadFile(file)
	must(t, err)
	data[8] = 3
	m.WriteFile(file, data)
	if _, err := vecstore.Open(m, file, vecstore.Config{}, pool()); !errors.Is(err, vecstore.ErrCorrupt) || errors.Is(err, vecstore.ErrVersion) ||
		!strings.Contains(err.Error(), "version 3") {
		t.Errorf("Open of a version damaged to 3: %v, want ErrCorrupt", err)
	}
	binary.LittleEndian.PutUint32(data[4092:], crc32.Checksum(data[:4092], crc32.MakeTable(crc32.Castagnoli)))
	m.WriteFile(file, data)
	if _, err := vecstore.Open(m, file, vecstore.Config{}, pool()); !errors.Is(err, vecstore.ErrVersion) || errors.Is(err, vecstore.ErrCorrupt) {
		t.Errorf("Open of version 3: %v, want ErrVersion", err)
	}
}

// wantDamage opens a file that differs from a good one of n vectors and wants
// the damage to be seen: by Open, or by Verify. Whatever is read or found is
// exact or ErrCorrupt.
func wantDamage(t *testing.T, m *vfstest.Mem, dim, n int) {
	t.Helper()
	s, err := vecstore.Open(m, file, vecstore.Config{}, pool())
	if err != nil {
		if !errors.Is(err, vecstore.ErrCorrupt) {
			t.Errorf("Open: %v, want ErrCorrupt", err)
		}
		return
	}
	defer closeStore(t, s)
	reports := 0
	err = s.Verify(func(slot uint32, err error) {
		reports++
		var corrupt *vecstore.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Slot != slot || corrupt.File != file {
			t.Errorf("Verify reports slot %d: %v", slot, err)
		}
	})
	if s.Len() == uint32(n) && (!errors.Is(err, vecstore.ErrCorrupt) || reports == 0) {
		t.Errorf("Verify = %v with %d reports, want ErrCorrupt", err, reports)
	}
	got := make([]float32, dim)
	for slot := range s.Len() {
		switch err := s.Read(slot, got); {
		case err == nil && !slices.Equal(got, vec(int(slot), dim)):
			t.Errorf("slot %d reads as another vector", slot)
		case err != nil && !errors.Is(err, vecstore.ErrCorrupt):
			t.Errorf("slot %d: %v, want ErrCorrupt", slot, err)
		}
	}
	must(t, s.Recover(s.Len()))
	for i := range n {
		if slot, ok := s.Lookup(key(i)); ok && slot != uint32(i) {
			t.Errorf("id %d is found at %d", i, slot)
		}
	}
}

// TestEveryBitFlip flips the bits of a file with a full page, a gap after its
// records and a second page.
func TestEveryBitFlip(t *testing.T) {
	const dim, n = historyDim, 8
	m := vfstest.NewMem()
	closeStore(t, create(t, m, dim, n, pool()))
	data, err := m.ReadFile(file)
	must(t, err)
	flips := 0
	for i := range data {
		for bit := range 8 {
			// Every bit where fields meet; elsewhere one bit of each byte.
			in := (i - 4096) % 576
			dense := i < 100 || i > 4090 && i < 4110 || i > 4096 && (in < 4 || in > 500)
			if !long() && !dense && bit != i%8 {
				continue
			}
			flips++
			data[i] ^= 1 << bit
			m.WriteFile(file, data)
			wantDamage(t, m, dim, n)
			data[i] ^= 1 << bit
			if t.Failed() {
				t.Fatalf("byte %d bit %d", i, bit)
			}
		}
	}
	t.Logf("%d flips in %d bytes, all detected", flips, len(data))
}

// TestMisplaced puts good bytes in the wrong place.
func TestMisplaced(t *testing.T) {
	const dim, n, rec, page = historyDim, 21, 576, 4096 // three full pages
	m := vfstest.NewMem()
	closeStore(t, create(t, m, dim, n, pool()))
	good, err := m.ReadFile(file)
	must(t, err)
	other := vfstest.NewMem()
	cfg := config(dim)
	cfg.Domain = "admin/d2"
	s, err := vecstore.Create(other, file, cfg, pool())
	must(t, err)
	wantAppend(t, s, seq(0, n), seq(0, n))
	closeStore(t, s)
	foreign, err := other.ReadFile(file)
	must(t, err)

	swap := func(b []byte, x, y, size int) {
		tmp := slices.Clone(b[x : x+size])
		copy(b[x:x+size], b[y:y+size])
		copy(b[y:y+size], tmp)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"records swapped":            func(b []byte) []byte { swap(b, 4096, 4096+rec, rec); return b },
		"pages swapped":              func(b []byte) []byte { swap(b, 4096, 4096+page, page); return b },
		"page zeroed":                func(b []byte) []byte { clear(b[4096 : 4096+page]); return b },
		"last record zeroed":         func(b []byte) []byte { clear(b[len(b)-rec:]); return b },
		"header zeroed":              func(b []byte) []byte { clear(b[:4096]); return b },
		"page of another file":       func(b []byte) []byte { copy(b[4096:4096+page], foreign[4096:]); return b },
		"record of another file":     func(b []byte) []byte { copy(b[4096:4096+rec], foreign[4096:]); return b },
		"header of another file":     func(b []byte) []byte { copy(b[:4096], foreign); return b },
		"page of another, all pages": func(b []byte) []byte { copy(b[4096:], foreign[4096:]); return b },
		"some bytes appended":        func(b []byte) []byte { return append(b, 1, 2, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			m.WriteFile(file, change(slices.Clone(good)))
			wantDamage(t, m, dim, n)
		})
	}
}

// TestDamageWhileOpen: a header or a record that rots after Open is seen by
// Verify; one met by reading is forgotten by Lookup, and its neighbours live.
func TestDamageWhileOpen(t *testing.T) {
	const dim, n = historyDim, 8
	m := vfstest.NewMem()
	s := create(t, m, dim, n, pool())
	defer closeStore(t, s)
	flip(t, m, 12)
	flip(t, m, 4096+2*576)
	var slots []uint32
	err := s.Verify(func(slot uint32, err error) { slots = append(slots, slot) })
	if !errors.Is(err, vecstore.ErrCorrupt) || !slices.Equal(slots, []uint32{vecstore.NoSlot, 2}) {
		t.Errorf("Verify = %v, %v", slots, err)
	}
	if slot, ok := s.Lookup(key(2)); !ok || slot != 2 {
		t.Errorf("Lookup before the page is read = %d, %t", slot, ok)
	}
	wantVec(t, s, 1, 1)
	wantVec(t, s, 3, 3)
	if _, ok := s.Lookup(key(2)); ok || !slices.Equal(s.Damaged(), []uint32{2}) {
		t.Errorf("after reading the page: found %t, Damaged = %v", ok, s.Damaged())
	}
	dots := make([]float32, 3)
	if err := s.Dots(vec(0, dim), []uint32{1, 2, 3}, dots); !errors.Is(err, vecstore.ErrCorrupt) {
		t.Errorf("Dots over the damage: %v, want ErrCorrupt", err)
	}
	if _, err := s.Key(2); !errors.Is(err, vecstore.ErrCorrupt) {
		t.Errorf("Key of the damage: %v, want ErrCorrupt", err)
	}
	if st := s.Pool().Stats(); st.Loaded != 0 {
		t.Errorf("%d pages still pinned", st.Loaded)
	}
	wantAppend(t, s, []int{1, 2}, []int{1, 8})
	wantVec(t, s, 8, 2)
}

// flip changes a byte of the file under an open store.
func flip(t *testing.T, m *vfstest.Mem, at int64) {
	t.Helper()
	data, err := m.ReadFile(file)
	must(t, err)
	f, err := m.Open(file, vfs.ReadWrite)
	must(t, err)
	_, err = f.WriteAt([]byte{data[at] ^ 1}, at)
	must(t, errors.Join(err, f.Close()))
}

// TestDamageInGrowingPage: what is known of a page's bad records stays known
// when more of the page is read.
func TestDamageInGrowingPage(t *testing.T) {
	const dim = historyDim
	m := vfstest.NewMem()
	s := create(t, m, dim, 2, pool())
	defer closeStore(t, s)
	v := make([]float32, dim)
	for slot := range uint32(4) {
		if slot >= 2 {
			wantAppend(t, s, []int{int(slot)}, []int{int(slot)})
		}
		if slot%2 == 0 {
			flip(t, m, 4096+int64(slot)*576)
		}
		for old := range slot + 1 {
			if err := s.Read(old, v); errors.Is(err, vecstore.ErrCorrupt) != (old%2 == 0) {
				t.Errorf("with %d slots: Read(%d) = %v", slot+1, old, err)
			}
		}
	}
	if got := s.Damaged(); !slices.Equal(got, []uint32{0, 2}) {
		t.Errorf("Damaged = %v, want [0 2]", got)
	}
}

// TestFirstGoodSlotCounts: a damaged slot whose text was embedded again counts
// once more when its bytes come back, from a backup for example.
func TestFirstGoodSlotCounts(t *testing.T) {
	m := vfstest.NewMem()
	closeStore(t, create(t, m, historyDim, 3, pool()))
	flip(t, m, 4096)
	s := reopen(t, m, 3, pool())
	wantAppend(t, s, seq(0, 3), []int{3, 1, 2})
	closeStore(t, s)
	flip(t, m, 4096)
	s = reopen(t, m, 4, pool())
	defer closeStore(t, s)
	wantAppend(t, s, seq(0, 3), seq(0, 3))
	wantVec(t, s, 3, 0)
}

// FuzzReader: behind a good header (see FuzzHeader for others) no bytes make a store panic, allocate without bound or return a
// vector that fails its checksum.
func FuzzReader(f *testing.F) {
	m := vfstest.NewMem()
	closeStore(f, create(f, m, 2, 66, pool()))
	good, err := m.ReadFile(file)
	must(f, err)
	header, body := good[:4096:4096], good[4096:]
	f.Add(body, uint32(0))
	f.Add(body[:0], uint32(3))
	f.Add(body[:1000], uint32(66))
	flipped := slices.Clone(body)
	flipped[4] ^= 4
	f.Add(flipped, uint32(40))
	f.Fuzz(func(t *testing.T, body []byte, floor uint32) {
		m := vfstest.NewMem()
		m.WriteFile(file, append(header, body...))
		s, err := vecstore.Open(m, file, vecstore.Config{}, pool())
		must(t, err)
		defer closeStore(t, s)
		bad := map[uint32]bool{}
		verifyErr := s.Verify(func(slot uint32, err error) { bad[slot] = true })
		if (verifyErr != nil) != (len(bad) > 0) {
			t.Errorf("Verify = %v with %d reports", verifyErr, len(bad))
		}
		v := make([]float32, s.Dim())
		for slot := range s.Len() {
			if err := s.Read(slot, v); (err != nil) != bad[slot] {
				t.Errorf("Read(%d) = %v, bad: %t", slot, err, bad[slot])
			}
		}
		must(t, s.Recover(min(floor, 1000)))
		after := map[uint32]bool{}
		for _, slot := range s.Damaged() {
			after[slot] = true
		}
		verifyErr = s.Verify(func(slot uint32, err error) {
			if slot != vecstore.NoSlot && !after[slot] {
				t.Errorf("slot %d is bad after Recover", slot)
			}
		})
		if len(after) == 0 && len(bad) == 0 && verifyErr != nil {
			t.Errorf("Verify after Recover: %v", verifyErr)
		}
	})
}

// TestVerifyWhileItGrows: what another process appends after the file was opened
// does not pass for damage; a torn end that was there does.
func TestVerifyWhileItGrows(t *testing.T) {
	mem := vfstest.NewMem()
	writer := create(t, mem, 8, 5, pool())
	defer closeStore(t, writer)
	reader, err := vecstore.Open(mem, file, vecstore.Config{}, pool())
	must(t, err)
	defer closeStore(t, reader)
	keys, vecs := batch(8, seq(5, 9)...)
	_, err = writer.Append(keys, vecs)
	must(t, err)
	if err := reader.Verify(func(_ uint32, err error) { t.Error(err) }); err != nil {
		t.Error(err)
	}
	b, err := mem.ReadFile(file)
	must(t, err)
	mem.WriteFile("torn", append(b, 1, 2, 3))
	torn, err := vecstore.Open(mem, "torn", vecstore.Config{}, pool())
	must(t, err)
	defer closeStore(t, torn)
	if err := torn.Verify(nil); !errors.Is(err, vecstore.ErrCorrupt) {
		t.Errorf("a torn end: %v", err)
	}
}
