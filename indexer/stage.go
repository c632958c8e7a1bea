package indexer

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs"
)

// stageSuffix marks the files that hold a running task's texts.
const stageSuffix = ".stage"

// stageBuffer is how much text is gathered before it is written.
const stageBuffer = 1 << 20

// stage keeps the texts of a commit in the making out of memory: a pull may
// bring more than fits. It is a plain temporary file, never synced, removed at
// the end or at the next start.
type stage struct {
	fs   vfs.FS
	name string
	file vfs.File

	mu  sync.Mutex // guards below: texts are read while others are put
	buf []byte
	off int64 // where buf begins in the file
}

// span is where a text lies in the stage.
type span struct {
	off int64
	n   int
}

func newStage(files vfs.FS, task string) (*stage, error) {
	name := task + stageSuffix
	f, err := files.Open(name, vfs.Create)
	if err != nil {
		return nil, fmt.Errorf("stage texts: %w", err)
	}
	return &stage{fs: files, name: name, file: f}, nil
}

func (s *stage) put(text string) (span, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := span{s.off + int64(len(s.buf)), len(text)}
	s.buf = append(s.buf, text...)
	if len(s.buf) < stageBuffer {
		return at, nil
	}
	return at, s.flush()
}

// flush is called with s.mu held.
func (s *stage) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	if _, err := s.file.WriteAt(s.buf, s.off); err != nil {
		return fmt.Errorf("stage texts: %w", err)
	}
	s.off += int64(len(s.buf))
	s.buf = s.buf[:0]
	return nil
}

func (s *stage) text(at span) (string, error) {
	if at.n == 0 {
		return "", nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.off >= s.off {
		i := at.off - s.off
		return string(s.buf[i : i+int64(at.n)]), nil
	}
	b := make([]byte, at.n)
	if _, err := s.file.ReadAt(b, at.off); err != nil {
		return "", fmt.Errorf("read staged text: %w", err)
	}
	return string(b), nil
}

// close removes the stage; a failure leaves a file for cleanStages.
func (s *stage) close() error {
	return errors.Join(s.file.Close(), s.fs.Remove(s.name))
}

func cleanStages(files vfs.FS, names []string) error {
	for _, name := range names {
		if strings.HasSuffix(name, stageSuffix) && strings.HasPrefix(name, tasks.IDPrefix) {
			if err := files.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
