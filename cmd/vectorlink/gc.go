package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
)

var _ = register[gcCmd](ofFiles, "gc", "Remove what nothing in a data directory refers to any more.")

// gcCmd removes what nothing refers to any more.
type gcCmd struct {
	DirConfig
	DryRun bool          `name:"dry-run" help:"Show what would be removed, and remove nothing."`
	Grace  time.Duration `name:"grace" default:"24h" help:"Keep what was written to within this time."`
}

// Help is shown by gc --help.
func (c *gcCmd) Help() string {
	return `No server may be using the directory for writing: it is locked meanwhile. Removed are
vectors of domains without commits (deleting a domain keeps them, as they have been
paid for), full texts of commits that are gone, and what unfinished writes have left.
Vectors that only pruned or deleted commits used are freed: the file of a domain's
vectors is written again with holes, if at least 1/32 of it comes free, which takes
as much room meanwhile as what stays. What a commit needs is never removed, and it may
be interrupted at any time.`
}

// Run runs the command.
func (c *gcCmd) Run(ctx context.Context, p *program) (err error) {
	var bad complaints
	p.readSettings(&c.DirConfig, "", &bad)
	if c.Grace < 0 {
		bad.add("--grace must not be negative")
	}
	if err := bad.error(); err != nil {
		return err
	}
	if err := isDirectory(c.DataDir); err != nil {
		return err
	}
	dir, err := claim(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.lock.Close(), dir.dir.Close()) }()
	before := time.Now().Add(-c.Grace)
	removals := []indexer.Removal{}
	sum, err := indexer.Sweep(ctx, indexer.SweepConfig{
		FS: dir.dir, DryRun: c.DryRun,
		Spare: func(name string) (bool, error) {
			info, err := os.Stat(filepath.Join(c.DataDir, name))
			if err != nil {
				return false, err
			}
			return info.ModTime().After(before), nil
		},
	}, func(r indexer.Removal) {
		removals = append(removals, r)
		if !p.json {
			fmt.Fprintf(p.stdout, "%s: %s, %d bytes\n", r.File, r.Reason, r.Bytes)
		}
	})
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.stdout, struct {
			indexer.SweepSummary
			DryRun bool              `json:"dry_run"`
			Files  []indexer.Removal `json:"files"`
		}{sum, c.DryRun, removals})
	}
	return c.summary(p.stdout, sum)
}

func (c *gcCmd) summary(w io.Writer, sum indexer.SweepSummary) error {
	done := "removed"
	if c.DryRun {
		done = "to be removed"
	}
	fmt.Fprintf(w, "%s of %d bytes %s", count(sum.Removed, "file"), sum.Bytes, done)
	if sum.FreedVectors > 0 {
		fmt.Fprintf(w, ", %s of %d bytes %s", count(sum.FreedVectors, "vector"), sum.FreedBytes, strings.Replace(done, "removed", "freed", 1))
	}
	if sum.Spared > 0 {
		fmt.Fprintf(w, ", %s kept for being younger than %s", count(sum.Spared, "file"), c.Grace)
	}
	if sum.Held > 0 {
		fmt.Fprintf(w, ", %s of vectors kept because damaged commit files may need them (see vectorlink verify)", count(sum.Held, "file"))
	}
	_, err := fmt.Fprintln(w)
	return err
}

// isDirectory returns an error unless there is a directory of that name.
func isDirectory(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", name)
	}
	return nil
}
