package hnsw_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/hnsw"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// tiny is a graph small enough to read: 12 vectors around a circle, M 2.
func tiny(t testing.TB) (*memory, *hnsw.Graph) {
	m := &memory{dim: 2}
	for i := range 12 {
		sin, cos := math.Sincos(float64(i) * math.Pi / 6)
		// Rounded, so that no machine's sine makes another graph.
		m.rows = append(m.rows, float32(math.Round(cos*64)/64), float32(math.Round(sin*64)/64))
	}
	return m, mustBuild(t, m, m.slots(nil), hnsw.Params{M: 2, EfConstruction: 8}, 2)
}

// annotate prints a section as hex with the meaning of every byte. It is
// written after FORMAT.md and shares no code with Decode.
func annotate(b []byte) string {
	var out strings.Builder
	off := 0
	line := func(n int, format string, args ...any) {
		fmt.Fprintf(&out, "%04x  %-12x # %s\n", off, b[off:off+n], fmt.Sprintf(format, args...))
		off += n
	}
	u16 := func() int { return int(binary.LittleEndian.Uint16(b[off:])) }
	u32 := func() int { return int(binary.LittleEndian.Uint32(b[off:])) }
	varint := func() (x, n int) { v, n := binary.Uvarint(b[off:]); return int(v), n }

	line(4, "magic %q", b[:4])
	line(2, "version %d", u16())
	line(2, "M %d", u16())
	line(4, "efConstruction %d", u32())
	layers := int(b[off])
	line(1, "layers %d", layers)
	line(3, "reserved")
	var sizes []int
	for l := range layers {
		sizes = append(sizes, u32())
		line(4, "layer %d: nodes %d", l, u32())
		line(4, "layer %d: links %d", l, u32())
	}
	for l := layers - 1; l >= 0; l-- {
		node := 0
		if l+1 < layers {
			node = sizes[l+1]
		}
		for next := 0; node < sizes[l]; node++ {
			gap, n := varint()
			line(n, "level %d: node %d is slot %d", l, node, next+gap)
			next += gap + 1
		}
	}
	for l, size := range sizes {
		for node := range size {
			degree, n := varint()
			line(n, "layer %d: node %d has %d links", l, node, degree)
			next := 0
			for range degree {
				gap, n := varint()
				line(n, "  to node %d", next+gap)
				next += gap + 1
			}
		}
	}
	return out.String()
}

// unhex reads the bytes back out of an annotated file.
func unhex(t *testing.T, text []byte) []byte {
	t.Helper()
	var b []byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			t.Fatalf("bad line %q", lines.Text())
		}
		part, err := hex.DecodeString(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	return b
}

// The golden file pins the format and, since the graph in it is built and not
// written by hand, the numbers of the build on every machine.
func TestGolden(t *testing.T) {
	m, g := tiny(t)
	const file = "testdata/tiny.golden"
	got := annotate(g.AppendTo(nil))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the tiny graph is now\n%s\nwant\n%s", got, want)
	}
	old, err := hnsw.Decode(unhex(t, want))
	if err != nil {
		t.Fatal(err)
	}
	hits, err := old.Search(t.Context(), m, m.row(4), 3, 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	var slots []uint32
	for _, h := range hits {
		slots = append(slots, h.Slot)
	}
	if want := []uint32{4, 3, 5}; !slices.Equal(slots, want) {
		t.Errorf("the golden graph answers %v, want %v", slots, want)
	}
}

// sections are graphs of many shapes, encoded.
func sections(t testing.TB) map[string][]byte {
	t.Helper()
	_, small := tiny(t)
	all := map[string][]byte{"tiny": small.AppendTo(nil), "zero value": new(hnsw.Graph).AppendTo(nil)}
	for _, n := range []int{0, 1, 2, 3, 40, 300} {
		m := clustered(uint64(n), n, 4, 1+n/10, 0.5)
		slots := m.slots(nil)
		for i := range slots {
			slots[i] = uint32(i) * uint32(math.MaxUint32/300) // far apart, the last near the end
		}
		big := &sparse{m}
		g, err := hnsw.Build(t.Context(), big, slots, hnsw.Params{M: 3, EfConstruction: 20}, 2)
		if err != nil {
			t.Fatal(err)
		}
		all[fmt.Sprint(n, " nodes")] = g.AppendTo(nil)
	}
	return all
}

