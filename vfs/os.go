package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// OS is a directory of the operating system. No name, symbolic link or race
// leads out of it.
type OS struct {
	root *os.Root
}

var _ FS = (*OS)(nil)

// NewOS opens the directory, which is made if absent (with its parents, mode
// 0700, durably). Close it when all its files are closed.
func NewOS(dir string) (*OS, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("vfs: make the data directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("vfs: open the data directory: %w", err)
	}
	return &OS{root: root}, nil
}

// makeDir makes dir and its missing parents, and syncs the parent of each one
// made, so that what is later synced inside cannot vanish with its directory.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrExist):
		return nil // a file of that name fails in OpenRoot
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	default:
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(syncDir(parent), parent.Close())
}

// fsync is the system call; a test counts its calls.
var fsync = (*os.File).Sync

// syncDir syncs an open directory.
func syncDir(d *os.File) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there; NTFS journals names
	}
	return fsync(d)
}

// Open opens the named file; see [FS].
func (o *OS) Open(name string, mode Mode) (File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	flag := os.O_RDONLY
	switch mode {
	case ReadWrite:
		flag = os.O_RDWR
	case Create:
		flag = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	}
	f, err := o.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, fmt.Errorf("vfs: %w", err)
	}
	return &osFile{f}, nil
}

// Rename renames a file; see [FS].
func (o *OS) Rename(oldName, newName string) error {
	if err := errors.Join(CheckName(oldName), CheckName(newName)); err != nil {
		return err
	}
	if err := o.root.Rename(oldName, newName); err != nil {
		return fmt.Errorf("vfs: %w", err)
	}
	return nil
}

// Remove removes a name; see [FS].
func (o *OS) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := o.root.Remove(name); err != nil {
		return fmt.Errorf("vfs: %w", err)
	}
	return nil
}

// List returns the names of the regular files, sorted; see [FS].
func (o *OS) List() ([]string, error) {
	d, err := o.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("vfs: %w", err)
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, fmt.Errorf("vfs: %w", err)
	}
	// Not every file system tells types in a listing, and to ask for each of a
	// hundred thousand files takes longer than all else at a start. Files of
	// ours have an extension that no directory has.
	names = slices.DeleteFunc(names, func(name string) bool {
		if strings.Contains(name, ".") {
			return false
		}
		info, err := o.root.Lstat(name)
		return err != nil || !info.Mode().IsRegular()
	})
	slices.Sort(names)
	return names, nil
}

// SyncDir makes names durable; see [FS].
func (o *OS) SyncDir() error {
	d, err := o.root.Open(".")
	if err != nil {
		return fmt.Errorf("vfs: %w", err)
	}
	if err := errors.Join(syncDir(d), d.Close()); err != nil {
		return fmt.Errorf("vfs: %w", err)
	}
	return nil
}

// Lock takes a lock file; see [FS].
func (o *OS) Lock(name string) (io.Closer, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	c, err := lock(o.root, name)
	if err != nil && !errors.Is(err, ErrLocked) {
		err = fmt.Errorf("vfs: lock: %w", err)
	}
	return c, err
}

// Close gives the directory up. Open files and locks are not affected.
func (o *OS) Close() error { return o.root.Close() }

// osFile is *os.File with the data-only sync and a size.
type osFile struct {
	*os.File
}

func (f *osFile) Sync() error { return syncData(f.File) }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) ID() (FileID, error) { return fileID(f.File) }
