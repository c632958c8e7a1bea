package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs"
)

var _ = register[verifyCmd](ofFiles, "verify", "Check every file of a data directory. No server is needed.")

// verifyCmd checks every file of a data directory.
type verifyCmd struct {
	// DirConfig is the one setting of the server that counts here.
	DirConfig
}

// DirConfig names a data directory.
type DirConfig struct {
	DataDir string `name:"data-dir" aliases:"directory" short:"d" type:"setting" environ:"VECTORLINK_DATA_DIR" fallback:"./data" placeholder:"DIR" help:"Data directory."`
}

// Help is shown by verify --help.
func (c *verifyCmd) Help() string {
	return `Nothing is written, so a server may be using the directory. It ends with 5 when
something is damaged.`
}

// Run runs the command.
func (c *verifyCmd) Run(ctx context.Context, p *program) (err error) {
	var bad complaints
	p.readSettings(&c.DirConfig, "", &bad)
	if err := bad.error(); err != nil {
		return err
	}
	// NewOS would make a directory that is not there.
	if err := isDirectory(c.DataDir); err != nil {
		return err
	}
	dir, err := vfs.NewOS(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	findings := []indexer.Finding{}
	report := func(f indexer.Finding) {
		findings = append(findings, f)
		if !p.json {
			fmt.Fprintf(p.stdout, "%s: %s\n", f.File, clip(f.Reason, 500))
		}
	}
	sum, err := indexer.Verify(ctx, dir, report)
	if err == nil {
		err = verifySpaces(ctx, dir, &sum, report)
	}
	if err != nil {
		return err
	}
	if p.json {
		err = printJSON(p.stdout, struct {
			indexer.VerifySummary
			Findings []indexer.Finding `json:"findings"`
		}{sum, findings})
		if err != nil {
			return err
		}
	} else {
		fmt.Fprintf(p.stdout, "%s and %s checked, %d bytes: ", count(sum.Commits, "commit"), count(sum.Vectors, "vector"), sum.Bytes)
		if sum.Damaged == 0 {
			fmt.Fprintln(p.stdout, "nothing is damaged")
		} else {
			fmt.Fprintln(p.stdout, count(sum.Damaged, "finding"))
		}
	}
	if sum.Damaged > 0 {
		return as(errDamage, fmt.Errorf("damage found in %s", c.DataDir))
	}
	return nil
}

// verifySpaces checks the journals of spaces.
func verifySpaces(ctx context.Context, dir vfs.FS, sum *indexer.VerifySummary, report func(indexer.Finding)) error {
	names, err := dir.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "."+space.Ext) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		j, err := space.Inspect(dir, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // removed meanwhile
		case errors.Is(err, contract.ErrCorrupt):
			sum.Damaged++
			report(indexer.Finding{File: name, Reason: err.Error()})
		case err != nil:
			return err
		}
		sum.Files++
		sum.Bytes += j.Size
	}
	return nil
}
