package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// version is that of the formats of directories and archives.
	version = 1
	// partSize is the largest part of a file in a directory.
	partSize = 4 << 20
	// maxParts bounds the parts of a file, and so its size.
	maxParts = 1 << 24
)

// Part is a stretch of a file, kept under its hash.
type Part struct {
	Size int64
	Sum  [sha256.Size]byte
}

func partOf(p []byte) Part { return Part{int64(len(p)), sha256.Sum256(p)} }

// MarshalText spells a part as its size and its hash.
func (p Part) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d:%x", p.Size, p.Sum), nil
}

// UnmarshalText is the inverse of MarshalText.
func (p *Part) UnmarshalText(text []byte) (err error) {
	size, sum, _ := strings.Cut(string(text), ":")
	if p.Size, err = strconv.ParseInt(size, 10, 64); err != nil || p.Size < 0 {
		return errors.New("bad size of a part")
	}
	if n, err := hex.Decode(p.Sum[:], []byte(sum[:min(len(sum), 2*len(p.Sum))])); err != nil || n != len(p.Sum) || len(sum) != 2*n {
		return errors.New("bad hash of a part")
	}
	return nil
}

// File is a file of a backup. Its bytes are those of its parts, one behind the other; a
// last part may have zeros beyond the end of the file.
type File struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// ID is that of a commit file: with name and size it stands for the bytes.
	ID    string `json:"id,omitempty"`
	Parts []Part `json:"parts"`
}

// check returns what makes the entry impossible.
func (f *File) check() error {
	sum := int64(0)
	for _, p := range f.Parts {
		sum += p.Size
	}
	switch {
	case vfs.CheckName(f.Name) != nil || len(f.Parts) > maxParts:
		return fmt.Errorf("%w: the list of files names %.80q", contract.ErrCorrupt, f.Name)
	case f.Size < 0 || sum < f.Size:
		return fmt.Errorf("%w: the list of files gives %s %d bytes and parts of %d", contract.ErrCorrupt, f.Name, f.Size, sum)
	}
	return nil
}

// Taken says what a backup is.
type Taken struct {
	Version int       `json:"version"`
	Name    string    `json:"name,omitempty"` // in its directory
	Time    time.Time `json:"time"`
	Program string    `json:"program"` // the version of the program that took it
	Files   int       `json:"files"`
	Bytes   int64     `json:"bytes"`           // of the files
	Index   []Part    `json:"index,omitempty"` // the list of files, in a directory
}

// Finding is something that is wrong with a file, or with a part of one.
type Finding struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// store is what a backup is written into.
type store interface {
	// newest returns the file of that name in the backup before.
	newest(name string) (File, bool)
	// write writes f.Size bytes of src and sets the parts. cuts are where to cut,
	// and parts of which the hash is known; src may be shorter, zeros follow then.
	write(ctx context.Context, f *File, src io.ReaderAt, cuts []Part) error
}

// readPart fills p from off on. Bytes behind the end are zeros.
func readPart(src io.ReaderAt, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	clear(p[n:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// cut returns parts of unknown hash for size bytes.
func cut(parts []Part, size int64) []Part {
	for size > 0 {
		n := min(size, partSize)
		parts, size = append(parts, Part{Size: n}), size-n
	}
	return parts
}

// encodeFiles spells entries, one a line.
func encodeFiles(w io.Writer, files []File) error {
	enc := json.NewEncoder(w)
	for i := range files {
		if err := enc.Encode(&files[i]); err != nil {
			return err
		}
	}
	return nil
}

// decodeFiles adds the entries that encodeFiles has spelled to files.
func decodeFiles(p []byte, files []File) ([]File, error) {
	dec := json.NewDecoder(bytes.NewReader(p))
	dec.DisallowUnknownFields()
	for {
		var f File
		if err := dec.Decode(&f); errors.Is(err, io.EOF) {
			return files, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: the list of files: %w", contract.ErrCorrupt, err)
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
}

// opened is a directory of which one file is open: whatever takes its place, that
// one is read.
type opened struct {
	vfs.FS
	name string
	file vfs.File
}

// Open opens a file, or gives the one that is open.
func (o opened) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if name == o.name {
		return lent{o.file}, nil
	}
	return o.FS.Open(name, mode)
}

// lent is a file that another closes.
type lent struct{ vfs.File }

func (lent) Close() error { return nil }

// ID returns the file's id.
func (f lent) ID() (vfs.FileID, error) {
	id, _, err := vfs.ID(f.File)
	return id, err
}

// gone reports whether an error says that a file was removed.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
