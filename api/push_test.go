package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestPushAcceptance checks which pushes are taken, and what they answer.
func TestPushAcceptance(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	post := func(target string) reply {
		t.Helper()
		return l.do(request{method: "POST", target: target, body: inserted("d/A/1", "one")})
	}
	post("/push?target_commit=c1").wantError(t, 400, "missing_parameter", "domain")
	post("/push?domain=org/db").wantError(t, 400, "missing_parameter", "target_commit")
	post("/push?domain=org/db&target_commit=").wantError(t, 400, "missing_parameter", "target_commit")
	post("/push?domain=org&target_commit=c1").wantError(t, 400, "bad_parameter", "domain")
	post("/push?domain=org/db&target_commit=c1&branch=.-x").wantError(t, 400, "bad_parameter", "branch")
	post("/push?domain=org/db&target_commit=c%0a").wantError(t, 400, "bad_parameter", "target_commit")
	post("/push?domain=org/db&target_commit=c1&stream=yes").wantError(t, 400, "bad_parameter", "stream")
	post("/push?domain=org/db&target_commit=c1&store_clustering=1").wantError(t, 400, "bad_parameter", "store_clustering")
	l.do(request{method: "POST", target: target("c1"), body: "x", header: map[string]string{"Content-Encoding": "gzip"}}).
		wantError(t, 415, "unsupported_media_type")
	if got := l.get(target("c1")); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", got.status, got.header)
	}
	l.do(request{method: "POST", target: target("c1"), body: "x", header: map[string]string{"Origin": "https://elsewhere.example"}}).
		wantError(t, 403, "cross_site")

	got, task := l.push("c1", inserted("d/A/1", "one", "d/A/2", "two"))
	if task.Status != "Complete" || task.Indexed != 2 || len(got.header.Values("X-Base-Commit")) != 0 {
		t.Errorf("%+v, %v", task, got.header)
	}
	for _, stream := range []string{"true", "false"} {
		again := post(target("c1", "stream", stream))
		again.wantError(t, 409, "conflict", "target_commit")
		if again.header.Get("X-Task-Id") != "" {
			t.Error("a conflict has a task id")
		}
	}
	if got := l.do(request{method: "POST", target: "/assign?domain=org/db&source_commit=c1&target_commit=a1"}); got.status != 204 {
		t.Fatalf("assign: %d %s", got.status, got.body)
	}
	post(target("a1")).wantError(t, 409, "conflict")
	got, task = l.push("c2", `{"op":"Deleted","id":"d/A/1"}`+"\n", "parent_commit", "unknown")
	if got.header.Get("X-Base-Commit") != "a1" || task.Indexed != 0 {
		t.Errorf("unknown parent: base %q, %+v", got.header.Get("X-Base-Commit"), task)
	}
	l.wantTexts("c2", "d/A/2", "two")
	post(target("n1", "branch", "new", "parent_commit", "unknown")).wantError(t, 404, "not_found", "parent_commit")
	l.mustPush("g1", inserted("d/A/9", "nine"), "domain", "org/db/local/branch/fork", "parent_commit", "c1")
	l.wantHead("fork", "g1")
	l.wantHead("main", "c2")
}

