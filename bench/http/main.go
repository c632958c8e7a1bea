// Command http measures the server over HTTP on loopback: requests and answers
// as a client sees them, and what they cost the server's process.
//
//	go run ./bench/http [-documents 60000] [-seconds 3] [-rounds 3] [-only large,small,many,duplicates]
//
// The server is a process of its own: this program again, which puts indexer
// and api together as `vectorlink serve` does, with an embedder inside it that
// takes no time (a hash of each word, 384 dimensions) and its log on. What
// depends on the whole program, memory at rest and the time to start, is
// measured on `vectorlink serve` itself (-binary; built if not given).
//
// Clients and server share the machine. Times are wall time as a client sees it,
// beside them the CPU time of the server's process. Loads that are compared run
// in turns.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
)

type bench struct {
	documents int
	during    time.Duration
	rounds    int
	binary    string
	dir       string
	only      string
	profiles  string
	sentences string
	rows      []row
}

// row is a line of the table.
type row struct{ what, measured, target string }

func main() {
	var b bench
	flag.IntVar(&b.documents, "documents", 60_000, "documents of the large domain")
	seconds := flag.Float64("seconds", 3, "how long each load runs in a round")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each load runs")
	flag.StringVar(&b.binary, "binary", "", "the program vectorlink (built if not given)")
	flag.StringVar(&b.dir, "dir", "", "directory for the data (a temporary one if not given)")
	flag.StringVar(&b.only, "only", "large,small,many,duplicates", "what to measure, `list`")
	flag.StringVar(&b.profiles, "profiles", "", "`directory` to write profiles of the server to")
	cache, _ := os.UserCacheDir() // where there is none, the flag has to say
	flag.StringVar(&b.sentences, "sentences", filepath.Join(cache, "vectorlink-peers"), "`directory` of what bench/sentences writes")
	rows := flag.String("rows", "", "`file` of vectors for a server's texts (used by this program itself)")
	dir := flag.String("serve", "", "be the server, on this data directory (used by this program itself)")
	flag.Parse()
	if *dir != "" {
		if err := serve(*dir, *rows); err != nil {
			fatal(err)
		}
		return
	}
	if flag.NArg() > 0 || b.documents < 100 || *seconds <= 0 || b.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	b.during = time.Duration(*seconds * float64(time.Second))
	if err := b.run(); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "http:", err)
	os.Exit(1)
}