// sparse gives any slot one of m's vectors.
type sparse struct{ m *memory }

func (s *sparse) Dim() int { return s.m.dim }
func (s *sparse) Read(slot uint32, dst []float32) error {
	return s.m.Read(slot%uint32(s.m.len()), dst)
}
func (s *sparse) Dots(q []float32, slots []uint32, dst []float32) error {
	for i, slot := range slots {
		if err := s.m.Dots(q, []uint32{slot % uint32(s.m.len())}, dst[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	for name, b := range sections(t) {
		g, err := hnsw.Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := g.AppendTo([]byte("before")); string(got) != "before"+string(b) {
			t.Errorf("%s: other bytes after a round trip", name)
		}
		if problems := hnsw.Check(g); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	// A decoded graph answers as the built one did.
	m, g := sharedFixture(t)
	again, err := hnsw.Decode(g.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range m.queries(40, 20, 0.1) {
		want, err1 := g.Search(t.Context(), m, q, 10, 40, nil)
		got, err2 := again.Search(t.Context(), m, q, 10, 40, nil)
		if err := errors.Join(err1, err2); err != nil || !slices.Equal(got, want) {
			t.Fatalf("decoded: %v, %v, want %v", got, err, want)
		}
	}
	if got, want := again.Bytes(), g.Bytes(); got != want {
		t.Errorf("decoded: %d bytes of memory, built: %d", got, want)
	}
	t.Logf("%.1f bytes a node on disk, %.1f in memory", float64(len(g.AppendTo(nil)))/4000, float64(g.Bytes())/4000)
}

func TestDecodeRefuses(t *testing.T) {
	_, g := tiny(t)
	good := g.AppendTo(nil)
	set := func(off int, b ...byte) []byte {
		bad := slices.Clone(good)
		copy(bad[off:], b)
		return bad
	}
	// One node, one layer, then its slot and its degree.
	one := func(tail ...byte) []byte {
		b := append(set(0)[:12:12], 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
		return append(b, tail...)
	}
	if _, err := hnsw.Decode(one(5, 0)); err != nil {
		t.Fatalf("one node: %v", err)
	}
	two := func(tail ...byte) []byte {
		b := append(set(0)[:12:12], 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0)
		return append(b, tail...)
	}
	if _, err := hnsw.Decode(two(5, 0, 1, 1, 1, 0)); err != nil {
		t.Fatalf("two nodes: %v", err)
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, hnsw.ErrCorrupt},
		{"magic", set(0, 'X'), hnsw.ErrCorrupt},
		{"version 0", set(4, 0), hnsw.ErrVersion},
		{"version 2", set(4, 2), hnsw.ErrVersion},
		{"version 257", set(5, 1), hnsw.ErrVersion},
		{"M 0", set(6, 0), hnsw.ErrCorrupt},
		{"M 1", set(6, 1), hnsw.ErrCorrupt},
		{"M 65535", set(6, 255, 255), hnsw.ErrCorrupt},
		{"efConstruction 0", set(8, 0), hnsw.ErrCorrupt},
		{"efConstruction huge", set(8, 255, 255, 255, 255), hnsw.ErrCorrupt},
		{"33 layers", set(12, 33), hnsw.ErrCorrupt},
		{"255 layers", set(12, 255), hnsw.ErrCorrupt},
		{"reserved", set(15, 1), hnsw.ErrCorrupt},
		{"all nodes there are", set(16, 255, 255, 255, 255), hnsw.ErrCorrupt},
		{"all links there are", set(20, 255, 255, 255, 255), hnsw.ErrCorrupt},
		{"layer without nodes", set(16, 0, 0, 0, 0), hnsw.ErrCorrupt},
		{"layer larger than the one below", set(24, 13, 0, 0, 0), hnsw.ErrCorrupt},
		{"slot not in its shortest form", one(0x85, 0, 0), hnsw.ErrCorrupt},
		{"slot too large", one(0x80, 0x80, 0x80, 0x80, 0x10, 0), hnsw.ErrCorrupt},
		{"slot without end", one(0x80, 0x80), hnsw.ErrCorrupt},
		{"slots past the last", two(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 1, 1, 0), hnsw.ErrCorrupt},
		{"links missing", two(5, 0, 0, 1, 0, 0), hnsw.ErrCorrupt},
		{"more links than said", two(5, 0, 1, 1, 2, 0, 0), hnsw.ErrCorrupt},
		{"more links than allowed", two(5, 0, 200, 1, 1, 0), hnsw.ErrCorrupt},
		{"link to itself", two(5, 0, 1, 0, 1, 0), hnsw.ErrCorrupt},
		{"link out of range", two(5, 0, 1, 2, 1, 0), hnsw.ErrCorrupt},
		{"bytes behind the end", append(slices.Clone(good), 0), hnsw.ErrCorrupt},
	} {
		if g, err := hnsw.Decode(tc.b); !errors.Is(err, tc.want) || g != nil {
			t.Errorf("%s: got %v, %v, want %v", tc.name, g, err, tc.want)
		}
	}
	for n := range good {
		if _, err := hnsw.Decode(good[:n]); !errors.Is(err, hnsw.ErrCorrupt) {
			t.Errorf("cut at %d of %d: %v, want ErrCorrupt", n, len(good), err)
		}
	}
	if !errors.Is(decodeErr(duplicateSlot()), hnsw.ErrCorrupt) {
		t.Error("a slot on two levels is accepted")
	}
}

// A graph read from a file may have nodes that no link leads to. They are found
// nevertheless when a search wants them, and linked to when it is extended.
func TestUnreachableNodes(t *testing.T) {
	// Four nodes in two pairs, which link to each other alone.
	b := append([]byte("vlgr\x01\x00\x02\x00\x08\x00\x00\x00\x01\x00\x00\x00"), 4, 0, 0, 0, 4, 0, 0, 0)
	b = append(b, 0, 0, 0, 0)             // slots 0 … 3
	b = append(b, 1, 1, 1, 0, 1, 3, 1, 2) // 0 and 1, 2 and 3
	g, err := hnsw.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{dim: 2, rows: []float32{1, 0, 0.8, 0.6, 0, 1, -0.6, 0.8}}
	check := func(what string, g *hnsw.Graph) {
		for _, vecs := range []hnsw.Vectors{m, withCodes(m)} {
			for _, live := range []func(uint32) bool{nil, func(slot uint32) bool { return slot != 1 }, func(slot uint32) bool { return slot > 1 }} {
				slots := m.slots(live)
				want, err1 := hnsw.Scan(t.Context(), m, []float32{0, 1}, slots, len(slots))
				got, err2 := g.Search(t.Context(), vecs, []float32{0, 1}, 9, 9, live)
				if err := errors.Join(err1, err2); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
				}
				in, err := g.SearchIn(t.Context(), vecs, []float32{0, 1}, 9, 9, chosen(slots))
				if err != nil || !slices.Equal(in, want) {
					t.Errorf("%s, in a subset: got %v, %v, want %v", what, in, err, want)
				}
			}
		}
	}
	check("decoded", g)
	m.rows = append(m.rows, 0.6, -0.8)
	extended, err := g.Extend(t.Context(), m, []uint32{4}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	check("extended", extended)
	if problems := hnsw.Check(extended); len(problems) > 0 {
		t.Error(problems)
	}
}

func decodeErr(b []byte) error { _, err := hnsw.Decode(b); return err }

// duplicateSlot is a graph of three nodes in two layers, where the ground
// level's slot is also one of the upper level's.
func duplicateSlot() []byte {
	b := []byte("vlgr\x01\x00\x02\x00\x08\x00\x00\x00\x02\x00\x00\x00")
	b = append(b, 3, 0, 0, 0, 0, 0, 0, 0) // ground: nodes, links
	b = append(b, 2, 0, 0, 0, 0, 0, 0, 0) // upper
	b = append(b, 7, 1)                   // slots 7, 9
	b = append(b, 9)                      // slot 9 again
	return append(b, 0, 0, 0, 0, 0)
}

// No bit of a section can be changed so that Decode or a search fails badly:
// it is an error, or another graph.
func TestDecodeFlips(t *testing.T) {
	_, g := tiny(t)
	good := g.AppendTo(nil)
	refused := 0
	for i := range len(good) * 8 {
		bad := slices.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if !decodeAndUse(t, bad) {
			refused++
		}
	}
	t.Logf("%d of %d flips refused", refused, len(good)*8)
}

// decodeAndUse reports whether b decodes, and puts the graph to use if so.
func decodeAndUse(t *testing.T, b []byte) bool {
	g, err := hnsw.Decode(b)
	if err != nil {
		if g != nil || !errors.Is(err, hnsw.ErrCorrupt) && !errors.Is(err, hnsw.ErrVersion) {
			t.Errorf("Decode(%x) = %v, %v", b, g, err)
		}
		return false
	}
	if got := g.AppendTo(nil); !bytes.Equal(got, b) {
		t.Errorf("Decode(%x) encodes to %x", b, got)
	}
	vecs := &sparse{clustered(50, 7, 2, 7, 0)}
	add := slices.DeleteFunc([]uint32{1, 2, 3, 1 << 20}, g.Has)
	extended, err := g.Extend(t.Context(), vecs, add, func(slot uint32) bool { return slot%5 > 0 || g.Has(slot+1) }, 2)
	if err != nil {
		t.Errorf("Decode(%x): extended: %v", b, err)
	} else if problems := hnsw.Check(extended); len(problems) > 0 {
		t.Errorf("Decode(%x): extended: %v", b, problems)
	}
	for _, live := range []func(uint32) bool{nil, func(slot uint32) bool { return slot%2 == 0 }} {
		hits, err := g.Search(t.Context(), vecs, []float32{1, 0}, 3, 5, live)
		if err != nil || len(hits) > 3 || live == nil && len(hits) != min(3, g.Len()) {
			t.Errorf("Decode(%x): a search gives %v, %v", b, hits, err)
		}
		for _, h := range hits {
			if !g.Has(h.Slot) {
				t.Errorf("Decode(%x): hit %v is not in it", b, h)
			}
		}
	}
	return true
}

func FuzzDecode(f *testing.F) {
	for _, b := range sections(f) {
		f.Add(b)
	}
	f.Add(duplicateSlot())
	f.Add([]byte("vlgr"))
	f.Fuzz(func(t *testing.T, b []byte) { decodeAndUse(t, b) })
}

// A section of a few bytes that claims to be huge takes no memory.
func TestDecodeAllocation(t *testing.T) {
	for _, words := range [][]uint32{
		{math.MaxUint32, 0}, {0x7fffffff, 0x7fffffff}, {1, math.MaxUint32}, {1 << 20, 1 << 24}, {400, 100},
	} {
		b := []byte("vlgr\x01\x00\x10\x00\xc8\x00\x00\x00\x01\x00\x00\x00")
		for _, w := range words {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		b[6], b[7] = 0, 1 // M 256: a node takes 2 KB
		b = append(b, make([]byte, 1000)...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := hnsw.Decode(b)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, hnsw.ErrCorrupt) {
			t.Errorf("%v: %v, want ErrCorrupt", words, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 128<<10 {
			t.Errorf("%v: %d bytes taken for an input of %d", words, got, len(b))
		}
	}
}

// FORMAT.md's header table says what the code does.
func TestFormatDocument(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) \| (\d+) \| ([A-Za-z]+) \|`)
	found := map[string][2]int{}
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		off, _ := strconv.Atoi(m[1])
		size, _ := strconv.Atoi(m[2])
		found[m[3]] = [2]int{off, size}
	}
	end := 0
	for name, want := range hnsw.Layout {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("FORMAT.md has %s at %v, the code at %v", name, got, want)
		}
		end = max(end, want[0]+want[1])
	}
	if end != hnsw.HeaderSize {
		t.Errorf("the header's fields end at %d, the header at %d", end, hnsw.HeaderSize)
	}
	for field, size := range map[string]int{"nodes": 4, "links": 4} {
		if got := found[field]; got[1] != size {
			t.Errorf("FORMAT.md has %s in %d bytes, the code in %d", field, got[1], size)
		}
	}
	if got := found["links"]; got[0]+got[1] != hnsw.LayerSize {
		t.Errorf("FORMAT.md ends a layer's row at %d, the code at %d", got[0]+got[1], hnsw.LayerSize)
	}
	if want := fmt.Sprintf("| %d |", hnsw.Version); !strings.Contains(string(doc), "\n"+want) {
		t.Errorf("FORMAT.md's history lacks version %d", hnsw.Version)
	}
}
