package vfstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/vfs"
)

// TestFS runs the suite that every vfs.FS passes. newFS returns an empty file
// system and cleans up after itself through t.
func TestFS(t *testing.T, newFS func(t *testing.T) vfs.FS) {
	tests := []struct {
		name string
		run  func(t *testing.T, fsys vfs.FS)
	}{
		{"ReadWrite", testReadWrite},
		{"Truncate", testTruncate},
		{"Modes", testModes},
		{"Missing", testMissing},
		{"Names", testNames},
		{"Rename", testRename},
		{"Remove", testRemove},
		{"List", testList},
		{"Closed", testClosed},
		{"Lock", testLock},
		{"Concurrent", testConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, newFS(t)) })
	}
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a file and closes it when the test ends.
func open(t *testing.T, fsys vfs.FS, name string, mode vfs.Mode) vfs.File {
	t.Helper()
	f, err := fsys.Open(name, mode)
	must(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

// write makes a file of that content.
func write(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Open(name, vfs.Create)
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, errors.Join(err, f.Sync(), f.Close(), fsys.SyncDir()))
}

// wantContent compares all that f holds.
func wantContent(t *testing.T, f vfs.File, want string) {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	got := make([]byte, size)
	if n, err := f.ReadAt(got, 0); n < len(got) || err != nil && err != io.EOF {
		t.Fatalf("ReadAt = %d, %v, want all %d bytes", n, err, size)
	}
	if string(got) != want {
		t.Errorf("content = %q, want %q", got, want)
	}
}

func testReadWrite(t *testing.T, fsys vfs.FS) {
	f := open(t, fsys, "a", vfs.Create)
	wantContent(t, f, "")
	for _, w := range []struct {
		off  int64
		data string
	}{{0, "hello"}, {8, "world"}, {1, "EL"}, {4, ""}} {
		if n, err := f.WriteAt([]byte(w.data), w.off); n != len(w.data) || err != nil {
			t.Fatalf("WriteAt(%q, %d) = %d, %v", w.data, w.off, n, err)
		}
	}
	const all = "hELlo\x00\x00\x00world"
	wantContent(t, f, all)
	must(t, f.Sync())
	wantContent(t, open(t, fsys, "a", vfs.Read), all)

	for _, r := range []struct {
		off  int64
		n    int
		want string
		eof  bool
	}{{0, 5, "hELlo", false}, {8, 5, "world", false}, {10, 9, "rld", true}, {13, 1, "", true}, {99, 1, "", true}, {2, 0, "", false}} {
		buf := make([]byte, r.n)
		n, err := f.ReadAt(buf, r.off)
		// At the end of the file a full read may or may not say so.
		eof := errors.Is(err, io.EOF)
		if string(buf[:n]) != r.want || eof != r.eof && r.off+int64(n) != int64(len(all)) || err != nil && !eof {
			t.Errorf("ReadAt(%d bytes, %d) = %q, %v, want %q", r.n, r.off, buf[:n], err, r.want)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("ReadAt before the start: no error")
	}
	if _, err := f.WriteAt([]byte("x"), -1); err == nil {
		t.Error("WriteAt before the start: no error")
	}
}

func testTruncate(t *testing.T, fsys vfs.FS) {
	f := open(t, fsys, "a", vfs.Create)
	_, err := f.WriteAt([]byte("abcdef"), 0)
	must(t, err)
	must(t, f.Truncate(2))
	wantContent(t, f, "ab")
	must(t, f.Truncate(4))
	wantContent(t, f, "ab\x00\x00")
	must(t, f.Sync())
	if err := f.Truncate(-1); err == nil {
		t.Error("Truncate(-1): no error")
	}
}

func testModes(t *testing.T, fsys vfs.FS) {
	write(t, fsys, "a", "old")
	r := open(t, fsys, "a", vfs.Read)
	if _, err := r.WriteAt([]byte("x"), 0); err == nil {
		t.Error("WriteAt on a file opened with Read: no error")
	}
	if err := r.Truncate(0); err == nil {
		t.Error("Truncate on a file opened with Read: no error")
	}
	wantContent(t, r, "old")
	rw := open(t, fsys, "a", vfs.ReadWrite)
	_, err := rw.WriteAt([]byte("n"), 0)
	must(t, err)
	wantContent(t, r, "nld") // one file, however often it is open
	wantContent(t, open(t, fsys, "a", vfs.Create), "")
	wantContent(t, rw, "")
}

func testMissing(t *testing.T, fsys vfs.FS) {
	_, readErr := fsys.Open("a", vfs.Read)
	_, writeErr := fsys.Open("a", vfs.ReadWrite)
	for op, err := range map[string]error{
		"Open(Read)":      readErr,
		"Open(ReadWrite)": writeErr,
		"Rename":          fsys.Rename("a", "b"),
		"Remove":          fsys.Remove("a"),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a missing file: %v, want fs.ErrNotExist", op, err)
		}
	}
}

func testNames(t *testing.T, fsys vfs.FS) {
	write(t, fsys, "ok", "x")
	for _, name := range []string{"", ".", "..", "/", "a/b", "../a", "/etc/passwd", `a\b`, `..\a`, "a\x00b", strings.Repeat("n", 256)} {
		for _, mode := range []vfs.Mode{vfs.Read, vfs.ReadWrite, vfs.Create} {
			if f, err := fsys.Open(name, mode); !errors.Is(err, vfs.ErrName) {
				t.Errorf("Open(%q, %d) = %v, %v, want ErrName", name, mode, f, err)
			}
		}
		_, lockErr := fsys.Lock(name)
		for op, err := range map[string]error{
			"Lock": lockErr, "Remove": fsys.Remove(name),
			"Rename from": fsys.Rename(name, "b"), "Rename to": fsys.Rename("ok", name),
		} {
			if !errors.Is(err, vfs.ErrName) {
				t.Errorf("%s %q: %v, want ErrName", op, name, err)
			}
		}
	}
	for _, name := range []string{"a", "...", "~", "a@b%2F.x", strings.Repeat("n", 255)} {
		write(t, fsys, name, name)
		wantContent(t, open(t, fsys, name, vfs.Read), name)
	}
}

func testRename(t *testing.T, fsys vfs.FS) {
	write(t, fsys, "a", "one")
	write(t, fsys, "b", "two")
	reader := open(t, fsys, "a", vfs.Read)
	must(t, fsys.Rename("a", "b"))
	must(t, fsys.SyncDir())
	wantContent(t, open(t, fsys, "b", vfs.Read), "one")
	wantContent(t, reader, "one")
	if _, err := fsys.Open("a", vfs.Read); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of the old name: %v, want fs.ErrNotExist", err)
	}
	must(t, fsys.Rename("b", "b"))
	wantContent(t, open(t, fsys, "b", vfs.Read), "one")
}

