package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spelt returns a number as a word of letters.
func spelt(n int) string {
	var word strings.Builder
	word.WriteString("w")
	for ; n > 0; n /= 20 {
		word.WriteString(string("bcdfghjklmnpqrstvwxz"[n%20]) + "a")
	}
	return word.String()
}

// confined puts the process into a control group of so many bytes, those that it has
// already included, and returns what reads the most that it took.
func confined(t *testing.T, p *process, limit int64) (most func() int64) {
	t.Helper()
	group := filepath.Join("/sys/fs/cgroup/memory", fmt.Sprint("vectorlink-test-", os.Getpid()))
	names := []string{"memory.limit_in_bytes", "memory.max_usage_in_bytes"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		group, names = filepath.Join("/sys/fs/cgroup", filepath.Base(group)), []string{"memory.max", "memory.peak"}
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skip("no control group can be made: ", err)
	}
	t.Cleanup(func() {
		<-p.exited
		_ = os.Remove(group) // it may be gone with its last process
	})
	resident := resident(t, p.cmd.Process.Pid)
	for name, value := range map[string]int64{names[0]: limit - resident, "cgroup.procs": int64(p.cmd.Process.Pid)} {
		if err := os.WriteFile(filepath.Join(group, name), []byte(strconv.FormatInt(value, 10)), 0); err != nil {
			t.Skip("no memory can be limited: ", err)
		}
	}
	return func() int64 {
		text, err := os.ReadFile(filepath.Join(group, names[1]))
		n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			t.Log(err)
		}
		return n + resident
	}
}

// resident returns the memory that a process takes now.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("only where there is /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// textVectors is a provider whose vectors cost nothing: of a text always the same one,
// near those of texts that begin with the same word.
func textVectors(t *testing.T, dim int) string {
	t.Helper()
	vector := func(seed string) *rand.Rand {
		h := fnv.New64a()
		_, _ = h.Write([]byte(seed))
		return rand.New(rand.NewPCG(h.Sum64(), 7))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return
		}
		var out bytes.Buffer
		out.WriteString(`{"data":[`)
		raw := make([]byte, 4*dim)
		for i, text := range in.Input {
			word, _, _ := strings.Cut(text, " ")
			topic, own := vector(word), vector(text)
			for d := range dim {
				binary.LittleEndian.PutUint32(raw[4*d:], math.Float32bits(topic.Float32()-.5+(own.Float32()-.5)/2))
			}
			fmt.Fprintf(&out, `%s{"index":%d,"embedding":"%s"}`, []string{"", ","}[min(i, 1)], i, base64.StdEncoding.EncodeToString(raw))
		}
		out.WriteString(`]}`)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out.Bytes())
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestDivide checks what a limit of memory leaves the pools: that they fit into it,
// that a size of their own counts, and that too much is refused.
func TestDivide(t *testing.T) {
	for _, tt := range []struct {
		name          string
		c             Config
		pages, open   Bytes
		heap          int64
		atOnce        int
		complaint     string
		query, longer Bytes
	}{
		{"none", Config{QueryCacheBytes: 32 << 20, PushLineBytes: 64 << 20}, 256 << 20, 1 << 30, math.MaxInt64, 0, "", 32 << 20, 64 << 20},
		{"1 GiB", Config{MemoryLimit: 1 << 30, QueryCacheBytes: 32 << 20, PushLineBytes: 64 << 20}, 128 << 20, 256 << 20, 768 << 20, 1, "", 32 << 20, 64 << 20},
		{"256 MiB", Config{MemoryLimit: 256 << 20, QueryCacheBytes: 32 << 20, PushLineBytes: 64 << 20}, 32 << 20, 64 << 20, 192 << 20, 1, "", 8 << 20, 16 << 20},
		{"16 GiB", Config{MemoryLimit: 16 << 30}, 2 << 30, 4 << 30, 12 << 30, 4, "", 0, 0},
		{"own", Config{MemoryLimit: 1 << 30, PagePoolBytes: 5 << 20}, 5 << 20, 256 << 20, 768 << 20, 1, "", 0, 0},
		{"too little", Config{MemoryLimit: 1 << 20}, 128 << 10, 256 << 10, 768 << 10, 1, "is less than 256MiB", 0, 0},
		{"too much", Config{MemoryLimit: 1 << 30, IndexPoolBytes: 1 << 30}, 128 << 20, 1 << 30, 768 << 20, 1, "the pools take", 0, 0},
	} {
		var bad complaints
		m := tt.c.divide(&bad)
		if m.heap != tt.heap || m.atOnce != tt.atOnce || tt.c.PagePoolBytes != tt.pages || tt.c.IndexPoolBytes != tt.open ||
			tt.c.QueryCacheBytes != tt.query || tt.c.PushLineBytes != tt.longer {
			t.Errorf("%s: %+v, %+v", tt.name, m, tt.c)
		}
		if complaint := fmt.Sprint(bad.error()); (tt.complaint == "") != (len(bad) == 0) || !strings.Contains(complaint, tt.complaint) {
			t.Errorf("%s: %s", tt.name, complaint)
		}
	}
}

