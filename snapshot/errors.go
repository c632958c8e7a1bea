package snapshot

import (
	"errors"
	"fmt"
)

// The errors a caller can act on, besides [io/fs.ErrNotExist] and
// [io/fs.ErrExist]. Any other error is the disk's, or a defect of the caller.
var (
	// ErrCorrupt: the file is damaged; index its commit again. The error is
	// a *CorruptError.
	ErrCorrupt = errors.New("damaged commit file")
	// ErrVersion: the file was written by a newer program, or holds a section
	// that only such a one understands; use that one.
	ErrVersion = errors.New("unknown format version")
)

// CorruptError says what is wrong with a damaged file.
type CorruptError struct {
	File    string // the file's name
	Section string // "header", "trailer", "chain", or a section: "texts", "entries", "graph" and so on
	Reason  string
}

// Error names the file, the section and the reason; never a document's text.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("snapshot: %s is damaged: %s: %s", e.File, e.Section, e.Reason)
}

// Unwrap returns ErrCorrupt.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// badf returns the reason why bytes cannot be decoded. The functions that
// decode bytes know neither file nor section; their caller adds both.
func badf(format string, args ...any) error { return reason(fmt.Sprintf(format, args...)) }

type reason string

func (r reason) Error() string { return string(r) }

// versionError returns an error that wraps ErrVersion.
func versionError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrVersion, fmt.Sprintf(format, args...))
}
