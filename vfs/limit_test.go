package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a durable file.
func put(t testing.TB, fsys vfs.FS, name, content string) {
	t.Helper()
	must(t, vfs.WriteFile(fsys, name, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}))
	must(t, fsys.SyncDir())
}

// openRead opens a file until the test ends.
func openRead(t testing.TB, fsys vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := fsys.Open(name, vfs.Read)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f
}

// read returns the whole of a file.
func read(f vfs.File) (string, error) {
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	b := make([]byte, size)
	err = vfs.ReadFull(f, b, 0)
	return string(b), err
}

func wantRead(t testing.TB, f vfs.File, want string) {
	t.Helper()
	if got, err := read(f); err != nil || got != want {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
}

func TestLimited(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		t.Run(fmt.Sprint("Mem", n), func(t *testing.T) {
			vfstest.TestFS(t, func(*testing.T) vfs.FS { return vfs.Limit(vfstest.NewMem(), n) })
		})
		t.Run(fmt.Sprint("OS", n), func(t *testing.T) {
			vfstest.TestFS(t, func(t *testing.T) vfs.FS { return vfs.Limit(newOS(t, t.TempDir()), n) })
		})
	}
}

// TestLimitedOpens: many files are open at a few handles, and the ones used last
// keep theirs.
func TestLimitedOpens(t *testing.T) {
	const limit, files = 4, 50
	fault := vfstest.NewFault(vfstest.NewMem())
	l := vfs.Limit(fault, limit)
	var open []vfs.File
	for i := range files {
		name := fmt.Sprint(i)
		put(t, l, name, name)
		open = append(open, openRead(t, l, name))
	}
	for range 2 {
		for i, f := range open {
			wantRead(t, f, fmt.Sprint(i))
			if s := l.Stats(); s.Open > limit || s.Limit != limit || s.Files != files {
				t.Fatalf("%+v", s)
			}
		}
	}
	reopened := l.Stats().Reopened
	for i := files - limit; i < files; i++ {
		wantRead(t, open[i], fmt.Sprint(i))
	}
	if got := l.Stats().Reopened; got != reopened {
		t.Errorf("the files used last were opened again %d times", got-reopened)
	}
	wantRead(t, open[0], "0")
	if got := l.Stats().Reopened; got != reopened+1 {
		t.Errorf("a file that was closed to make room was opened again %d times, want 1", got-reopened)
	}
	// What cannot be opened again is an error, and none for ever.
	fault.Set(vfstest.Plan{Forever: true, Only: []vfstest.Op{vfstest.OpOpen}, Err: syscall.EMFILE})
	if _, err := read(open[1]); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("read = %v, want EMFILE", err)
	}
	// A name is not taken from a file that could not be read afterwards.
	for op, err := range map[string]error{"Remove": l.Remove("1"), "Rename": l.Rename("0", "1")} {
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%s = %v, want EMFILE", op, err)
		}
	}
	fault.Set(vfstest.Plan{})
	wantRead(t, open[1], "1")
	wantRead(t, open[0], "0")
}

// TestLimitedKeepsNameless: a file that was removed, or whose name another has
// got, is read by whoever has it open, whatever else is open.
func TestLimitedKeepsNameless(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"Mem": vfstest.NewMem(), "OS": newOS(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			l := vfs.Limit(fsys, 2)
			put(t, l, "removed", "removed")
			put(t, l, "replaced", "old")
			put(t, l, "moved", "moved")
			removed, replaced, moved := openRead(t, l, "removed"), openRead(t, l, "replaced"), openRead(t, l, "moved")
			churn := func() {
				for i := range 5 {
					put(t, l, fmt.Sprint("other", i), "x")
					wantRead(t, openRead(t, l, fmt.Sprint("other", i)), "x")
				}
			}
			churn() // none of the three is open beneath
			must(t, l.Remove("removed"))
			put(t, l, "replaced", "new")
			must(t, l.Rename("moved", "elsewhere"))
			put(t, l, "removed", "another")
			churn()
			wantRead(t, removed, "removed")
			wantRead(t, replaced, "old")
			wantRead(t, moved, "moved")
			wantRead(t, openRead(t, l, "replaced"), "new")
			wantRead(t, openRead(t, l, "removed"), "another")
		})
	}
}