// TestMemoryLimit indexes and searches 200,000 documents with a memory of 1 GiB, of
// which the kernel gives no more: nothing is killed, and everything works.
func TestMemoryLimit(t *testing.T) {
	if os.Getenv("VECTORLINK_LONG") == "" {
		t.Skip("long")
	}
	const documents, limit = 200_000, 1 << 30
	e := &effects{T: t, seen: make(map[string]bool)}
	metrics := freePort(t)
	e.start(away{"listen", "127.0.0.1:0", "flag"}, away{"memory-limit", "1GiB", "VECTORLINK_MEMORY_LIMIT"}, away{"prometheus-port", metrics, "flag"},
		away{"embed-provider", "openai_compatible", "flag"}, away{"embed-url", textVectors(t, 384), "flag"}, away{"embed-batch-size", "256", "flag"},
		away{"dim", "384", "flag"}, away{"model", "m", "flag"}, away{"log-level", "info", "flag"})
	most := confined(t, e.process, limit)
	began := time.Now()
	step := func(what string) {
		t.Helper()
		select {
		case <-e.exited:
			t.Fatalf("%s: the server was killed: %v\n%s", what, e.cmd.ProcessState, e.log.tail())
		default:
		}
		t.Logf("%8.1f s  %4d MiB resident, %4d MiB at most  %s", time.Since(began).Seconds(), resident(t, e.cmd.Process.Pid)>>20, most()>>20, what)
	}
	push := func(commit string, from, to int) {
		t.Helper()
		body, out := io.Pipe()
		go func() { // ends with the request
			w := bufio.NewWriter(out)
			rng := rand.New(rand.NewPCG(1, uint64(from)))
			for i := from; i < to; i++ {
				words := make([]string, 40)
				for k := range words {
					words[k] = spelt(int(20000 * rng.Float64() * rng.Float64()))
				}
				fmt.Fprintf(w, `{"op":"Inserted","id":"d/T%d/%d","string":"t%d %s %d","fields":{"n":%d}}`+"\n", i%7, i%documents, i%500, strings.Join(words, " "), i, i)
			}
			_ = w.Flush()
			_ = out.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), "POST", e.url+"/push?stream=true&domain=a/b&target_commit="+commit, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			step("push " + commit)
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Contains(text, []byte(`"complete"`)) {
			step("push " + commit)
			t.Fatalf("push %s: %v, %.2000s", commit, err, text[max(0, len(text)-2000):])
		}
		step("pushed " + commit)
	}
	merged := func() {
		t.Helper()
		for {
			_, text := e.ask("GET", "http://127.0.0.1:"+metrics+"/metrics", "", "", "")
			if strings.Contains(text, "\nvectorlink_merges_due 0\n") {
				break
			}
			select {
			case <-e.exited:
				step("merging")
			case <-time.After(time.Second):
			}
		}
		step("merged")
	}
	push("c1", 0, documents)
	merged()
	push("c2", documents, documents+20_000)
	merged()
	for _, path := range []string{
		"/search?domain=a/b&branch=main&mode=vector&q=t7+wba", "/search?domain=a/b&branch=main&mode=fts&q=wba+wka", "/search?domain=a/b&branch=main&mode=hybrid&q=t9+wda",
		"/search?domain=a/b&branch=main&mode=hybrid&q=t9+wda&filter=n%20%3E%205000", "/search?domain=a/b&commit=c1&mode=vector&q=t8",
		"/similar?domain=a/b&branch=main&id=d/T0/7", "/suggest?domain=a/b&branch=main&q=wba", "/documents?domain=a/b&branch=main&count=100",
		"/diff?domain=a/b&from=c1&to=c2&count=10", "/duplicates?domain=a/b&branch=main&count=10", "/clusters?domain=a/b&branch=main", "/map?domain=a/b&branch=main",
	} {
		status, text := e.ask("GET", e.url+path, "", "", "")
		if status != 200 {
			t.Errorf("%s: %d %.500s", path, status, text)
		}
		step(path)
	}
	many := make(chan struct{})
	for range 8 { // what takes long, at once
		go func() {
			defer func() { many <- struct{}{} }()
			for _, path := range []string{"/duplicates?domain=a/b&branch=main&count=10&threshold=0.02", "/search?domain=a/b&commit=c1&mode=hybrid&q=t3+wca"} {
				if status, text := e.ask("GET", e.url+path, "", "", ""); status != 200 {
					t.Errorf("%s: %d %.500s", path, status, text)
				}
			}
		}()
	}
	for range 8 {
		<-many
	}
	step("eight at once")
	if out, err := exec.Command("sh", "-c", "du -sm "+filepath.Join(e.cmd.Dir, "data")).Output(); err == nil {
		t.Logf("%s MiB on disk", strings.Fields(string(out))[0])
	}
	if n := most(); n > limit {
		t.Errorf("it took %d bytes", n)
	}
}
