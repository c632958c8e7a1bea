package api

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/vecstore"
)

// maxDim bounds the numbers of a vector, as files of vectors do.
const maxDim = vecstore.MaxDim

var (
	errNoNumbers  = errors.New("must be an array of numbers")
	errNotFinite  = errors.New("must hold finite float32 numbers")
	errNotBase64  = errors.New("must be little-endian float32 numbers in base64")
	errVectorSize = errors.New("must not be empty, nor longer than " + strconv.Itoa(maxDim) + " numbers")
)

// parseVector reads a vector from JSON that is known to be sound. It takes no
// more memory than the text.
func parseVector(raw json.RawMessage) ([]float32, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '[' {
		return nil, errNoNumbers
	}
	raw = raw[1 : len(raw)-1]
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errVectorSize
	}
	n := bytes.Count(raw, []byte{','}) + 1
	if n > maxDim {
		return nil, errVectorSize
	}
	v := make([]float32, 0, n)
	for part := range bytes.SplitSeq(raw, []byte{','}) {
		// In sound JSON whatever begins like a number is one.
		part = bytes.TrimSpace(part)
		if len(part) == 0 || part[0] != '-' && (part[0] < '0' || part[0] > '9') {
			return nil, errNoNumbers
		}
		x, err := strconv.ParseFloat(string(part), 32)
		if errors.Is(err, strconv.ErrRange) {
			return nil, errNotFinite
		} else if err != nil {
			return nil, errNoNumbers
		}
		v = append(v, float32(x))
	}
	return v, nil
}

// urlAlphabet turns the alphabet made for URLs into the standard one.
var urlAlphabet = strings.NewReplacer("-", "+", "_", "/")

// parseVector64 reads a vector from base64, of either alphabet, padded or not.
func parseVector64(text string) ([]float32, error) {
	text = strings.TrimRight(urlAlphabet.Replace(text), "=")
	if base64.RawStdEncoding.DecodedLen(len(text)) > 4*maxDim {
		return nil, errVectorSize
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	switch {
	case err != nil || len(data)%4 != 0:
		return nil, errNotBase64
	case len(data) == 0:
		return nil, errVectorSize
	}
	v := make([]float32, len(data)/4)
	for i := range v {
		x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, errNotFinite
		}
		v[i] = x
	}
	return v, nil
}

// vector returns the parameter vector, an array of numbers, or vector_b64, the
// same as base64; nil where neither is given.
func (p *params) vector() []float32 {
	if raw, ok := p.member("vector"); ok {
		v, err := parseVector(raw)
		switch {
		case errors.Is(err, errNoNumbers):
			p.fail(errType, "vector %v", err)
		case err != nil:
			p.fail(errParameter, "vector %v", err)
		}
		return v
	}
	text := p.text("vector_b64")
	if text == "" {
		return nil
	}
	v, err := parseVector64(text)
	if err != nil {
		p.fail(errParameter, "vector_b64 %v", err)
	}
	return v
}

// vector returns the vector of an operation, of either name; nil where it brings
// none.
func (m *opMembers) vector() []float32 {
	raw, plain := m.members["vector"]
	plain = plain && string(raw) != "null"
	raw64, packed := m.members["vector_b64"]
	packed = packed && string(raw64) != "null"
	if m.err != nil || !plain && !packed {
		return nil
	}
	name, v, err := "vector", []float32(nil), error(nil)
	switch {
	case plain && packed:
		err = errors.New("is there beside vector_b64")
	case plain:
		v, err = parseVector(raw)
	default:
		name = "vector_b64"
		if text := m.text(name); m.err == nil {
			v, err = parseVector64(text)
		}
	}
	if m.err == nil && err != nil {
		m.err = errors.New(name + " " + err.Error())
	}
	return v
}
