package service

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

var (
	ErrNoNumbers  = errors.New("must be an array of numbers")
	errNotFinite  = errors.New("must hold finite float32 numbers")
	errNotBase64  = errors.New("must be little-endian float32 numbers in base64")
	errVectorSize = errors.New("must not be empty, nor longer than " + strconv.Itoa(vecstore.MaxDim) + " numbers")
)

// parseVector reads a vector from JSON that is known to be sound. It takes no
// more memory than the text.
func ParseVector(raw json.RawMessage) ([]float32, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '[' {
		return nil, ErrNoNumbers
	}
	raw = raw[1 : len(raw)-1]
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errVectorSize
	}
	n := bytes.Count(raw, []byte{','}) + 1
	if n > vecstore.MaxDim {
		return nil, errVectorSize
	}
	v := make([]float32, 0, n)
	for part := range bytes.SplitSeq(raw, []byte{','}) {
		// In sound JSON whatever begins like a number is one.
		part = bytes.TrimSpace(part)
		if len(part) == 0 || part[0] != '-' && (part[0] < '0' || part[0] > '9') {
			return nil, ErrNoNumbers
		}
		x, err := strconv.ParseFloat(string(part), 32)
		if errors.Is(err, strconv.ErrRange) {
			return nil, errNotFinite
		} else if err != nil {
			return nil, ErrNoNumbers
		}
		v = append(v, float32(x))
	}
	return v, nil
}

// urlAlphabet turns the alphabet made for URLs into the standard one.
var urlAlphabet = strings.NewReplacer("-", "+", "_", "/")

// parseVector64 reads a vector from base64, of either alphabet, padded or not.
func ParseVector64(text string) ([]float32, error) {
	text = strings.TrimRight(urlAlphabet.Replace(text), "=")
	if base64.RawStdEncoding.DecodedLen(len(text)) > 4*vecstore.MaxDim {
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
