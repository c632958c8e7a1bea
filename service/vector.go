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

// ParseVector reads a vector from a JSON array of numbers. It takes no more memory than
// the text.
func ParseVector(raw json.RawMessage) ([]float32, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '[' || raw[len(raw)-1] != ']' {
		return nil, ErrNoNumbers
	}
	text := string(raw[1 : len(raw)-1])
	if strings.TrimSpace(text) == "" {
		return nil, errVectorSize
	}
	n := strings.Count(text, ",") + 1
	if n > vecstore.MaxDim {
		return nil, errVectorSize
	}
	v := make([]float32, 0, n)
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.Trim(part, " \t\r\n"); !isNumber(part) {
			return nil, ErrNoNumbers
		}
		x, err := strconv.ParseFloat(part, 32)
		if err != nil {
			return nil, errNotFinite
		}
		v = append(v, float32(x))
	}
	return v, nil
}

// isNumber reports whether a text is a number as JSON writes them.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	if s = s[whole:]; s != "" && s[0] == '.' {
		n := digits(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

// digits returns how many digits a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}

// urlAlphabet turns the alphabet made for URLs into the standard one.
var urlAlphabet = strings.NewReplacer("-", "+", "_", "/")

// ParseVector64 reads a vector from base64, of either alphabet, padded or not.
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
