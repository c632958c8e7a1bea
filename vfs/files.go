package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"sync/atomic"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C (Castagnoli) of p, which every file format of
// this program uses. sum is 0, or the checksum of the bytes before p.
func Checksum(sum uint32, p []byte) uint32 { return crc32.Update(sum, castagnoli, p) }

// ReadFull fills p from off on. A file that ends before p is full is reported
// as [io.ErrUnexpectedEOF]: to a caller who knows the size, that is damage.
func ReadFull(f io.ReaderAt, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// temporaries numbers temporary files, so that no two writers share one.
var temporaries atomic.Uint64

// writeBuffer is how many bytes WriteTemp gathers for one write.
const writeBuffer = 256 << 10

// WriteTemp writes a new file under a temporary name made from name, closes it
// and returns the temporary name, to be renamed. With sync its bytes are durable
// then. After an error the file is removed; where even that fails, [Clean] finds
// it.
func WriteTemp(fsys FS, name string, sync bool, write func(io.Writer) error) (temp string, err error) {
	temp = TempName(name + "." + strconv.FormatUint(temporaries.Add(1), 10))
	f, err := fsys.Open(temp, Create)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(f, 0), writeBuffer)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, fsys.Remove(temp))
	}
	return temp, nil
}

// WriteFile writes a file in place of any other of that name: after a crash
// either the old one or the new one is there, complete. The bytes are durable when
// it returns, the name is after [FS.SyncDir].
func WriteFile(fsys FS, name string, write func(io.Writer) error) error {
	temp, err := WriteTemp(fsys, name, true, write)
	if err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return errors.Join(err, fsys.Remove(temp))
	}
	return nil
}

// Clean removes the unfinished files ([IsTemp]) that crashed writes left.
// Nothing may be writing.
func Clean(fsys FS) error {
	names, err := fsys.List()
	if err != nil {
		return fmt.Errorf("vfs: clean: %w", err)
	}
	for _, name := range names {
		if !IsTemp(name) {
			continue
		}
		if err := fsys.Remove(name); err != nil {
			return fmt.Errorf("vfs: clean: %w", err)
		}
	}
	return nil
}
