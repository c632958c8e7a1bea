package vecstore_test

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestMendHeader: a header is made again from what the file was created with,
// whatever has become of it, and only if the records are of such a file.
func TestMendHeader(t *testing.T) {
	const n = 9
	m := vfstest.NewMem()
	s := create(t, m, historyDim, n, pool())
	cfg := s.Config()
	closeStore(t, s)
	whole, err := m.ReadFile(file)
	must(t, err)
	for _, at := range []int{0, 7, 8, 12, 16, 20, 24, 28, 31, 40, 64, 4091, 4095} {
		for name, spoil := range map[string]func(b []byte){
			"a bit":      func(b []byte) { b[at] ^= 4 },
			"zeros":      func(b []byte) { clear(b[:4096]) },
			"and record": func(b []byte) { b[at]++; b[4096+3]++ },
		} {
			b := bytes.Clone(whole)
			spoil(b)
			m.WriteFile(file, b)
			other := cfg
			other.Fingerprint += "2"
			if err := vecstore.MendHeader(m, file, other); !errors.Is(err, vecstore.ErrCorrupt) {
				t.Errorf("byte %d, %s: mended as another file: %v", at, name, err)
			}
			other = cfg
			other.Dim = 3
			if err := vecstore.MendHeader(m, file, other); !errors.Is(err, vecstore.ErrCorrupt) {
				t.Errorf("byte %d, %s: mended with another dimension: %v", at, name, err)
			}
			if got, err := m.ReadFile(file); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("byte %d, %s: the file has changed (%v)", at, name, err)
			}
			must(t, vecstore.MendHeader(m, file, cfg))
			if got, err := m.ReadFile(file); err != nil || !bytes.Equal(got[:4096], whole[:4096]) {
				t.Fatalf("byte %d, %s: the header is not what it was (%v)", at, name, err)
			}
		}
	}
	// Of a file that was cut in its header nothing is left.
	m.WriteFile(file, whole[:100])
	must(t, vecstore.MendHeader(m, file, cfg))
	if got, err := m.ReadFile(file); err != nil || !bytes.Equal(got, whole[:4096]) {
		t.Errorf("a cut header was not made anew (%v)", err)
	}
	if err := vecstore.MendHeader(m, file, vecstore.Config{}); !errors.Is(err, vecstore.ErrInvalid) {
		t.Errorf("without a configuration: %v, want ErrInvalid", err)
	}
}

// TestMendHeaderFails: whatever fails and whenever, the header can be mended
// afterwards.
func TestMendHeaderFails(t *testing.T) {
	m := vfstest.NewMem()
	s := create(t, m, historyDim, 3, pool())
	cfg := s.Config()
	closeStore(t, s)
	whole, err := m.ReadFile(file)
	must(t, err)
	for at := 0; ; at++ {
		b := bytes.Clone(whole)
		b[20]++
		m := vfstest.NewMem()
		m.WriteFile(file, b)
		faults := vfstest.NewFault(m)
		faults.Set(vfstest.Plan{At: at, Err: syscall.EIO, Short: true})
		err := vecstore.MendHeader(faults, file, cfg)
		if faults.Hits() == 0 {
			must(t, err)
			break
		}
		if err == nil {
			t.Errorf("operation %d failed, and MendHeader did not", at)
		}
		must(t, vecstore.MendHeader(m, file, cfg))
		if got, err := m.ReadFile(file); err != nil || !slices.Equal(got, whole) {
			t.Errorf("operation %d: not mended afterwards (%v)", at, err)
		}
	}
}
