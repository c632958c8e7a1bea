package textindex_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// written returns the bytes of a segment's file.
func written(t testing.TB, s *textindex.Segment) []byte {
	t.Helper()
	mem := vfstest.NewMem()
	if err := s.Write(mem); err != nil {
		t.Fatal(err)
	}
	data, err := mem.ReadFile(textindex.FileName(s.Identity().Domain, s.Identity().Commit))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// small is a segment of two blocks and a few chunks.
func small(t testing.TB) *textindex.Segment {
	t.Helper()
	s, err := textindex.BuildBlocks(id("c1"), seq("the smuggler's ship", "a ship of droids", "", "moon moon", "ship"), 3, 100)
	if err != nil {
		t.Fatal(err)
	}
	if s.Blocks() != 2 {
		t.Fatalf("%d blocks, want 2", s.Blocks())
	}
	return s
}

// openBytes opens a file of those bytes under the name of small's.
func openBytes(data []byte) (*textindex.Segment, error) {
	mem := vfstest.NewMem()
	mem.WriteFile(textindex.FileName("org/db", "c1"), data)
	return textindex.Open(mem, id("c1"))
}

func TestRoundTrip(t *testing.T) {
	disk, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	for _, texts := range [][]string{nil, {""}, {"moon"}, corpus(3, 500, 30)} {
		s := build(t, id("c1"), texts...)
		if err := s.Write(disk); err != nil {
			t.Fatal(err)
		}
		back, err := textindex.Open(disk, id("c1"))
		if err != nil {
			t.Fatal(err)
		}
		if back.Identity() != s.Identity() || back.Count() != uint32(len(texts)) || back.Bytes() != s.Bytes() {
			t.Errorf("%d chunks: read %+v, %d, %d bytes", len(texts), back.Identity(), back.Count(), back.Bytes())
		}
		x, y := newIndex(t, textindex.Part{Segment: s}), newIndex(t, textindex.Part{Segment: back})
		for _, q := range []string{"moon", word(0), word(3) + " " + word(40)} {
			if got, want := search(t, y, q, 20), search(t, x, q, 20); !slices.Equal(got, want) {
				t.Errorf("%q: %v from the file, %v as built", q, got, want)
			}
		}
		if got, err := textindex.Verify(disk, textindex.FileName("org/db", "c1")); err != nil || got != id("c1") {
			t.Errorf("Verify = %+v, %v", got, err)
		}
	}
	names, err := disk.List()
	if err != nil || !slices.Equal(names, []string{"org%2Fdb@c1.zap"}) {
		t.Errorf("the directory holds %q, %v", names, err)
	}
}

func TestOpenStale(t *testing.T) {
	mem := vfstest.NewMem()
	if _, err := textindex.Open(mem, id("c1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want fs.ErrNotExist", err)
	}
	data := written(t, small(t))
	for name, change := range map[string]func(*textindex.Identity){
		"of a delta":  func(id *textindex.Identity) { id.Checkpoint = false },
		"another seq": func(id *textindex.Identity) { id.Seq++ },
		"other texts": func(id *textindex.Identity) { id.Content++ },
	} {
		other := id("c1")
		change(&other)
		mem.WriteFile("org%2Fdb@c1.zap", data)
		if _, err := textindex.Open(mem, other); !errors.Is(err, textindex.ErrStale) {
			t.Errorf("%s: %v, want ErrStale", name, err)
		}
	}
	mem.WriteFile("org%2Fdb@c2.zap", data)
	if _, err := textindex.Open(mem, id("c2")); !errors.Is(err, textindex.ErrStale) {
		t.Errorf("another commit's: %v, want ErrStale", err)
	}
	if _, err := textindex.Verify(mem, "org%2Fdb@c2.zap"); !errors.Is(err, textindex.ErrCorrupt) {
		t.Errorf("Verify of another commit's: %v, want ErrCorrupt", err)
	}
	for name, offset := range map[string]int{"version": 4, "revision": 6} {
		next := bytes.Clone(data)
		next[offset]++
		textindex.Seal(next)
		if _, err := openBytes(next); !errors.Is(err, textindex.ErrStale) {
			t.Errorf("the next %s: %v, want ErrStale", name, err)
		}
	}
	unknown := id("c1")
	unknown.Analyzer = "tlh"
	if _, err := textindex.Open(mem, unknown); !errors.Is(err, textindex.ErrAnalyzer) {
		t.Errorf("an unknown analyzer: %v, want ErrAnalyzer", err)
	}
}

// Every damaged bit and every length but the right one is found.
func TestDamage(t *testing.T) {
	data := written(t, small(t))
	if _, err := openBytes(data); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if _, err := openBytes(bad); !errors.Is(err, textindex.ErrCorrupt) {
				t.Fatalf("bit %d of byte %d: %v, want ErrCorrupt", bit, i, err)
			}
		}
	}
	for n := range data {
		if _, err := openBytes(data[:n]); !errors.Is(err, textindex.ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		torn := bytes.Clone(data)
		clear(torn[n:])
		if _, err := openBytes(torn); !errors.Is(err, textindex.ErrCorrupt) && !errors.Is(err, textindex.ErrStale) && !bytes.Equal(torn, data) {
			t.Fatalf("zeros from byte %d on: %v", n, err)
		}
	}
	if _, err := openBytes(append(bytes.Clone(data), 0)); !errors.Is(err, textindex.ErrCorrupt) {
		t.Errorf("a byte more: %v", err)
	}
	_, err := openBytes(data[:100])
	if bad, ok := errors.AsType[*textindex.CorruptError](err); !ok || bad.File != "org%2Fdb@c1.zap" || bad.Reason == "" {
		t.Errorf("the error is %#v", err)
	}
}

