package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // served on a port of its own
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
)

// serve is the server that is measured: what `vectorlink serve` puts together,
// its log included, but for the embedder. It ends with its standard input.
func serve(dir, rows string) error {
	var embedder contract.Embedder = corpus.Embedder{}
	if rows != "" {
		vectors, err := readRows(rows)
		if err != nil {
			return err
		}
		embedder = given{rows: vectors}
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	files, err := vfs.NewOS(dir)
	if err != nil {
		return err
	}
	ix, err := indexer.Open(indexer.Config{
		FS: files, Embedder: embedder, Renderer: templates.New(templates.Limits{}),
		TaskFile: "tasks.journal", Logger: log,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	cfg := api.Config{SearchReady: true, Logger: log}
	l, err := api.Listen(cfg, "127.0.0.1:0")
	if err != nil {
		return err
	}
	profile, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(profile, nil) }()
	log.Info("listening", "addr", l.Addr().String(), "pprof", profile.Addr().String())
	err = api.Serve(ctx, l, api.New(cfg, service.New(ix.Reader, ix)), log)
	return errors.Join(err, ix.Close(context.Background()), files.Close())
}

// process is a running server.
type process struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	addr    string
	profile string        // address of net/http/pprof, where it has one
	start   time.Duration // until it answered its first request
	logged  chan struct{} // closed when its log has ended
}

var address = regexp.MustCompile(`"msg":"listening","addr":"([^"]+)"(?:.*"pprof":"([^"]+)")?`)

// launch starts a server and waits until the request is answered; the time is
// from the start of the process. Its log is written to a file.
func launch(cmd *exec.Cmd, logFile string, first []byte) (*process, error) {
	// What the machine is set to must not decide what is measured.
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "VECTORLINK_") && !strings.HasPrefix(kv, "TERMINUSDB_") && !strings.HasPrefix(kv, "TDB_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	p := &process{cmd: cmd, stdin: stdin, logged: make(chan struct{})}
	lines := bufio.NewReaderSize(stderr, 1<<20)
	for p.addr == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s does not listen; its log is %s", cmd.Path, logFile), cmd.Wait(), out.Close())
		}
		_, _ = out.WriteString(line)
		if m := address.FindStringSubmatch(line); m != nil {
			p.addr, p.profile = m[1], m[2]
		}
	}
	go func() {
		defer close(p.logged)
		_, _ = io.Copy(out, lines)
		_ = out.Close()
	}()
	if first != nil {
		c, err := dial(p.addr)
		if err == nil {
			_, err = c.do(first)
			c.close()
		}
		if err != nil {
			return nil, errors.Join(err, p.end())
		}
		p.start = time.Since(began)
	}
	return p, nil
}

// ours starts this program as a server on a data directory.
func ours(dir, logFile string, more ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(exec.Command(self, append([]string{"-serve", dir}, more...)...), logFile, nil)
}

// end stops the server and waits for its end.
func (p *process) end() error {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Signal(os.Interrupt)
	<-p.logged
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() <= 0 {
		return nil // by the signal
	}
	return err
}

func (p *process) cpu() time.Duration {
	d, err := cpuOf(p.cmd.Process.Pid)
	if err != nil {
		fatal(err)
	}
	return d
}

// settle waits until the server has nothing to do.
func (p *process) settle() {
	const step = 500 * time.Millisecond
	for quiet := 0; quiet < 3; {
		before := p.cpu()
		time.Sleep(step)
		if p.cpu()-before < step/50 {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// profileTo writes a CPU profile of the time to come; the returned function
// waits for its end.
func (p *process) profileTo(file string, during time.Duration) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- p.fetch(fmt.Sprintf("profile?seconds=%.0f", max(1, during.Seconds())), file) }()
	return func() error { return <-done }
}

// fetch writes a profile to a file.
func (p *process) fetch(what, file string) error {
	resp, err := http.Get("http://" + p.profile + "/debug/pprof/" + what)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	return err
}
