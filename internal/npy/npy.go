package npy

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The types of numbers by NumPy's names; those of texts are <U and |S and a length.
const (
	Float16 = "<f2"
	Float32 = "<f4"
	Float64 = "<f8"
	Int32   = "<i4"
	Int64   = "<i8"
	// BFloat16 is none of NumPy's: only [NewRows] knows it.
	BFloat16 = "bf16"
)

const (
	magic = "\x93NUMPY"
	// maxHeader bounds the text of a header: that of a plain array has some 80 bytes.
	maxHeader = 64 << 10
	// MaxRowBytes bounds a row.
	MaxRowBytes = 1 << 20
	// MaxRows bounds what a header may say.
	MaxRows = 1 << 40
)

// Header describes an array.
type Header struct {
	Type string // of its cells: <f4, <f8, <f2, <i8, <i4, <U and characters, |S and bytes
	Rows int
	Cols int // 0: it has one dimension

	size int // bytes of a cell
}

// IsText reports whether the cells are texts.
func (h *Header) IsText() bool {
	return strings.HasPrefix(h.Type, "<U") || strings.HasPrefix(h.Type, "|S")
}

// IsInt reports whether the cells are whole numbers.
func (h *Header) IsInt() bool { return h.Type == Int32 || h.Type == Int64 }

// IsFloat reports whether the cells are numbers with a fraction.
func (h *Header) IsFloat() bool { return floats[h.Type].size > 0 }

// complete sets the size of a cell, and checks that a row fits into memory.
func (h *Header) complete() error {
	switch {
	case h.IsFloat():
		h.size = floats[h.Type].size
	case h.Type == Int32:
		h.size = 4
	case h.Type == Int64:
		h.size = 8
	case h.IsText():
		n, err := strconv.Atoi(h.Type[2:])
		if err != nil || n < 1 || n > MaxRowBytes {
			return fmt.Errorf("npy: texts of the type %.40q", h.Type)
		}
		h.size = n
		if h.Type[0] == '<' {
			h.size = 4 * n
		}
	default:
		return fmt.Errorf("npy: cells of the type %.40q: it must be <f4, <f8, <f2, <i8, <i4, <U or |S, little-endian", h.Type)
	}
	switch {
	case h.Rows < 0 || h.Rows > MaxRows:
		return fmt.Errorf("npy: %d rows", h.Rows)
	case h.Cols < 0 || h.Cols > MaxRowBytes || h.rowSize() > MaxRowBytes:
		return fmt.Errorf("npy: a row has more than %d bytes", MaxRowBytes)
	}
	return nil
}

func (h *Header) rowSize() int { return h.size * max(h.Cols, 1) }

// Append appends the start of an array, version 1.0. Its rows are to follow. No rows of
// numbers with a fraction are no vectors, a matrix.
func (h Header) Append(b []byte) []byte {
	const fixed = len(magic) + 4 // version, length of the header
	shape := fmt.Sprintf("(%d,)", h.Rows)
	if h.Cols > 0 || h.Rows == 0 && h.IsFloat() {
		shape = fmt.Sprintf("(%d, %d)", h.Rows, h.Cols)
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", h.Type, shape)
	// The rows begin at a multiple of 64.
	text += strings.Repeat(" ", -(fixed+len(text)+1)&63) + "\n"
	b = append(append(b, magic...), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// AppendFloats appends a row of the type Float32.
func AppendFloats(b []byte, row []float32) []byte {
	for _, x := range row {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// AppendText appends a text to an array of the type <U of that many characters, which
// it must not exceed.
func AppendText(b []byte, s string, chars int) []byte {
	for _, r := range s {
		b = binary.LittleEndian.AppendUint32(b, uint32(r))
		chars--
	}
	return append(b, make([]byte, 4*max(chars, 0))...)
}

// entry is one of a header, which is a literal of Python; literal is all of it.
var (
	entry   = regexp.MustCompile(`'(\w+)': ?(?:'([^']*)'|(True|False)|\(([0-9L, ]*)\)),? *`)
	literal = regexp.MustCompile(`^\{(?:` + entry.String() + `){3}\} *\n?$`)
)

// parse reads the text of a header.
func parse(text string) (h Header, err error) {
	if !literal.MatchString(text) {
		return h, fmt.Errorf("npy: the header is none of a plain array: %.200q", text)
	}
	said := make(map[string][]string, 3)
	for _, m := range entry.FindAllStringSubmatch(text, -1) {
		said[m[1]] = m[2:]
	}
	descr, order, shape := said["descr"], said["fortran_order"], said["shape"]
	switch {
	case descr == nil || descr[0] == "", order == nil || order[1] == "", shape == nil || shape[2] == "":
		return h, fmt.Errorf("npy: the header lacks descr, fortran_order or a shape: %.200q", text)
	case order[1] == "True":
		return h, fmt.Errorf("npy: the array is in Fortran order; numpy.ascontiguousarray turns it")
	}
	var dims []int
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(shape[2]), ","), ",") {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(part), "L"))
		if err != nil || n < 0 {
			return h, fmt.Errorf("npy: the shape (%.100s)", shape[2])
		}
		dims = append(dims, n)
	}
	switch h = (Header{Type: descr[0], Rows: dims[0]}); {
	case h.Type == BFloat16:
		return h, fmt.Errorf("npy: cells of the type %.40q", h.Type)
	case len(dims) > 2:
		return h, fmt.Errorf("npy: the array has %d dimensions, not one or two", len(dims))
	case len(dims) == 2 && dims[1] == 0:
		return h, fmt.Errorf("npy: rows of no numbers: shape (%.100s)", shape[2])
	case len(dims) == 2:
		h.Cols = dims[1]
	}
	return h, h.complete()
}
