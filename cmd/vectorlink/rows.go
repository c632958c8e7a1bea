package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/vecstore"
)

// maxHeader bounds the header of a file of vectors.
const maxHeader = 100 << 20

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

// tensors reads the rows of the tensor "embeddings" of a safetensors file, or of
// its only one.
func (in *input) tensors(f *source) error {
	t, err := npy.ReadTensors(f.counted(in), maxHeader)
	if err != nil {
		return err
	}
	if t.IDs != "" && len(in.ids) == 0 {
		if err := json.Unmarshal([]byte(t.IDs), &in.ids); err != nil {
			return fmt.Errorf("ids in its metadata: %w", err)
		}
	}
	return in.rows(t.Rows, t.Header)
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