// TestPushLines checks what each line does to a push and its answer (wire contract
// §3 and §6.4).
func TestPushLines(t *testing.T) {
	const one, two = `{"op":"Inserted","id":"d/A/1","string":"one"}`, `{"string":"two","extra":{"op":1},"id":"d/A/2","op":"Changed"}`
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name, body string
		indexed    int
		skipped    []string
		fails      []string // words of the task's error; nil: it completes
		aborted    string
	}{
		{name: "empty body"},
		{name: "plain", body: one + "\n" + two + "\n", indexed: 2},
		{name: "blank lines, CRLF, no last newline", body: "\r\n\n " + one + "\r\n\t\n" + two, indexed: 2},
		{name: "replaced", body: strings.Replace(one, "Inserted", "Replaced", 1), indexed: 1},
		{name: "the last line decides", body: one + "\n" + strings.ReplaceAll(one, "one", "1") + "\n" + two + "\n" + `{"op":"Deleted","id":"d/A/2"}`, indexed: 1},
		{name: "deletes and inserts", body: `{"op":"Deleted","id":"d/A/9"}` + "\n" + one, indexed: 1},
		{name: "escapes", body: `{"op":"Inserted","id":"d/A/1","string":"\u00e9\n\"\ud83d\ude00"}`, indexed: 1},
		{name: "upstream error", body: one + "\n" + `{"op":"Error","message":"no template"}` + "\n" + two, indexed: 2, skipped: []string{"unknown: operation error: no template"}},
		{name: "malformed, counting blank lines", body: one + "\n\n\r\n{\"op\":\n" + two, fails: []string{"malformed", "line 4"}},
		{name: "cut short", body: one + "\n" + one[:20], fails: []string{"malformed", "line 2"}},
		{name: "two objects", body: one + one, fails: []string{"malformed", "line 1"}},
		{name: "array", body: "[]", fails: []string{"malformed", "line 1"}},
		{name: "null", body: "null", fails: []string{"malformed", "line 1"}},
		{name: "unknown operation", body: `{"op":"Upserted","id":"a","string":"b"}`, fails: []string{"malformed", "line 1", "op"}},
		{name: "no op", body: `{"id":"a","string":"b"}`, fails: []string{"malformed", "line 1", "op"}},
		{name: "other letter case", body: `{"OP":"Inserted","id":"a","string":"b"}`, fails: []string{"malformed", "line 1", "op"}},
		{name: "no id", body: `{"op":"Inserted","string":"b"}`, fails: []string{"malformed", "line 1", "id"}},
		{name: "empty id", body: `{"op":"Deleted","id":""}`, fails: []string{"malformed", "line 1", "id"}},
		{name: "no string", body: one + "\n" + `{"op":"Inserted","id":"a"}`, fails: []string{"malformed", "line 2", "string"}},
		{name: "null string", body: `{"op":"Inserted","id":"a","string":null}`, fails: []string{"malformed", "line 1", "string"}},
		{name: "number for a string", body: `{"op":"Inserted","id":"a","string":1}`, fails: []string{"malformed", "line 1", "string"}},
		{name: "fields that are no object", body: one + "\n" + `{"op":"Inserted","id":"a","string":"b","fields":[1]}`, fails: []string{"malformed", "line 2", "fields", "object"}},
		{name: "a field that is an object", body: `{"op":"Changed","id":"a","string":"b","fields":{"x":{}}}`, fails: []string{"malformed", "line 1", "fields"}},
		{name: "invalid UTF-8", body: one + "\n" + strings.Replace(two, "two", "t\xffwo", 1), fails: []string{"malformed", "line 2", "invalid UTF-8", fmt.Sprint(len(one) + 1 + strings.Index(two, "two") + 1)}},
		{name: "a surrogate in UTF-8", body: strings.Replace(one, "one", "\xed\xa0\x80", 1), fails: []string{"malformed", "invalid UTF-8"}},
		{name: "too long a line", body: one + "\n" + strings.Replace(two, "two", long, 1), fails: []string{"malformed", "line 2", "4096"}},
		{name: "too long a blank line", body: one + "\n" + strings.Repeat(" ", 5000), fails: []string{"malformed", "line 2", "4096"}},
		{name: "abort", body: one + "\n\n" + `{"op":"Abort"}` + "\n" + "rubbish", aborted: "line 3"},
		{name: "abort at once", body: `{"op":"Abort"}`, aborted: "line 1"},
	}
	for _, stream := range []bool{false, true} {
		l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, c *api.Config) { c.MaxLine = 4096 })
		l.mustPush("base", inserted("d/A/1", "eins", "d/A/9", "nine"))
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/stream=%v", tt.name, stream), func(t *testing.T) {
				l.t = t
				var task taskState
				if stream {
					got, lines := l.stream("c1", tt.body)
					final := lines[len(lines)-1]
					id := got.header.Get("X-Task-Id")
					task = l.wait(id)
					for i, line := range lines[:len(lines)-1] {
						if line["status"] != "progress" {
							t.Errorf("line %d is %v", i, line)
						}
					}
					switch {
					case tt.aborted != "":
						if len(final) != 1 || final["status"] != "aborted" || !strings.Contains(task.Error, "aborted") {
							t.Errorf("final line %v, task %+v", final, task)
						}
					case tt.fails != nil:
						if final["status"] != "error" || final["error"] != task.Error {
							t.Errorf("final line %v, task %+v", final, task)
						}
					default:
						if final["status"] != "complete" || final["indexed_documents"] != float64(task.Indexed) || len(final["skipped"].([]any)) != len(task.Skipped) || final["skipped_total"] != float64(len(task.Skipped)) {
							t.Errorf("final line %v, task %+v", final, task)
						}
						if tt.indexed > 0 && len(lines) < 2 {
							t.Errorf("no progress before %v", final)
						}
					}
				} else {
					var got reply
					got, task = l.push("c1", tt.body)
					if tt.aborted != "" {
						got.wantError(t, 422, "push_aborted", "abort", tt.aborted)
						if task = l.wait(got.header.Get("X-Task-Id")); !strings.Contains(task.Error, "aborted") {
							t.Errorf("task %+v", task)
						}
					}
				}
				if tt.fails == nil && tt.aborted == "" {
					var skipped []string
					for _, s := range task.Skipped {
						skipped = append(skipped, s.ID+": "+s.Message)
					}
					if task.Status != "Complete" || task.Indexed != tt.indexed || !slices.Equal(skipped, tt.skipped) {
						t.Errorf("task %+v, want %d indexed, skipped %q", task, tt.indexed, tt.skipped)
					}
					l.wantHead("main", "c1")
					if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db"}); got.status != 204 {
						t.Fatal(got)
					}
					l.mustPush("base", inserted("d/A/1", "eins", "d/A/9", "nine"))
					return
				}
				for _, word := range tt.fails {
					if task.Status != "Failed" || !strings.Contains(task.Error, word) {
						t.Errorf("task %+v does not name %q", task, word)
					}
				}
				l.wantHead("main", "base")
				l.get("/search?domain=org/db&q=x&mode=vector&commit=c1").wantError(t, 404, "not_found")
				l.wantTexts("base", "d/A/1", "eins", "d/A/9", "nine")
			})
		}
		l.t = t
		l.mustPush("c1", one) // as often as it failed
	}
}

