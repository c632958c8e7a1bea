package tasks_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestDamage flips bits of the journal, cuts it, and puts zeros in it: the
// records that are whole hold, the damaged file is put aside and said to be, and
// the registry goes on.
func TestDamage(t *testing.T) {
	mem := vfstest.NewMem()
	r := open(t, mem)
	want := make(map[string]tasks.Task)
	for i := range 8 {
		j := start(t, r, pull(fmt.Sprint("c", i)))
		if i%2 == 0 {
			j.Report(func(t *tasks.Task) { t.Documents = i })
			j.End(nil)
		}
		want[j.ID()] = j.Task()
	}
	must(t, r.Close())
	whole, err := mem.ReadFile(file)
	must(t, err)

	rng := rand.New(rand.NewPCG(1, 2))
	forgot := 0
	// most is how many tasks may be forgotten; one whose end is gone is pending.
	try := func(what string, b []byte, most int, aside bool) {
		t.Helper()
		files := vfstest.NewMem()
		files.WriteFile(file, bytes.Clone(b))
		log := &counter{Handler: slog.DiscardHandler}
		for round := range 2 {
			r, err := tasks.Open(files, file, slog.New(log))
			must(t, err)
			lost := 0
			for id, was := range want {
				got, err := r.Find(id)
				if err != nil {
					lost++
				} else if got.State == tasks.Pending {
					was = tasks.Task{ID: id, Domain: was.Domain, Commit: was.Commit, Branch: was.Branch, State: tasks.Pending, Created: was.Created}
				}
				if err == nil && !reflect.DeepEqual(got, was) {
					t.Errorf("%s: %+v, want %+v", what, got, was)
				}
			}
			if lost > most {
				t.Errorf("%s: %d tasks were forgotten, want at most %d", what, lost, most)
			}
			forgot += lost
			if j, _, err := r.Start(pull(fmt.Sprint("next", round))); err != nil {
				t.Errorf("%s: %v", what, err)
			} else {
				j.End(nil)
			}
			must(t, r.Close())
		}
		if old, err := files.ReadFile(file + ".damaged"); (err == nil) != aside || aside && !bytes.Equal(old, b) || (log.n > 0) != aside {
			t.Errorf("%s: put aside %t (%v), %d log lines; want %t", what, err == nil, err, log.n, aside)
		}
	}
	last := bytes.LastIndex(whole, []byte("\xf5VLT"))
	for range 400 {
		at := rng.IntN(last)
		b := bytes.Clone(whole)
		b[at] ^= 1 << rng.IntN(8)
		most := 1
		if at < 16 {
			most = len(want)
		}
		try(fmt.Sprintf("byte %d", at), b, most, true)
	}
	for range 50 {
		n := rng.IntN(len(whole)-16) + 16
		try(fmt.Sprintf("cut to %d", n), whole[:n], len(want), false)
		from := 16 + rng.IntN(last-16)
		b := bytes.Clone(whole)
		clear(b[from:min(from+512, last)])
		try(fmt.Sprintf("zeros at %d", from), b, 4, true)
		try(fmt.Sprintf("zeros from %d on", n), slices.Concat(whole[:n], make([]byte, len(whole)-n)), len(want), false)
	}
	try("empty", nil, len(want), true)
	try("another program's", []byte("SQLite format 3\x00 and more"), len(want), true)
	if forgot == 0 {
		t.Error("no task was forgotten")
	}
}

// TestSupersededAreNotParsed: of several records about a task the last is parsed
// alone, so that a start costs the tasks that are kept.
func TestSupersededAreNotParsed(t *testing.T) {
	const id = "task-0123456789abcdef0123456789abcdef"
	files := vfstest.NewMem()
	data := append(tasks.Header(), tasks.Seal([]byte(`{"task":{"id":"`+id+`", and no more of it`))...)
	data = append(data, tasks.Seal([]byte(`{"task":{"id":"`+id+`","state":"pending","created":"2026-01-02T03:04:05Z"}}`))...)
	files.WriteFile(file, data)
	r := open(t, files)
	if task, err := r.Find(id); err != nil || task.State != tasks.Pending {
		t.Errorf("%+v, %v", task, err)
	}
	must(t, r.Close())
	if _, err := files.ReadFile(file + ".damaged"); err == nil {
		t.Error("it was put aside as damaged")
	}
}
