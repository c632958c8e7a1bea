package npy_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/internal/npy"
)

// array returns an array of a version, with a header as given.
func array(version byte, header string, data ...byte) string {
	b := append([]byte("\x93NUMPY"), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return string(append(append(b, header...), data...))
}

func plain(descr, shape string, data ...byte) string {
	return array(1, fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape), data...)
}

// all reads all arrays of a stream, as text.
func all(r io.Reader) (string, error) {
	var b strings.Builder
	a := npy.NewReader(r)
	for {
		h, err := a.Next()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%s %d×%d", h.Type, h.Rows, h.Cols)
		for {
			var cell any
			switch {
			case h.IsFloat():
				cell, err = a.Floats(nil)
			case h.IsInt():
				cell, err = a.Int()
			default:
				cell, err = a.Text()
				cell = fmt.Sprintf("%q", cell)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return b.String(), err
			}
			fmt.Fprint(&b, " ", cell)
		}
		b.WriteString(" | ")
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, stream, want, err string }{
		{"nothing", "", "", ""},
		{"float32", plain("<f4", "(1, 2)", 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0), "<f4 1×2 [1 -2] | ", ""},
		{"float64", plain("<f8", "(1, 1)", 0, 0, 0, 0, 0, 0, 0xf0, 0x3f), "<f8 1×1 [1] | ", ""},
		{"float64 too large", plain("<f8", "(1,)", 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f), "<f8 1×0 [+Inf] | ", ""},
		{"float16", plain("<f2", "(4,)", 0, 0x3c, 1, 0, 0, 0xfc, 1, 0x7c), "<f2 4×0 [1] [5.9604645e-08] [-Inf] [NaN] | ", ""},
		{"int64", plain("<i8", "(2,)", 1, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "<i8 2×0 1 -2 | ", ""},
		{"int32", plain("<i4", "(1,)", 0xff, 0xff, 0xff, 0xff), "<i4 1×0 -1 | ", ""},
		{"text", plain("<U2", "(2,)", 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf6, 1, 0), "<U2 2×0 \"a\" \"\\x00😀\" | ", ""},
		{"bytes", plain("|S2", "(2,)", 'a', 0, 0xc3, 0xa4), "|S2 2×0 \"a\" \"ä\" | ", ""},
		{"one after the other", plain("<i4", "(1,)", 7, 0, 0, 0) + plain("<f4", "(0, 3)") + plain("|S1", "(1,)", 'x'), "<i4 1×0 7 | <f4 0×3 | |S1 1×0 \"x\" | ", ""},
		{"version 2", array(2, "{'descr': '|S1', 'fortran_order': False, 'shape': (1,), }", 'x'), "|S1 1×0 \"x\" | ", ""},
		{"version 3, other order", array(3, "{'shape': (1L,), 'fortran_order': False, 'descr': '|S1'}", 'x'), "|S1 1×0 \"x\" | ", ""},

		{"no array", "PK", "", "not an .npy file"},
		{"rubbish behind", plain("|S1", "(1,)", 'x') + "rubbish!", "|S1 1×0 \"x\" | ", "not an .npy file"},
		{"version", array(4, "{}"), "", "version 4"},
		{"header cut off", "\x93NUMPY\x01\x00\x20\x00{", "", "the header is cut off"},
		{"length cut off", "\x93NUMPY\x01\x00\x20", "", "the header is cut off"},
		{"long header", "\x93NUMPY\x02\x00\xff\xff\xff\xff", "", "the header has 4294967295 bytes"},
		{"no literal", array(1, "import os"), "", "none of a plain array"},
		{"structured", array(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "", "none of a plain array"},
		{"an entry twice", array(1, "{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }"), "", "lacks"},
		{"wrong values", array(1, "{'descr': (1,), 'fortran_order': False, 'shape': (1,), }"), "", "lacks"},
		{"fortran", array(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }"), "", "Fortran order"},
		{"big-endian", plain(">f4", "(1,)"), "", `">f4"`},
		{"unsigned", plain("<u8", "(1,)"), "", `"<u8"`},
		{"objects", plain("|O", "(1,)"), "", `"|O"`},
		{"not of NumPy", plain("bf16", "(1,)"), "", `"bf16"`},
		{"no dimension", plain("<f4", "()"), "", "lacks"},
		{"three dimensions", plain("<f4", "(1, 1, 1)"), "", "3 dimensions"},
		{"a shape of commas", plain("<f4", "(,)"), "", "the shape"},
		{"empty rows", plain("<f4", "(1000000, 0)"), "", "rows of no numbers"},
		{"empty texts", plain("<U0", "(1000000,)"), "", "texts of the type"},
		{"too many rows", plain("<f4", "(9000000000000000000,)"), "", "9000000000000000000 rows"},
		{"more than that", plain("<f4", "(90000000000000000000,)"), "", "the shape"},
		{"wide", plain("<f8", "(1, 200000)"), "", "a row has more than"},
		{"wider", plain("<f8", "(1, 4611686018427387904)"), "", "a row has more than"},
		{"long texts", plain("<U1000000", "(1,)"), "", "a row has more than"},
		{"longer texts", plain("<U4611686018427387904", "(1,)"), "", "texts of the type"},
		{"rows cut off", plain("<f4", "(2,)", 0, 0, 0, 0, 0), "<f4 2×0 [0]", "row 2 is cut off"},
		{"rows missing", plain("<f4", "(1099511627776,)"), "<f4 1099511627776×0", "row 1 is cut off"},
		{"no character", plain("<U1", "(1,)", 0, 0xd8, 0, 0), "<U1 1×0", "row 1 has 0xd800"},
		{"beyond characters", plain("<U1", "(1,)", 0, 0, 0, 0x80), "<U1 1×0", "row 1 has 0x80000000"},
		{"no UTF-8", plain("|S1", "(1,)", 0xff), "|S1 1×0", "row 1 is no UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := all(strings.NewReader(c.stream))
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	for _, n := range []int{3, 9, 30} {
		r := io.MultiReader(strings.NewReader(plain("<f4", "(2,)")[:n]), failing{broken})
		if _, err := npy.NewReader(r).Next(); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: got %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestTypes(t *testing.T) {
	a := npy.NewReader(strings.NewReader(plain("|S1", "(1,)", 'x') + plain("<i4", "(1, 1)", 1, 0, 0, 0)))
	if _, err := a.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Floats(nil); err == nil {
		t.Error("floats of texts")
	}
	if _, err := a.Int(); err == nil {
		t.Error("numbers of texts")
	}
	if _, err := a.Next(); err != nil { // the row is passed over
		t.Fatal(err)
	}
	if _, err := a.Int(); err == nil {
		t.Error("cells of rows")
	}
	if _, err := a.Text(); err == nil {
		t.Error("texts of numbers")
	}
}

func TestWrite(t *testing.T) {
	b := npy.Header{Type: "<U3", Rows: 2}.Append(nil)
	if len(b)%64 != 0 {
		t.Errorf("the rows begin at %d", len(b))
	}
	b = npy.AppendText(npy.AppendText(b, "a", 3), "😀bc", 3)
	b = npy.Header{Type: npy.Float32, Rows: 1, Cols: 2}.Append(b)
	b = npy.AppendFloats(b, []float32{1, math.MaxFloat32})
	got, err := all(strings.NewReader(string(b)))
	if want := `<U3 2×0 "a" "😀bc" | <f4 1×2 [1 3.4028235e+38] | `; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestRows(t *testing.T) {
	a, err := npy.NewRows(strings.NewReader("\x80\x3f\x00\xc0"), npy.Header{Type: npy.BFloat16, Rows: 1, Cols: 2})
	if err != nil {
		t.Fatal(err)
	}
	row, err := a.Floats(nil)
	if want := []float32{1, -2}; err != nil || !slices.Equal(row, want) {
		t.Errorf("got %v, %v, want %v", row, err, want)
	}
	if _, err := a.Floats(nil); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last: %v", err)
	}
	if _, err := npy.NewRows(nil, npy.Header{Type: npy.Float32, Rows: -1}); err == nil {
		t.Error("a negative number of rows")
	}
}

// FuzzRead reads whatever comes, and once more what it could read as it is written. Its
// seeds are arrays that NumPy has saved.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		a := npy.NewReader(strings.NewReader(string(b)))
		for {
			h, err := a.Next()
			if err != nil {
				return
			}
			out := npy.Header{Type: h.Type, Rows: h.Rows, Cols: h.Cols}.Append(nil)
			again, err := npy.NewReader(strings.NewReader(string(out))).Next()
			if err != nil || again != h {
				t.Fatalf("%+v was written as %q: %+v, %v", h, out, again, err)
			}
			for range min(h.Rows, len(b)) {
				switch {
				case h.IsFloat():
					_, err = a.Floats(nil)
				case h.IsInt() && h.Cols == 0:
					_, err = a.Int()
				case h.IsText() && h.Cols == 0:
					_, err = a.Text()
				}
				if err != nil {
					return
				}
			}
		}
	})
}
