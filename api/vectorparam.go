package api

import (
	"errors"
	"github.com/vectorlink/vectorlink/service"
)

// vector returns the parameter vector, an array of numbers, or vector_b64, the
// same as base64; nil where neither is given.
func (p *params) vector() []float32 {
	if raw, ok := p.member("vector"); ok {
		v, err := service.ParseVector(raw)
		switch {
		case errors.Is(err, service.ErrNoNumbers):
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
	v, err := service.ParseVector64(text)
	if err != nil {
		p.fail(errParameter, "vector_b64 %v", err)
	}
	return v
}