func (b *bench) run() (err error) {
	work, err := os.MkdirTemp(b.dir, "vectorlink-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if b.binary == "" {
		b.binary = filepath.Join(work, "vectorlink")
		if out, err := exec.Command("go", "build", "-o", b.binary, "./cmd/vectorlink").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	for _, part := range []struct {
		name string
		run  func(dir string) error
	}{{"large", b.large}, {"small", b.small}, {"many", b.many}, {"duplicates", b.duplicates}} {
		if !slices.Contains(strings.Split(b.only, ","), part.name) {
			continue
		}
		dir := filepath.Join(work, part.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := part.run(dir); err != nil {
			return err
		}
	}
	fmt.Printf("%d processors, %s, %s/%s\n\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Println("| | Measured | Target |\n|---|--:|--:|")
	for _, r := range b.rows {
		fmt.Printf("| %s | %s | %s |\n", r.what, r.measured, r.target)
	}
	return nil
}

func (b *bench) add(what, target, format string, args ...any) {
	r := row{what, fmt.Sprintf(format, args...), target}
	b.rows = append(b.rows, r)
	fmt.Fprintf(os.Stderr, "%s: %s\n", r.what, r.measured)
}

const (
	documentWords = 12
	queryWords    = 4
	queries       = 1000
)

// documents writes operations for some of the ids below n.
func documents(c *corpus.Corpus, ids []int) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, id := range ids {
		if err := enc.Encode(map[string]string{"op": "Inserted", "id": fmt.Sprintf("terminusdb:///bench/Doc/%d", id), "string": c.Text(documentWords)}); err != nil {
			fatal(err) // strings
		}
	}
	return b.Bytes()
}

// push makes a commit and waits for its end.
func (p *process) push(domain, commit string, body []byte) error {
	c, err := dial(p.addr)
	if err != nil {
		return err
	}
	defer c.close()
	head := fmt.Sprintf("POST /push?domain=%s&target_commit=%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n",
		strings.ReplaceAll(domain, "/", "%2F"), commit, len(body))
	task, err := c.do(append([]byte(head), body...))
	if err != nil {
		return err
	}
	check := fmt.Appendf(nil, "GET /check?task_id=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", task)
	for {
		state, err := c.do(check)
		if err != nil || bytes.Contains(state, []byte(`"Complete"`)) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// requests are searches of one commit, by what they search with.
type requests struct{ ready, vector, hybrid, fts [][]byte }

func searches(domain, commit string) requests {
	c := corpus.New(7)
	var r requests
	for range queries {
		text := c.Text(queryWords)
		r.ready = append(r.ready, ready(domain, commit, corpus.Vector(text)))
		r.vector = append(r.vector, words(domain, commit, "vector", text))
		r.hybrid = append(r.hybrid, words(domain, commit, "hybrid", text))
		r.fts = append(r.fts, words(domain, commit, "fts", text))
	}
	return r
}

// measurement is a load to be measured and its line of the table.
type measurement struct {
	what     string
	requests [][]byte
	clients  int
	target   string
	got      measured
}

// measure runs the loads in turns and adds their lines.
func (b *bench) measure(p *process, loads []*measurement) error {
	for round := range b.rounds + 1 {
		for _, l := range loads {
			during := b.during
			if round == 0 {
				during /= 4 // to warm up
			}
			profiled := func() error { return nil }
			if round == 1 && b.profiles != "" {
				profiled = p.profileTo(filepath.Join(b.profiles, strings.NewReplacer(" ", "-", ",", "").Replace(l.what)+".pprof"), during)
			}
			m, err := load(p, l.requests, l.clients, during)
			if err == nil {
				err = profiled()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", l.what, err)
			}
			if round > 0 {
				l.got.add(m)
			}
		}
	}
	for _, l := range loads {
		text := fmt.Sprintf("p50 %s, p99 %s", ms(l.got.percentile(50)), ms(l.got.percentile(99)))
		if l.clients > 1 {
			text = fmt.Sprintf("%.0f/s", l.got.rate())
		}
		b.add(l.what, l.target, "%s; server CPU %s each", text, ms(l.got.each()))
	}
	return nil
}

func ms(d time.Duration) string {
	x := float64(d.Microseconds()) / 1000
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f ms", x)
	case x < 100:
		return fmt.Sprintf("%.1f ms", x)
	}
	return fmt.Sprintf("%.0f ms", x)
}

func upTo(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	return ids
}

// large measures searches of a large domain.
func (b *bench) large(dir string) error {
	p, err := ours(dir, dir+".log")
	if err != nil {
		return err
	}
	const domain = "bench/large"
	if err := p.push(domain, "c0", documents(corpus.New(1), upTo(b.documents))); err != nil {
		return err
	}
	p.settle()
	r := searches(domain, "c0")
	in := fmt.Sprintf("%d documents, ", b.documents)
	err = b.measure(p, []*measurement{
		{what: in + "ready vector, one client", requests: r.ready, clients: 1, target: "p50 ≤ 1 ms, p99 ≤ 5 ms"},
		{what: in + "ready vector, 8 clients", requests: r.ready, clients: 8, target: "≥ 3,000/s"},
		{what: in + "text by vector, one client", requests: r.vector, clients: 1},
		{what: in + "text by words, one client", requests: r.fts, clients: 1},
		{what: in + "hybrid, one client", requests: r.hybrid, clients: 1},
		{what: in + "hybrid, 8 clients", requests: r.hybrid, clients: 8},
	})
	if err != nil {
		return err
	}
	return p.end()
}

const (
	smallDocuments = 10_000
	smallCommits   = 20
	smallChanges   = 100
)

// small measures commits, and searches between them.
func (b *bench) small(dir string) error {
	p, err := ours(dir, dir+".log")
	if err != nil {
		return err
	}
	const domain = "bench/small"
	c := corpus.New(2)
	body := documents(c, upTo(smallDocuments))
	cpu, began := p.cpu(), time.Now()
	if err := p.push(domain, "c0", body); err != nil {
		return err
	}
	b.add("push of 10,000 documents in one commit", "≤ 2 s", "%.2f s; server CPU %.2f s", time.Since(began).Seconds(), (p.cpu() - cpu).Seconds())
	p.settle()

	before, err := diskUse(dir)
	if err != nil {
		return err
	}
	var walls []time.Duration
	cpu = p.cpu()
	for i := range smallCommits {
		body := documents(c, c.Perm(smallDocuments)[:smallChanges])
		began := time.Now()
		if err := p.push(domain, fmt.Sprintf("c%d", i+1), body); err != nil {
			return err
		}
		walls = append(walls, time.Since(began))
	}
	cpu = p.cpu() - cpu
	sync, err := fsync(dir)
	if err != nil {
		return err
	}
	slices.Sort(walls)
	b.add("commit of 100 changes, of 20", "≤ 60 ms", "p50 %s, max %s; server CPU %s; an fsync %s",
		ms(walls[len(walls)/2]), ms(walls[len(walls)-1]), ms(cpu/smallCommits), ms(sync))

	newest := searches(domain, fmt.Sprintf("c%d", smallCommits))
	oldest := searches(domain, "c0")
	one, err := dial(p.addr)
	if err != nil {
		return err
	}
	for i := range smallCommits { // so that each has the full text it may want
		if err := one.search(searches(domain, fmt.Sprintf("c%d", i+1)).hybrid[0]); err != nil {
			return err
		}
	}
	one.close()
	p.settle()
	after, err := diskUse(dir)
	if err != nil {
		return err
	}
	b.add("disk of such a commit besides vectors, full text included", "≤ 400 KB", "%.0f KB, %.1f files",
		float64(after.bytes-before.bytes)/smallCommits/1000, float64(after.files-before.files)/smallCommits)

	err = b.measure(p, []*measurement{
		{what: "newest commit, by vector, one client", requests: newest.vector, clients: 1, target: "p50 ≤ 1 ms"},
		{what: "oldest commit, by vector, one client", requests: oldest.vector, clients: 1, target: "p50 ≤ 1 ms"},
		{what: "newest commit, hybrid, one client", requests: newest.hybrid, clients: 1, target: "p50 ≤ 3 ms"},
		{what: "oldest commit, hybrid, one client", requests: oldest.hybrid, clients: 1, target: "p50 ≤ 3 ms"},
		{what: "newest commit, by vector, 8 clients", requests: newest.vector, clients: 8, target: "≥ 2,000/s"},
		{what: "newest commit, hybrid, 8 clients", requests: newest.hybrid, clients: 8, target: "≥ 800/s"},
	})
	if err != nil {
		return err
	}
	if b.profiles != "" {
		if err := p.fetch("heap?debug=1", filepath.Join(b.profiles, "heap.txt")); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	p, err = b.program(dir, newest.ready[0])
	if err != nil {
		return err
	}
	for _, requests := range [][][]byte{newest.ready, newest.fts, oldest.ready, oldest.fts} {
		if _, err := load(p, requests, 8, b.during); err != nil {
			return err
		}
	}
	if err := b.memory(p, "`vectorlink serve` on that directory, at rest after searches at the newest and the oldest commit"); err != nil {
		return err
	}
	return p.end()
}

// program starts `vectorlink serve` on a directory.
func (b *bench) program(dir string, first []byte) (*process, error) {
	return launch(exec.Command(b.binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir), dir+".log", first)
}

// memory measures a server that has had nothing to do for a while.
func (b *bench) memory(p *process, what string) error {
	// The runtime collects garbage at least every two minutes, and returns in the
	// background what is free then.
	time.Sleep(150 * time.Second)
	resident, own, err := memoryOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.add(what, "≤ 60 MB", "%d MB, of which %d MB its own", resident>>20, own>>20)
	return nil
}

// usage is what a directory's files take, vectors and tasks aside.
type usage struct{ bytes, files int64 }

func diskUse(dir string) (u usage, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".vecs") || strings.HasSuffix(path, ".db") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			u.bytes += info.Size()
			u.files++
		}
		return err
	})
	return u, err
}

