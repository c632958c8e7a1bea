// Command ann measures the index on a data set: how long it takes to build, how
// many queries it answers and how many of the true neighbours it finds. It uses
// the packages that the server uses, files included.
//
//	go run ./bench/ann -base FILE -query FILE -truth FILE -dim 784 -type u8
//
// The files are raw rows, little-endian, gzipped if they end in .gz: vectors as
// float32 or uint8, and per query the rows of its nearest, nearest first, as
// uint32. It prints one line of JSON for the build and one per ef.
package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs"
)

type options struct {
	base, query, truth string
	dim                int
	kind, metric       string
	params             hnsw.Params
	efs                []int
	ask                bool // for efs
	threads            int
	pool               int64
	rounds             int
	float              bool
	cpuprofile         string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("ann: ")
	var o options
	flag.StringVar(&o.base, "base", "", "`file` of the vectors to search in")
	flag.StringVar(&o.query, "query", "", "`file` of the vectors to search for")
	flag.StringVar(&o.truth, "truth", "", "`file` of the true neighbours")
	flag.IntVar(&o.dim, "dim", 0, "values of a vector")
	flag.StringVar(&o.kind, "type", "f32", "values in the files: f32 or u8")
	flag.StringVar(&o.metric, "metric", "cosine", "only cosine")
	flag.IntVar(&o.params.M, "m", 16, "links of a node")
	flag.IntVar(&o.params.EfConstruction, "efc", 200, "candidates held while building")
	efs := flag.String("ef", "10,20,40,80,160", "candidates held while searching, `list`; - reads them from standard input, one a line")
	flag.IntVar(&o.threads, "threads", 1, "threads that build and search")
	pool := flag.Int64("pool", 1024, "MB of vector pages in memory")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements, of which the best counts")
	flag.BoolVar(&o.float, "float", false, "walk on float32 vectors, without codes")
	flag.StringVar(&o.cpuprofile, "cpuprofile", "", "`file` to write a CPU profile to")
	flag.Parse()
	o.pool = *pool << 20
	o.ask = *efs == "-"
	for s := range strings.SplitSeq(*efs, ",") {
		if o.ask {
			break
		}
		ef, err := strconv.Atoi(s)
		if err != nil || ef < 1 {
			log.Fatalf("-ef: %q is not a list of numbers", *efs)
		}
		o.efs = append(o.efs, ef)
	}
	switch {
	case o.base == "" || o.query == "" || o.truth == "" || o.dim < 1 || o.threads < 1 || o.rounds < 1 || flag.NArg() > 0:
		flag.Usage()
		os.Exit(2)
	case o.kind != "f32" && o.kind != "u8":
		log.Fatal("-type is f32 or u8")
	case o.metric != "cosine":
		log.Fatal("-metric is cosine")
	}
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) (err error) {
	base, err := readVectors(o.base, o.kind, o.dim)
	if err != nil {
		return err
	}
	queries, err := readVectors(o.query, o.kind, o.dim)
	if err != nil {
		return err
	}
	truth, err := readTruth(o.truth, len(queries), len(base))
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.threads)
	dir, err := os.MkdirTemp("", "vectorlink-ann-")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	store, err := fillStore(dir, base, o)
	if err != nil {
		return err
	}
	defer func() {
		if e := store.Close(); err == nil {
			err = e
		}
	}()
	base = nil
	runtime.GC()

	if o.cpuprofile != "" {
		f, err := os.Create(o.cpuprofile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	g, err := build(store, o)
	if err != nil {
		return err
	}
	codes, err := store.Codes(g.Slots())
	if err != nil {
		return err
	}
	defer codes.Release()
	var vecs hnsw.Vectors = codes
	if o.float {
		vecs = store
	}
	for _, ef := range o.efs {
		if err := search(g, vecs, queries, truth, ef, o); err != nil {
			return err
		}
	}
	if !o.ask {
		return nil
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		ef, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		if err := search(g, vecs, queries, truth, ef, o); err != nil {
			return err
		}
	}
	return lines.Err()
}

// fillStore puts the vectors into a file of vectors, as an indexer does.
func fillStore(dir string, base [][]float32, o options) (*vecstore.Store, error) {
	files, err := vfs.NewOS(dir)
	if err != nil {
		return nil, err
	}
	store, err := vecstore.Create(files, "ann.vecs", vecstore.Config{
		Domain: "bench/ann", Fingerprint: o.base, Dim: o.dim, Metric: vecstore.Cosine, Normalized: true,
	}, vecstore.NewPool(o.pool))
	if err != nil {
		return nil, err
	}
	keys := make([]vecstore.Key, len(base))
	for i := range keys {
		// By number, not by content: equal rows are to be nodes of their own.
		keys[i] = sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(i)))
	}
	slots, err := store.Append(keys, base)
	if err != nil {
		return nil, err
	}
	for i, slot := range slots {
		if int(slot) != i {
			return nil, fmt.Errorf("row %d has slot %d", i, slot)
		}
	}
	return store, nil
}

