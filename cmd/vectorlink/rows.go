package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/vectorlink/vectorlink/vecstore"
)

// maxHeader bounds the header of a file of vectors.
const maxHeader = 100 << 20

// numbers read one number of a row.
var numbers = map[string]struct {
	size int
	read func([]byte) float32
}{
	"F32":  {4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	"F64":  {8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
	"F16":  {2, func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) }},
	"BF16": {2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }},
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

// npyHeader is the header of an .npy file, a literal of Python.
var npyHeader = regexp.MustCompile(`^\{'descr': '<(f[248])', 'fortran_order': False, 'shape': \(([0-9]+), ?([0-9]+)\), *\}\s*$`)

// numpy reads rows of vectors.
func (in *input) numpy(f *source) error {
	r := f.counted(in)
	start := make([]byte, 8)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:6]) != "\x93NUMPY" {
		return errors.New("not an .npy file")
	}
	length := make([]byte, 4)
	if start[6] == 1 {
		length = length[:2]
	}
	if _, err := io.ReadFull(r, length); err != nil {
		return err
	}
	header, err := head(r, uint64(binary.LittleEndian.Uint32(append(length, 0, 0)[:4])))
	if err != nil {
		return err
	}
	m := npyHeader.FindSubmatch(header)
	if m == nil {
		return errors.New("not an array of two dimensions of float16, float32 or float64, little-endian and in C order")
	}
	rows, rerr := strconv.Atoi(string(m[2]))
	dim, derr := strconv.Atoi(string(m[3]))
	if err := errors.Join(rerr, derr); err != nil {
		return err
	}
	return in.rows(r, map[string]string{"f2": "F16", "f4": "F32", "f8": "F64"}[string(m[1])], rows, dim)
}

// head reads a header of that many bytes.
func head(r io.Reader, length uint64) ([]byte, error) {
	if length > maxHeader {
		return nil, fmt.Errorf("the header has %d bytes", length)
	}
	var header bytes.Buffer // it grows as bytes come
	if _, err := io.CopyN(&header, r, int64(length)); err != nil {
		return nil, err
	}
	return header.Bytes(), nil
}

// tensors reads the rows of the tensor "embeddings" of a safetensors file, or of
// its only one.
func (in *input) tensors(f *source) error {
	r := f.counted(in)
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return err
	}
	header, err := head(r, length)
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(header, &all); err != nil {
		return errors.New("not a safetensors file")
	}
	var metadata map[string]string
	if raw, ok := all["__metadata__"]; ok {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return fmt.Errorf("its metadata: %w", err)
		}
		delete(all, "__metadata__")
	}
	raw, ok := all["embeddings"]
	for _, only := range all {
		if !ok && len(all) == 1 {
			raw, ok = only, true
		}
	}
	if !ok {
		return errors.New("no tensor embeddings, and not one alone")
	}
	var tensor struct {
		Type    string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &tensor); err != nil || len(tensor.Shape) != 2 || tensor.Offsets[0] < 0 {
		return errors.New("the tensor has not two dimensions")
	}
	if text := metadata["ids"]; text != "" && len(in.ids) == 0 {
		if err := json.Unmarshal([]byte(text), &in.ids); err != nil {
			return fmt.Errorf("ids in its metadata: %w", err)
		}
	}
	if _, err := io.CopyN(io.Discard, r, tensor.Offsets[0]); err != nil {
		return err
	}
	return in.rows(r, tensor.Type, tensor.Shape[0], tensor.Shape[1])
}

// rows writes a document without a text for each row, of the next ids.
func (in *input) rows(r io.Reader, kind string, rows, dim int) error {
	number, ok := numbers[kind]
	switch {
	case !ok:
		return fmt.Errorf("numbers of the type %s", kind)
	case dim < 1 || dim > vecstore.MaxDim || rows < 0:
		return fmt.Errorf("%d rows of %d numbers", rows, dim)
	case len(in.ids) < rows:
		return fmt.Errorf("%d rows, and %d ids for them (--ids names a file of such)", rows, len(in.ids))
	}
	row, packed := make([]byte, dim*number.size), make([]byte, 0, 4*dim)
	for n, id := range in.ids[:rows] {
		if _, err := io.ReadFull(r, row); err != nil {
			return fmt.Errorf("row %d: %w", n+1, err)
		}
		packed = packed[:0]
		for cell := range slices.Chunk(row, number.size) {
			packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(number.read(cell)))
		}
		text, err := json.Marshal(base64.StdEncoding.EncodeToString(packed))
		if err != nil {
			return err
		}
		if err := in.operation(operation{ID: id, Vector64: text}); err != nil {
			return err
		}
	}
	in.ids = in.ids[rows:]
	return nil
}
