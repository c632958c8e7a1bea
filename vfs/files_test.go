package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestChecksum(t *testing.T) {
	// RFC 3720, B.4: 32 bytes of zeros.
	if got, want := vfs.Checksum(0, make([]byte, 32)), uint32(0x8a9136aa); got != want {
		t.Errorf("Checksum = %08x, want %08x", got, want)
	}
	if got, want := vfs.Checksum(vfs.Checksum(0, []byte("ab")), []byte("c")), vfs.Checksum(0, []byte("abc")); got != want {
		t.Errorf("in two parts %08x, in one %08x", got, want)
	}
}

func TestReadFull(t *testing.T) {
	r := bytes.NewReader([]byte("abcdef"))
	p := make([]byte, 3)
	if err := vfs.ReadFull(r, p, 3); err != nil || string(p) != "def" {
		t.Errorf("ReadFull = %v, %q", err, p)
	}
	for _, off := range []int64{4, 6, 99} {
		if err := vfs.ReadFull(r, p, off); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("ReadFull at %d: %v, want ErrUnexpectedEOF", off, err)
		}
	}
	if err := vfs.ReadFull(r, p, -1); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadFull before the start: %v", err)
	}
}

// TestWriteFile fails and crashes at every operation: the old content or the
// new one is there, and what is left over is found by Clean.
func TestWriteFile(t *testing.T) {
	content := map[string][]byte{"old": []byte("old"), "new": bytes.Repeat([]byte("new"), 1<<18)}
	write := func(fsys vfs.FS, version string) error {
		err := vfs.WriteFile(fsys, "a", func(w io.Writer) error {
			_, err := w.Write(content[version])
			return err
		})
		if err != nil {
			return err
		}
		return fsys.SyncDir()
	}
	errFull := errors.New("no space left")
	check := func(m *vfstest.Mem, at int, versions ...string) {
		t.Helper()
		got, err := m.ReadFile("a")
		if err != nil || !slices.ContainsFunc(versions, func(v string) bool { return bytes.Equal(got, content[v]) }) {
			t.Errorf("operation %d: %d bytes, %v, want those of %q", at, len(got), err, versions)
		}
		if err := vfs.Clean(m); err != nil {
			t.Error(err)
		}
		if names, err := m.List(); err != nil || len(names) != 1 {
			t.Errorf("operation %d: after Clean there are %q, %v", at, names, err)
		}
	}
	for at := 0; ; at++ {
		m := vfstest.NewMem()
		if err := write(m, "old"); err != nil {
			t.Fatal(err)
		}
		f := vfstest.NewFault(m)
		f.Set(vfstest.Plan{At: at, Err: errFull, Short: true})
		f.OnOp(func(n int, _ vfstest.Op) {
			if n == at {
				for seed, share := range []float64{0, 0.5, 1} {
					check(m.CrashClone(uint64(seed), share), at, "old", "new")
				}
			}
		})
		err := write(f, "new")
		if f.Hits() == 0 {
			if err != nil {
				t.Error(err)
			}
			check(m.CrashClone(0, 0), at, "new")
			return
		}
		if !errors.Is(err, errFull) {
			t.Errorf("operation %d failed, and WriteFile said %v", at, err)
		}
		check(m, at, "old", "new")
	}
}
