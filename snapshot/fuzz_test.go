package snapshot_test

import (
	"bytes"
	"errors"
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

// openLimit is what opening n bytes may allocate: fields, and the entries of old
// files, are decompressed at most 32 to 1; an entry of few bytes takes 136, and its
// key up to 255 of the one before; the page tables of sets of slots 8 MiB each, made
// by doubling.
func openLimit(n int) uint64 { return uint64(n)*32*8 + 64<<20 }

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
	if _, err := snapshot.Write(mem, header(snapshot.Checkpoint, "skip", "", 11), snapshot.Contents{Skipped: keys("a", "bb")}); err != nil {
		f.Fatal(err)
	}
	rich(f, mem)
	compat(f, mem)
	names, err := mem.List()
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := mem.ReadFile(name)
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
			if !errors.Is(err, snapshot.ErrVersion) && !damaged(t, err) {
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
			if got, ok := v.LookupKey(e.Key()); !ok || got != e {
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
	entry := append([]byte("\x01\x00\x00\x01a\x00\x06People"), make([]byte, 32)...)
	f.Add(append(entry, 0, 5, 2), uint32(1), uint64(5), "")
	f.Add([]byte("\x02\x03\x04\x00\x00\x02\x03\x02\x00\x07"), uint32(2), uint64(0), "")
	f.Add([]byte("\x01\x0a\x00\x01a\x00\x00\x00\x02"), uint32(1), uint64(0), "{}")
	f.Add([]byte{}, uint32(0), uint64(0), "")
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint32(0xffffffff), uint64(1)<<63, "")
	f.Fuzz(func(t *testing.T, raw []byte, n uint32, textsEnd uint64, fields string) {
		var got []byte
		var err error
		if a := allocated(func() { got, err = snapshot.DecodeEntries(raw, n, textsEnd, fields) }); a > uint64(len(raw))*200+1<<20 {
			t.Fatalf("decoding %d bytes allocated %d", len(raw), a)
		}
		if err == nil && !bytes.Equal(got, raw) {
			t.Fatalf("%x re-encodes to %x", raw, got)
		}
	})
}

// FuzzChunks decodes the chunks of entries, whose texts have the lengths that
// the bytes of texts are.
func FuzzChunks(f *testing.F) {
	f.Add([]byte{1, 1, 14}, []byte{5}, uint32(8))
	f.Add([]byte{3, 3, 2, 0, 1, 0, 9, 0, 1, 2, 1, 1, 0, 1, 3}, []byte{5, 0, 9}, uint32(1000))
	f.Fuzz(func(t *testing.T, raw, texts []byte, slotEnd uint32) {
		lengths := make([]uint32, len(texts))
		for i, n := range texts {
			lengths[i] = uint32(n)
		}
		got, err := snapshot.DecodeChunks(raw, lengths, slotEnd)
		if err == nil && !bytes.Equal(got, raw) {
			t.Fatalf("%x re-encodes to %x", raw, got)
		}
	})
}

// FuzzLegacyEntries decodes a table of entries of before version 3.
func FuzzLegacyEntries(f *testing.F) {
	entry := append([]byte("\x01a\x06People"), make([]byte, 32)...)
	f.Add(append(entry, 0, 5, 2, 0, 1, 7, 0, 5, 0, 2), uint32(1), uint32(8), uint64(5))
	f.Add(append(entry, 0, 0, 0, 2, '{', '}', 0), uint32(1), uint32(0), uint64(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint32(0xffffffff), uint32(0xffffffff), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, raw []byte, n, slotEnd uint32, textsEnd uint64) {
		if a := allocated(func() { _, _ = snapshot.DecodeLegacyEntries(raw, n, slotEnd, textsEnd) }); a > uint64(len(raw))*16+1<<20 {
			t.Fatalf("decoding %d bytes allocated %d", len(raw), a)
		}
	})
}

// FuzzKeys decodes a list of removed or skipped keys.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("\x01\x05\x01\x02\x00\x00\x01a\x00\x01\x01b"), uint32(4))
	f.Add([]byte("\x00\x00\x02bb"), uint32(1))
	f.Add([]byte{}, uint32(0))
	f.Add([]byte{0x81, 0}, uint32(1))
	f.Fuzz(func(t *testing.T, raw []byte, n uint32) {
		got, err := snapshot.DecodeKeys(raw, n)
		if err == nil && !bytes.Equal(got, raw) {
			t.Fatalf("%x re-encodes to %x", raw, got)
		}
	})
}

// FuzzHeader parses the record of a header.
func FuzzHeader(f *testing.F) {
	h := header(snapshot.Delta, "c2", "c1", 7)
	h.On, h.Settings, h.SlotEnd, h.Tokens, h.Metric, h.Normalized = "c0", "metric=ip", 9, 300, "ip", true
	h.Others = []snapshot.NamedVectors{{Name: "clustering", Vectors: snapshot.Vectors{Dim: 3, Vecs: "x", SlotEnd: 2, Graph: true}}}
	f.Add(snapshot.AppendHeader(nil, &h))
	h = snapshot.Header{Kind: snapshot.Alias, Tag: true, Domain: "d", Commit: "v1", Base: "c", On: "c", Created: -1}
	f.Add(snapshot.AppendHeader(nil, &h))
	h = snapshot.Header{Kind: snapshot.Checkpoint, Domain: "d", Commit: "c"}
	f.Add(snapshot.AppendHeader(nil, &h))
	f.Fuzz(func(t *testing.T, p []byte) {
		var h snapshot.Header
		var err error
		if n := allocated(func() { h, err = snapshot.ParseHeader(p, nil) }); n > uint64(len(p))*50+1<<16 {
			t.Fatalf("parsing %d bytes allocated %d", len(p), n)
		}
		if err == nil && !bytes.Equal(snapshot.AppendHeader(nil, &h), p) {
			t.Fatalf("%x re-encodes to %x", p, snapshot.AppendHeader(nil, &h))
		}
	})
}
