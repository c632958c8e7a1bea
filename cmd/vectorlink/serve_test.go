package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

const domain = "admin/star_wars"

// TestServe drives the built program as its users do: every commit is indexed
// and searched, before and after a restart, and its files are verified.
func TestServe(t *testing.T) {
	db, commits, data := database(t, domain)
	dir := filepath.Join(t.TempDir(), "store")
	env := append(dbSettings(db), "VECTORLINK_ADMIN_SECRET=sesame")
	p := launchServe(t, dir, env...)
	client := []string{"VECTORLINK_ADMIN_SECRET=sesame", "VECTORLINK_SERVER=" + p.url}
	ctx := t.Context()

	want := costs(t, data)
	index := func(name, branch string) summary {
		t.Helper()
		code, stdout, stderr := call(ctx, client, "index", "--json", "--wait", "--domain", domain, "--commit", commits[domain+"@"+name], "--branch", branch)
		var s summary
		if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != exitDone {
			t.Fatalf("index %s: exit %d, %v\n%s%s", name, code, err, stdout, stderr)
		}
		return s
	}
	for _, c := range data.Commits {
		s := index(c.Name, c.Branch)
		if got := (cost{s.Documents, s.Embedded}); got != want[c.Name] || len(s.Skipped) != 0 || !s.HeadMoved {
			t.Errorf("%s: got %+v, %d skipped, head moved: %t; want %+v", c.Name, got, len(s.Skipped), s.HeadMoved, want[c.Name])
		}
	}
	for _, c := range data.Commits { // a second time costs nothing
		if s := index(c.Name, c.Branch); s.Embedded != 0 || s.Documents != want[c.Name].documents {
			t.Errorf("%s again: %d documents, %d embedded", c.Name, s.Documents, s.Embedded)
		}
	}
	search := func(q starwars.Query) []string {
		t.Helper()
		code, stdout, stderr := call(ctx, client, "search", "--mode", "vector", "--json", "--count", "1000", "--domain", domain, "--commit", commits[domain+"@"+q.Commit], q.Text)
		var res struct{ Hits []api.Hit }
		if err := json.Unmarshal([]byte(stdout), &res); err != nil || code != exitDone {
			t.Fatalf("search: exit %d, %v\n%s", code, err, stderr)
		}
		var ids []string
		for _, h := range res.Hits {
			ids = append(ids, h.ID)
		}
		if n := want[q.Commit].documents; len(ids) != n {
			t.Errorf("a search for everything at %s finds %d documents, want %d", q.Commit, len(ids), n)
		}
		return ids
	}
	checkQueries(t, data, search)
	answers := make(map[string][]string)
	for _, c := range data.Commits {
		answers[c.Name] = search(starwars.Query{Text: "a planet of lava", Commit: c.Name})
	}
	checkHistory(t, data, answers)

	code, stdout, _ := call(ctx, client, "status", "--domain", domain)
	if !strings.Contains(stdout, fmt.Sprintf("2 branches, %d indexed commits", len(data.Commits))) || code != exitDone {
		t.Errorf("status: exit %d\n%s", code, stdout)
	}
	code, stdout, _ = call(ctx, client, "duplicates", "--domain", domain, "--commit", commits[domain+"@load"])
	if !strings.Contains(stdout, "\n1.0000  terminusdb:///star-wars/Planet/1  terminusdb:///star-wars/Planet/61\n") || code != exitDone {
		t.Errorf("duplicates: exit %d, no group of the same text\n%s", code, stdout)
	}
	// The fields are those that the classes' queries answer.
	code, stdout, _ = call(ctx, client, "search", "--domain", domain, "--commit", commits[domain+"@load"], "--count", "3",
		"--filter", `gender == "male" and eye_color in ["orange", "yellow"]`, "--field", "eye_color", "squid")
	if n := strings.Count(stdout, `{"eye_color":"orange"}`) + strings.Count(stdout, `{"eye_color":"yellow"}`); n != 3 || code != exitDone {
		t.Errorf("filtered search: exit %d\n%s", code, stdout)
	}
	code, stdout, _ = call(ctx, client, "duplicates", "--domain", domain, "--commit", commits[domain+"@load"], "--filter", `gender != nil`, "--threshold", "0.05")
	if strings.Contains(stdout, "Planet/") || !strings.Contains(stdout, "People/") || code != exitDone {
		t.Errorf("filtered duplicates: exit %d\n%s", code, stdout)
	}
	code, _, stderr := call(ctx, client, "search", "--domain", domain, "--commit", commits[domain+"@load"], "--filter", `eye_colour == "orange"`, "squid")
	if code != exitFailed || !strings.Contains(stderr, `did you mean "eye_color"`) {
		t.Errorf("a misspelt filter: exit %d, %s", code, stderr)
	}
	code, _, stderr = call(ctx, client, "index", "--wait", "--domain", domain, "--commit", strings.Repeat("0", 31))
	if code != exitFailed || !strings.Contains(stderr, "000") {
		t.Errorf("an unknown commit: exit %d, %s", code, stderr)
	}

	if code, took := p.stop(t, os.Interrupt); code != exitDone || took > 10*time.Second {
		t.Errorf("ended with %d after %v", code, took)
	}
	if code, stdout, stderr := call(ctx, nil, "verify", "--data-dir", dir); code != exitDone {
		t.Errorf("verify: exit %d\n%s%s", code, stdout, stderr)
	}
	p = launchServe(t, dir, env...)
	client[1] = "VECTORLINK_SERVER=" + p.url
	for name, before := range answers {
		if after := search(starwars.Query{Text: "a planet of lava", Commit: name}); !slices.Equal(before, after) {
			t.Errorf("%s answers differently after a restart", name)
		}
	}
	p.stop(t, os.Interrupt)
	damage(t, dir)
	if code, stdout, _ := call(ctx, nil, "verify", "--data-dir", dir, "--json"); code != exitDamage || !strings.Contains(stdout, ".hnsw") {
		t.Errorf("verify of a damaged directory: exit %d\n%s", code, stdout)
	}
}