func testRemove(t *testing.T, fsys vfs.FS) {
	write(t, fsys, "a", "one")
	reader := open(t, fsys, "a", vfs.Read)
	must(t, fsys.Remove("a"))
	must(t, fsys.SyncDir())
	wantContent(t, reader, "one")
	write(t, fsys, "a", "two")
	wantContent(t, reader, "one")
	wantContent(t, open(t, fsys, "a", vfs.Read), "two")
}

func testList(t *testing.T, fsys vfs.FS) {
	got, err := fsys.List()
	must(t, err)
	if len(got) != 0 {
		t.Errorf("List of an empty directory = %q", got)
	}
	want := []string{"%", "B", "a", "a@x.y", "b"}
	for _, name := range []string{"b", "a", "a@x.y", "B", "%"} {
		write(t, fsys, name, name)
	}
	got, err = fsys.List()
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
}

func testClosed(t *testing.T, fsys vfs.FS) {
	f := open(t, fsys, "a", vfs.Create)
	must(t, f.Close())
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, writeErr := f.WriteAt([]byte("x"), 0)
	for op, err := range map[string]error{
		"ReadAt": readErr, "WriteAt": writeErr, "Sync": f.Sync(), "Truncate": f.Truncate(0), "Close": f.Close(),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Close: %v, want fs.ErrClosed", op, err)
		}
	}
}

func testLock(t *testing.T, fsys vfs.FS) {
	l, err := fsys.Lock("LOCK")
	must(t, err)
	if _, err := fsys.Lock("LOCK"); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("second Lock: %v, want ErrLocked", err)
	}
	other, err := fsys.Lock("OTHER")
	must(t, err)
	must(t, l.Close())
	again, err := fsys.Lock("LOCK")
	must(t, err)
	must(t, errors.Join(again.Close(), other.Close()))
}

// testConcurrent reads and writes ranges that do not overlap from several
// goroutines; the race detector watches.
func testConcurrent(t *testing.T, fsys vfs.FS) {
	const workers, size = 8, 700
	f := open(t, fsys, "shared", vfs.Create)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			data := bytes.Repeat([]byte{byte('a' + w)}, size)
			got := make([]byte, size)
			for range 20 {
				_, writeErr := f.WriteAt(data, int64(w*size))
				_, readErr := f.ReadAt(got, int64(w*size))
				if readErr == io.EOF { // the last one may stand at the end
					readErr = nil
				}
				if err := errors.Join(writeErr, readErr, f.Sync()); err != nil || !bytes.Equal(got, data) {
					t.Errorf("worker %d: wrong bytes or %v", w, err)
					return
				}
			}
			name := fmt.Sprint("own", w)
			g, err := fsys.Open(name, vfs.Create)
			if err == nil {
				_, err = fsys.List()
				err = errors.Join(err, g.Close(), fsys.Rename(name, name+"b"), fsys.SyncDir(), fsys.Remove(name+"b"))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
