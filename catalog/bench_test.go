package catalog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

// commitName returns a name like those of a document database: 32 characters in no
// order.
func commitName(n int) string {
	h := uint64(n) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%016x%016x", h^h>>29, h)
}

// history is n commits in a line.
func history(domain string, n int) []snapshot.Info {
	infos := make([]snapshot.Info, n)
	base := ""
	for i := range infos {
		c := commitName(i + 1)
		infos[i] = info(domain, c, base, "main", uint64(i+1))
		if i%64 != 0 {
			infos[i].Kind, infos[i].On = snapshot.Delta, base
		}
		base = c
	}
	return infos
}

// fill puts the commits into a catalog, and nothing into a commit file.
func fill(t testing.TB, d *catalog.Domain, infos []snapshot.Info) {
	t.Helper()
	err := d.Update(func(tx *catalog.Tx) error {
		for _, i := range infos {
			if err := tx.Put(i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// directory is a data directory with a number of domains and of commits in each.
// The commit files are empty: opening looks at their names alone.
func directory(b *testing.B, domains, commits int) (vfs.FS, int) {
	dir := b.TempDir()
	fsys, err := vfs.NewOS(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { fsys.Close() })
	c, err := catalog.Open(catalog.Config{FS: fsys})
	if err != nil {
		b.Fatal(err)
	}
	for n := range domains {
		d := c.Create(fmt.Sprintf("admin/domain%d", n))
		infos := history(d.Name(), commits)
		for _, i := range infos {
			if err := os.WriteFile(filepath.Join(dir, i.Name()), nil, 0o600); err != nil {
				b.Fatal(err)
			}
		}
		fill(b, d, infos)
	}
	return fsys, domains * commits
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []struct{ domains, commits int }{{1, 1000}, {1, 100_000}, {5000, 1}} {
		b.Run(fmt.Sprintf("domains=%d/commits=%d", size.domains, size.commits), func(b *testing.B) {
			fsys, commits := directory(b, size.domains, size.commits)
			cpu := cpuTime()
			for b.Loop() {
				c, err := catalog.Open(catalog.Config{FS: fsys})
				if err != nil {
					b.Fatal(err)
				}
				got := 0
				for _, d := range c.Domains() {
					got += d.State().Len()
				}
				if got != commits {
					b.Fatalf("%d commits", got)
				}
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}

// BenchmarkUpdate puts one commit, the record of it in the file included.
func BenchmarkUpdate(b *testing.B) {
	for _, commits := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("commits=%d", commits), func(b *testing.B) {
			fsys, err := vfs.NewOS(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer fsys.Close()
			c, err := catalog.Open(catalog.Config{FS: fsys})
			if err != nil {
				b.Fatal(err)
			}
			d := c.Create("a/b")
			fill(b, d, history("a/b", commits))
			base := commitName(commits)
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				seq := d.NextSeq()
				name := commitName(int(seq))
				err := d.Update(func(tx *catalog.Tx) error { return tx.Put(info("a/b", name, base, "main", seq)) })
				if err != nil {
					b.Fatal(err)
				}
				base = name
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/1e3, "cpu-µs/op")
		})
	}
}

func BenchmarkRefresh(b *testing.B) {
	fsys, _ := directory(b, 1, 100_000)
	c, err := catalog.Open(catalog.Config{FS: fsys, ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := c.Refresh(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkState(b *testing.B) {
	s := catalog.NewState(history("a/b", 100_000))
	b.Run("Commit", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n = n%100_000 + 1
			s.Commit(commitName(n))
		}
	})
	b.Run("FreeSeq", func(b *testing.B) {
		for b.Loop() {
			s.FreeSeq(50_000)
		}
	})
	b.Run("HeadBefore", func(b *testing.B) {
		for b.Loop() {
			s.HeadBefore("main", 50_000)
		}
	})
}

// TestBytesPerCommit bounds the memory of a long history, after an Open and after
// an Update for each commit.
func TestBytesPerCommit(t *testing.T) {
	const commits, most = 100_000, 300
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s := catalog.NewState(history("a/b", commits))
	if got := (heap() - before) / commits; got > most {
		t.Errorf("%d bytes a commit, as loaded", got)
	} else {
		t.Logf("%d bytes a commit, as loaded", got)
	}
	runtime.KeepAlive(s)
	s = catalog.NewState(nil)
	before = heap()
	const few = 20_000
	for _, info := range history("a/b", few) {
		s = s.With(info)
	}
	if got := (heap() - before) / few; got > most {
		t.Errorf("%d bytes a commit, one put after the other", got)
	} else {
		t.Logf("%d bytes a commit, one put after the other", got)
	}
	runtime.KeepAlive(s)
}

// TestUpdateAllocates holds that a commit allocates no more in a long history than
// in a short one, but for a level or two of the trees.
func TestUpdateAllocates(t *testing.T) {
	grown := func(commits int) (bytes uint64) {
		s := catalog.NewState(history("a/b", commits))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const n = 500
		for i := range n {
			s = s.With(info("a/b", commitName(commits+1+i), commitName(commits+i), "main", uint64(commits+1+i)))
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / n
	}
	short, long := grown(1000), grown(100_000)
	t.Logf("%d bytes a commit after 1,000, %d after 100,000", short, long)
	if long > short*2 || long > 16<<10 {
		t.Errorf("a commit allocates %d bytes after 100,000 commits, %d after 1,000", long, short)
	}
}