// TestPushStrict checks that the answer to a strict push says whether the commit is
// there, and if not, by which line, and that nothing is left then.
func TestPushStrict(t *testing.T) {
	const one = `{"op":"Inserted","id":"d/A/1","string":"one"}` + "\n"
	l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, c *api.Config) { c.PushIdle = 10 * time.Millisecond })
	post := func(commit, body string, params ...string) reply {
		t.Helper()
		return l.do(request{method: "POST", target: target(commit, append(params, "strict", "true")...), body: body})
	}
	post("c1", one, "strict", "yes") // the last wins: this one is sound
	for _, tt := range []struct {
		name, body, code string
		status, line     int
		fail             error
	}{
		{name: "malformed", body: one + "\nrubbish\n" + one, status: 400, code: "invalid_request", line: 3},
		{name: "unknown operation", body: one + `{"op":"Upsert"}`, status: 400, code: "invalid_request", line: 2},
		{name: "invalid UTF-8", body: one + "\xff", status: 400, code: "invalid_request", line: 2},
		{name: "a vector of another length", body: `{"op":"Inserted","id":"v","string":"v","vector":[1,2]}`, status: 400, code: "invalid_request", line: 1},
		{name: "abort", body: one + `{"op":"Abort"}`, status: 422, code: "push_aborted", line: 2},
		{name: "provider refuses", body: inserted("d/A/2", "two"), status: 500, code: "provider_failed", fail: contract.ErrProvider},
		{name: "provider is down", body: inserted("d/A/2", "two"), status: 503, code: "provider_down", fail: contract.ErrDown},
	} {
		for _, stream := range []string{"false", "true"} {
			l.emb.Fail = func([]string) error { return tt.fail }
			got := post("c2", tt.body, "stream", stream)
			got.wantError(t, tt.status, tt.code)
			var body struct{ Line int }
			if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Line != tt.line {
				t.Errorf("%s: line %d, want %d: %s", tt.name, body.Line, tt.line, got.body)
			}
			l.wantHead("main", "c1")
		}
	}
	l.emb.Fail = nil
	slow, in := io.Pipe()
	defer in.Close()
	resp, err := http.Post(l.url+target("c2", "strict", "true"), "", slow)
	if err != nil || resp.StatusCode != 408 {
		t.Fatalf("a body that stops is %v, %v", resp, err)
	}
	resp.Body.Close()
	const done = `{"status":"complete","indexed_documents":1,"skipped":[],"skipped_total":0}`
	post("c2", one).wantBody(t, done)
	post("c3", one, "stream", "true").wantBody(t, done+"\n")
	l.wantHead("main", "c3")
	post("c3", one).wantError(t, 409, "conflict", "target_commit")
}

