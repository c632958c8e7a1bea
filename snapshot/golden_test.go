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
				key := map[string]string{"preamble": "magic", "tail": "end magic", "old header": "old magic", "old footer": "old end magic"}[heading]
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

// TestFormatOffsets reads a file at the offsets that FORMAT.md gives.
func TestFormatOffsets(t *testing.T) {
	mem := vfstest.NewMem()
	h := header(snapshot.Delta, "c", "b", 7)
	h.SlotEnd, h.Documents, h.Chunks = 0x55, 0x66, 0x77
	h = write(t, mem, h, seq(doc("x", "y", 0x20)), []string{"a", "b"}, nil)
	data, err := mem.ReadFile(snapshot.FileName(domain, "c"))
	if err != nil {
		t.Fatal(err)
	}
	rows, record, rowsAt, err := snapshot.Rows(data)
	if err != nil || len(rows) != 4 {
		t.Fatalf("rows %+v, %v", rows, err)
	}
	if got := snapshot.AppendHeader(nil, &h); string(data[record:rowsAt]) != string(got) {
		t.Errorf("the record is %x, want %x", data[record:rowsAt], got)
	}
	d := readFormat(t)
	for _, part := range []struct {
		name string
		at   int
		want map[string]uint64
	}{
		{"preamble", 0, map[string]uint64{"magic": 0x46434c56, "version": 3, "length": 96}},
		{"section row", rowsAt + 28, map[string]uint64{"type": 2, "version": 1, "flags": 1, "vectors": 0, "length": rows[1].Length, "raw length": rows[1].Raw}},
		{"tail", len(data) - 20, map[string]uint64{"record length": uint64(rowsAt - record), "sections": 4, "magic": 0x334c4346}},
	} {
		seen := 0
		for _, f := range d.fields[part.name] {
			name, _, _ := strings.Cut(f.name, ",")
			want, ok := part.want[name]
			if !ok {
				continue
			}
			seen++
			if got := little(data[part.at+f.offset:][:f.size]); got != want {
				t.Errorf("%s of %s at %d is %#x, want %#x", name, part.name, f.offset, got, want)
			}
		}
		if seen != len(part.want) {
			t.Errorf("FORMAT.md lists %d of %d fields of %s", seen, len(part.want), part.name)
		}
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
	rich(t, mem)
	d := readFormat(t)
	for commit, kind := range map[string]string{"c1": "checkpoint", "c2": "delta", "c3": "alias", "r1": "rich", "r2": "richdelta"} {
		name := snapshot.FileName(domain, commit)
		data, err := mem.ReadFile(name)
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
		old.WriteFile(name, undump(t, string(want)))
		if err := snapshot.Verify(old, name); err != nil {
			t.Error(err)
		}
	}
}

// dump annotates the bytes of a file by the tables of FORMAT.md.
func dump(t *testing.T, d document, data []byte) string {
	t.Helper()
	rows, record, rowsAt, err := snapshot.Rows(data)
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
	table("preamble", "")
	for _, r := range rows {
		name := r.Name
		if r.Space > 0 {
			name = fmt.Sprint(name, " of vectors ", r.Space)
		}
		put(int(r.Length)-r.Blocks*8, name)
		for range r.Blocks {
			table("block stream", name+": ")
		}
	}
	if at != record {
		t.Fatalf("the sections end at %d, the record begins at %d", at, record)
	}
	put(rowsAt-record, "the header's record")
	for _, r := range rows {
		table("section row", "row of "+r.Name+": ")
	}
	table("tail", "")
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
