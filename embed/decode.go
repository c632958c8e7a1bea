package embed

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
)

// An answer is what a provider says to a request.
type answer struct {
	Data []struct {
		Index     int
		Embedding vector
	}
	base64 bool // at least one vector came so
}

// read reads the first JSON value of r. What follows it is not looked at.
func (a *answer) read(r io.Reader) error {
	if err := json.NewDecoder(r).Decode(a); err != nil {
		return err
	}
	for _, d := range a.Data {
		a.base64 = a.base64 || d.Embedding.base64
	}
	return nil
}

// A vector is read from a list of numbers or from the base64 of float32s,
// little-endian. From null it is empty.
type vector struct {
	values []float32
	base64 bool
}

var errVector = errors.New("a vector is neither numbers nor base64")

// UnmarshalJSON reads either form.
func (v *vector) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		// A null among the numbers would count as 0.
		if bytes.Contains(data, []byte("null")) && len(data) > len("null") {
			return errVector
		}
		return json.Unmarshal(data, &v.values)
	}
	v.base64 = true
	var text []byte // base64 is what encoding/json takes for bytes
	if err := json.Unmarshal(data, &text); err != nil {
		if text, err = base64.RawStdEncoding.DecodeString(string(data[1 : len(data)-1])); err != nil {
			return errVector
		}
	}
	if len(text)%4 != 0 {
		return errVector
	}
	v.values = make([]float32, len(text)/4)
	for i := range v.values {
		v.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(text[4*i:]))
	}
	return nil
}
