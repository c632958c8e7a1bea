package vecstore

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrCorrupt is what every [CorruptError] unwraps to: bytes on the disk
	// are not what was written. Embed the text again, or restore the file.
	ErrCorrupt = errors.New("damaged")
	// ErrVersion: the file was written by a newer version of this program.
	// Use that one.
	ErrVersion = errors.New("unknown format version")
	// ErrMismatch: the file holds vectors of another domain, model or
	// dimension than asked for. Vectors of two models are never mixed.
	ErrMismatch = errors.New("other domain, model or dimension")
	// ErrInvalid: the call is wrong (a vector of wrong length or with a NaN, a
	// slot beyond the end, a configuration out of bounds). Nothing was done.
	ErrInvalid = errors.New("invalid argument")
	// ErrFailed: an earlier write or sync failed, and what is on the disk is
	// not known. Close the store, open and recover it.
	ErrFailed = errors.New("an earlier write failed, reopen the file")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("closed")
)

// NoSlot is the slot of a [CorruptError] that concerns no one record: the
// header, or bytes between records.
const NoSlot = math.MaxUint32

// CorruptError says which bytes are damaged. It unwraps to [ErrCorrupt].
type CorruptError struct {
	File   string // name in the data directory
	Slot   uint32 // record, or NoSlot
	Reason string
}

func (e *CorruptError) Error() string {
	if e.Slot == NoSlot {
		return fmt.Sprintf("vecstore: %s: %v: %s", e.File, ErrCorrupt, e.Reason)
	}
	return fmt.Sprintf("vecstore: %s: slot %d: %v: %s", e.File, e.Slot, ErrCorrupt, e.Reason)
}

// Unwrap returns ErrCorrupt.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// wrap names the package and the file; doing says what failed.
func wrap(name, doing string, err error) error {
	return fmt.Errorf("vecstore: %s: %s: %w", name, doing, err)
}

// invalid returns an ErrInvalid with its detail.
func invalid(format string, args ...any) error {
	return fmt.Errorf("vecstore: %w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
