package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/vecstore"
)

// maxHeader bounds the header of a file of vectors.
const maxHeader = 100 << 20

// kinds are the types of numbers by the names of safetensors.
var kinds = map[string]string{"F32": npy.Float32, "F64": npy.Float64, "F16": npy.Float16, "BF16": npy.BFloat16}

// numpy reads rows of vectors.
func (in *input) numpy(f *source) error {
	r := npy.NewReader(f.counted(in))
	h, err := r.Next()
	if errors.Is(err, io.EOF) {
		return errors.New("not an .npy file")
	}
	if err != nil {
		return err
	}
	return in.rows(r, h)
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
	kind, ok := kinds[tensor.Type]
	if !ok {
		return fmt.Errorf("numbers of the type %s", tensor.Type)
	}
	h := npy.Header{Type: kind, Rows: tensor.Shape[0], Cols: tensor.Shape[1]}
	rows, err := npy.NewRows(r, h)
	if err != nil {
		return err
	}
	return in.rows(rows, h)
}

// rows writes a document without a text for each row, of the next ids.
func (in *input) rows(r *npy.Reader, h npy.Header) error {
	switch {
	case !h.IsFloat() || h.Cols < 1 || h.Cols > vecstore.MaxDim:
		return fmt.Errorf("%d rows of %d numbers of the type %s: it must be rows of float16, float32 or float64", h.Rows, h.Cols, h.Type)
	case len(in.ids) < h.Rows:
		return fmt.Errorf("%d rows, and %d ids for them (--ids names a file of such)", h.Rows, len(in.ids))
	}
	var row []float32
	var packed []byte
	for _, id := range in.ids[:h.Rows] {
		var err error
		if row, err = r.Floats(row[:0]); err != nil {
			return err
		}
		packed = npy.AppendFloats(packed[:0], row)
		text, err := json.Marshal(base64.StdEncoding.EncodeToString(packed))
		if err != nil {
			return err
		}
		if err := in.operation(operation{ID: id, Vector64: text}); err != nil {
			return err
		}
	}
	in.ids = in.ids[h.Rows:]
	return nil
}
