package service

import (
	"errors"
	"fmt"
)

// What can be wrong with the parameters of a request. The texts of such errors
// are for the caller and for the log: they name parameters and never quote their
// values.
var (
	// ErrMissing: a parameter that is needed is not given.
	ErrMissing = errors.New("missing parameter")
	// ErrParameter: a parameter has a value that it cannot have.
	ErrParameter = errors.New("bad parameter")
	// ErrUnknown: a parameter is given that there is not.
	ErrUnknown = errors.New("unknown parameter")
	// ErrTooLarge: the request is longer than it may be.
	ErrTooLarge = errors.New("request too large")
	// ErrType: a value has another type than its parameter, where the protocol
	// gives values types.
	ErrType = errors.New("wrong type")
)

// failed is an error with a text of its own; it unwraps to its kind.
type failed struct {
	kind error
	text string
}

// Error returns the text.
func (e *failed) Error() string { return e.text }

// Unwrap returns the kind.
func (e *failed) Unwrap() error { return e.kind }

// Failure returns an error of a kind that shows the text alone.
func Failure(kind error, format string, args ...any) error {
	return &failed{kind, fmt.Sprintf(format, args...)}
}
