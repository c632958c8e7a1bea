package vfstest

import (
	"io"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/vfs"
)

// Op names the kind of an operation that [Fault] has numbered.
type Op string

// The operations of vfs.FS and vfs.File.
const (
	OpOpen     Op = "open"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpList     Op = "list"
	OpSyncDir  Op = "syncdir"
	OpLock     Op = "lock"
	OpReadAt   Op = "readat"
	OpWriteAt  Op = "writeat"
	OpClose    Op = "close" // of a file or a lock
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpSize     Op = "size"
)

// Plan says which operations fail, and how.
type Plan struct {
	// At is the number of the operation that fails, from 0.
	At int
	// Forever makes every operation from At on fail, as a dead disk does.
	Forever bool
	// Only limits the plan to these kinds; others pass, and keep their number.
	Only []Op
	// Err is the error returned, such as syscall.EIO.
	Err error
	// Short makes a failing WriteAt write the first half of its bytes.
	Short bool
}

// Fault wraps a file system and counts every operation on it and its files,
// Close included. Without a plan all of them pass. A failing operation has no
// effect, with two exceptions: Close closes, and Sync, on files of a [Mem],
// forgets what it should have written, as Linux does.
type Fault struct {
	fs   vfs.FS
	mu   sync.Mutex
	next int
	hits int
	plan Plan
	hook func(n int, op Op)
}

var _ vfs.FS = (*Fault)(nil)

// NewFault wraps fs.
func NewFault(fs vfs.FS) *Fault { return &Fault{fs: fs} }

// Set counts from 0 again and fails operations by the plan; the zero Plan, or
// one without Err, fails none.
func (f *Fault) Set(p Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.next, f.hits = p, 0, 0
}

// OnOp has hook called before every operation, with its number. The hook may
// use the wrapped file system, but not f.
func (f *Fault) OnOp(hook func(n int, op Op)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Ops returns the number of operations since the last Set.
func (f *Fault) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// Hits returns how many operations the plan has failed: a test asserts that
// each one surfaced.
func (f *Fault) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

// begin numbers an operation and returns the plan's error if it is to fail.
func (f *Fault) begin(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.next
	f.next++
	if f.hook != nil {
		f.hook(n, op)
	}
	p := &f.plan
	due := n == p.At || p.Forever && n > p.At
	if p.Err == nil || !due || p.Only != nil && !slices.Contains(p.Only, op) {
		return nil
	}
	f.hits++
	return p.Err
}

// short reports whether a failing write is to be a short one.
func (f *Fault) short() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plan.Short
}

// Open opens a file; see [vfs.FS].
func (f *Fault) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if err := f.begin(OpOpen); err != nil {
		return nil, err
	}
	file, err := f.fs.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return &faultFile{f, file}, nil
}

// Rename renames a file; see [vfs.FS].
func (f *Fault) Rename(oldName, newName string) error {
	if err := f.begin(OpRename); err != nil {
		return err
	}
	return f.fs.Rename(oldName, newName)
}

// Remove removes a name; see [vfs.FS].
func (f *Fault) Remove(name string) error {
	if err := f.begin(OpRemove); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

// List returns the names; see [vfs.FS].
func (f *Fault) List() ([]string, error) {
	if err := f.begin(OpList); err != nil {
		return nil, err
	}
	return f.fs.List()
}

// SyncDir makes names durable; see [vfs.FS].
func (f *Fault) SyncDir() error {
	if err := f.begin(OpSyncDir); err != nil {
		return err
	}
	return f.fs.SyncDir()
}

// Lock takes a lock file; see [vfs.FS].
func (f *Fault) Lock(name string) (io.Closer, error) {
	if err := f.begin(OpLock); err != nil {
		return nil, err
	}
	c, err := f.fs.Lock(name)
	if err != nil {
		return nil, err
	}
	return &faultLock{f, c}, nil
}

type faultLock struct {
	f *Fault
	io.Closer
}

func (l *faultLock) Close() error { return l.f.close(l.Closer) }

// close closes c whatever happens: a Close that fails has closed.
func (f *Fault) close(c io.Closer) error {
	fault := f.begin(OpClose)
	if err := c.Close(); fault == nil {
		return err
	}
	return fault
}

type faultFile struct {
	f    *Fault
	file vfs.File
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.f.begin(OpReadAt); err != nil {
		return 0, err
	}
	return f.file.ReadAt(p, off)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.f.begin(OpWriteAt); err != nil {
		n := 0
		if f.f.short() {
			// What became of the half does not change the answer.
			n, _ = f.file.WriteAt(p[:len(p)/2], off)
		}
		return n, err
	}
	return f.file.WriteAt(p, off)
}

func (f *faultFile) Close() error { return f.f.close(f.file) }

func (f *faultFile) Sync() error {
	if err := f.f.begin(OpSync); err != nil {
		if m, ok := f.file.(*memFile); ok {
			m.loseDirty()
		}
		return err
	}
	return f.file.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.f.begin(OpTruncate); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultFile) Size() (int64, error) {
	if err := f.f.begin(OpSize); err != nil {
		return 0, err
	}
	return f.file.Size()
}

// ID is no operation of its own: it passes, and has no number.
func (f *faultFile) ID() (vfs.FileID, error) {
	id, _, err := vfs.ID(f.file)
	return id, err
}
