package vfs

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// ErrReplaced is returned by files of a [Limited] file system whose name is
// another file's by now: another process has replaced or removed it. Close the
// file and open the name again.
var ErrReplaced = errors.New("vfs: the file was replaced by another of its name")

const (
	minHandles = 16
	maxHandles = 1 << 16
	// ownHandles is what the rest of a process should have at least: sockets
	// foremost, and what is open for a moment.
	ownHandles = 128
)

// DefaultLimit returns how many files of the data directory should be open at
// once: half of what the process may open, or all but 128, whichever is more;
// between 16 and 65,536 in any case.
func DefaultLimit() int {
	n := openFiles()
	if n == 0 {
		return maxHandles
	}
	limit := n / 2
	if n > ownHandles {
		limit = max(limit, n-ownHandles)
	}
	return int(min(max(limit, minHandles), maxHandles))
}

// DefaultConnections returns how many sockets a process should have at once beside
// DefaultLimit files: what it may open besides, but for a few files that are open
// for a moment; 0 where there is no limit.
func DefaultConnections() int {
	n := openFiles()
	if n == 0 {
		return 0
	}
	return int(max(int64(n)-int64(DefaultLimit())-momentary, minHandles))
}

// momentary is how many files are open for a moment, or are no files of the data
// directory: the log, the listener, the lock.
const momentary = 24

// Limited is a file system whose open files need not be open: at most so many
// are open in the one beneath at once, and of those on which nothing is being
// done the one used longest ago is closed to make room. It is opened again by
// its name when it is used next. Callers see no difference, with one exception:
// a file that another process has replaced meanwhile gives [ErrReplaced].
//
// Three kinds of files stay open, beyond the limit if need be, since the next
// opening could not bring back what they are:
//   - one whose name this file system has given to another file or removed;
//   - one with writes that no Sync has covered, or whose Sync has failed: the
//     system reports a failed write once, to a file that is open then;
//   - one on which something is being done.
//
// An operation that needs room waits while files of the third kind may still make
// some, in order of arrival. Every operation holds one file and waits for nothing
// else, so waiting ends. Locks and the directory itself do not count.
type Limited struct {
	fs    FS
	limit int

	// names is held for reading while a file is opened by its name, and for
	// writing while names change. Taken before mu, never while waiting for room.
	names sync.RWMutex

	mu       sync.Mutex                // guards what follows and the fields of files
	open     int                       // slots taken: files open beneath, or about to be
	idle     list.List                 // of *limitedFile: may be closed, used longest ago first
	held     int                       // open, nothing being done, but may not be closed
	waiters  []chan File               // operations in the queue for a slot; see slot
	files    map[string][]*limitedFile // by present name
	count    int
	reopened uint64
	waits    uint64
}

var _ FS = (*Limited)(nil)

// LimitStats is a moment in the life of a [Limited].
type LimitStats struct {
	Limit    int    // files open at once
	Open     int    // files open beneath; more than Limit if they must be
	Files    int    // files open to callers
	Reopened uint64 // times a file was opened again
	Waits    uint64 // times an operation waited for others to end
}

// Limit returns fs with at most n files open at once, one at least.
func Limit(fs FS, n int) *Limited {
	return &Limited{fs: fs, limit: max(n, 1), files: make(map[string][]*limitedFile)}
}

// Stats counts what is open.
func (l *Limited) Stats() LimitStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LimitStats{Limit: l.limit, Open: l.open, Files: l.count, Reopened: l.reopened, Waits: l.waits}
}

// take takes a slot without waiting, if there is one: a free one, or that of a
// file that may be closed, which the caller closes then and whose error does not
// matter, since the file has no unsynced writes. Called with mu held.
func (l *Limited) take() (victim File, ok bool) {
	switch {
	case l.open < l.limit:
	case l.idle.Len() > 0:
		return l.evict(), true
	case l.open > l.held:
		return nil, false // something is being done, and will end
	}
	l.open++
	return nil, true
}

// evict takes the idle file used longest ago from its user. Called with mu held.
func (l *Limited) evict() File {
	f := l.idle.Front().Value.(*limitedFile)
	l.unsettle(f)
	victim := f.file
	f.file = nil
	return victim
}

// grant gives slots to waiting operations, in order. Called with mu held, whenever
// there may be one.
func (l *Limited) grant() {
	for len(l.waiters) > 0 {
		victim, ok := l.take()
		if !ok {
			return
		}
		l.waiters[0] <- victim
		l.waiters = l.waiters[1:]
	}
}

