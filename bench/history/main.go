// Command history measures what a long history costs: commits of one document
// after 1,000, 10,000 and 100,000 others, starting with them, searching an old
// one, merging, many domains, few open files.
//
//	go run ./bench/history [-docs 200,60000] [-commits 1000,10000,100000] [-only history,domains,files] [-check]
//
// It works on the packages as `vectorlink serve` puts them together, inside this
// process, with an embedder that takes some microseconds a text (384 dimensions),
// and counts the process's CPU time, user and system. What is said of a limit of
// open files is measured on `vectorlink serve` itself (-binary; built if not
// given).
//
// A history is built once for each number of documents; at each length a copy is
// kept. The copies are measured in turns, so that a busy machine disturbs one as
// much as the other. A merge is waited for before the next commit, so that its
// cost can be told from that of commits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

type bench struct {
	documents []int
	commits   []int // ascending
	rounds    int
	domains   int
	limited   limits
	dir       string
	binary    string
	only      string
	rows      []row
}

// row is a line of the table.
type row struct {
	what, measured, aim string
	missed              bool
}

func main() {
	var b bench
	documents := flag.String("docs", "200,60000", "documents of each history, `list`")
	commits := flag.String("commits", "1000,10000,100000", "commits after which to measure, `list`")
	flag.IntVar(&b.rounds, "rounds", 5, "windows of 200 commits at each length of a history")
	flag.IntVar(&b.domains, "domains", 5000, "domains of one commit that are on disk at a start")
	flag.IntVar(&b.limited.commits, "limited-commits", 10_000, "commits of the domain that is served with few open files")
	flag.IntVar(&b.limited.domains, "limited-domains", 300, "domains that are served with few open files")
	flag.IntVar(&b.limited.files, "files", 256, "open files that the server may have then")
	flag.StringVar(&b.binary, "binary", "", "the program vectorlink (built if not given)")
	flag.StringVar(&b.dir, "dir", "", "directory for the data (a temporary one if not given)")
	flag.StringVar(&b.only, "only", "history,domains,files", "what to measure, `list`")
	check := flag.Bool("check", false, "exit with 1 where an aim is missed")
	flag.Parse()
	var err error
	if b.documents, err = numbers(*documents); err == nil {
		b.commits, err = numbers(*commits)
	}
	if err != nil || flag.NArg() > 0 || b.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	err = b.run(context.Background())
	b.print() // what there is, where a part has failed
	if err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
	if *check && slices.ContainsFunc(b.rows, func(r row) bool { return r.missed }) {
		os.Exit(1)
	}
}

// numbers returns the positive numbers of a list, ascending.
func numbers(list string) ([]int, error) {
	var all []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of anything", word)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (b *bench) run(ctx context.Context) (err error) {
	work, err := os.MkdirTemp(b.dir, "vectorlink-history-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	for _, part := range []struct {
		name string
		run  func(ctx context.Context, dir string) error
	}{{"history", b.histories}, {"domains", b.manyDomains}, {"files", b.fewFiles}} {
		if !slices.Contains(strings.Split(b.only, ","), part.name) {
			continue
		}
		dir := filepath.Join(work, part.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := part.run(ctx, dir); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// build returns the program vectorlink, built if none is named.
func (b *bench) build(dir string) (string, error) {
	if b.binary != "" {
		return b.binary, nil
	}
	binary := filepath.Join(dir, "vectorlink")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/vectorlink").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// add adds a line to the table.
func (b *bench) add(what, format string, args ...any) {
	b.put(row{what: what, measured: fmt.Sprintf(format, args...)})
}

// hold adds a line that has an aim.
func (b *bench) hold(met bool, aim, what, format string, args ...any) {
	b.put(row{what, fmt.Sprintf(format, args...), aim, !met})
}

func (b *bench) put(r row) {
	b.rows = append(b.rows, r)
	fmt.Fprintf(os.Stderr, "%s: %s\n", r.what, r.measured)
}

func (b *bench) print() {
	fmt.Printf("%d processors, %s, %s/%s\n\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Println("| | Measured | Aim | |\n|---|--:|--:|---|")
	for _, r := range b.rows {
		verdict := ""
		switch {
		case r.missed:
			verdict = "missed"
		case r.aim != "":
			verdict = "met"
		}
		fmt.Printf("| %s | %s | %s | %s |\n", r.what, r.measured, r.aim, verdict)
	}
}

// percentile returns a percentile of times, which it sorts.
func percentile(times []time.Duration, p int) time.Duration {
	slices.Sort(times)
	return times[(len(times)-1)*p/100]
}

func median(times []time.Duration) time.Duration { return percentile(times, 50) }

func ms(d time.Duration) string {
	x := d.Seconds() * 1000
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f ms", x)
	case x < 100:
		return fmt.Sprintf("%.1f ms", x)
	}
	return fmt.Sprintf("%.0f ms", x)
}