// TestLimitedBeyondTheLimit: files that may not be closed do not lock others
// out, and the number falls again when they are.
func TestLimitedBeyondTheLimit(t *testing.T) {
	l := vfs.Limit(vfstest.NewMem(), 2)
	var nameless []vfs.File
	for i := range 5 {
		put(t, l, "a", fmt.Sprint(i))
		f, err := l.Open("a", vfs.Read)
		must(t, err)
		nameless = append(nameless, f)
	}
	put(t, l, "b", "b")
	b := openRead(t, l, "b")
	for i, f := range nameless {
		wantRead(t, f, fmt.Sprint(i))
		wantRead(t, b, "b")
	}
	if s := l.Stats(); s.Open <= s.Limit {
		t.Errorf("%+v, want more than the limit", s)
	}
	for _, f := range nameless {
		must(t, f.Close())
	}
	wantRead(t, b, "b")
	if s := l.Stats(); s.Open > s.Limit {
		t.Errorf("%+v after they were closed", s)
	}
}

// TestLimitedReplaced: another process takes a file's name away. A second OS is
// that process.
func TestLimitedReplaced(t *testing.T) {
	dir := t.TempDir()
	writer, l := newOS(t, dir), vfs.Limit(newOS(t, dir), 1)
	for _, name := range []string{"replaced", "removed", "back", "other"} {
		put(t, writer, name, name)
	}
	replaced, removed, back, other := openRead(t, l, "replaced"), openRead(t, l, "removed"), openRead(t, l, "back"), openRead(t, l, "other")
	wantRead(t, other, "other")
	put(t, writer, "replaced", "replaced")
	must(t, writer.Remove("removed"))
	must(t, writer.Remove("back"))
	put(t, writer, "back", "back") // perhaps on the same inode
	for name, f := range map[string]vfs.File{"replaced": replaced, "removed": removed, "back": back} {
		for range 2 {
			if got, err := read(f); !errors.Is(err, vfs.ErrReplaced) {
				t.Errorf("%s: read %q, %v, want ErrReplaced", name, got, err)
			}
		}
	}
	wantRead(t, openRead(t, l, "replaced"), "replaced")
	wantRead(t, other, "other")
	// A name that is gone already can go again.
	must(t, l.Remove("replaced"))
	if _, err := read(removed); !errors.Is(err, vfs.ErrReplaced) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of a removed file: %v", err)
	}
	if s := l.Stats(); s.Open > 2 {
		t.Errorf("%+v", s)
	}
}

// TestLimitedKeepsWrites: a file with writes that are not durable is not closed,
// so that its Sync is told of a failure, however much is opened meanwhile; one
// whose Sync has failed is not either.
func TestLimitedKeepsWrites(t *testing.T) {
	fault := vfstest.NewFault(vfstest.NewMem())
	l := vfs.Limit(fault, 1)
	put(t, l, "a", "old")
	put(t, l, "b", "b")
	f, err := l.Open("a", vfs.ReadWrite)
	must(t, err)
	b := openRead(t, l, "b")
	reopened := func(f vfs.File) bool {
		before := l.Stats().Reopened
		wantRead(t, b, "b")
		after := l.Stats().Reopened
		_, err := f.Size()
		must(t, err)
		return l.Stats().Reopened > max(before, after)
	}
	if !reopened(f) {
		t.Error("a file without writes is kept open")
	}
	_, err = f.WriteAt([]byte("new"), 0)
	must(t, err)
	if reopened(f) {
		t.Error("a file with unsynced writes was closed")
	}
	fault.Set(vfstest.Plan{Only: []vfstest.Op{vfstest.OpSync}, Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fault.Set(vfstest.Plan{})
	must(t, f.Sync())
	if reopened(f) {
		t.Error("a file whose sync has failed was closed")
	}
	must(t, f.Close())

	f, err = l.Open("a", vfs.ReadWrite)
	must(t, err)
	must(t, f.Truncate(1))
	if reopened(f) {
		t.Error("a file with an unsynced size was closed")
	}
	must(t, f.Sync())
	if !reopened(f) {
		t.Error("a synced file is kept open")
	}
	must(t, f.Close())
}

// gateFS has reads wait.
type gateFS struct {
	vfs.FS
	gate chan struct{}
}

type gateFile struct {
	vfs.File
	gate chan struct{}
}

func (g gateFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := g.FS.Open(name, mode)
	return gateFile{f, g.gate}, err
}

func (g gateFile) ReadAt(p []byte, off int64) (int, error) {
	<-g.gate
	return g.File.ReadAt(p, off)
}

// TestLimitedWaits: while all handles are at work, others wait in order, a
// rename does not, and a Close frees a place.
func TestLimitedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfstest.NewMem()
		for i := range 4 {
			mem.WriteFile(fmt.Sprint(i), []byte{byte('0' + i)})
		}
		gate := make(chan struct{})
		l := vfs.Limit(gateFS{mem, gate}, 2)
		var files []vfs.File
		for i := range 4 {
			f, err := l.Open(fmt.Sprint(i), vfs.Read)
			must(t, err)
			files = append(files, f)
		}
		done := make(chan int, 4)
		for i, f := range files {
			go func() {
				if n, err := f.ReadAt(make([]byte, 1), 0); n != 1 || err != nil && err != io.EOF {
					t.Errorf("read %d, %v", n, err)
				}
				done <- i
			}()
			synctest.Wait()
		}
		if s := l.Stats(); s.Open != 2 || s.Waits != 2 {
			t.Errorf("%+v, want 2 at work and 2 waiting", s)
		}
		must(t, l.Rename("2", "2b"))
		must(t, l.Remove("3")) // opened beyond the limit
		for range 4 {
			gate <- struct{}{}
		}
		for range 4 {
			<-done
		}
		for i, f := range files {
			go func() { gate <- struct{}{} }()
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF || b[0] != byte('0'+i) {
				t.Errorf("file %d: %q, %v", i, b, err)
			}
			must(t, f.Close())
		}
		if s := l.Stats(); s.Open != 0 || s.Files != 0 {
			t.Errorf("%+v after all are closed", s)
		}
	})
}

