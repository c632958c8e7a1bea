package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vfs"
)

// Unfinished is the name of a file that stands in a data directory while a backup is put
// back into it: what else is there is not all of it.
const Unfinished = "restore.unfinished"

// ErrNotEmpty is returned where a backup is to be put into a directory that holds data:
// name an empty one.
var ErrNotEmpty = errors.New("backup: the directory holds data")

// restoring marks a data directory as unfinished, has fill put files into it, and removes
// the mark. The directory is empty, or an earlier restore was interrupted in it, of which
// nothing is kept.
func restoring(to vfs.FS, fill func() error) error {
	names, err := to.List()
	if err != nil {
		return err
	}
	var old []string
	began := false
	for _, name := range names {
		switch {
		case name == Unfinished:
			began = true
		case name != lockFile && name[0] != '.':
			old = append(old, name)
		}
	}
	if len(old) > 0 && !began {
		return fmt.Errorf("%w, such as %s", ErrNotEmpty, old[0])
	}
	mark, err := to.Open(Unfinished, vfs.Create)
	if err != nil {
		return err
	}
	if err := errors.Join(mark.Close(), to.SyncDir()); err != nil {
		return err
	}
	for _, name := range old {
		if err := to.Remove(name); err != nil {
			return err
		}
	}
	if err := fill(); err != nil {
		return err
	}
	if err := to.SyncDir(); err != nil {
		return err
	}
	if err := to.Remove(Unfinished); err != nil {
		return err
	}
	return to.SyncDir()
}

// Restore puts a backup into an empty data directory, which the caller has locked. It is
// durable and checked when it returns; after an error, or a crash before that, the
// directory is marked as unfinished, and Restore may be called again.
func (d *Dir) Restore(ctx context.Context, t Taken, to vfs.FS) error {
	files, err := d.Files(t)
	if err != nil {
		return err
	}
	return restoring(to, func() error {
		return parallel.Do(ctx, syncers, len(files), func(ctx context.Context, _, i int) error {
			return create(to, &files[i], func(write func([]byte) error) error {
				for _, p := range files[i].Parts {
					if err := ctx.Err(); err != nil {
						return context.Cause(ctx)
					}
					b, err := d.part(p)
					if err == nil {
						err = write(b)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// create makes a file of what fill writes, one stretch behind the other, and syncs it.
// Stretches of zeros become holes.
func create(to vfs.FS, f *File, fill func(write func([]byte) error) error) (err error) {
	out, err := to.Open(f.Name, vfs.Create)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	const block = 64 << 10
	zeros := make([]byte, block)
	at := int64(0)
	err = fill(func(b []byte) error {
		for part := range slices.Chunk(b, block) {
			if !bytes.Equal(part, zeros[:len(part)]) {
				if _, err := out.WriteAt(part, at); err != nil {
					return err
				}
			}
			at += int64(len(part))
		}
		return nil
	})
	if err == nil {
		err = out.Truncate(f.Size)
	}
	if err == nil {
		err = out.Sync()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// Verify reads every backup of the directory and every part of them, and reports what
// is damaged or missing, with the files that have it.
func (d *Dir) Verify(ctx context.Context, report func(Finding)) (sum Verified, err error) {
	counted := func(f Finding) {
		sum.Damaged++
		report(f)
	}
	backups, err := d.Backups(counted)
	if err != nil {
		return sum, err
	}
	type user struct{ file, backup string }
	users := make(map[Part]user)
	for _, t := range backups {
		sum.Backups++
		files, err := d.Files(t)
		if errors.Is(err, contract.ErrCorrupt) {
			counted(Finding{t.Name + takenExt, err.Error()})
			continue
		}
		if err != nil {
			return sum, err
		}
		for i := range files {
			for _, p := range files[i].Parts {
				users[p] = user{files[i].Name, t.Name}
			}
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(users), func(a, b Part) int { return bytes.Compare(a.Sum[:], b.Sum[:]) }) {
		if err := ctx.Err(); err != nil {
			return sum, context.Cause(ctx)
		}
		u := users[p]
		sum.Parts, sum.Bytes = sum.Parts+1, sum.Bytes+p.Size
		if _, err := d.part(p); errors.Is(err, contract.ErrCorrupt) {
			counted(Finding{partName(p), fmt.Sprintf("%v; it is of %s in the backup %s: remove the part, and the next backup writes it again if the data directory still has it", err, u.file, u.backup)})
		} else if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Verified says what a Verify has read.
type Verified struct {
	Backups int   `json:"backups"`
	Parts   int   `json:"parts"`
	Bytes   int64 `json:"bytes"`
	Damaged int   `json:"damaged"` // findings reported
}