// fsync measures a bare write and fsync of a page, the median of some.
func fsync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "fsync-*.db")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var all []time.Duration
	for range 21 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

const (
	manyDomains   = 50
	manyCommits   = 50
	manyDocuments = 20
	starts        = 9
)

// many measures the program's start on a directory of many domains and commits,
// and its memory at rest.
func (b *bench) many(dir string) error {
	p, err := ours(dir, dir+".log")
	if err != nil {
		return err
	}
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		mu   sync.Mutex
		fail error
	)
	for range 4 {
		wg.Go(func() {
			for d := next.Add(1) - 1; d < manyDomains; d = next.Add(1) - 1 {
				c := corpus.New(uint64(100 + d))
				for i := range manyCommits {
					if err := p.push(fmt.Sprintf("bench/d%d", d), fmt.Sprintf("c%d", i), documents(c, upTo(manyDocuments))); err != nil {
						mu.Lock()
						fail = err
						mu.Unlock()
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if fail != nil {
		return fail
	}
	p.settle()
	if err := p.end(); err != nil {
		return err
	}
	var walls, cpus []time.Duration
	for i := range starts {
		domain := fmt.Sprintf("bench/d%d", i*manyDomains/starts)
		first := ready(domain, fmt.Sprintf("c%d", manyCommits-1), corpus.Vector(corpus.New(8).Text(4)))
		p, err := b.program(dir, first)
		if err != nil {
			return err
		}
		walls, cpus = append(walls, p.start), append(cpus, p.cpu())
		if i == starts-1 {
			if err := b.memory(p, "`vectorlink serve` on that directory, at rest after one search"); err != nil {
				return err
			}
		}
		if err := p.end(); err != nil {
			return err
		}
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	b.add("`vectorlink serve`, start to first answer, 50 domains × 50 commits on disk", "≤ 100 ms", "p50 %s, max %s; CPU %s",
		ms(walls[starts/2]), ms(walls[starts-1]), ms(cpus[starts/2]))
	return nil
}