// TestPushSplitCharacters: reads end anywhere.
func TestPushSplitCharacters(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	body, in := io.Pipe()
	go func() {
		for _, c := range []byte(inserted("d/A/é", "žluťoučký 😀 kůň", "d/A/2", "日本語")) {
			if _, err := in.Write([]byte{c}); err != nil {
				t.Error(err)
				return
			}
		}
		in.Close()
	}()
	resp, err := http.Post(l.url+target("c1"), "application/x-ndjson", body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if task := l.wait(resp.Header.Get("X-Task-Id")); task.Status != "Complete" || task.Indexed != 2 {
		t.Errorf("%+v", task)
	}
	l.wantTexts("c1", "d/A/é", "žluťoučký 😀 kůň", "d/A/2", "日本語")
}

// open begins a push whose body is written by hand.
func (l *live) open(commit string, params ...string) (*http.Response, *io.PipeWriter) {
	l.t.Helper()
	body, in := io.Pipe()
	resp, err := http.Post(l.url+target(commit, append(params, "stream", "true")...), "application/x-ndjson", body)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { resp.Body.Close(); in.Close() })
	return resp, in
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// TestPushProgress: progress comes while the body
// does, and again and again while nothing happens.
func TestPushProgress(t *testing.T) {
	release := make(chan struct{})
	l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, c *api.Config) { c.ProgressEvery = 5 * time.Millisecond })
	l.emb.Fail = func(texts []string) error {
		if slices.Contains(texts, "slow") {
			<-release
		}
		return nil
	}
	resp, in := l.open("c1")
	lines := bufio.NewScanner(resp.Body)
	last := map[string]any{"indexed": 0.0, "total_seen": 0.0, "skipped": 0.0}
	next := func() map[string]any {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ends: %v", lines.Err())
		}
		line := l.line(lines.Text())
		if line["status"] == "progress" {
			for name, before := range last {
				if now, ok := line[name].(float64); !ok || now < before.(float64) {
					t.Fatalf("%v after %v", line, last)
				}
				last[name] = line[name]
			}
		}
		return line
	}
	for i := range 3 { // one at a time: the client waits to see each arrive
		write(t, in, inserted(fmt.Sprintf("d/A/%d", i), fmt.Sprintf("text %d", i)))
		for next()["indexed"] != float64(i+1) {
		}
	}
	write(t, in, inserted("d/A/9", "slow")+`{"op":"Error","message":"x"}`+"\n")
	for repeats := 0; repeats < 5; {
		if line := next(); line["total_seen"] == 5.0 && line["skipped"] == 1.0 && line["indexed"] == 3.0 {
			repeats++
		}
	}
	in.Close()
	close(release)
	line := next()
	for line["status"] == "progress" {
		line = next()
	}
	if line["status"] != "complete" || line["indexed_documents"] != 4.0 || lines.Scan() {
		t.Errorf("final line %v, then %q", line, lines.Text())
	}
}

