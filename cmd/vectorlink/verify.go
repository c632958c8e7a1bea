package main

import (
	"context"
	"errors"
	"fmt"

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
	sum, err := indexer.Verify(ctx, dir, report, checks...)
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

// checks verify files of a data directory that are not the indexer's.
var checks = []indexer.Check{{Ext: space.Ext, Verify: func(files vfs.FS, name string) (int64, error) {
	j, err := space.Inspect(files, name)
	return j.Size, err
}}}
