package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
)

// limits are those that the server must live with.
type limits struct{ commits, domains, files int }

const (
	supplied     = 8 // dimensions of vectors that come with their documents
	fewDocuments = 200
	requests     = 1000
	clients      = 8
	enough       = 20 // failures; more tell nothing new
	patience     = 10 * time.Second
)

// direction returns a vector of the supplied ones' length.
func direction(rng *rand.Rand) []float32 {
	v := make([]float32, supplied)
	for i := range v {
		v[i] = rng.Float32() - .5
	}
	return v
}

// place is a commit that is searched and built on.
type place struct{ domain, commit string }

// fewFiles counts the requests that fail where the server may have few files
// open, with a long history and with many domains.
func (b *bench) fewFiles(ctx context.Context, dir string) error {
	binary, err := b.build(dir)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(5, 5))
	document := func(i int) contract.Op {
		op := upsert(i, fmt.Sprintf("document %d, %d", i, rng.Int()))
		op.Vector = direction(rng)
		return op
	}
	settings := indexer.PushRequest{Settings: catalog.SettingsRequest{Dim: supplied}}
	all := make([]contract.Op, fewDocuments)
	for i := range all {
		all[i] = document(i)
	}
	for _, part := range []struct {
		what string
		fill func(s *store) ([]place, error)
	}{
		{fmt.Sprintf("%d commits", b.limited.commits), func(s *store) (at []place, err error) {
			req, ops := settings, all
			req.Domain = historic
			for i := range b.limited.commits {
				req.Commit = commitName(i)
				if err := s.push(ctx, req, ops...); err != nil {
					return nil, err
				}
				at, ops = append(at, place{req.Domain, req.Commit}), []contract.Op{document(rng.IntN(fewDocuments))}
			}
			return at, nil
		}},
		{fmt.Sprintf("%d domains", b.limited.domains), func(s *store) (at []place, err error) {
			for i := range b.limited.domains {
				at = append(at, place{domainName(i), commitName(0)})
			}
			return at, s.fill(ctx, b.limited.domains, &settings, func(int) []contract.Op { return all })
		}},
	} {
		data := filepath.Join(dir, part.what)
		s, err := open(data, 0)
		if err != nil {
			return err
		}
		at, err := part.fill(s)
		s.merge()
		if err := errors.Join(err, s.close()); err != nil {
			return err
		}
		outcome, whole, err := b.requests(ctx, binary, data, at)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("`ulimit -n %d`, %s: searches and pushes at random commits that fail", b.limited.files, part.what)
		b.hold(whole, "0", what, "%s", outcome)
	}
	return nil
}

// server is `vectorlink serve` at work.
type server struct {
	cmd  *exec.Cmd
	url  string
	done chan struct{} // closed when its log has ended
}

var listening = regexp.MustCompile(`"msg":"listening","addr":"([^"]+)"`)

// serve starts the program on a data directory, with so many open files.
func serve(ctx context.Context, binary, dir string, files int) (*server, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -n "$1" && shift && exec "$@"`, "sh", strconv.Itoa(files),
		binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the server does not listen: %q", line), cmd.Wait())
		}
		if m := listening.FindStringSubmatch(line); m != nil {
			s := &server{cmd: cmd, url: "http://" + m[1], done: make(chan struct{})}
			go func() {
				defer close(s.done)
				_, _ = io.Copy(io.Discard, lines) // it would wait for a reader
			}()
			return s, nil
		}
	}
}

func (s *server) end() error {
	err := s.cmd.Process.Signal(os.Interrupt)
	<-s.done
	return errors.Join(err, s.cmd.Wait())
}

// requests sends searches and pushes at random places. It returns what became of
// them, and whether all were answered as they should be. A push makes a branch.
func (b *bench) requests(ctx context.Context, binary, dir string, at []place) (outcome string, whole bool, err error) {
	s, err := serve(ctx, binary, dir, b.limited.files)
	if err != nil {
		return "", false, err
	}
	var (
		mu            sync.Mutex // guards the three below
		asked, failed int
		example       error
	)
	err = atOnce(requests, clients, func(i int) error {
		mu.Lock()
		over := failed >= enough
		mu.Unlock()
		if over {
			return nil
		}
		rng := rand.New(rand.NewPCG(6, uint64(i)))
		p := at[rng.IntN(len(at))]
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var err error
		if i%5 == 0 {
			err = s.push(ctx, p, fmt.Sprint("b", i), rng)
		} else {
			err = s.search(ctx, p, rng)
		}
		mu.Lock()
		defer mu.Unlock()
		if asked++; err != nil {
			failed, example = failed+1, err
		}
		return nil
	})
	err = errors.Join(err, s.end())
	if failed == 0 {
		return fmt.Sprintf("0 of %d", asked), true, err
	}
	return fmt.Sprintf("%d of %d, as in %.150q", failed, asked, example), false, nil // it may not even end as it should
}

// search asks for the documents nearest to some vector.
func (s *server) search(ctx context.Context, at place, rng *rand.Rand) error {
	body, err := json.Marshal(map[string]any{"domain": at.domain, "commit": at.commit, "vector": direction(rng)})
	if err != nil {
		return err
	}
	answer, err := s.post(ctx, "/search", "application/json", body)
	if err == nil && !bytes.HasPrefix(answer, []byte(`[{"id":`)) {
		err = fmt.Errorf("no hits: %.100s", answer)
	}
	return err
}

// push makes a branch with a commit of one document on a commit.
func (s *server) push(ctx context.Context, on place, branch string, rng *rand.Rand) error {
	line, err := json.Marshal(map[string]any{
		"op": "Inserted", "id": "terminusdb:///bench/Doc/1", "string": "pushed to " + branch, "vector": direction(rng),
	})
	if err != nil {
		return err
	}
	q := url.Values{"domain": {on.domain}, "branch": {branch}, "parent_commit": {on.commit}, "target_commit": {"on-" + branch}, "stream": {"true"}}
	answer, err := s.post(ctx, "/push?"+q.Encode(), "application/x-ndjson", line)
	if err == nil && !bytes.Contains(answer, []byte(`"status":"complete"`)) {
		err = fmt.Errorf("push: %.100s", answer)
	}
	return err
}

func (s *server) post(ctx context.Context, path, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return answer, err
}