// Damage that has our checksums is found by the zap file's own, but for wrong
// lengths of chunks, which make other scores and no harm.
func TestDamageWithChecksums(t *testing.T) {
	s := build(t, id("c1"), "the smuggler's ship", "a ship of droids", "", "moon moon", "ship")
	data := written(t, s)
	start := int(binary.LittleEndian.Uint32(data[8:]))
	for i := start; i < len(data); i++ {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			textindex.SealBlocks(bad)
			got, err := openBytes(bad)
			if i >= start+4*int(s.Count()) {
				if !errors.Is(err, textindex.ErrCorrupt) {
					t.Fatalf("bit %d of byte %d: %v, want ErrCorrupt", bit, i-start, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if hits := search(t, newIndex(t, textindex.Part{Segment: got}), "moon", 10); len(hits) != 1 {
				t.Fatalf("bit %d of byte %d: %v", bit, i-start, hits)
			}
		}
	}
}

// What zapx panics with on bytes that it cannot read is damage.
func TestGuard(t *testing.T) {
	var short []byte
	for name, f := range map[string]func() error{
		"runtime error": func() error { _ = short[:10]; return nil },
		"other panic":   func() error { panic("a document's text") },
	} {
		err := textindex.Guarded("x.zap", f)
		if !errors.Is(err, textindex.ErrCorrupt) || strings.Contains(err.Error(), "text of") || strings.Contains(err.Error(), "document") {
			t.Errorf("%s: %v, want ErrCorrupt and no text", name, err)
		}
	}
	if err := textindex.Guarded("x.zap", func() error { return syscall.EIO }); !errors.Is(err, syscall.EIO) || errors.Is(err, textindex.ErrCorrupt) {
		t.Errorf("the disk's error becomes %v", err)
	}
}

// Every file operation that fails surfaces, and leaves the file that was there
// or the new one.
func TestFaults(t *testing.T) {
	old, s := id("c1"), small(t)
	old.Seq = 0
	prepare := func() (*vfstest.Mem, *vfstest.Fault) {
		mem := vfstest.NewMem()
		if err := build(t, old, "old").Write(mem); err != nil {
			t.Fatal(err)
		}
		return mem, vfstest.NewFault(mem)
	}
	t.Run("Write", func(t *testing.T) {
		for n := 0; ; n++ {
			mem, fault := prepare()
			fault.Set(vfstest.Plan{At: n, Err: syscall.EIO, Short: true})
			err := s.Write(fault)
			if fault.Hits() == 0 {
				if err != nil || n < 4 {
					t.Fatalf("operation %d: %v", n, err)
				}
				break
			}
			if !errors.Is(err, syscall.EIO) {
				t.Fatalf("operation %d fails, Write says %v", n, err)
			}
			if _, err := textindex.Open(mem, old); err != nil {
				t.Fatalf("operation %d fails and the old file with it: %v", n, err)
			}
			if names, err := mem.List(); err != nil || len(names) != 1 {
				t.Fatalf("operation %d fails and leaves %q, %v", n, names, err)
			}
		}
	})
	t.Run("Open", func(t *testing.T) {
		for n := 0; ; n++ {
			_, fault := prepare()
			if err := s.Write(fault); err != nil {
				t.Fatal(err)
			}
			fault.Set(vfstest.Plan{At: n, Err: syscall.EIO, Short: true})
			_, err := textindex.Open(fault, id("c1"))
			if fault.Hits() == 0 {
				if err != nil || n < 4 {
					t.Fatalf("operation %d: %v", n, err)
				}
				break
			}
			if !errors.Is(err, syscall.EIO) || errors.Is(err, textindex.ErrCorrupt) {
				t.Fatalf("operation %d fails, Open says %v", n, err)
			}
		}
	})
}

// Wherever the power fails, what is found later is the old index, the new one,
// or nothing that passes for one.
func TestCrash(t *testing.T) {
	old, s := id("c1"), small(t)
	old.Checkpoint = false
	for ops := 0; ; ops++ {
		mem := vfstest.NewMem()
		if err := build(t, old, "old").Write(mem); err != nil {
			t.Fatal(err)
		}
		fault := vfstest.NewFault(mem)
		var clones []*vfstest.Mem
		fault.OnOp(func(n int, _ vfstest.Op) {
			if n == ops {
				for seed := range uint64(20) {
					clones = append(clones, mem.CrashClone(seed, float64(seed)/20))
				}
			}
		})
		if err := s.Write(fault); err != nil {
			t.Fatal(err)
		}
		last := clones == nil
		if last {
			for seed := range uint64(20) {
				clones = append(clones, mem.CrashClone(seed, float64(seed)/20))
			}
		}
		for _, clone := range clones {
			if err := vfs.Clean(clone); err != nil {
				t.Fatal(err)
			}
			if names, err := clone.List(); err != nil || len(names) > 1 {
				t.Fatalf("after Clean there are %q, %v", names, err)
			}
			for _, want := range []textindex.Identity{old, id("c1")} {
				got, err := textindex.Open(clone, want)
				switch {
				case errors.Is(err, fs.ErrNotExist), errors.Is(err, textindex.ErrCorrupt), errors.Is(err, textindex.ErrStale):
				case err != nil:
					t.Fatal(err)
				case want == old && got.Count() != 1, want != old && got.Count() != s.Count():
					t.Fatalf("%+v has %d chunks", want, got.Count())
				}
			}
		}
		if last {
			break
		}
	}
}

// FuzzOpen opens a file whose header has the right checksum whatever it says.
// What opens is what was written: the blocks' checksums are their own.
func FuzzOpen(f *testing.F) {
	f.Add(written(f, small(f)))
	f.Add(written(f, build(f, id("c1"))))
	f.Add(written(f, build(f, id("c1"), corpus(1, 50, 20)...)))
	f.Add([]byte("VLZP\x01\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		textindex.Seal(data)
		s, err := openBytes(data)
		if err != nil {
			if !errors.Is(err, textindex.ErrCorrupt) && !errors.Is(err, textindex.ErrStale) {
				t.Fatal(err)
			}
			return
		}
		if again := written(t, s); !bytes.Equal(again, data) {
			t.Fatalf("what opens is written as %x, was %x", again, data)
		}
		x := newIndex(t, textindex.Part{Segment: s})
		if _, err := x.Search(t.Context(), textindex.Plain("ship moon "+word(1)), 10, nil); err != nil {
			t.Fatal(err)
		}
	})
}

// The header's bytes; what follows is zapx's and not the same every time.
func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, tt := range []struct {
		name  string
		id    textindex.Identity
		texts []string
	}{
		{"an empty checkpoint", textindex.Identity{Domain: "org/db", Commit: "c1", Seq: 7, Checkpoint: true, Analyzer: "en"}, nil},
		{"a delta", textindex.Identity{Domain: "admin/star_wars", Commit: "k9", Seq: 258, Content: 0x0102030405060708, Analyzer: "en"}, []string{"ship", "moon moon"}},
	} {
		data := written(t, build(t, tt.id, tt.texts...))
		head := data[:binary.LittleEndian.Uint32(data[8:])]
		if len(tt.texts) > 0 {
			clear(head[len(head)-8:]) // the checksums of the block and the header
		}
		fmt.Fprintf(&b, "# %s\n", tt.name)
		for len(head) > 0 {
			n := min(16, len(head))
			fmt.Fprintf(&b, "% x\n", head[:n])
			head = head[n:]
		}
	}
	path := filepath.Join("testdata", "header.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// FORMAT.md's constants and offset tables say what the code does.
func TestFormat(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var (
		heading  = regexp.MustCompile(`^#+ (.*)$`)
		offset   = regexp.MustCompile(`^\| (\d+) \| (\d+) \| ([^|]*) \|$`)
		constant = regexp.MustCompile(`^\| (\w+) \| (\d+) \| [^|]* \|$`)
		magic    = regexp.MustCompile("`(....)`")
	)
	said, section := map[string]int{}, ""
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			section = strings.ToLower(m[1])
		} else if m := offset.FindStringSubmatch(line); m != nil {
			if number(m[1]) != said[section] {
				t.Errorf("%s: %q is at %s, the field before it ends at %d", section, m[3], m[1], said[section])
			}
			said[section] += number(m[2])
			if m := magic.FindStringSubmatch(m[3]); m != nil {
				said["magic"] = int(binary.LittleEndian.Uint32([]byte(m[1])))
			}
		} else if m := constant.FindStringSubmatch(line); m != nil {
			said[m[1]] = number(m[2])
		}
	}
	for name, want := range textindex.Constants {
		if got, ok := said[name]; !ok || got != want {
			t.Errorf("FORMAT.md says %s is %d (%t), the code %d", name, got, ok, want)
		}
	}
	if len(said) != len(textindex.Constants) {
		t.Errorf("FORMAT.md says %v, the code has %v", said, textindex.Constants)
	}
}
