package api_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/vfs"
)

// held is what a process holds when it has nothing to do.
type held struct {
	goroutines, files int
	heap              uint64
}

// hold waits until no more goroutines run than before, for a while, and returns
// what is held.
func hold(goroutines int) held {
	for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	var m runtime.MemStats
	for range 3 { // what is in pools goes with the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // where there is none, nothing is compared
	return held{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// TestSearchesLeaveNothing holds goroutines, memory and open files flat over a
// million searches (some thousands, unless long), among them such as find
// nothing, are wrong, or are given up by their clients.
func TestSearchesLeaveNothing(t *testing.T) {
	searches := 700
	if os.Getenv("VECTORLINK_LONG") != "" {
		searches = 1_000_000
	}
	files, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	l := newLive(t, files, func(c *indexer.Config, _ *api.Config) {
		c.Graph = indexer.Graph{MinVectors: 100}
	})
	l.emb.Forget = true
	const documents, commits, texts = 300, 8, 100
	words := strings.Fields("red green blue apple pear plum old young man sea ship north south east west")
	text := func(i int) string { return words[i%15] + " " + words[i/7%15] + " " + words[i/3%15] }
	for c := range commits {
		var ops []string
		for i := range documents {
			if c == 0 || i%commits == c {
				ops = append(ops, fmt.Sprintf("d/A/%d", i), text(i*(c+1)))
			}
		}
		l.mustPush(fmt.Sprintf("c%d", c), inserted(ops...))
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	client := &http.Client{Transport: transport}
	run := func(n int) {
		var next, answered atomic.Int64
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(w), uint64(n)))
				for next.Add(1) <= int64(n) {
					q := url.Values{"domain": {"org/db"}, "commit": {fmt.Sprintf("c%d", rng.IntN(commits))}}
					path, patience := "/search", time.Minute
					switch kind := rng.IntN(20); {
					case kind < 16:
						q.Set("q", text(rng.IntN(texts)))
						q.Set("mode", []string{"vector", "fts", "hybrid"}[kind%3])
						q.Set("snippet", fmt.Sprint(kind < 2))
					case kind == 16:
						path = "/similar"
						q.Set("id", fmt.Sprintf("d/A/%d", rng.IntN(documents)))
					case kind == 17:
						q.Set("commit", "none") // and no q
					case kind == 18:
						path = "/duplicates"
						q.Set("threshold", "0.01")
					default: // given up somewhere on the way
						q.Set("q", text(rng.IntN(texts)))
						patience = time.Duration(rng.IntN(1000)) * time.Microsecond
					}
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+path+"?"+q.Encode(), nil)
					if err != nil {
						panic(err) // the address is ours
					}
					if path == "/duplicates" {
						req.Header.Set("Accept", "application/x-ndjson")
					}
					if resp, err := client.Do(req); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if resp.StatusCode == http.StatusOK {
							answered.Add(1)
						}
					}
					cancel()
				}
			})
		}
		wg.Wait()
		transport.CloseIdleConnections()
		if answered.Load() < int64(n)*3/4 {
			t.Fatalf("%d of %d were answered", answered.Load(), n)
		}
	}
	idle := runtime.NumGoroutine()
	run(500) // until pools and caches are as large as they get
	before := hold(idle)
	run(searches)
	after := hold(before.goroutines)
	t.Logf("before %+v, after %d more searches %+v", before, searches, after)
	if after.goroutines > before.goroutines || after.files > before.files || after.heap > before.heap+2<<20 {
		t.Errorf("before %+v, after %d more searches %+v", before, searches, after)
	}
}
