package embed

import (
	"errors"
	"fmt"
	"math"
)

// check orders the vectors of an answer by their index and brings them to unit
// length, unless the caller asked for them as given. A vector that cannot be used
// goes to unusable. If none can be used, or if the answer itself makes no sense,
// that is a failure.
func (c *caller) check(a *answer, want int) (vectors [][]float32, unusable map[int]error, err error) {
	senseless := func(format string, args ...any) (_ [][]float32, _ map[int]error, _ error) {
		return nil, nil, &failure{kind: refused, reason: fmt.Sprintf(format, args...), hint: hintAddress}
	}
	if len(a.Data) != want {
		return senseless("the answer has %d vectors for %d texts", len(a.Data), want)
	}
	vectors = make([][]float32, want)
	seen := make([]bool, want)
	numbered := a.numbered()
	for position, d := range a.Data {
		i := d.Index
		if !numbered { // such servers answer in order
			i = position
		}
		if i < 0 || i >= want || seen[i] {
			return senseless("the answer's vectors are not numbered from 0 to %d", want-1)
		}
		seen[i] = true
		v, err := checked(d.Embedding, c.asGiven)
		if err != nil {
			if unusable == nil {
				unusable = map[int]error{}
			}
			unusable[i] = err
			continue
		}
		// Only a vector that can be used tells the length of the others.
		c.dim.CompareAndSwap(0, int64(len(v)))
		if dim := int(c.dim.Load()); len(v) != dim {
			return nil, nil, &failure{
				kind:   broken,
				reason: fmt.Sprintf("the vectors have %d dimensions, not %d", len(v), dim),
				hint:   "check VECTORLINK_MODEL and VECTORLINK_DIM",
			}
		}
		vectors[i] = v
	}
	if len(unusable) == want {
		return senseless("%v", unusable[0])
	}
	return vectors, unusable, nil
}

// numbered reports whether the vectors say which text they belong to.
func (a *answer) numbered() bool {
	for _, d := range a.Data {
		if d.Index != 0 {
			return true
		}
	}
	return false
}

// checked returns v at length 1, or as it is.
func checked(v []float32, asGiven bool) ([]float32, error) {
	if len(v) == 0 {
		return nil, errors.New("the vector is empty")
	}
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return nil, errors.New("the vector has values that are no numbers")
	case sum == 0:
		return nil, errors.New("the vector is zero")
	case asGiven:
		return v, nil
	}
	inverse := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * inverse)
	}
	return v, nil
}
