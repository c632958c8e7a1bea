package tasks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"github.com/vectorlink/vectorlink/vfs"
)

// journal is the file. It is rewritten after an error, since its end is not known
// then, and if there is none or a damaged one. For one goroutine.
type journal struct {
	files    vfs.FS
	name     string
	file     vfs.File // nil: to be rewritten
	size     int64    // of what is written
	unsynced bool
	damaged  bool // what has the name is to be put aside
}

// open reads the file, if there is one, and keeps it open for appending if nothing
// is wrong with it. lost reports damage, err that the file cannot be read.
func (j *journal) open(visit func(rec record, size int)) (lost, err error) {
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
		found, err = scan(file, size, visit)
	}
	if errors.Is(err, errHeader) {
		lost, err = err, nil
	} else if found.lost > 0 {
		lost = fmt.Errorf("%d bytes before the last complete record are damaged", found.lost)
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
		// Refused records should not be there at a restart. If they are, a task
		// runs that no caller waits for.
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
	if j.file != nil {
		_ = j.file.Close() // nothing of it is needed
		j.file = nil
	}
	size := int64(headerSize)
	temp, err := vfs.WriteTemp(j.files, j.name, true, func(w io.Writer) error {
		if _, err := w.Write(header()); err != nil {
			return err
		}
		for rec, err := range records {
			if err == nil {
				_, err = w.Write(rec)
			}
			if err != nil {
				return err
			}
			size += int64(len(rec))
		}
		return nil
	})
	if err != nil {
		return err
	}
	file, err := j.files.Open(temp, vfs.ReadWrite)
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
	if err != nil {
		if file != nil {
			_ = file.Close()
		}
		_ = j.files.Remove(temp) // vfs.Clean finds what this leaves
		return err
	}
	j.file, j.size, j.unsynced = file, size, false
	return nil
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
