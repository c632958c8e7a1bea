package npy

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// tensorTypes are the types of numbers by the names of safetensors.
var tensorTypes = map[string]string{"F32": Float32, "F64": Float64, "F16": Float16, "BF16": BFloat16, "I32": Int32, "I64": Int64}

// tensor is what the header of a safetensors file says of one.
type tensor struct {
	Type    string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// head returns the tensor's Header, which its place bears out.
func (t *tensor) head() (Header, error) {
	h := Header{Type: tensorTypes[t.Type]}
	if len(t.Shape) == 0 || len(t.Shape) > 2 || h.Type == "" {
		return h, fmt.Errorf("npy: a tensor of %.40q with %d dimensions: it must be one of numbers with one or two", t.Type, len(t.Shape))
	}
	if h.Rows = t.Shape[0]; len(t.Shape) == 2 {
		if h.Cols = t.Shape[1]; h.Cols == 0 {
			return h, errors.New("npy: rows of no numbers")
		}
	}
	if err := h.complete(); err != nil {
		return h, err
	}
	if t.Offsets[0] < 0 || t.Offsets[1]-t.Offsets[0] != int64(h.Rows)*int64(h.rowSize()) {
		return h, errors.New("npy: a tensor's place is not what its shape asks for")
	}
	return h, nil
}

// Tensors are the rows of vectors of a safetensors file in a stream, and what names
// them.
type Tensors struct {
	// IDs are the JSON text of an array in the metadata, "" for none.
	IDs string
	// Keys are the numbers of a tensor named keys, nil for none.
	Keys   []int64
	Header Header
	Rows   *Reader
}

// ReadTensors reads the start of a safetensors file: a header of at most limit bytes, and
// a tensor of keys, which must stand before the rows. The rows are those of the tensor
// named embeddings or vectors, or of the only other one.
func ReadTensors(r io.Reader, limit int64) (*Tensors, error) {
	all, metadata, err := tensorHeader(r, limit)
	if err != nil {
		return nil, err
	}
	keys, keyed := all["keys"]
	delete(all, "keys")
	rows, ok := all["embeddings"]
	if !ok {
		rows, ok = all["vectors"]
	}
	for _, only := range all {
		if !ok && len(all) == 1 {
			rows, ok = only, true
		}
	}
	if !ok {
		return nil, errors.New("npy: no tensor embeddings, and not one alone")
	}
	t := &Tensors{IDs: metadata["ids"]}
	at := int64(0)
	if keyed {
		if keys.Offsets[0] > rows.Offsets[0] {
			return nil, errors.New("npy: the tensor of the keys must stand before the vectors")
		}
		if t.Keys, err = keys.read(r); err != nil {
			return nil, err
		}
		at = keys.Offsets[1]
	}
	if t.Header, err = rows.head(); err != nil {
		return nil, err
	}
	if rows.Offsets[0] < at {
		return nil, errors.New("npy: two tensors in one place")
	}
	if _, err := io.CopyN(io.Discard, r, rows.Offsets[0]-at); err != nil {
		return nil, cut("what stands before the vectors", err)
	}
	t.Rows, err = NewRows(r, t.Header)
	return t, err
}

// tensorHeader reads the header of a safetensors file.
func tensorHeader(r io.Reader, limit int64) (all map[string]*tensor, metadata map[string]string, err error) {
	length := make([]byte, 8)
	if _, err := io.ReadFull(r, length); err != nil {
		return nil, nil, cut("the header", err)
	}
	n := binary.LittleEndian.Uint64(length)
	if n > uint64(limit) {
		return nil, nil, fmt.Errorf("npy: the header has %d bytes", n)
	}
	var text bytes.Buffer // it grows as bytes come
	if _, err := io.CopyN(&text, r, int64(n)); err != nil {
		return nil, nil, cut("the header", err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text.Bytes(), &members) != nil {
		return nil, nil, errors.New("npy: not a safetensors file")
	}
	all = make(map[string]*tensor, len(members))
	for name, raw := range members {
		if name == "__metadata__" {
			err = json.Unmarshal(raw, &metadata)
		} else {
			t := &tensor{}
			err = json.Unmarshal(raw, t)
			all[name] = t
		}
		if err != nil {
			return nil, nil, fmt.Errorf("npy: the member %.100q of the header is none of a safetensors file", name)
		}
	}
	return all, metadata, nil
}

// read reads the numbers of a tensor of one dimension, which r leads to.
func (t *tensor) read(r io.Reader) (numbers []int64, err error) {
	h, err := t.head()
	if err != nil {
		return nil, err
	}
	if !h.IsInt() || h.Cols > 0 {
		return nil, errors.New("npy: the tensor of the keys must have one dimension of whole numbers")
	}
	if _, err := io.CopyN(io.Discard, r, t.Offsets[0]); err != nil {
		return nil, cut("what stands before the keys", err)
	}
	in, err := NewRows(io.LimitReader(r, t.Offsets[1]-t.Offsets[0]), h)
	numbers = []int64{}
	for err == nil && len(numbers) < h.Rows {
		var n int64
		if n, err = in.Int(); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers, err
}

// A Matrix is a tensor of Float32 to write: its name, and the name under which the ids of its
// rows, the JSON text of an array, stand in the metadata.
type Matrix struct {
	Name, Index string
	IDs         []byte
	Rows, Cols  int
}

// AppendTensors appends the start of a safetensors file: the length of a header as eight
// bytes, and the header, which is padded to a multiple of eight. The rows are to follow,
// that many bytes. The metadata are added to.
func AppendTensors(b []byte, metadata map[string]string, list ...Matrix) (start []byte, size int64, err error) {
	members := map[string]any{"__metadata__": metadata}
	for _, m := range list {
		end := size + 4*int64(m.Rows)*int64(m.Cols)
		metadata[m.Index] = string(m.IDs)
		members[m.Name] = tensor{"F32", []int{m.Rows, m.Cols}, [2]int64{size, end}}
		size = end
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(members); err != nil {
		return nil, 0, err
	}
	header := bytes.TrimSpace(text.Bytes())
	header = append(header, strings.Repeat(" ", -len(header)&7)...)
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(header))), header...), size, nil
}
