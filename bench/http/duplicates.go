package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vector"
)

// given is an embedder of texts like "row 7": the vectors of a file.
type given struct {
	corpus.Embedder
	rows [][]float32
}

func (g given) Fingerprint() string { return "bench/rows" }

func (g given) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	out := make([][]float32, len(r.Texts))
	for i, text := range r.Texts {
		n, err := strconv.Atoi(strings.TrimPrefix(text, "row "))
		if err != nil || n >= len(g.rows) {
			return nil, fmt.Errorf("%w: no such row", contract.ErrProvider)
		}
		out[i] = g.rows[n]
	}
	return out, context.Cause(ctx)
}

// readRows reads vectors as bench/sentences writes them.
func readRows(file string) ([][]float32, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(data)%(4*corpus.Dim) != 0 {
		return nil, fmt.Errorf("%s does not hold vectors of %d dimensions", file, corpus.Dim)
	}
	rows := make([][]float32, len(data)/(4*corpus.Dim))
	for i := range rows {
		rows[i] = make([]float32, corpus.Dim)
		for k := range rows[i] {
			rows[i][k] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*corpus.Dim+k):]))
		}
		vector.Normalize(rows[i])
	}
	return rows, nil
}

const (
	// copied is which share of the documents are copies of others.
	copied = 100
	// sampled is how many documents' pairs are looked for by brute force.
	sampled = 2000
)

// duplicates measures the stream of all near pairs of sentence embeddings.
func (b *bench) duplicates(dir string) error {
	file := filepath.Join(b.sentences, "sentences-384-base.f32")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "embedding sentences; this takes minutes, once")
		if out, err := exec.Command("go", "run", "./bench/sentences", "-out", b.sentences).CombinedOutput(); err != nil {
			return fmt.Errorf("bench/sentences: %w\n%s", err, out)
		}
	}
	rows, err := readRows(file)
	if err != nil {
		return err
	}
	n := min(b.documents, len(rows))
	var body strings.Builder
	texts := make([]int, n) // row of each document
	for i := range texts {
		if texts[i] = i; i%copied == copied-1 {
			texts[i] = i - copied/2
		}
		fmt.Fprintf(&body, "{\"op\":\"Inserted\",\"id\":\"Doc/%06d\",\"string\":\"row %d\"}\n", i, texts[i])
	}
	p, err := ours(dir, dir+".log", "-rows", file)
	if err != nil {
		return err
	}
	const domain = "bench/pairs"
	if err := p.push(domain, "c0", []byte(body.String())); err != nil {
		return err
	}
	p.settle()
	for _, threshold := range []float64{0, 0.05, 0.1} {
		cpu, began := p.cpu(), time.Now()
		var first time.Duration
		found := make(map[[2]int]bool)
		err := p.pairs(context.Background(), domain, threshold, func(x, y int) {
			if len(found) == 0 {
				first = time.Since(began)
			}
			found[[2]int{x, y}] = true
		})
		if err != nil {
			return err
		}
		wall, cpu := time.Since(began), p.cpu()-cpu
		missed, truth := recall(rows, texts, float32(threshold), found)
		b.add(fmt.Sprintf("all pairs of %d documents within %g", n, threshold), "≤ 60 s, CPU ≤ 120 s, recall ≥ 0.98",
			"%d pairs in %.1f s, the first after %s; server CPU %.1f s; recall %.4f (%d of %d by brute force)",
			len(found), wall.Seconds(), ms(first), cpu.Seconds(), 1-float64(missed)/float64(max(truth, 1)), truth-missed, truth)
	}
	// A client that goes away.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = p.pairs(ctx, domain, 0.1, func(int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a cancelled stream ended with %w", err)
	}
	gone := time.Now()
	for {
		before := p.cpu()
		time.Sleep(10 * time.Millisecond)
		if p.cpu()-before < time.Millisecond {
			break
		}
	}
	b.add("the work's end after its client has left", "", "%s", ms(time.Since(gone)))
	return p.end()
}

// pairs reads the stream of all pairs; a document is named by its number.
func (p *process) pairs(ctx context.Context, domain string, threshold float64, each func(x, y int)) error {
	url := fmt.Sprintf("http://%s/duplicates?domain=%s&commit=c0&format=pairs&threshold=%g", p.addr, strings.ReplaceAll(domain, "/", "%2F"), threshold)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("the server answered %s: %s", resp.Status, text)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var ids [2]string
		var x, y int
		if err := json.Unmarshal(lines.Bytes(), &ids); err != nil {
			return err
		}
		if _, err := fmt.Sscanf(ids[0]+" "+ids[1], "Doc/%d Doc/%d", &x, &y); err != nil {
			return err
		}
		each(x, y)
	}
	return lines.Err()
}

// recall returns how many pairs some documents are in, and how many of them
// were not found.
func recall(rows [][]float32, texts []int, threshold float32, found map[[2]int]bool) (missed, truth int) {
	rng := rand.New(rand.NewPCG(1, 1))
	sample := rng.Perm(len(texts))[:min(sampled, len(texts))]
	var next, lost, all atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(sample); i = next.Add(1) - 1 {
				x := sample[i]
				for y := range texts {
					near := texts[x] == texts[y] || threshold >= 1e-7 && vector.Distance(vector.Dot(rows[texts[x]], rows[texts[y]])) <= threshold
					if y == x || !near {
						continue
					}
					all.Add(1)
					if !found[[2]int{min(x, y), max(x, y)}] {
						lost.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	return int(lost.Load()), int(all.Load())
}
