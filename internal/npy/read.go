package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// floats reads one number, by its type.
var floats = map[string]struct {
	size int
	read func([]byte) float32
}{
	Float32:  {4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	Float64:  {8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
	Float16:  {2, func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) }},
	BFloat16: {2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }},
}

// half returns a number of IEEE 754's binary16.
func half(h uint16) float32 {
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	x := math.Ldexp(1024+fraction, exponent-25)
	switch exponent {
	case 0:
		x = math.Ldexp(fraction, -24)
	case 0x1f:
		x = math.Inf(1)
		if fraction != 0 {
			x = math.NaN()
		}
	}
	if h&0x8000 != 0 {
		x = -x
	}
	return float32(x)
}

// Reader reads arrays that follow each other.
type Reader struct {
	r    *bufio.Reader
	head Header
	row  int // rows that were read
	buf  []byte
}

// NewReader returns a Reader of the arrays in r. It reads ahead.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 64<<10)} }

// NewRows returns a Reader of the rows that r begins with, described elsewhere.
func NewRows(r io.Reader, h Header) (*Reader, error) {
	if err := h.complete(); err != nil {
		return nil, err
	}
	a := NewReader(r)
	a.head, a.buf = h, make([]byte, h.rowSize())
	return a, nil
}

// Next passes over what is left of an array, and reads the header of the next. It
// returns io.EOF behind the last. A caller that reserves memory for Rows has to bound
// it: nobody has seen the rows yet.
func (a *Reader) Next() (Header, error) {
	for a.row < a.head.Rows {
		if err := a.next(); err != nil {
			return Header{}, err
		}
	}
	start := make([]byte, len(magic)+2, len(magic)+6)
	switch n, err := io.ReadFull(a.r, start); {
	case n == 0 && errors.Is(err, io.EOF):
		return Header{}, io.EOF
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return Header{}, err
	case string(start[:len(magic)]) != magic || err != nil:
		return Header{}, errors.New("npy: not an .npy file")
	}
	width := 2 // bytes of the header's length
	switch version := start[len(magic)]; version {
	case 1:
	case 2, 3:
		width = 4
	default:
		return Header{}, fmt.Errorf("npy: version %d of the format is not known", version)
	}
	length := make([]byte, 4)
	if _, err := io.ReadFull(a.r, length[:width]); err != nil {
		return Header{}, cut("the header", err)
	}
	n := binary.LittleEndian.Uint32(length)
	if n > maxHeader {
		return Header{}, fmt.Errorf("npy: the header has %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(a.r, text); err != nil {
		return Header{}, cut("the header", err)
	}
	head, err := parse(string(text))
	if err != nil {
		return Header{}, err
	}
	a.head, a.row = head, 0
	if size := head.rowSize(); cap(a.buf) < size {
		a.buf = make([]byte, size)
	}
	a.buf = a.buf[:head.rowSize()]
	return head, nil
}

// cut says what of a stream is cut off.
func cut(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("npy: %s is cut off: %w", what, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("npy: %s: %w", what, err)
}

// next reads the next row into the buffer.
func (a *Reader) next() error {
	if a.row >= a.head.Rows {
		return io.EOF
	}
	a.row++
	if _, err := io.ReadFull(a.r, a.buf); err != nil {
		return cut(fmt.Sprintf("row %d", a.row), err)
	}
	return nil
}

// Floats appends the next row to dst, io.EOF behind the last. What is too large for 32
// bits becomes an infinity.
func (a *Reader) Floats(dst []float32) ([]float32, error) {
	number, ok := floats[a.head.Type]
	if !ok {
		return dst, fmt.Errorf("npy: cells of the type %s are no floats", a.head.Type)
	}
	if err := a.next(); err != nil {
		return dst, err
	}
	if a.head.Type == Float32 { // the usual one, without a call for each
		for b := a.buf; len(b) >= 4; b = b[4:] {
			dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return dst, nil
	}
	for b := a.buf; len(b) > 0; b = b[number.size:] {
		dst = append(dst, number.read(b))
	}
	return dst, nil
}

// Int returns the next cell of an array of one dimension, io.EOF behind the last.
func (a *Reader) Int() (int64, error) {
	if !a.head.IsInt() || a.head.Cols > 0 {
		return 0, fmt.Errorf("npy: not whole numbers of one dimension, but %s", a.head.Type)
	}
	if err := a.next(); err != nil {
		return 0, err
	}
	if a.head.Type == Int32 {
		return int64(int32(binary.LittleEndian.Uint32(a.buf))), nil
	}
	return int64(binary.LittleEndian.Uint64(a.buf)), nil
}

// Text returns the next cell of an array of one dimension, io.EOF behind the last.
// NULs at its end are padding.
func (a *Reader) Text() (string, error) {
	if !a.head.IsText() || a.head.Cols > 0 {
		return "", fmt.Errorf("npy: not texts of one dimension, but %s", a.head.Type)
	}
	if err := a.next(); err != nil {
		return "", err
	}
	if a.head.Type[0] == '|' {
		b := bytes.TrimRight(a.buf, "\x00")
		if !utf8.Valid(b) {
			return "", fmt.Errorf("npy: row %d is no UTF-8", a.row)
		}
		return string(b), nil
	}
	var s strings.Builder
	nuls := 0
	for b := a.buf; len(b) > 0; b = b[4:] {
		c := binary.LittleEndian.Uint32(b)
		if c == 0 {
			nuls++
			continue
		}
		if c > utf8.MaxRune || !utf8.ValidRune(rune(c)) {
			return "", fmt.Errorf("npy: row %d has %#x, which is no character", a.row, c)
		}
		for ; nuls > 0; nuls-- {
			s.WriteByte(0)
		}
		s.WriteRune(rune(c))
	}
	return s.String(), nil
}
