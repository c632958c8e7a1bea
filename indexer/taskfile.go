package indexer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
)

var taskBucket = []byte("tasks")

// storedTask is a task's row: as JSON, a newline, and in hex the CRC-32C of the
// JSON (rows without are those of before there was one).
type storedTask struct {
	Task     Task                    `json:"task"`
	Previous string                  `json:"previous,omitempty"`
	Push     bool                    `json:"push,omitempty"`
	Settings catalog.SettingsRequest `json:"settings,omitzero"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s storedTask) encode() ([]byte, error) {
	row, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("store task: %w", err)
	}
	return fmt.Appendf(row, "\n%08x", crc32.Checksum(row, castagnoli)), nil
}

// decodeTask decodes the row of that id.
func decodeTask(id, row []byte) (s storedTask, ok bool) {
	if body, sum, has := bytes.Cut(row, []byte("\n")); has {
		if string(sum) != fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) {
			return s, false
		}
		row = body
	}
	return s, json.Unmarshal(row, &s) == nil && s.Task.ID == string(id)
}

// errTaskFile: the file's structure is damaged.
var errTaskFile = errors.New("damaged")

// guarded calls f, and makes an error of what the database panics with, or what
// the processor objects to, where the file that it has mapped is damaged.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errTaskFile, r)
		}
	}()
	return f()
}

// openTasks opens the task database. A damaged one is put aside, under its name
// with .damaged, and a new one begun; lost says so, or that rows of it were
// damaged: the tasks are forgotten, no commit depends on them.
func openTasks(path string) (r *taskRegistry, lost, err error) {
	r = newTasks()
	if path == "" {
		return r, nil, nil
	}
	r.path = path
	lost, err = r.open()
	if isDamage(err) {
		lost, r = err, newTasks()
		r.path = path
		err = r.renew()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the task database %s (it may be removed: no commit depends on it): %w", path, err)
	}
	slices.SortFunc(r.finished, func(a, b string) int {
		return r.tasks[a].task.Finished.Compare(r.tasks[b].task.Finished)
	})
	return r, lost, nil
}

func newTasks() *taskRegistry {
	return &taskRegistry{
		tasks:      make(map[string]*job),
		running:    make(map[target]*job),
		bound:      make(map[target]struct{}),
		queues:     make(map[string][]*job),
		clustering: make(map[string]struct{}),
	}
}

// isDamage tells what is wrong with a file from what keeps it from being
// opened: its lock, its disk, the rights to it.
func isDamage(err error) bool {
	var path *fs.PathError
	var number syscall.Errno
	return err != nil && !errors.Is(err, bolterrors.ErrTimeout) && !errors.As(err, &path) && !errors.As(err, &number)
}

// renew puts the database aside and begins another, with the tasks that are
// known. The old one is not closed: it may wait for a lock that it held when it
// panicked.
func (r *taskRegistry) renew() error {
	r.db = nil
	if err := os.Rename(r.path, r.path+".damaged"); err != nil {
		return err
	}
	fresh := newTasks()
	fresh.path = r.path
	if _, err := fresh.open(); err != nil {
		return err
	}
	r.db = fresh.db
	for domain := range r.clustering {
		if err := r.storeClustering(domain, true); err != nil {
			return err
		}
	}
	return r.write(func(b *bbolt.Bucket) error {
		for id, j := range r.tasks {
			row, err := storedTask{j.task, j.previous, j.push, j.settings}.encode()
			if err == nil {
				err = b.Put([]byte(id), row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// open opens and reads the database. lost is about damaged rows.
func (r *taskRegistry) open() (lost, err error) {
	err = guarded(func() (err error) {
		r.db, err = bbolt.Open(r.path, 0o600, &bbolt.Options{Timeout: time.Second})
		return err
	})
	if err != nil {
		r.db = nil
		return nil, err
	}
	err = guarded(func() (err error) {
		lost, err = r.load()
		return err
	})
	if err != nil && !isDamage(err) {
		err = errors.Join(err, r.db.Close())
	}
	return lost, err
}

// load reads the database. It writes, which takes an fsync, only where there is
// something to write.
func (r *taskRegistry) load() (lost, err error) {
	var damaged [][]byte
	made := false
	err = r.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(taskBucket)
		if b == nil {
			return nil
		}
		made = true
		if err := r.loadClustering(tx); err != nil {
			return err
		}
		return b.ForEach(func(k, v []byte) error {
			row, ok := decodeTask(k, v)
			if !ok {
				damaged = append(damaged, slices.Clone(k))
				return nil
			}
			r.tasks[row.Task.ID] = &job{
				task: row.Task, push: row.Push, previous: row.Previous, settings: row.Settings, ended: make(chan struct{}),
			}
			if row.Task.State != TaskPending {
				r.finished = append(r.finished, row.Task.ID)
			}
			return nil
		})
	})
	if err != nil || made && len(damaged) == 0 {
		return nil, err
	}
	if made {
		lost = fmt.Errorf("%d rows are damaged", len(damaged))
	}
	return lost, r.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(taskBucket)
		if err != nil {
			return err
		}
		for _, k := range damaged {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *taskRegistry) close() error {
	if r.db == nil {
		return nil
	}
	return guarded(r.db.Close)
}

// store writes the task's row. Called with r.mu held.
func (r *taskRegistry) store(j *job) error {
	if r.db == nil {
		return nil
	}
	row, err := storedTask{j.task, j.previous, j.push, j.settings}.encode()
	if err != nil {
		return err
	}
	put := func(b *bbolt.Bucket) error { return b.Put([]byte(j.task.ID), row) }
	if err = r.write(put); errors.Is(err, errTaskFile) {
		// What nobody has looked at so far is damaged.
		if err = r.renew(); err == nil {
			err = r.write(put)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: the task cannot be recorded: %w", contract.ErrStore, err)
	}
	return nil
}

// remove deletes the rows of forgotten tasks.
func (r *taskRegistry) remove(old []string) {
	if r.db == nil {
		return
	}
	// A row that stays is pruned at a later time, or loaded and pruned
	// after a restart.
	_ = r.write(func(b *bbolt.Bucket) error {
		for _, id := range old {
			if err := b.Delete([]byte(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// write changes the rows.
func (r *taskRegistry) write(f func(b *bbolt.Bucket) error) error {
	return guarded(func() error {
		return r.db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket(taskBucket)) })
	})
}
