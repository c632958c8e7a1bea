package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

const benchEntries = 60_000

// large returns a directory with a checkpoint c0 of 60,000 entries of about 400
// bytes of text and a delta c1 of 100 changes.
func large(b *testing.B) *vfstest.Mem {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", rng.Uint64N(1<<(8+rng.IntN(30))))
	}
	text := func() string {
		var t []byte
		for range 60 {
			t = append(append(t, words[min(rng.IntN(2000), rng.IntN(2000))]...), ' ')
		}
		return string(t)
	}
	id := func(i int) string { return fmt.Sprintf("terminusdb:///star-wars/People/%06d", i) }
	order := rng.Perm(benchEntries) // slots come in another order than ids
	mem := vfstest.NewMem()
	all := func(yield func(snapshot.EntryText, error) bool) {
		for i := range benchEntries {
			if !yield(doc(id(i), text(), uint32(order[i])), nil) {
				return
			}
		}
	}
	_, size, err := snapshot.Write(mem, header(snapshot.Checkpoint, "c0", "", 1), snapshot.Contents{Changed: all})
	if err != nil {
		b.Fatal(err)
	}
	v, err := chain(mem, "c0")
	if err != nil {
		b.Fatal(err)
	}
	var changed []snapshot.EntryText
	for i := range 100 {
		changed = append(changed, doc(id(i*599), text(), uint32(benchEntries+i)))
	}
	_, small, err := v.WriteDelta(mem, header(0, "c1", "", 2), snapshot.Contents{Changed: seq(changed...)})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("checkpoint %d bytes, delta %d bytes, checkpoint in memory %d", size, small, v.Checkpoint().Bytes())
	_ = v.Close()
	return mem
}

func BenchmarkOpen(b *testing.B) {
	mem := large(b)
	for b.Loop() {
		f, err := snapshot.Open(mem, snapshot.FileName(domain, "c0"))
		if err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
}

func BenchmarkView(b *testing.B) {
	mem := large(b)
	c0, _ := snapshot.Open(mem, snapshot.FileName(domain, "c0"))
	c1, err := snapshot.Open(mem, snapshot.FileName(domain, "c1"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		v, err := snapshot.NewView(c0, c1)
		if err != nil {
			b.Fatal(err)
		}
		_ = v.Close()
	}
}

func BenchmarkReads(b *testing.B) {
	mem := large(b)
	v, err := chain(mem, "c1")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	var slots []uint32
	var entries []*snapshot.Entry
	for e := range v.All() {
		slots = append(slots, e.Chunks[0].Slot)
		entries = append(entries, e)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	rng.Shuffle(len(slots), func(i, j int) {
		slots[i], slots[j] = slots[j], slots[i]
		entries[i], entries[j] = entries[j], entries[i]
	})
	n := 0
	b.Run("Live", func(b *testing.B) {
		for b.Loop() {
			n++
			if !v.Live(slots[n%len(slots)]) {
				b.Fatal("not live")
			}
		}
	})
	b.Run("Holders", func(b *testing.B) {
		for b.Loop() {
			n++
			for e := range v.Holders(slots[n%len(slots)]) {
				if e == nil {
					b.Fatal("no entry")
				}
			}
		}
	})
	b.Run("Lookup", func(b *testing.B) {
		for b.Loop() {
			n++
			if _, ok := v.Lookup(entries[n%len(entries)].ID); !ok {
				b.Fatal("not found")
			}
		}
	})
	b.Run("Text", func(b *testing.B) {
		for b.Loop() {
			n++
			if _, err := v.Text(entries[n%len(entries)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Texts", func(b *testing.B) {
		for b.Loop() {
			for _, err := range v.Texts() {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("WriteCheckpoint", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := v.WriteCheckpoint(mem, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkList reads the headers of 5,000 files of a real directory.
func BenchmarkList(b *testing.B) {
	fsys, err := vfs.NewOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = fsys.Close() }()
	mem := vfstest.NewMem()
	for i := range 5000 {
		commit := fmt.Sprintf("c%d", i)
		write(b, mem, header(snapshot.Checkpoint, commit, "", uint64(i)), nil, nil, nil)
		data, err := mem.ReadFile(snapshot.FileName(domain, commit))
		if err != nil {
			b.Fatal(err)
		}
		f, err := fsys.Open(snapshot.FileName(domain, commit), vfs.Create)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.WriteAt(data, 0); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
	for b.Loop() {
		infos, _, err := snapshot.List(fsys)
		if len(infos) != 5000 || err != nil {
			b.Fatal(len(infos), err)
		}
	}
}