// TestPushFailsWhileTheBodyComes: the final line does not wait for the end of the
// body.
func TestPushFailsWhileTheBodyComes(t *testing.T) {
	tests := []struct {
		name  string
		lines string
		fail  bool
		do    func(l *live)
		want  string
	}{
		{name: "provider down", lines: inserted("d/A/2", "two"), fail: true, want: "provider"},
		{name: "malformed", lines: "rubbish\n", want: "malformed line 1"},
		{name: "domain deleted", do: func(l *live) {
			if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db"}); got.status != 204 {
				l.t.Errorf("%d %s", got.status, got.body)
			}
		}, want: "deleted"},
		{name: "branch deleted", do: func(l *live) {
			if got := l.do(request{method: "DELETE", target: "/branch-index?domain=org/db&branch=main"}); got.status != 204 {
				l.t.Errorf("%d %s", got.status, got.body)
			}
		}, want: "deleted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLive(t, vfstest.NewMem())
			l.mustPush("c1", inserted("d/A/1", "one"))
			if tt.fail {
				l.emb.Fail = func([]string) error { return fmt.Errorf("%w: down", contract.ErrProvider) }
			}
			resp, in := l.open("c2")
			write(t, in, tt.lines)
			if tt.do != nil {
				tt.do(l)
			}
			var line map[string]any
			for lines := bufio.NewScanner(resp.Body); line["status"] != "error"; {
				if !lines.Scan() {
					t.Fatalf("no final line: %v", lines.Err())
				}
				line = l.line(lines.Text())
			}
			if text := line["error"].(string); !strings.Contains(text, tt.want) {
				t.Errorf("final line %v", line)
			}
			l.get("/search?domain=org/db&q=x&mode=vector&commit=c2").wantError(t, 404, "not_found")
		})
	}
}

