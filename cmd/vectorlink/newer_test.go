package main

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNewerFilesAreRefused has a newer program written each kind of file in turn: no server
// starts, and the file is named with what reads it.
func TestNewerFilesAreRefused(t *testing.T) {
	const fixture = "../../testdata/compat/v3"
	le := binary.LittleEndian
	crc := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	newer := map[string]func(b []byte){
		"admin%2Ftest.vecs": func(b []byte) {
			le.PutUint32(b[8:], 9)
			le.PutUint32(b[4092:], crc(b[:4092]))
		},
		"admin%2Ftest@k6.hnsw": func(b []byte) {
			le.PutUint16(b[4:], 9)
			le.PutUint32(b[92:], crc(b[:92]))
			copy(b[len(b)-4:], "FCL9")
		},
		"points.space":           func(b []byte) { le.PutUint32(b[8:], 9) },
		"admin%2Ftest.pruned":    func(b []byte) { le.PutUint16(b[4:], 9) },
		"admin%2Ftest.decisions": func(b []byte) { le.PutUint16(b[4:], 9) },
	}
	paths, err := filepath.Glob(filepath.Join(fixture, "*"))
	if err != nil || len(paths) < 10 {
		t.Fatal(paths, err)
	}
	for name, change := range newer {
		for _, lost := range []string{"", ".catalog"} {
			if lost != "" && !strings.HasSuffix(name, ".hnsw") {
				continue // the catalog tells nothing of it
			}
			dir := t.TempDir()
			for _, path := range paths {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if filepath.Base(path) == name {
					change(b)
				}
				if lost != "" && strings.HasSuffix(path, lost) {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, flag := range []string{"--no-page", "--read-only"} {
				got := ends(t, exitFailed, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir, flag)
				for _, want := range []string{name, "a newer vectorlink than this one", "9", "this program"} {
					if !strings.Contains(got, want) {
						t.Errorf("%s, %s: %q lacks %q", name, flag, got, want)
					}
				}
			}
			if got := ends(t, exitDamage, "verify", "--data-dir", dir); !strings.Contains(got, name+": ") {
				t.Errorf("verify does not name %s: %s", name, got)
			}
		}
	}
}
