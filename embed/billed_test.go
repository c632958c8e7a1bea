package embed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

type noTemplates struct{}

func (noTemplates) Render(context.Context, string, []byte) (string, error) {
	return "", errors.New("no template in this test")
}

// library returns three commits of documents, many of which share a text, and
// the number of different texts.
func library(rng *rand.Rand) (src *indexertest.Source, commits []string, unique int) {
	src = indexertest.NewSource()
	texts := map[string]bool{}
	for c := range 3 {
		put := map[string]string{}
		for d := range 40 {
			text := fmt.Sprintf("text number %d", rng.IntN(70))
			texts[text] = true
			put[fmt.Sprintf("d/A/%d", c*20+d)] = text
		}
		id := fmt.Sprint("c", c)
		src.Commit("main", id, indexertest.Change{Put: put})
		commits = append(commits, id)
	}
	return src, commits, len(texts)
}

// TestBilled kills the process at any request and any file operation, again
// and again: no more texts are paid for than there are, plus, for each kill,
// what is under way at once. The key is in no file, no log and no task.
func TestBilled(t *testing.T) {
	const batch, parallel, kills = 3, 2, 6
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 4))
			src, commits, unique := library(rng)
			p := newProvider(t)
			mem := vfstest.NewMem()
			var mu sync.Mutex
			billed, killed := 0, 0
			var log lockedBuffer
			for run := 0; ; run++ {
				// The process dies when either is counted down.
				requests, ops := 1+rng.IntN(8), rng.IntN(120)
				last := run == kills
				var image *vfstest.Mem
				die := func() { // with mu held
					if image == nil && !last {
						image = mem.CrashClone(seed*100+uint64(run), []float64{0, 0.5, 1}[rng.IntN(3)])
						killed++
					}
				}
				p.play(func(w http.ResponseWriter, r request) bool {
					mu.Lock()
					defer mu.Unlock()
					if image != nil { // nobody is there any more
						return answer(401, apiError)(w, r)
					}
					billed += len(r.Input)
					if requests--; requests == 0 {
						die()
					}
					return false
				})
				files := vfstest.NewFault(mem)
				files.OnOp(func(n int, _ vfstest.Op) {
					if n == ops {
						mu.Lock()
						defer mu.Unlock()
						die()
					}
				})
				e := p.remote(t, func(c *embed.Config) { c.Batch, c.Parallel, c.Dimensions = batch, parallel, fakeDim })
				ix, err := indexer.Open(indexer.Config{FS: files, Source: src, Embedder: e, Renderer: noTemplates{},
					Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
				if err != nil {
					t.Fatal(err)
				}
				complete := 0
				for _, c := range commits {
					task := index(t, ix, c)
					if strings.Contains(fmt.Sprintf("%+v", task), "canary") {
						t.Fatal("the key is in a task")
					}
					if task.State == indexer.TaskComplete {
						complete++
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				if err := ix.Close(ctx); err != nil {
					t.Fatal(err)
				}
				cancel()
				mu.Lock()
				if image != nil {
					mem = image
				}
				mu.Unlock()
				if last {
					if complete != len(commits) {
						t.Fatalf("%d of %d commits are complete", complete, len(commits))
					}
					break
				}
			}
			if most := unique + killed*batch*parallel; billed > most || billed < unique {
				t.Errorf("%d texts billed of %d after %d kills, want at most %d", billed, unique, killed, most)
			}
			if bytes.Contains(log.Bytes(), []byte("canary")) {
				t.Error("the key is in the log")
			}
			names, err := mem.List()
			if err != nil || len(names) == 0 {
				t.Fatalf("%d files, %v", len(names), err)
			}
			for _, name := range names {
				if data, err := mem.ReadFile(name); err != nil || bytes.Contains(data, []byte("canary")) {
					t.Errorf("%s: the key is in it, or %v", name, err)
				}
			}
		})
	}
}

// index waits for the end of a task.
func index(t *testing.T, ix *indexer.Indexer, commit string) indexer.Task {
	t.Helper()
	task, err := ix.Index(t.Context(), indexer.IndexRequest{Domain: "org/db", Commit: commit})
	for deadline := time.Now().Add(30 * time.Second); err == nil && task.State == indexer.TaskPending; {
		if time.Now().After(deadline) {
			t.Fatalf("task %+v does not end", task)
		}
		time.Sleep(time.Millisecond)
		task, err = ix.Task(task.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// lockedBuffer is a buffer that goroutines share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
