package snapshot_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// field is a row of an offset table of FORMAT.md.
type field struct {
	offset, size int
	name         string
}

// document is what FORMAT.md says.
type document struct {
	constants map[string]int     // tables of names and numbers
	fields    map[string][]field // offset tables, by the heading above
}

var (
	headingLine  = regexp.MustCompile(`^#+ (.*)$`)
	offsetLine   = regexp.MustCompile(`^\| (\d+) \| (\d+) \| ([^|]*) \|$`)
	constantLine = regexp.MustCompile(`^\| (\w+) \| (\d+) \| [^|]* \|`)
	magicField   = regexp.MustCompile("^magic, `(....)`$")
)

func readFormat(t *testing.T) document {
	t.Helper()
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	d := document{constants: map[string]int{}, fields: map[string][]field{}}
	heading := ""
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if m := headingLine.FindStringSubmatch(line); m != nil {
			heading = strings.ToLower(m[1])
		} else if m := offsetLine.FindStringSubmatch(line); m != nil {
			d.fields[heading] = append(d.fields[heading], field{number(m[1]), number(m[2]), m[3]})
			if magic := magicField.FindStringSubmatch(m[3]); magic != nil {
				key := "magic"
				if heading == "footer" {
					key = "end magic"
				}
				d.constants[key] = int(binary.LittleEndian.Uint32([]byte(magic[1])))
			}
		} else if m := constantLine.FindStringSubmatch(line); m != nil {
			d.constants[m[1]] = number(m[2])
		}
	}
	for name, fields := range d.fields {
		end := 0
		for _, f := range fields {
			if f.offset != end {
				t.Errorf("FORMAT.md, %s: %q is at %d, the field before it ends at %d", name, f.name, f.offset, end)
			}
			end += f.size
		}
		d.constants[name] = end
	}
	return d
}

// TestFormatDocument compares the numbers of FORMAT.md with the code's.
func TestFormatDocument(t *testing.T) {
	d := readFormat(t)
	for name, want := range snapshot.Constants {
		if got, ok := d.constants[name]; !ok || got != want {
			t.Errorf("FORMAT.md says %s is %d (present: %v), the code %d", name, got, ok, want)
		}
	}
	for name := range d.constants {
		if _, ok := snapshot.Constants[name]; !ok {
			t.Errorf("FORMAT.md gives %s, which is not compared with the code", name)
		}
	}
}

// TestFormatOffsets writes a header of distinct values and reads them at the
// offsets that FORMAT.md gives.
func TestFormatOffsets(t *testing.T) {
	mem := vfstest.NewMem()
	h := header(snapshot.Delta, "c", "b", 0x1111111111111111)
	h.Created, h.Tokens, h.Dim, h.SlotEnd, h.Documents, h.Chunks = 0x2222222222222222, 0x3333333333333333, 0x44, 0x55, 0x66, 0x77
	h.Indexed, h.Deleted, h.Embedded, h.Reused = 0xaa, 0xbb, 0xcc, 0xdd
	h = write(t, mem, h, seq(doc("x", "y", 0x20)), []string{"a", "b"}, nil)
	data, err := mem.ReadFile(snapshot.FileName(domain, "c"))
	if err != nil {
		t.Fatal(err)
	}
	_, length, err := snapshot.Rows(data)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{
		"magic": 0x46434c56, "version": 1, "kind": 2, "sections": 3, "header length": uint64(length), "dim": 0x44,
		"seq": h.Seq, "created": uint64(h.Created), "tokens": h.Tokens, "slot end": 0x55, "documents": 0x66, "chunks": 0x77,
		"changed": 1, "removed": 2, "indexed": 0xaa, "deleted": 0xbb, "embedded": 0xcc, "reused": 0xdd, "skipped": 0,
	}
	seen := 0
	for _, f := range readFormat(t).fields["header"] {
		for name, value := range want {
			if !strings.HasPrefix(f.name, name) {
				continue
			}
			seen++
			if got := little(data[f.offset:][:f.size]); got != value {
				t.Errorf("%s at %d is %#x, want %#x", name, f.offset, got, value)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("FORMAT.md lists %d of %d fields", seen, len(want))
	}
}

func little(p []byte) uint64 {
	var b [8]byte
	copy(b[:], p)
	return binary.LittleEndian.Uint64(b[:])
}

// TestGolden compares small files of all kinds with annotated dumps: a change
// of the format shows as a byte with its meaning.
func TestGolden(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	h := header(snapshot.Checkpoint, "c4", "", 4)
	h.Settings = "metric=l2 language=de"
	wrote(t)(snapshot.Write(mem, h, snapshot.Contents{Changed: seq(doc("a", "Luke Skywalker", 0)), Skipped: []string{"b", "cc"}}))
	d := readFormat(t)
	for i, kind := range []string{"checkpoint", "delta", "alias", "settings"} {
		data, err := mem.ReadFile(snapshot.FileName(domain, fmt.Sprintf("c%d", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		got := dump(t, d, data)
		path := filepath.Join("testdata", kind+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s; -update rewrites it:\n%s", kind, path, got)
		}
		// The golden bytes, not only the ones just written, can be read.
		old := vfstest.NewMem()
		name := snapshot.FileName(domain, fmt.Sprintf("c%d", i+1))
		old.WriteFile(name, undump(t, string(want)))
		if err := snapshot.Verify(old, name); err != nil {
			t.Error(err)
		}
	}
}

// dump annotates the bytes of a file by the tables of FORMAT.md.
func dump(t *testing.T, d document, data []byte) string {
	t.Helper()
	rows, length, err := snapshot.Rows(data)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	at := 0
	put := func(n int, what string) {
		for i := 0; i == 0 || i < n; i += 16 {
			p := data[at+i : at+min(n, i+16)]
			ascii := strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return '.'
				}
				return r
			}, string(latin(p)))
			line := fmt.Sprintf("%04x  %-47s  |%-16s|", at+i, fmt.Sprintf("% x", p), ascii)
			if i == 0 {
				line += "  " + what
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
		at += n
	}
	table := func(name, prefix string) {
		for _, f := range d.fields[name] {
			p := data[at:][:f.size]
			name, _, _ := strings.Cut(f.name, ",")
			name, _, _ = strings.Cut(name, ";")
			put(f.size, fmt.Sprintf("%s%s = %d", prefix, name, little(p)))
		}
	}
	table("header", "")
	names := []string{"domain", "commit", "base", "branch", "fingerprint", "vecs"}
	if data[4] == 2 {
		names = append(names, "settings")
	}
	for _, name := range names {
		n := int(little(data[at:][:2]))
		put(2+n, name)
	}
	for _, r := range rows {
		table("section row", "row of "+r.Name+": ")
	}
	put(length-at, "CRC-32C of the header")
	for _, r := range rows {
		tableSize := r.Blocks * 8
		put(int(r.Length)-tableSize, r.Name)
		for range r.Blocks {
			table("block stream", r.Name+": ")
		}
	}
	table("footer", "")
	if at != len(data) {
		t.Fatalf("dumped %d of %d bytes", at, len(data))
	}
	return b.String()
}

func latin(p []byte) []rune {
	r := make([]rune, len(p))
	for i, c := range p {
		r[i] = rune(c)
	}
	return r
}

// undump returns the bytes of a dump.
func undump(t *testing.T, s string) []byte {
	t.Helper()
	var out []byte
	for line := range strings.Lines(s) {
		for x := range strings.FieldsSeq(line[6 : 6+47]) {
			n, err := strconv.ParseUint(x, 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, byte(n))
		}
	}
	if len(out) == 0 {
		t.Fatal("the dump is empty")
	}
	return out
}
