package tasks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"github.com/vectorlink/vectorlink/vfs"
)

// writeBuffer is how much of a rewritten journal is gathered before a write.
const writeBuffer = 256 << 10

// journal is the file. After an error its end is not known: it is then written
// anew, as it is where there is none or a damaged one. For one goroutine.
type journal struct {
	files    vfs.FS
	name     string
	file     vfs.File // nil: to be rewritten
	size     int64    // of what is written
	unsynced bool
	damaged  bool // what has the name is to be put aside
}

// open reads the file, if there is one, and keeps it for appending if it is
// whole. lost says what is wrong with it. err is that it cannot be read.
func (j *journal) open(visit func(rec record, size int)) (lost, err error) {
	// What an unfinished rewrite left; the next would empty it.
	_ = j.files.Remove(vfs.TempName(j.name))
	file, err := j.files.Open(j.name, vfs.ReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	var found scanned
	if err == nil {
		found, err = scan(io.NewSectionReader(file, 0, size), size, visit)
	}
	if errors.Is(err, errHeader) {
		lost, err = err, nil
	} else if found.lost > 0 {
		lost = fmt.Errorf("%d bytes before the last whole record are damaged", found.lost)
	}
	if err != nil || lost != nil || found.end != size {
		// An end that is torn is no damage: it was not promised to last.
		j.damaged = lost != nil
		return lost, errors.Join(err, file.Close())
	}
	j.file, j.size = file, size
	return nil, nil
}

// append writes records at the end of the file, which must be open.
func (j *journal) append(b []byte, sync bool) error {
	_, err := j.file.WriteAt(b, j.size)
	if err == nil && sync {
		err = j.file.Sync()
	}
	if err != nil {
		// What was refused should not come back at a restart. If it does, a
		// task runs that nobody waits for.
		_ = j.file.Truncate(j.size)
		_ = j.file.Close()
		j.file = nil
		return err
	}
	j.size += int64(len(b))
	j.unsynced = !sync
	return nil
}

// rewrite puts a file of these records, already encoded, in the place of the one
// there is. It is durable when it returns.
func (j *journal) rewrite(records iter.Seq2[[]byte, error]) error {
	temp := vfs.TempName(j.name)
	file, err := j.files.Open(temp, vfs.Create)
	if err != nil {
		return err
	}
	size, err := writeAll(file, records)
	if err == nil {
		err = file.Sync()
	}
	if err == nil && j.damaged {
		if err = j.files.Rename(j.name, j.name+".damaged"); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = j.files.Rename(temp, j.name)
	}
	if err == nil {
		j.damaged = false
		err = j.files.SyncDir()
	}
	if j.file != nil {
		_ = j.file.Close() // nothing of it is needed
		j.file = nil
	}
	if err != nil {
		// The temporary file stays if it cannot be removed, and is emptied
		// by the next attempt.
		_ = file.Close()
		_ = j.files.Remove(temp)
		return err
	}
	j.file, j.size, j.unsynced = file, size, false
	return nil
}

func writeAll(file vfs.File, records iter.Seq2[[]byte, error]) (size int64, err error) {
	buf := header()
	flush := func() error {
		_, err := file.WriteAt(buf, size)
		size += int64(len(buf))
		buf = buf[:0]
		return err
	}
	for b, err := range records {
		if err != nil {
			return 0, err
		}
		if buf = append(buf, b...); len(buf) >= writeBuffer {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	return size, flush()
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	var err error
	if j.unsynced {
		err = j.file.Sync()
	}
	return errors.Join(err, j.file.Close())
}