// checkHistory holds that every commit shows its own documents and no later
// ones. The answers hold the ids of all documents of each commit.
func checkHistory(t *testing.T, data *starwars.Data, answers map[string][]string) {
	t.Helper()
	state := make(map[string]map[string]bool) // ids by commit
	tip := make(map[string]string)            // last commit by branch
	for _, c := range data.Commits {
		parent := tip[c.Branch]
		if c.From != "" {
			parent = c.From
		}
		ids := maps.Clone(state[parent])
		if ids == nil {
			ids = make(map[string]bool)
		}
		for _, raw := range c.Insert {
			var doc struct {
				ID string `json:"@id"`
			}
			if err := json.Unmarshal(raw, &doc); err != nil {
				t.Fatal(err)
			}
			ids[starwars.Base+strings.TrimPrefix(doc.ID, starwars.Base)] = true
		}
		for _, id := range c.Delete {
			delete(ids, starwars.Base+strings.TrimPrefix(id, starwars.Base))
		}
		state[c.Name], tip[c.Branch] = ids, c.Name
		got := slices.Sorted(slices.Values(answers[c.Name]))
		if wantIDs := slices.Sorted(maps.Keys(ids)); !slices.Equal(got, wantIDs) {
			t.Errorf("commit %s shows %d documents, want %d, and not the same", c.Name, len(got), len(wantIDs))
		}
	}
}

// damage changes a byte in the middle of the largest commit file.
func damage(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.hnsw"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no commit files in %s: %v", dir, err)
	}
	slices.SortFunc(files, func(a, b string) int { return int(size(t, b) - size(t, a)) })
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 0x10
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestUntilEOF: a server that is to end with its standard input does, as if it were asked
// to.
func TestUntilEOF(t *testing.T) {
	stdin, parent := io.Pipe()
	said, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"serve", "--until-eof", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}, nil, stdin, io.Discard, stderr)
		stderr.Close()
	}()
	var log strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		fmt.Fprintln(&log, lines.Text())
		if strings.Contains(lines.Text(), `"listening"`) {
			if err := parent.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := <-ended; code != 0 {
		t.Errorf("it ended with %d: %s", code, &log)
	}
}

// TestSecondProcess checks that a data directory has one user.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	launchServe(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, builtProgram(t), "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
	cmd.Env = environ()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(out), "in use by another process") {
		t.Errorf("the second process: %v\n%s", err, out)
	}
	if took := time.Since(start); took > 2*time.Second { // with the start of a process on a busy machine
		t.Errorf("the second process took %v to refuse", took)
	}
}

// TestTerminate checks that SIGTERM in the middle of an index ends the server in
// good order, that the task goes on after the next start, and that a search
// under way is answered before the end.
func TestTerminate(t *testing.T) {
	db, commits, data := database(t, domain)
	arrived, gate := make(chan struct{}, 1), make(chan struct{})
	var held atomic.Bool // answers wait for the gate
	held.Store(true)
	prov := newProvider(t, func(ctx context.Context) {
		if !held.Load() {
			return
		}
		select { // several requests of one batch arrive together
		case arrived <- struct{}{}:
		default:
		}
		select {
		case <-gate:
		case <-ctx.Done():
		}
	})
	dir := t.TempDir()
	env := prov.settings(db, 8)
	p := launchServe(t, dir, env...)
	commit := commits[domain+"@load"]
	id, err := newClient(p.url, "", contract.Secret{}).index(t.Context(), values("domain", domain, "commit", commit))
	if err != nil {
		t.Fatal(err)
	}
	<-arrived // the first batch is being asked for
	if code, took := p.stop(t, syscall.SIGTERM); code != exitDone || took > 10*time.Second {
		t.Errorf("ended with %d after %v, want 0 within 10 s", code, took)
	}

	held.Store(false)
	p = launchServe(t, dir, env...)
	cl := newClient(p.url, "", contract.Secret{})
	st, err := cl.wait(t.Context(), id, 0, func(taskState) {})
	if err != nil || st.Documents != costs(t, data)["load"].documents {
		t.Errorf("after the restart: %+v, %v", st, err)
	}

	select { // what arrived after the first request
	case <-arrived:
	default:
	}
	held.Store(true)
	type result struct {
		hits []api.Hit
		err  error
	}
	answer := make(chan result, 1)
	go func() {
		var res result
		_, res.err = cl.decode(context.WithoutCancel(t.Context()), "POST", "/search", nil, map[string]any{"domain": domain, "commit": commit, "q": anyQuery, "mode": "vector"}, &res.hits)
		answer <- res
	}()
	<-arrived // the query's text is being asked for
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until no new connection is accepted
		if _, err := newClient(p.url, "", contract.Secret{}).get(t.Context(), "/health/live", nil, new(struct{})); err != nil {
			break
		}
	}
	close(gate)
	if a := <-answer; a.err != nil || len(a.hits) != 10 {
		t.Errorf("the search under way got %d hits, %v", len(a.hits), a.err)
	}
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
}

