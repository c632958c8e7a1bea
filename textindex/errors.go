package textindex

import (
	"errors"
	"fmt"
	"io"
)

// Errors that a caller can act on, besides [io/fs.ErrNotExist]. After each of the
// first two, as after fs.ErrNotExist, [Build] the segment.
var (
	// ErrCorrupt: bytes are not what was written. The error is a
	// *[CorruptError].
	ErrCorrupt = errors.New("damaged text index")
	// ErrStale: the file is undamaged but not the index asked for: it is of the
	// delta that a checkpoint has replaced, of an older analysis, or of another
	// version of the format.
	ErrStale = errors.New("stale text index")
	// ErrAnalyzer: there is no analyzer of that name. Use [English].
	ErrAnalyzer = errors.New("unknown analyzer")
)

// CorruptError says what is wrong with a damaged index. It unwraps to
// [ErrCorrupt].
type CorruptError struct {
	File   string // the file's name
	Reason string
}

// Error names the file and the reason; never a chunk's text.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("textindex: %s is damaged: %s", e.File, e.Reason)
}

// Unwrap returns ErrCorrupt.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// reason is why bytes cannot be decoded. Decoding functions do not know the name
// of the file; their callers add it with at.
type reason string

func (r reason) Error() string { return string(r) }

func badf(format string, args ...any) error { return reason(fmt.Sprintf(format, args...)) }

// at says where an error happened: bad bytes, and a file that is shorter than when
// it was opened, become a *CorruptError, others are wrapped.
func at(name, doing string, err error) error {
	if bad, ok := errors.AsType[reason](err); ok {
		return &CorruptError{File: name, Reason: string(bad)}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &CorruptError{File: name, Reason: "it ends early"}
	}
	return fmt.Errorf("textindex: %s %s: %w", doing, name, err)
}
