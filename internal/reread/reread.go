// Package reread holds what files say, and reads them again when one has changed. Who
// asks looks at them, so that a change counts from the next question on and nothing runs
// between questions. A file is taken for changed when it is another one, or has another
// size or time.
package reread

import (
	"os"
	"sync"
	"sync/atomic"
)

// Value is what files say. Its methods may be called by many goroutines at once.
type Value[T any] struct {
	paths  []string
	read   func(before T) (T, error)
	failed func(error)
	mu     sync.Mutex // held while the files are read
	now    atomic.Pointer[state[T]]
}

type state[T any] struct {
	value  T
	broken error // why the files cannot be read as they are now
	files  []os.FileInfo
}

// Open returns the Value that read makes of the files, of the one before where there was
// one. An error of read is returned the first time. Later the value before stays, and
// failed is told, once for each error.
func Open[T any](read func(before T) (T, error), failed func(error), paths ...string) (*Value[T], error) {
	v := &Value[T]{paths: paths, read: read, failed: failed}
	s := &state[T]{files: v.look()}
	var err error
	if s.value, err = read(s.value); err != nil {
		return nil, err
	}
	v.now.Store(s)
	return v, nil
}

// Get returns what the files say, or last said, and why that is not the same.
func (v *Value[T]) Get() (T, error) {
	s, files := v.now.Load(), v.look()
	if !same(s.files, files) {
		s = v.again(files)
	}
	return s.value, s.broken
}

func (v *Value[T]) again(files []os.FileInfo) *state[T] {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.now.Load()
	if same(before.files, files) {
		return before // another question was faster
	}
	s := &state[T]{value: before.value, files: files}
	if value, err := v.read(before.value); err == nil {
		s.value = value
	} else if s.broken = err; before.broken == nil || before.broken.Error() != err.Error() {
		v.failed(err)
	}
	v.now.Store(s)
	return s
}

// look returns what the files are, nil for one that is not to be seen.
func (v *Value[T]) look() []os.FileInfo {
	files := make([]os.FileInfo, len(v.paths))
	for i, path := range v.paths {
		files[i], _ = os.Stat(path) // why it fails is seen when it is read
	}
	return files
}

func same(a, b []os.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return false
		}
		if a[i] != nil && !(os.SameFile(a[i], b[i]) && a[i].ModTime().Equal(b[i].ModTime()) && a[i].Size() == b[i].Size()) {
			return false
		}
	}
	return true
}
