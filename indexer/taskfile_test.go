package indexer_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestDamagedTaskFile flips bits of the task journal and cuts it: tasks are what
// they were or forgotten, commits are served and more are made. Package tasks
// tests what of a damaged journal holds.
func TestDamagedTaskFile(t *testing.T) {
	src, commits := threeCommits()
	src.Commit("main", "next", indexertest.Change{Put: docs("d/A/77", "the next one")})
	mem := vfstest.NewMem()
	withTasks := func(c *indexer.Config) { c.TaskFile = taskFile }
	h := open(t, mem, src, &indexertest.Embedder{}, withTasks)
	var tasks []indexer.Task
	for _, c := range commits {
		tasks = append(tasks, h.mustIndex(c, ""))
	}
	h.close()
	whole, err := mem.ReadFile(taskFile)
	if err != nil {
		t.Fatal(err)
	}

	forgot, kept := 0, 0
	try := func(what string, b []byte) {
		t.Helper()
		files := mem.CrashClone(0, 1)
		files.WriteFile(taskFile, b)
		for range 2 { // as it is, and with what is made of it
			h := open(t, files, src, &indexertest.Embedder{}, withTasks)
			for _, want := range tasks {
				got, err := h.Task(want.ID)
				if err == nil && got.State == indexer.TaskPending {
					got = h.wait(want.ID)
				}
				if !got.Finished.Equal(want.Finished) && got.State == indexer.TaskComplete && got.Documents == want.Documents {
					// Its end was damaged: the task was run again.
					got = want
				}
				switch {
				case errors.Is(err, contract.ErrNotFound):
					forgot++
				case err != nil || !reflect.DeepEqual(got, want):
					t.Fatalf("%s: task %+v, %v; want %+v", what, got, err, want)
				default:
					kept++
				}
			}
			if hits := h.search(commits[2], "three", 9); len(hits) != len(src.Documents(commits[2])) {
				t.Fatalf("%s: %d hits", what, len(hits))
			}
			h.mustIndex("next", "")
			h.close()
		}
	}
	r := rand.New(rand.NewPCG(41, 42))
	for range 60 {
		b := bytes.Clone(whole)
		at, bit := r.IntN(len(b)), r.IntN(8)
		b[at] ^= 1 << bit
		try(fmt.Sprintf("byte %d, bit %d", at, bit), b)
	}
	for n := 0; n < len(whole); n += len(whole) / 16 {
		try(fmt.Sprintf("cut to %d", n), whole[:n])
	}
	if forgot == 0 || kept == 0 {
		t.Errorf("%d tasks were forgotten, %d kept", forgot, kept)
	}
}