// slot takes a slot, waiting for one if it must, and makes it free.
func (l *Limited) slot() {
	l.mu.Lock()
	var victim File
	ok := false
	if len(l.waiters) == 0 {
		victim, ok = l.take()
	}
	if !ok {
		turn := make(chan File, 1)
		l.waiters = append(l.waiters, turn)
		l.waits++
		l.mu.Unlock()
		victim = <-turn
	} else {
		l.mu.Unlock()
	}
	if victim != nil {
		_ = victim.Close()
	}
}

// giveBack gives a slot back. Called with mu held.
func (l *Limited) giveBack() {
	l.open--
	l.grant()
}

// settle puts an open file on which nothing is being done where it belongs.
// Called with mu held.
func (l *Limited) settle(f *limitedFile) {
	if f.keep || f.failed || f.synced != f.writes {
		f.held = true
		l.held++
	} else {
		f.at = l.idle.PushBack(f)
	}
	l.grant()
}

// unsettle undoes settle. Called with mu held.
func (l *Limited) unsettle(f *limitedFile) {
	if f.at != nil {
		l.idle.Remove(f.at)
		f.at = nil
	}
	if f.held {
		f.held = false
		l.held--
	}
}

// shrink closes idle files while more are open than should be.
func (l *Limited) shrink() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open > l.limit && l.idle.Len() > 0 {
		victim := l.evict()
		l.mu.Unlock()
		_ = victim.Close()
		l.mu.Lock()
		l.giveBack()
	}
}

// Open opens a file; see [FS].
func (l *Limited) Open(name string, mode Mode) (File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	l.slot()
	l.names.RLock()
	defer l.names.RUnlock()
	file, err := l.fs.Open(name, mode)
	var id FileID
	if err == nil {
		if id, _, err = ID(file); err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.giveBack()
		return nil, err
	}
	f := &limitedFile{l: l, mode: mode, id: id, name: name, file: file}
	if mode == Create {
		f.mode, f.writes = ReadWrite, 1 // it may have been emptied
	}
	l.files[name] = append(l.files[name], f)
	l.count++
	l.settle(f)
	return f, nil
}

// Rename renames a file; see [FS].
func (l *Limited) Rename(oldName, newName string) error {
	if err := errors.Join(CheckName(oldName), CheckName(newName)); err != nil {
		return err
	}
	l.names.Lock()
	defer l.names.Unlock()
	if oldName == newName {
		return l.fs.Rename(oldName, newName)
	}
	if err := l.keepOpen(newName); err != nil {
		return err
	}
	if err := l.fs.Rename(oldName, newName); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orphan(newName)
	if moved := l.files[oldName]; moved != nil {
		for _, f := range moved {
			f.name = newName
		}
		l.files[newName] = moved
		delete(l.files, oldName)
	}
	return nil
}

// Remove removes a name; see [FS].
func (l *Limited) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	l.names.Lock()
	defer l.names.Unlock()
	if err := l.keepOpen(name); err != nil {
		return err
	}
	if err := l.fs.Remove(name); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orphan(name)
	return nil
}

// orphan takes the name from the files that have it. Called with mu held.
func (l *Limited) orphan(name string) {
	for _, f := range l.files[name] {
		f.name = ""
	}
	delete(l.files, name)
}

// keepOpen opens the files of that name that are not, and has all of them stay
// open: the name will not lead to them any more. It does not wait for slots,
// since their holders may be waiting for the names. Called with names held for
// writing.
func (l *Limited) keepOpen(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range slices.Clone(l.files[name]) {
		if f.file == nil && !f.closed {
			victim, ok := l.take()
			if !ok {
				l.open++
			}
			l.mu.Unlock()
			if victim != nil {
				_ = victim.Close()
			}
			file, err := f.again(name)
			l.mu.Lock()
			switch {
			case errors.Is(err, ErrReplaced):
				l.giveBack()
				continue // another process removed it; its next use returns the error
			case err != nil:
				l.giveBack()
				return err
			case f.closed:
				l.mu.Unlock()
				_ = file.Close()
				l.mu.Lock()
				l.giveBack()
				continue
			}
			f.file = file
			l.reopened++
		}
		f.keep = true
		if f.file != nil && f.users == 0 {
			l.unsettle(f)
			l.settle(f)
		}
	}
	return nil
}

// List returns the names; see [FS].
func (l *Limited) List() ([]string, error) { return l.fs.List() }

// SyncDir makes names durable; see [FS].
func (l *Limited) SyncDir() error { return l.fs.SyncDir() }

// Lock takes a lock file; see [FS].
func (l *Limited) Lock(name string) (io.Closer, error) { return l.fs.Lock(name) }