// TestPlainPushIsEndedByADeletion: a deletion wins, in plain mode, with a client
// that has not sent everything.
func TestPlainPushIsEndedByADeletion(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	body, in := io.Pipe()
	defer in.Close()
	answered := make(chan *http.Response)
	go func() {
		resp, err := http.Post(l.url+target("c1"), "application/x-ndjson", body)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	write(t, in, inserted("d/A/1", "one"))
	for st, err := l.ix.Statistics(""); st.Tasks == 0; st, err = l.ix.Statistics("") {
		if err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db"}); got.status != 204 {
		t.Fatal(got)
	}
	resp := <-answered
	resp.Body.Close()
	if task := l.wait(resp.Header.Get("X-Task-Id")); resp.StatusCode != 200 || !strings.Contains(task.Error, "deleted") {
		t.Errorf("%d, %+v", resp.StatusCode, task)
	}
}

// TestPushConcurrency checks wire contract §6.5.
func TestPushConcurrency(t *testing.T) {
	l := newLive(t, vfstest.NewMem(), func(c *indexer.Config, _ *api.Config) { c.BranchWait = time.Millisecond })
	var wg sync.WaitGroup
	var accepted, refused atomic.Int32
	for range 8 {
		wg.Go(func() {
			resp, err := http.Post(l.url+target("c1"), "application/x-ndjson", strings.NewReader(inserted("d/A/1", "one")))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			switch resp.StatusCode {
			case 200:
				accepted.Add(1)
			case 409:
				refused.Add(1)
			default:
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	wg.Wait()
	if accepted.Load() != 1 || refused.Load() != 7 {
		t.Fatalf("%d accepted, %d refused", accepted.Load(), refused.Load())
	}
	l.wait(l.taskOf("c1"))
	resp, in := l.open("c2")
	write(t, in, inserted("d/A/2", "two"))
	got, _ := l.push("c3", inserted("d/A/3", "three"))
	got.wantError(t, 503, "busy", "main")
	l.mustPush("f1", inserted("d/A/4", "four"), "branch", "fork", "parent_commit", "c1")
	l.wantTexts("c1", "d/A/1", "one")
	in.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), `"complete"`) {
		t.Errorf("the push that was there first: %s, %v", text, err)
	}
	l.mustPush("c3", inserted("d/A/3", "three"))
	l.wantTexts("c3", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
}

// TestPushOfALargeBody: it is not held in memory. VECTORLINK_LONG=1 sends a
// gigabyte.
func TestPushOfALargeBody(t *testing.T) {
	size := 24 << 20
	if os.Getenv("VECTORLINK_LONG") != "" {
		size = 1 << 30
	}
	dir, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	l := newLive(t, dir)
	l.emb.Forget = true
	// What is held is there after each of several collections; what was dropped
	// during one, not.
	heap := func() uint64 {
		least := uint64(math.MaxUint64)
		for range 3 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			least = min(least, m.HeapAlloc)
		}
		return least
	}
	start, most := heap(), uint64(0)
	resp, in := l.open("c1")
	padding := strings.Repeat("x", 200<<10)
	sent, documents := 0, 0
	for sent < size {
		line := inserted(fmt.Sprintf("d/A/%d", documents), fmt.Sprintf("%s %d", padding, documents))
		write(t, in, line)
		sent += len(line)
		if documents++; documents%40 == 0 {
			most = max(most, heap()-min(heap(), start))
		}
	}
	in.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"indexed_documents":%d`, documents)) {
		t.Errorf("%s, %v", text, err)
	}
	if limit := uint64(16 << 20); most > limit {
		t.Errorf("a push of %d MiB held %d MiB of memory, want at most %d", size>>20, most>>20, limit>>20)
	}
}

// TestDeletes checks both deletions over HTTP.
func TestDeletes(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	del := func(target string) reply { t.Helper(); return l.do(request{method: "DELETE", target: target}) }
	del("/domain").wantError(t, 400, "missing_parameter", "domain")
	del("/branch-index?domain=org/db").wantError(t, 400, "missing_parameter", "branch")
	del("/domain?domain=org/db&purge=yes").wantError(t, 400, "bad_parameter", "purge")
	gone := func(target string) {
		t.Helper()
		for range 2 {
			if got := del(target); got.status != 204 || got.body != "" {
				t.Errorf("%s: %d %s", target, got.status, got.body)
			}
		}
	}
	gone("/domain?domain=no/where")
	gone("/branch-index?domain=no/where&branch=main")
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"))
	l.mustPush("f1", inserted("d/A/3", "three"), "branch", "fork", "parent_commit", "c1")
	gone("/branch-index?domain=org/db/local/branch/main")
	l.wantHead("main", "")
	l.wantHead("fork", "f1")
	l.wantTexts("f1", "d/A/1", "one", "d/A/2", "two", "d/A/3", "three")
	l.get("/search?domain=org/db&q=x&mode=vector&commit=c1").wantError(t, 404, "not_found")
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"))
	l.wantTexts("c1", "d/A/1", "one", "d/A/2", "two")

	gone("/domain?domain=org/db/local/branch/fork")
	for range 2 { // reads bring nothing back
		for _, c := range []string{"c1", "f1"} {
			l.get("/search?domain=org/db&q=x&mode=vector&commit="+c).wantError(t, 404, "not_found")
		}
		l.wantHead("fork", "")
		if got := l.get("/statistics?domain=org/db"); !strings.Contains(got.body, `"indexed_commits":0`) {
			t.Errorf("statistics %s", got.body)
		}
	}
	l.emb.Reset()
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"))
	if texts := l.emb.Texts(); len(texts) != 0 {
		t.Errorf("pushed again, %q were embedded", texts)
	}
	gone("/domain?domain=org/db&purge=true")
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"))
	if texts := l.emb.Texts(); len(texts) != 2 {
		t.Errorf("pushed again after a purge, %q were embedded", texts)
	}
}

// TestDryRun: a plan, over HTTP.
func TestDryRun(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.src.Commit("main", "c1", indexertest.Change{Put: map[string]string{"d/A/1": "one", "d/A/2": "two words"}})
	for _, q := range []request{
		{target: "/index?domain=org/db&commit=c1&dry_run=true"},
		{method: "POST", target: "/index", media: "application/json", body: `{"domain":"org/db","commit":"c1","dry_run":true}`},
	} {
		l.do(q).wantBody(t, `{"domain":"org/db","commit":"c1","already_indexed":false,"documents":2,"changed":2,"deleted":0,"texts":2,"already_stored":0,"to_embed":2,"tokens":3,"skipped":[],"skipped_total":0}`)
	}
	if len(l.emb.Texts()) != 0 {
		t.Errorf("a plan embedded %q", l.emb.Texts())
	}
	l.get("/index?domain=org/db&commit=c9&dry_run=true").wantError(t, 404, "not_found", "c9")
	l.get("/index?domain=org/db&commit=c1&dry_run=1").wantError(t, 400, "bad_parameter", "dry_run")
}

// TestAllDuplicates: a client that takes lines is sent all pairs.
func TestAllDuplicates(t *testing.T) {
	e := newEnv(t)
	for _, accept := range []string{"application/x-ndjson", "application/json"} {
		e.do(request{target: "/duplicates?domain=a/b&commit=k7", header: map[string]string{"Accept": accept}})
		if _, all := e.last(t).(nearCall); all != (accept == "application/x-ndjson") {
			t.Errorf("Accept %s: all %v", accept, all)
		}
	}
}