// TestKill kills the server again and again while it indexes. Whatever it has
// acknowledged must be there after the next start, the task that was running
// must end well, and no text may be paid for twice but those of the requests
// that were under way.
func TestKill(t *testing.T) {
	kills := 20
	if os.Getenv("VECTORLINK_LONG") != "" {
		kills = 100
	}
	db, commits, data := database(t, domain)
	want := costs(t, data)
	unique := 0
	for _, c := range want {
		unique += c.embedded
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for killed < kills { // a history has room for some kills only
		prov := newProvider(t, func(ctx context.Context) {
			select { // a provider takes its time, so that kills find it at work
			case <-time.After(15 * time.Millisecond):
			case <-ctx.Done():
			}
		})
		h := &killing{t: t, dir: t.TempDir(), env: prov.settings(db, killBatch), commits: commits, want: want, rng: rng, left: kills - killed}
		before := h.left
		h.run(data)
		n := before - h.left
		paid := int(prov.texts.Load())
		if bound := unique + n*killBatch*killParallel; paid > bound || paid < unique {
			t.Errorf("%d texts were paid for; %d are unique, and %d kills allow %d", paid, unique, n, bound)
		}
		t.Logf("%d kills, %d commits, %d texts paid for, of them %d twice", n, len(h.acknowledged), paid, paid-unique)
		if n == 0 {
			t.Fatal("no kill found the server at work")
		}
		killed += n
	}
}

// killBatch is the batch size of a server that is being killed, killParallel
// the number of requests that it has under way at once.
const killBatch, killParallel = 8, 4

// killing is the indexing of one history by a server that is being killed.
type killing struct {
	t            *testing.T
	dir          string
	env          []string
	commits      map[string]string
	want         map[string]cost
	rng          *rand.Rand
	left         int      // kills to go
	acknowledged []string // names of commits
	process      *process
}

// run indexes all commits, and kills the server while it does.
func (h *killing) run(data *starwars.Data) {
	h.process = launchServe(h.t, h.dir, h.env...)
	for _, c := range data.Commits {
		id, err := newClient(h.process.url, "", contract.Secret{}).index(h.t.Context(), values("domain", domain, "commit", h.commits[domain+"@"+c.Name], "branch", c.Branch))
		if err != nil {
			h.t.Fatal(err)
		}
		for !h.ended(id, c.Name) {
			h.process.kill(h.t)
			h.left--
			h.process = launchServe(h.t, h.dir, h.env...)
			h.check()
		}
		h.acknowledged = append(h.acknowledged, c.Name)
	}
	h.check()
	h.process.stop(h.t, os.Interrupt)
	if code, stdout, stderr := call(h.t.Context(), nil, "verify", "--data-dir", h.dir); code != exitDone {
		h.t.Errorf("verify: exit %d\n%s%s", code, stdout, stderr)
	}
}

// ended waits for the end of a task, or until it is time for a kill.
func (h *killing) ended(id, name string) bool {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	if h.left > 0 && h.want[name].embedded > killBatch {
		timer := time.AfterFunc(time.Duration(h.rng.IntN(250))*time.Millisecond, cancel)
		defer timer.Stop()
	}
	st, err := newClient(h.process.url, "", contract.Secret{}).wait(ctx, id, 0, func(taskState) {})
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case err != nil:
		h.t.Fatalf("%s: %v", name, err)
	case st.Documents != h.want[name].documents || len(st.Skipped) > 0:
		h.t.Fatalf("%s: %+v", name, st)
	}
	return true
}

// check holds that every acknowledged commit is whole and can be searched.
func (h *killing) check() {
	h.t.Helper()
	cl := newClient(h.process.url, "", contract.Secret{})
	defer cl.close()
	for _, name := range h.acknowledged {
		commit := h.commits[domain+"@"+name]
		var hits []api.Hit
		body := map[string]any{"domain": domain, "commit": commit, "q": anyQuery, "mode": "vector", "count": 1000}
		a, err := cl.decode(h.t.Context(), http.MethodPost, "/search", nil, body, &hits)
		if err != nil || len(hits) != h.want[name].documents || a.commit() != commit {
			h.t.Fatalf("%s was acknowledged, and now gives %d documents, %v", name, len(hits), err)
		}
	}
}