func build(store *vecstore.Store, o options) (*hnsw.Graph, error) {
	slots := make([]uint32, store.Len())
	for i := range slots {
		slots[i] = uint32(i)
	}
	wall, cpu := time.Now(), cputime.Process()
	g, err := hnsw.Build(context.Background(), store, slots, o.params, o.threads)
	if err != nil {
		return nil, err
	}
	return g, emit(struct {
		CPU   float64 `json:"build_cpu_s"`
		Wall  float64 `json:"build_wall_s"`
		Bytes float64 `json:"bytes_per_vector"`
	}{
		(cputime.Process() - cpu).Seconds(), time.Since(wall).Seconds(),
		// What an open index keeps in memory: links, slots and codes.
		float64(g.Bytes())/float64(g.Len()) + float64(2*vector.PlaneLen(o.dim)+4),
	})
}

// search measures all queries at one ef, by the CPU time of the thread.
func search(g *hnsw.Graph, vecs hnsw.Vectors, queries [][]float32, truth [][]uint32, ef int, o options) error {
	const k = 10
	ctx := context.Background()
	found := 0
	for i, q := range queries { // also to warm up
		hits, err := g.Search(ctx, vecs, q, k, ef, nil)
		if err != nil {
			return err
		}
		for _, h := range hits {
			if slices.Contains(truth[i][:k], h.Slot) {
				found++
			}
		}
	}
	best := math.Inf(1) // seconds a query
	for range o.rounds {
		times := make(chan time.Duration, o.threads)
		errs := make(chan error, o.threads)
		for range o.threads {
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				cpu := cputime.Thread()
				var err error
				for _, q := range queries {
					if _, err = g.Search(ctx, vecs, q, k, ef, nil); err != nil {
						break
					}
				}
				times <- cputime.Thread() - cpu
				errs <- err
			}()
		}
		var total time.Duration
		for range o.threads {
			total += <-times
			if err := <-errs; err != nil {
				return err
			}
		}
		best = min(best, total.Seconds()/float64(o.threads*len(queries)))
	}
	return emit(struct {
		Ef     int     `json:"ef"`
		Recall float64 `json:"recall@10"`
		QPS    float64 `json:"qps"`
	}{ef, float64(found) / float64(k*len(queries)), math.Round(float64(o.threads) / best)})
}

func emit(line any) error { return json.NewEncoder(os.Stdout).Encode(line) }

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	if !strings.HasSuffix(name, ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// readVectors returns the rows of a file at unit length.
func readVectors(name, kind string, dim int) ([][]float32, error) {
	b, err := readFile(name)
	if err != nil {
		return nil, err
	}
	size := dim
	if kind == "f32" {
		size *= 4
	}
	if len(b) == 0 || len(b)%size != 0 {
		return nil, fmt.Errorf("%s: %d bytes are no rows of %d %s", name, len(b), dim, kind)
	}
	rows := make([][]float32, 0, len(b)/size)
	for raw := range slices.Chunk(b, size) {
		row := make([]float32, dim)
		for i := range row {
			if kind == "u8" {
				row[i] = float32(raw[i])
			} else {
				row[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			}
		}
		if !vector.Normalize(row) {
			return nil, fmt.Errorf("%s: row %d has no direction", name, len(rows))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func readTruth(name string, queries, base int) ([][]uint32, error) {
	b, err := readFile(name)
	if err != nil {
		return nil, err
	}
	width := len(b) / 4 / queries
	if len(b) != 4*width*queries || width < 10 {
		return nil, fmt.Errorf("%s: %d bytes are no neighbours of %d queries, 10 or more each", name, len(b), queries)
	}
	var rows [][]uint32
	for raw := range slices.Chunk(b, 4*width) {
		row := make([]uint32, width)
		for i := range row {
			row[i] = binary.LittleEndian.Uint32(raw[4*i:])
			if int(row[i]) >= base {
				return nil, fmt.Errorf("%s: row %d does not exist", name, row[i])
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
