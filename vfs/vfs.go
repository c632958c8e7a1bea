package vfs

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrLocked is returned by [FS.Lock] when another process holds the lock: stop
// that process, or use another data directory.
var ErrLocked = errors.New("vfs: the data directory is in use by another process")

// ErrName is returned for a name that is not a plain file name, see
// [CheckName]: a defect of the caller, never of the disk.
var ErrName = errors.New("vfs: not a plain file name")

// Mode says how [FS.Open] opens a file.
type Mode int

const (
	// Read opens an existing file for reading.
	Read Mode = iota
	// ReadWrite opens an existing file for reading and writing.
	ReadWrite
	// Create makes a new, empty file for reading and writing; an existing one
	// of that name is emptied.
	Create
)

// FS is one flat directory. Names hold no separators; a name that does, or one
// that leads out of the directory, is an error. A missing file is reported as
// [io/fs.ErrNotExist]. All methods may be called concurrently.
type FS interface {
	// Open opens the named file.
	Open(name string, mode Mode) (File, error)
	// Rename gives oldName's file the name newName, replacing any file that
	// had it, in one step. It is durable after SyncDir.
	Rename(oldName, newName string) error
	// Remove removes the name. It is durable after SyncDir; open files stay
	// readable.
	Remove(name string) error
	// List returns the names of the directory's regular files, sorted.
	List() ([]string, error)
	// SyncDir makes creations, renames and removals before it durable.
	SyncDir() error
	// Lock takes the named lock file for this process, without waiting: held
	// elsewhere, it returns ErrLocked. Closing releases it; so does the end of
	// the process, however it ends. The file itself may stay.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may be called concurrently on
// ranges that do not overlap.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the file's bytes and its size durable. A Sync that failed is
	// final: the bytes written since the last good one must be written again,
	// or the file given up, for the system may have dropped them and will
	// answer the next Sync with success.
	Sync() error
	// Truncate sets the size. Growing adds zero bytes.
	Truncate(size int64) error
	// Size returns the size in bytes.
	Size() (int64, error)
}

// maxName is the longest file name, in bytes, of the file systems in use.
const maxName = 255

// CheckName returns ErrName unless name is a plain file name: 1 to 255 bytes,
// no separator of any system, no NUL, neither "." nor "..". Every FS refuses
// the names that CheckName refuses.
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > maxName || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%w: %.80q", ErrName, name)
	}
	return nil
}
