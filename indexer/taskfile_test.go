package indexer_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestDamagedTaskFile flips the bits of the task database, cuts it, and puts
// zeros and other pages over its pages: the process lives, tasks are what they
// were or forgotten, commits are served and more are made.
func TestDamagedTaskFile(t *testing.T) {
	src, commits := threeCommits()
	src.Commit("main", "next", indexertest.Change{Put: docs("d/A/77", "the next one")})
	mem := vfstest.NewMem()
	path := filepath.Join(t.TempDir(), "vectorlink.db")
	withTasks := func(c *indexer.Config) { c.TaskFile = path }
	h := open(t, mem, src, &indexertest.Embedder{}, withTasks)
	var tasks []indexer.Task
	for _, c := range commits {
		tasks = append(tasks, h.mustIndex(c, ""))
	}
	h.close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names, err := mem.List()
	if err != nil {
		t.Fatal(err)
	}

	forgot, kept := 0, 0
	try := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		files := vfstest.NewMem()
		for _, name := range names {
			b, err := mem.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files.WriteFile(name, bytes.Clone(b))
		}
		for range 2 { // as it is, and with what is made of it
			h := open(t, files, src, &indexertest.Embedder{}, withTasks)
			for _, want := range tasks {
				got, err := h.Task(want.ID)
				if err == nil && got.State == indexer.TaskPending {
					got = h.wait(want.ID)
				}
				if !got.Finished.Equal(want.Finished) && got.State == indexer.TaskComplete && got.Documents == want.Documents {
					// An older state of the file: the task was run again.
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
	for at := range whole {
		for bit := range 8 {
			if long() && at%4096 < 512 || r.IntN(len(whole)*8) < 120 {
				b := bytes.Clone(whole)
				b[at] ^= 1 << bit
				try(fmt.Sprintf("byte %d, bit %d", at, bit), b)
			}
		}
	}
	for n := 0; n < len(whole); n += len(whole) / 16 {
		try(fmt.Sprintf("cut to %d", n), whole[:n])
	}
	page := os.Getpagesize()
	for at := 0; at+page <= len(whole); at += page {
		b := bytes.Clone(whole)
		clear(b[at : at+page])
		try(fmt.Sprintf("zeros at %d", at), b)
		b = bytes.Clone(whole)
		copy(b[at:at+page], whole[(at+page)%len(whole):])
		try(fmt.Sprintf("the next page at %d", at), b)
		for i := range page {
			b[at+i] = 0xff
		}
		try(fmt.Sprintf("ones at %d", at), b)
	}
	if forgot == 0 || kept == 0 {
		t.Errorf("%d tasks were forgotten, %d kept", forgot, kept)
	}
}