// limitedFile is an open file as its user sees it.
type limitedFile struct {
	l    *Limited
	mode Mode   // to open it again with
	id   FileID // zero if not known

	// Guarded by Limited.mu.
	name    string // "" when it has none any more
	file    File   // nil while it is not open beneath
	users   int    // operations under way
	opening chan struct{}
	at      *list.Element // in Limited.idle
	held    bool          // counted in Limited.held
	keep    bool          // its name goes, or has gone, to another file
	writes  uint64        // ended
	synced  uint64        // of them, those that ended before the last good Sync began
	failed  bool          // a Sync has failed
	closed  bool
}

// again opens f's file by its name. Called with Limited.names held.
func (f *limitedFile) again(name string) (File, error) {
	file, err := f.l.fs.Open(name, f.mode)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrReplaced, err)
	}
	if err != nil {
		return nil, err
	}
	id, _, err := ID(file)
	if err == nil && id != f.id {
		err = fmt.Errorf("%w: %s", ErrReplaced, name)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// begin returns the open file beneath f for one operation, opened again if need
// be. end follows.
func (f *limitedFile) begin(op string) (File, error) {
	l := f.l
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case f.closed:
			return nil, &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
		case f.file != nil:
			l.unsettle(f)
			f.users++
			return f.file, nil
		case f.name == "":
			return nil, fmt.Errorf("%w: %s of a file without a name", ErrReplaced, op)
		case f.opening != nil:
			opened := f.opening
			l.mu.Unlock()
			<-opened
			l.mu.Lock()
			continue
		}
		f.opening = make(chan struct{})
		l.mu.Unlock()
		err := f.reopen()
		l.mu.Lock()
		close(f.opening)
		f.opening = nil
		if err != nil {
			return nil, err
		}
	}
}

// reopen opens f again, unless it has been meanwhile, or closed for good.
func (f *limitedFile) reopen() error {
	l := f.l
	l.slot()
	l.names.RLock()
	defer l.names.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.closed || f.file != nil || f.name == "" {
		l.giveBack()
		return nil
	}
	name := f.name
	l.mu.Unlock()
	file, err := f.again(name)
	if err == nil {
		l.mu.Lock()
		if !f.closed {
			// Not settled: the goroutine that opened it uses it first.
			f.file = file
			l.reopened++
			return nil
		}
		l.mu.Unlock()
		err = file.Close()
	}
	l.mu.Lock()
	l.giveBack()
	return err
}

// end ends an operation that begin began.
func (f *limitedFile) end(wrote bool) {
	l := f.l
	l.mu.Lock()
	if wrote && f.mode != Read {
		f.writes++
	}
	f.users--
	if f.users == 0 && !f.closed {
		l.settle(f)
	}
	over := l.open > l.limit
	l.mu.Unlock()
	if over {
		l.shrink()
	}
}

func (f *limitedFile) ReadAt(p []byte, off int64) (int, error) {
	file, err := f.begin("read")
	if err != nil {
		return 0, err
	}
	defer f.end(false)
	return file.ReadAt(p, off)
}

func (f *limitedFile) WriteAt(p []byte, off int64) (int, error) {
	file, err := f.begin("write")
	if err != nil {
		return 0, err
	}
	defer f.end(true)
	return file.WriteAt(p, off)
}

func (f *limitedFile) Truncate(size int64) error {
	file, err := f.begin("truncate")
	if err != nil {
		return err
	}
	defer f.end(true)
	return file.Truncate(size)
}

func (f *limitedFile) Size() (int64, error) {
	file, err := f.begin("stat")
	if err != nil {
		return 0, err
	}
	defer f.end(false)
	return file.Size()
}

func (f *limitedFile) Sync() error {
	file, err := f.begin("sync")
	if err != nil {
		return err
	}
	defer f.end(false)
	l := f.l
	l.mu.Lock()
	writes := f.writes
	l.mu.Unlock()
	err = file.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		f.failed = true
	} else {
		f.synced = max(f.synced, writes)
	}
	return err
}

// ID returns the id that the file had when it was opened.
func (f *limitedFile) ID() (FileID, error) { return f.id, nil }

func (f *limitedFile) Close() error {
	l := f.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	l.count--
	if left := slices.DeleteFunc(l.files[f.name], func(other *limitedFile) bool { return other == f }); len(left) > 0 {
		l.files[f.name] = left
	} else {
		delete(l.files, f.name)
	}
	if f.file == nil {
		return nil
	}
	l.unsettle(f)
	file := f.file
	f.file = nil
	l.mu.Unlock()
	err := file.Close()
	l.mu.Lock()
	l.giveBack()
	return err
}
