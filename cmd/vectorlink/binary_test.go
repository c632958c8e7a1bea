package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// binaryDir holds the program that the tests build, once and when asked for.
var binaryDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "vectorlink-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binaryDir = dir
		return m.Run()
	}())
}

var builtOnce = sync.OnceValues(func() (string, error) {
	name := filepath.Join(binaryDir, "vectorlink.exe") // the ending that every system runs
	out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return name, nil
})

// builtProgram builds the program, without the race detector.
func builtProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the built program")
	}
	if runtime.GOOS == "windows" {
		t.Skip("sends signals to the built program")
	}
	name, err := builtOnce()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// process is a running server of ours.
type process struct {
	url    string
	cmd    *exec.Cmd
	log    *logBuffer
	exited chan struct{} // closed when it has ended and been waited for
}

// logBuffer collects a process's standard error.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) add(line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(line)
	b.text.WriteByte('\n')
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// tail returns the last lines.
func (b *logBuffer) tail() string {
	lines := strings.SplitAfter(b.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

// environ is the environment of the processes that tests start: that of the
// tests, without what would configure them.
func environ(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "VECTORLINK_") && !strings.HasPrefix(kv, "TERMINUSDB_") && !strings.HasPrefix(kv, "TDB_") && !strings.HasPrefix(kv, "OPENAI_") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

// launch starts the program and waits for the line of standard error that ready
// finds the server's address in.
func launch(t *testing.T, env []string, stdout *os.File, ready func(line []byte) string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(builtProgram(t), args...), log: new(logBuffer), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Dir = env, stdout, t.TempDir()
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(p.exited)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.log.add(lines.Bytes())
			if a := ready(lines.Bytes()); a != "" {
				select {
				case address <- a:
				default:
				}
			}
		}
		_ = p.cmd.Wait() // its exit code is in ProcessState
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("end of the standard error of %v:\n%s", args, p.log.tail())
		}
	})
	select {
	case p.url = <-address:
	case <-p.exited:
		t.Fatalf("%v ended with %d:\n%s", args, p.cmd.ProcessState.ExitCode(), p.log)
	case <-time.After(2 * time.Minute):
		t.Fatalf("%v did not come up:\n%s", args, p.log)
	}
	return p
}

// launchServe starts a server over a data directory on a free port.
func launchServe(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	return launch(t, environ(env...), nil, func(line []byte) string {
		var entry struct{ Msg, Addr string }
		if json.Unmarshal(line, &entry) != nil || entry.Msg != "listening" {
			return ""
		}
		return "http://" + entry.Addr
	}, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
}

// stop sends a signal and returns the exit code and how long the end took.
func (p *process) stop(t *testing.T, sig os.Signal) (code int, took time.Duration) {
	t.Helper()
	start := time.Now()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		t.Fatalf("did not end within 30 s of %v:\n%s", sig, p.log)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(start)
}

// kill ends the process as kill -9 does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	<-p.exited
}

// database serves Star Wars, under each of the given names, and returns the
// server's address and the commits' ids by name.
func database(t *testing.T, domains ...string) (string, map[string]string, *starwars.Data) {
	t.Helper()
	data, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	db, commits := minidb.New(minidb.Config{Now: demoClock()}), make(map[string]string)
	for _, domain := range domains {
		ids, err := db.Load(domain, minidb.Prefixes{Base: starwars.Base}, steps(data))
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range ids {
			commits[domain+"@"+name] = id
		}
	}
	srv := httptest.NewServer(db)
	t.Cleanup(srv.Close)
	return srv.URL, commits, data
}

// provider is an embedding provider that counts what it is paid for.
type provider struct {
	*httptest.Server
	texts    atomic.Int64 // in requests, answered or not, but for anyQuery and probes
	requests atomic.Int64
	hold     func(ctx context.Context) // called before each answer, if set
}

// anyQuery is what tests search for where it does not matter.
const anyQuery = "old man"

// providerDim is the length of a provider's vectors.
const providerDim = 16

func newProvider(t *testing.T, hold func(ctx context.Context)) *provider {
	t.Helper()
	p := &provider{hold: hold}
	p.Server = httptest.NewServer(http.HandlerFunc(p.embed))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) embed(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Input []string `json:"input"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v1/embeddings" {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	p.requests.Add(1)
	for _, text := range req.Input {
		if text != anyQuery && text != "control" { // which a server asks for to see whether we are there
			p.texts.Add(1)
		}
	}
	if p.hold != nil {
		p.hold(r.Context())
	}
	type item struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	answer := struct {
		Object string `json:"object"`
		Model  string `json:"model"`
		Data   []item `json:"data"`
	}{Object: "list", Model: "fake"}
	for i, text := range req.Input {
		sum := sha256.Sum256([]byte(text))
		v := make([]float32, providerDim)
		for j := range v {
			v[j] = float32(int16(binary.LittleEndian.Uint16(sum[2*j:])))
		}
		answer.Data = append(answer.Data, item{"embedding", i, v})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone is what some tests are about
}

// settings returns the environment of a server that uses the provider and the
// database.
func (p *provider) settings(db string, batch int) []string {
	return append(dbSettings(db),
		"VECTORLINK_EMBED_URL="+p.URL, "VECTORLINK_MODEL=fake",
		fmt.Sprintf("VECTORLINK_DIM=%d", providerDim), fmt.Sprintf("VECTORLINK_EMBED_BATCH_SIZE=%d", batch))
}

func dbSettings(db string) []string {
	return []string{"VECTORLINK_TERMINUSDB_URL=" + db}
}
