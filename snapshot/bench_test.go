//go:build unix

package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

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
	info, err := snapshot.Write(mem, header(snapshot.Checkpoint, "c0", "", 1), snapshot.Contents{Changed: all})
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
	small, err := v.WriteDelta(mem, header(0, "c1", "", 2), snapshot.Contents{Changed: seq(changed...)}, "")
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("checkpoint %d bytes, delta %d bytes, checkpoint in memory %d", info.Size, small.Size, v.Checkpoint().Bytes())
	_ = v.Close()
	return mem
}

// cpu returns the processor time that the process has taken: what counts where
// others work on the machine too.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// byCPU runs f b.N times and reports the processor time of each.
func byCPU(b *testing.B, f func()) {
	b.ReportAllocs()
	start, n := cpu(b), 0
	for b.Loop() {
		f()
		n++
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(n)/1e6, "cpu-ms/op")
}

func BenchmarkOpen(b *testing.B) {
	mem := large(b)
	byCPU(b, func() {
		f, err := snapshot.Open(mem, snapshot.FileName(domain, "c0"))
		if err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	})
}

// overlay writes deltas on c0 until about 5,000 entries lie over it, in 20
// files, and returns the files of the last commit.
func overlay(b *testing.B, mem *vfstest.Mem) []*snapshot.File {
	b.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	base := "c0"
	for i := range 20 {
		// Each smaller than the one below, so that none absorbs another, with a
		// file in between that says it must not be passed over.
		var changed []snapshot.EntryText
		for range 250 {
			n := rng.IntN(benchEntries * 11 / 10) // some are new
			changed = append(changed, doc(fmt.Sprintf("terminusdb:///star-wars/People/%06d", n), fmt.Sprint("text ", i, n), uint32(benchEntries+1000+i*250+len(changed))))
		}
		v, err := chain(mem, base)
		if err != nil {
			b.Fatal(err)
		}
		commit := fmt.Sprintf("o%d", i)
		if _, err := v.WriteDelta(mem, header(0, commit, "", uint64(10+i)), snapshot.Contents{Changed: seq(changed...), Count: len(changed)}, base); err != nil {
			b.Fatal(err)
		}
		_ = v.Close()
		base = commit
	}
	v, err := chain(mem, base)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d deltas, %d entries in the overlay", v.Deltas(), v.Overlay())
	var files []*snapshot.File
	for f := range v.Files() {
		files = append(files, f)
	}
	return files
}

func BenchmarkView(b *testing.B) {
	files := overlay(b, large(b))
	byCPU(b, func() {
		v, err := snapshot.NewView(files[0], files[1:]...)
		if err != nil {
			b.Fatal(err)
		}
		_ = v.Close()
	})
}

func BenchmarkExtend(b *testing.B) {
	files := overlay(b, large(b))
	v, err := snapshot.NewView(files[0], files[1:len(files)-1]...)
	if err != nil {
		b.Fatal(err)
	}
	byCPU(b, func() {
		x, err := v.Extend(files[len(files)-1])
		if err != nil {
			b.Fatal(err)
		}
		_ = x.Close()
	})
}

// BenchmarkWriteDelta writes commits of one document on a large snapshot, each
// on the one before.
func BenchmarkWriteDelta(b *testing.B) {
	mem := large(b)
	v, err := chain(mem, "c0")
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	byCPU(b, func() {
		commit := fmt.Sprint("w", n)
		d := doc(fmt.Sprintf("terminusdb:///star-wars/People/%06d", n*7919%benchEntries), fmt.Sprint("text ", n), uint32(benchEntries+200+n))
		if _, err := v.WriteDelta(mem, header(0, commit, "", uint64(10+n)), snapshot.Contents{Changed: seq(d), Count: 1}, ""); err != nil {
			b.Fatal(err)
		}
		f, err := snapshot.Open(mem, snapshot.FileName(domain, commit))
		if err != nil {
			b.Fatal(err)
		}
		x, err := v.Extend(f)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = f.Close(), v.Close()
		v, n = x, n+1
	})
	b.ReportMetric(float64(v.Deltas()), "deltas")
	b.ReportMetric(float64(v.Overlay()), "overlay")
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
	b.Run("Merge", func(b *testing.B) {
		for b.Loop() {
			if _, err := merge(mem, v, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkParseHeader reads the record of a header, of which a catalog may hold
// very many.
func BenchmarkParseHeader(b *testing.B) {
	h := header(snapshot.Delta, "q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6j7k8l9z", "z1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6j7k8l9z", 123456)
	h.On = h.Base
	h.Settings, h.Metric, h.Normalized, h.Documents, h.Chunks, h.SlotEnd = "metric=cosine", "cosine", true, 60_000, 70_000, 200_000
	record := snapshot.AppendHeader(nil, &h)
	b.ReportMetric(float64(len(record)), "bytes")
	byCPU(b, func() {
		if _, err := snapshot.ParseHeader(record, nil); err != nil {
			b.Fatal(err)
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
