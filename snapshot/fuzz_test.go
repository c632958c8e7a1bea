package snapshot_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// allocated returns the bytes that f allocates, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// openLimit is what opening n bytes may allocate: entries are decompressed at
// most 32 to 1, and a decoded entry takes less than 5 times its encoding; the
// page table of a set of slots 8 MiB, made by doubling.
func openLimit(n int) uint64 { return uint64(n)*32*8 + 32<<20 }

// FuzzOpen opens a file whose checksums are right whatever it holds.
func FuzzOpen(f *testing.F) {
	mem := vfstest.NewMem()
	three(f, mem)
	var docs []snapshot.EntryText
	for i := range 300 {
		docs = append(docs, doc("terminusdb:///star-wars/People/"+string(rune('a'+i%26))+string(rune('a'+i/26)), "someone called "+string(rune('a'+i%26)), uint32(i)))
	}
	write(f, mem, header(snapshot.Checkpoint, "big", "", 9), seq(docs...), nil, nil)
	settled := header(snapshot.Checkpoint, "set", "", 10)
	settled.Settings = "metric=ip"
	write(f, mem, settled, seq(doc("a", "Luke Skywalker", 0)), nil, nil)
	if _, _, err := snapshot.Write(mem, header(snapshot.Checkpoint, "skip", "", 11), snapshot.Contents{Skipped: []string{"a", "bb"}}); err != nil {
		f.Fatal(err)
	}
	for _, c := range []string{"c1", "c2", "c3", "big", "set", "skip"} {
		data, err := mem.ReadFile(snapshot.FileName(domain, c))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte("VLCF"))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		name := snapshot.Seal(data)
		if name == "" {
			name = "x.hnsw"
		}
		if vfs.CheckName(name) != nil {
			t.Skip()
		}
		mem := vfstest.NewMem()
		mem.WriteFile(name, data)
		var file *snapshot.File
		var err error
		if n := allocated(func() { file, err = snapshot.Open(mem, name) }); n > openLimit(len(data)) {
			t.Fatalf("opening %d bytes allocated %d", len(data), n)
		}
		if err != nil {
			if !damaged(t, err) {
				t.Fatalf("Open: %v", err)
			}
			if err := snapshot.Verify(mem, name); err == nil {
				t.Fatal("Verify passes what Open refuses")
			}
			return
		}
		defer func() { _ = file.Close() }()
		if err := snapshot.Reencode(file); err != nil {
			t.Fatal(err)
		}
		if err := snapshot.Verify(mem, name); err != nil && !damaged(t, err) {
			t.Fatalf("Verify: %v", err)
		}
		if file.Header().Kind != snapshot.Checkpoint {
			return
		}
		v, err := snapshot.NewView(file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = v.Close() }()
		n := 0
		for e := range v.All() {
			n++
			if got, ok := v.Lookup(e.ID); !ok || got != e {
				t.Fatalf("Lookup(%q) = %v, %v", e.ID, got, ok)
			}
			if _, err := v.Text(e); err != nil && !damaged(t, err) {
				t.Fatalf("Text: %v", err)
			}
		}
		if n != v.Len() {
			t.Fatalf("%d entries, Len is %d", n, v.Len())
		}
	})
}

// FuzzEntries decodes a table of entries.
func FuzzEntries(f *testing.F) {
	entry := append([]byte("\x01a\x06People"), make([]byte, 32)...)
	f.Add(append(entry, 0, 5, 2, 0, 1, 7, 0, 5, 0, 2), uint32(1), uint32(8), uint64(5))
	f.Add(append(entry, 0, 0, 0, 2, '{', '}', 0), uint32(1), uint32(0), uint64(0))
	f.Add([]byte{}, uint32(0), uint32(0), uint64(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint32(0xffffffff), uint32(0xffffffff), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, raw []byte, n, slotEnd uint32, textsEnd uint64) {
		var got []byte
		var err error
		if a := allocated(func() { got, err = snapshot.DecodeEntries(raw, n, slotEnd, textsEnd) }); a > uint64(len(raw))*16+1<<20 {
			t.Fatalf("decoding %d bytes allocated %d", len(raw), a)
		}
		if err == nil && !bytes.Equal(got, raw) {
			t.Fatalf("%x re-encodes to %x", raw, got)
		}
	})
}

// FuzzIDs decodes a list of removed or skipped ids.
func FuzzIDs(f *testing.F) {
	f.Add([]byte("\x01a\x02bb"), uint32(2))
	f.Add([]byte{}, uint32(0))
	f.Add([]byte{0x81, 0}, uint32(1))
	f.Fuzz(func(t *testing.T, raw []byte, n uint32) {
		got, err := snapshot.DecodeIDs(raw, n)
		if err == nil && !bytes.Equal(got, raw) {
			t.Fatalf("%x re-encodes to %x", raw, got)
		}
	})
}