// TestLimitedStress reads, writes, replaces, removes and closes from many
// goroutines at few handles; the race detector watches.
func TestLimitedStress(t *testing.T) {
	const workers, names, rounds = 12, 6, 150
	for kind, beneath := range map[string]vfs.FS{"Mem": vfstest.NewMem(), "OS": newOS(t, t.TempDir())} {
		for _, limit := range []int{1, 3} {
			t.Run(fmt.Sprint(kind, limit), func(t *testing.T) {
				l := vfs.Limit(beneath, limit)
				for i := range names {
					put(t, l, fmt.Sprint(i), "0000")
				}
				var wg sync.WaitGroup
				for w := range workers {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(w), uint64(limit)))
						if err := stress(l, rng, w, names, rounds); err != nil {
							t.Errorf("worker %d: %v", w, err)
						}
					})
				}
				wg.Wait()
				if s := l.Stats(); s.Files != 0 || s.Open != 0 || s.Reopened == 0 {
					t.Errorf("%+v at the end", s)
				}
			})
		}
	}
}

// stress is one worker of TestLimitedStress. Every file holds four equal bytes,
// which are its for ever: a file is only ever replaced by another.
func stress(l *vfs.Limited, rng *rand.Rand, w, names, rounds int) error {
	type opened struct {
		f    vfs.File
		want string
	}
	var open []opened
	for range rounds {
		name := fmt.Sprint(rng.IntN(names))
		switch rng.IntN(6) {
		case 0:
			b := bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, 4)
			err := vfs.WriteFile(l, name, func(out io.Writer) error {
				_, err := out.Write(b)
				return err
			})
			if err != nil {
				return err
			}
		case 1:
			if err := l.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		case 2:
			if len(open) > 0 {
				i := rng.IntN(len(open))
				if err := open[i].f.Close(); err != nil {
					return err
				}
				open[i] = open[len(open)-1]
				open = open[:len(open)-1]
			}
		default:
			if len(open) < 4 {
				f, err := l.Open(name, vfs.Read)
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				got, err := read(f)
				if err != nil || len(got) != 4 || got != string(bytes.Repeat([]byte{got[0]}, 4)) {
					return fmt.Errorf("a new file reads %q, %w", got, err)
				}
				open = append(open, opened{f, got})
			}
			for _, o := range open {
				if got, err := read(o.f); err != nil || got != o.want {
					return fmt.Errorf("read %q, %w, want %q", got, err, o.want)
				}
			}
		}
	}
	for _, o := range open {
		if err := o.f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLimitedRead is what a read of a file costs: beneath, and above with a
// handle and without.
func BenchmarkLimitedRead(b *testing.B) {
	disk := newOS(b, b.TempDir())
	put(b, disk, "a", "0123")
	put(b, disk, "b", "0123")
	limited := vfs.Limit(disk, 1)
	for name, files := range map[string][]vfs.File{
		"disk":     {openRead(b, disk, "a")},
		"open":     {openRead(b, limited, "a")},
		"reopened": {openRead(b, limited, "a"), openRead(b, limited, "b")},
	} {
		b.Run(name, func(b *testing.B) {
			p := make([]byte, 4)
			for b.Loop() {
				for _, f := range files {
					if _, err := f.ReadAt(p, 0); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
