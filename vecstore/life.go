package vecstore

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/vectorlink/vectorlink/vfs"
)

// life counts the readers of a store.
type life struct {
	mu      sync.Mutex
	readers int
	retired bool
}

func (l *life) isRetired() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retired
}

// Acquire keeps the store open for a reader until its Release, whatever becomes
// of the domain meanwhile. It returns [ErrClosed] once Retire or Close has been
// called: another store has taken its place, or none.
func (s *Store) Acquire() error {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if s.life.retired || s.closed.Load() {
		return wrap(s.name, "acquire", ErrClosed)
	}
	s.life.readers++
	return nil
}

// Release ends what an Acquire began. The last one closes a retired store.
func (s *Store) Release() {
	s.life.mu.Lock()
	s.life.readers--
	last := s.life.retired && s.life.readers == 0
	s.life.mu.Unlock()
	if last {
		_ = s.Close() // it was only read; closed already, it stays so
	}
}

// Retire is the end of a store for its owner, in place of Close: a write has
// failed, or the file is to be removed. It waits for a running Append, refuses
// others from then on, and drops the keys. Readers that have acquired the store go
// on; the last to release it closes it.
func (s *Store) Retire() error {
	s.mu.Lock()
	s.life.mu.Lock()
	if s.life.retired || s.closed.Load() {
		s.life.mu.Unlock()
		s.mu.Unlock()
		return wrap(s.name, "retire", ErrClosed)
	}
	s.life.retired = true
	unread := s.life.readers == 0
	s.life.mu.Unlock()
	var err error
	if s.writer != nil {
		err = s.writer.Close()
		s.writer = nil
	}
	s.mu.Unlock()

	s.maps.Lock()
	s.keys = nil
	s.maps.Unlock()
	if err != nil {
		err = wrap(s.name, "retire", err)
	}
	if unread {
		err = errors.Join(err, s.Close())
	}
	return err
}

// OpenRead opens a file that another process may be appending to. It takes no
// lock and never writes: Recover and Append are [ErrInvalid]. No slot can be
// read before Refresh. For want see [Open].
func OpenRead(fsys vfs.FS, name string, want Config, pool *Pool) (*Store, error) {
	s, err := Open(fsys, name, want, pool)
	if err != nil {
		return nil, err
	}
	s.readOnly = true
	s.published.Store(0)
	return s, nil
}

// Refresh lets a store of OpenRead read the slots below end, the slot end of a
// commit: its vectors were durable before the commit was there. Slots beyond the
// file's end are [ErrCorrupt], and those before it can be read nevertheless. A
// file that is not the one of its name any more is [vfs.ErrReplaced]: close the
// store and open the name again.
func (s *Store) Refresh(end uint32) error {
	if !s.readOnly {
		return invalid("refresh %s, which is not open for reading only", s.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return wrap(s.name, "refresh", ErrClosed)
	}
	f, err := s.fsys.Open(s.name, vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", vfs.ErrReplaced, err)
	}
	if err != nil {
		return wrap(s.name, "refresh", err)
	}
	id, _, err := vfs.ID(f)
	var size int64
	if err == nil {
		size, err = f.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return wrap(s.name, "refresh", err)
	}
	if id != s.id {
		return wrap(s.name, "refresh", vfs.ErrReplaced)
	}
	n, ok := s.records(max(size, headerSize))
	if !ok {
		return &CorruptError{File: s.name, Slot: NoSlot, Reason: "more records than slot numbers"}
	}
	if have := min(end, n); have > s.published.Load() {
		s.published.Store(have)
	}
	if n < end {
		return &CorruptError{File: s.name, Slot: NoSlot, Reason: fmt.Sprintf("it ends after %d vectors, a commit refers to %d", n, end)}
	}
	return nil
}
