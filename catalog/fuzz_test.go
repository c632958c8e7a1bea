package catalog_test

import (
	"bytes"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// sample is a catalog file with records of every type.
func sample(t testing.TB) []byte {
	mem := vfstest.NewMem()
	c, err := catalog.Open(catalog.Config{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	d := c.Create("a/b")
	for _, do := range []func() error{
		func() error { return put(mem, d, "c0", "") },
		func() error { return put(mem, d, "c1", "c0") },
		func() error { return replace(mem, d, "c1", "text") },
		func() error { return remove(mem, d, "c0") },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := mem.ReadFile(catalog.FileName("a/b"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzParse holds that what can be read of a file encodes to the same bytes again.
func FuzzParse(f *testing.F) {
	data := sample(f)
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add(data[:30])
	f.Add([]byte("VLCT"))
	f.Fuzz(func(t *testing.T, data []byte) {
		again, ends, err := catalog.Parse(data)
		if !bytes.HasPrefix(data, again) {
			t.Fatalf("it encodes to %x", again)
		}
		if err == nil && len(again) != len(data) {
			t.Fatalf("%d bytes of %d were read, %d records", len(again), len(data), len(ends)-1)
		}
	})
}

// FuzzRecord gives bytes a sound checksum, so that what is behind it is met.
func FuzzRecord(f *testing.F) {
	f.Add(byte(1), catalog.EncodeInfo(info("a/b", "c1", "c0", "main", 7)))
	f.Add(byte(2), catalog.EncodeInfo(info("a/b", "c1", "", "", 1<<63)))
	f.Add(byte(3), []byte("c1"))
	f.Add(byte(4), []byte(""))
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		data := catalog.Seal(typ, body)
		again, _, err := catalog.Parse(data)
		if !bytes.HasPrefix(data, again) || err == nil && len(again) != len(data) {
			t.Fatalf("it encodes to %x, %v", again, err)
		}
	})
}
