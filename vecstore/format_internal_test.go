package vecstore

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// TestFormatDocument holds FORMAT.md's tables against the constants.
func TestFormatDocument(t *testing.T) {
	got := map[string]string{} // field → "offset size"
	f, err := os.Open("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var section string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if name, ok := strings.CutPrefix(sc.Text(), "## "); ok {
			section = name
		}
		if cells := strings.Split(sc.Text(), " | "); len(cells) == 4 && cells[2] != "Field" {
			got[section+": "+cells[2]] = strings.Trim(cells[0], "| ") + ", " + strings.TrimSpace(cells[1])
		}
	}
	want := map[string]string{
		"Header: magic":               "0, 8",
		"Header: version":             num(offVersion) + ", 4",
		"Header: page size":           num(offPageSize) + ", 4",
		"Header: dimension":           num(offDim) + ", 4",
		"Header: metric":              num(offMetric) + ", 4",
		"Header: flags":               num(offFlags) + ", 4",
		"Header: domain length":       num(offDomainLen) + ", 2",
		"Header: fingerprint length":  num(offModelLen) + ", 2",
		"Header: identity":            num(offIdentity) + ", " + num(offNames-offIdentity),
		"Header: domain":              num(offNames) + ", *d*",
		"Header: fingerprint":         num(offNames) + " + *d*, *f*",
		"Header: name":                num(offNames) + " + *d* + *f*, *n*",
		"Header: reserved":            num(offNames) + " + *d* + *f* + *n*, rest",
		"Header: name length":         num(offNameLen) + ", 2",
		"Header: reserved too":        num(offNameLen+2) + ", 2",
		"Header: checksum":            num(offHeaderCRC) + ", " + num(crcSize),
		"Ranges: magic":               "0, 8",
		"Ranges: version":             num(offVersion) + ", 4",
		"Ranges: range size":          num(offRangeSize) + ", 4",
		"Ranges: identity":            num(offRangesOf) + ", 32",
		"Ranges: reserved":            num(offRangesOf+32) + ", " + num(offRangesCRC-offRangesOf-32),
		"Ranges: checksum":            num(offRangesCRC) + ", " + num(crcSize),
		"Ranges: first slot":          "0, 4",
		"Ranges: hash":                num(offRangeSum) + ", 32",
		"Ranges: checksum of it":      num(offRangeCRC) + ", " + num(crcSize),
		"Pages and records: vector":   "0, 4 × dimension",
		"Pages and records: key":      "4 × dimension, " + num(keySize),
		"Pages and records: reserved": "4 × dimension + " + num(keySize) + ", rest",
		"Pages and records: checksum": "*r* − " + num(crcSize) + ", " + num(crcSize),
	}
	if len(got) != len(want) {
		t.Errorf("FORMAT.md has %d fields, want %d", len(got), len(want))
	}
	for field, w := range want {
		if g := strings.TrimSpace(got[field]); g != w {
			t.Errorf("FORMAT.md, %s: %q, want %q", field, g, w)
		}
	}
}

func num(n int) string {
	var b []byte
	for ; n > 0 || b == nil; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func TestLayout(t *testing.T) {
	for dim := 1; dim <= MaxDim; dim = dim*5/4 + 1 {
		size := choosePage(dim)
		l, ok := newLayout(dim, size)
		if !ok {
			t.Fatalf("dimension %d: chosen page size %d is refused", dim, size)
		}
		if l.record < 4*dim+keySize+crcSize || l.record%lineAlign != 0 || l.perPage*l.record > size {
			t.Errorf("dimension %d: %+v", dim, l)
		}
		if wasted := 1 - float64(l.perPage*l.record)/float64(size); wasted > 0.12 && dim > 64 {
			t.Errorf("dimension %d: pages of %d bytes waste %.0f %%", dim, size, 100*wasted)
		}
		// Sizes and counts of records are inverse to each other.
		for n := range uint32(3*l.perPage + 2) {
			end := l.end(n)
			if got, ok := l.records(end); !ok || got != n {
				t.Fatalf("dimension %d: %d records in a file of %d, want %d", dim, got, end, n)
			}
			if got, _ := l.records(end - 1); n > 0 && got != n-1 {
				t.Fatalf("dimension %d: %d records in a file cut by one byte, want %d", dim, got, n-1)
			}
			if got, _ := l.records(l.offset(n)); got != n {
				t.Fatalf("dimension %d: %d records before slot %d", dim, got, n)
			}
		}
		for _, bad := range []int{0, size - 1, size + 1, l.record / pageAlign * pageAlign / 2, maxPage * 8, -pageAlign} {
			if bad >= l.record && bad%pageAlign == 0 && bad <= maxPage {
				continue
			}
			if _, ok := newLayout(dim, bad); ok {
				t.Errorf("dimension %d: page size %d is accepted", dim, bad)
			}
		}
	}
	l, _ := newLayout(1, 4096)
	if _, ok := l.records(1 << 62); ok {
		t.Error("a file of 2^62 bytes is accepted")
	}
	if _, ok := l.records(headerSize + int64(NoSlot)*64); ok {
		t.Error("a file with 2^32-1 records is accepted")
	}
}

// TestReservedBytes: a record of a writer that knows more than we do is refused
// even if its checksum is right.
func TestReservedBytes(t *testing.T) {
	h := header{cfg: Config{Domain: "d", Fingerprint: "m", Dim: 2, Metric: Cosine}, pageSize: pageAlign}
	l, _ := newLayout(2, h.pageSize)
	c := newCodec(h, l)
	rec := c.appendRecord(nil, 7, Key{1}, []float32{1, 2})
	if got := c.check(7, rec); got != "" {
		t.Errorf("a good record: %s", got)
	}
	rec[4*2+keySize] = 1
	binary.LittleEndian.PutUint32(rec[c.record-crcSize:], c.sum(7, rec))
	if got := c.check(7, rec); got == "" {
		t.Error("a reserved byte that is not zero passes")
	}
}

// TestToNative: on any machine the values of a page mean what was written.
func TestToNative(t *testing.T) {
	v := make([]float32, 2)
	copy(bytesOf(v), []byte{0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0})
	toNative(bytesOf(v))
	if v[0] != 1 || v[1] != -2.5 {
		t.Errorf("values = %v, want [1 -2.5]", v)
	}
}

// FuzzHeader: what parses encodes to the same bytes.
func FuzzHeader(f *testing.F) {
	h := header{cfg: Config{Domain: "a/b", Fingerprint: "m", Dim: 3, Metric: Cosine, Normalized: true}, pageSize: 4096}
	f.Add(h.encode())
	h.cfg.Name = "clustering"
	f.Add(h.encode())
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), 2, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader("f", b)
		if err == nil && !bytes.Equal(h.encode(), b[:headerSize]) {
			t.Error("another header comes back")
		}
	})
}
