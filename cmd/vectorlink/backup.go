package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/backup"
	"github.com/vectorlink/vectorlink/vfs"
)

var _ = register[backupCmd](ofFiles, "backup", "Back a data directory up, beside its server or without one.")

// backupCmd takes and checks backups.
type backupCmd struct {
	DirConfig
	To         string `arg:"" help:"Directory of backups, which gets one more; or a new file, FILE.tar.zst."`
	Keep       int    `placeholder:"N" help:"Keep the N newest backups of the directory; the others go when the new one is safe."`
	VerifyOnly bool   `help:"Check the backups that are there, and take none."`
	List       bool   `help:"List the backups that are there, and take none."`
}

// Help is shown by backup --help.
func (c *backupCmd) Help() string {
	return `The server may go on: it is not asked and not held up. A backup holds one moment of
every database and space, and what was paid for; a restored server answers the same and
embeds nothing again. In a directory only what is new is written, and each backup
stands for itself. Until a backup is whole and on the disk the directory holds the
backups that it held before. It ends with 5 when something is damaged: what is damaged
in the data directory is backed up as it is.`
}

// Run runs the command.
func (c *backupCmd) Run(ctx context.Context, p *program) (err error) {
	var bad complaints
	p.readSettings(&c.DirConfig, "", &bad)
	if c.Keep < 0 {
		bad.add("--keep must not be negative")
	}
	if c.Keep > 0 && isArchive(c.To) {
		bad.add("--keep is for a directory of backups: %s holds one", c.To)
	}
	if err := bad.error(); err != nil {
		return err
	}
	findings := []backup.Finding{}
	report := func(f backup.Finding) {
		findings = append(findings, f)
		if !p.json {
			fmt.Fprintf(p.stdout, "%s: %s\n", f.File, clip(f.Reason, 500))
		}
	}
	switch {
	case c.List:
		return c.list(p, report)
	case c.VerifyOnly:
		var sum backup.Verified
		if err := fromBackups(c.To, func(f *os.File) (err error) {
			sum, err = backup.VerifyArchive(ctx, f, report)
			return err
		}, func(d *backup.Dir) (err error) {
			sum, err = d.Verify(ctx, report)
			return err
		}); err != nil {
			return err
		}
		err = p.print(struct {
			backup.Verified
			Findings []backup.Finding `json:"findings"`
		}{sum, findings}, func(w io.Writer, _ paint) {
			fmt.Fprintf(w, "%s of %s checked, %d bytes: %s\n", count(sum.Backups, "backup"), count(sum.Parts, "part"), sum.Bytes, damageFound(sum.Damaged))
		})
	default:
		var sum backup.Summary
		if sum, err = c.take(ctx, report); err != nil {
			return err
		}
		sum.Index = nil // not for people
		err = p.print(struct {
			backup.Summary
			Findings []backup.Finding `json:"findings"`
		}{sum, findings}, func(w io.Writer, _ paint) {
			fmt.Fprintf(w, "%s backed up: %s of %d bytes, %d of them new; %s\n", c.DataDir, count(sum.Files, "file"), sum.Bytes, sum.Added, damageFound(sum.Damaged))
			if sum.Removed > 0 {
				fmt.Fprintf(w, "%s removed\n", count(sum.Removed, "older backup"))
			}
		})
	}
	if err == nil && len(findings) > 0 {
		return as(errDamage, errors.New("damage found"))
	}
	return err
}

func damageFound(n int) string {
	if n == 0 {
		return "nothing is damaged"
	}
	return count(n, "finding")
}

// take takes a backup.
func (c *backupCmd) take(ctx context.Context, report func(backup.Finding)) (sum backup.Summary, err error) {
	if err := isDirectory(c.DataDir); err != nil {
		return sum, err
	}
	if err := checkOwn(c.DataDir); err != nil {
		return sum, err
	}
	from, err := filepath.Abs(c.DataDir)
	if err != nil {
		return sum, err
	}
	to, err := filepath.Abs(c.To)
	if err != nil {
		return sum, err
	}
	if rel, err := filepath.Rel(from, to); err == nil && filepath.IsLocal(rel) {
		return sum, usage("%s lies in the data directory: name a place outside, best on another disk", c.To)
	}
	files, err := vfs.NewOS(c.DataDir)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	if !isArchive(c.To) {
		err = inBackups(c.To, func(d *backup.Dir) error {
			sum, err = d.Take(ctx, files, version, c.Keep, report)
			return err
		})
		return sum, err
	}
	dir, err := vfs.NewOS(filepath.Dir(to))
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	err = vfs.WriteFile(dir, filepath.Base(to), func(w io.Writer) error {
		sum, err = backup.WriteArchive(ctx, w, files, version, report)
		return err
	})
	if err == nil {
		err = dir.SyncDir()
	}
	return sum, err
}

func isArchive(name string) bool { return strings.HasSuffix(name, ".tar.zst") }

// list lists the backups of a directory.
func (c *backupCmd) list(p *program, report func(backup.Finding)) error {
	list := []backup.Taken{}
	err := fromBackups(c.To, func(*os.File) error {
		return usage("an archive holds one backup")
	}, func(d *backup.Dir) error {
		found, err := d.Backups(report)
		for _, t := range found {
			t.Index = nil // not for people
			list = append(list, t)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.print(list, func(w io.Writer, _ paint) {
		rows := grid{{"BACKUP", "TAKEN", "FILES", "BYTES", "BY"}}
		for _, t := range list {
			rows = append(rows, []any{t.Name, t.Time, t.Files, t.Bytes, t.Program})
		}
		rows.text(w)
	})
}

// inBackups opens a directory of backups.
func inBackups(name string, use func(*backup.Dir) error) (err error) {
	fsys, err := vfs.NewOS(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fsys.Close()) }()
	d, err := backup.OpenDir(vfs.Limit(fsys, vfs.DefaultLimit()))
	switch {
	case errors.Is(err, backup.ErrNotEmpty):
		return usage("%s holds files that are no backups: %w", name, err)
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("%s is in use by another backup or restore", name)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return use(d)
}

// fromBackups opens what was backed up, an archive or a directory of backups.
func fromBackups(name string, archive func(*os.File) error, dir func(*backup.Dir) error) (err error) {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return inBackups(name, dir)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	return archive(f)
}

var _ = register[restoreCmd](ofFiles, "restore", "Put a backup into an empty data directory.")

// restoreCmd puts a backup back.
type restoreCmd struct {
	DirConfig
	From   string `arg:"" help:"Directory of backups, or FILE.tar.zst."`
	Backup string `placeholder:"NAME" help:"Backup of the directory, as backup --list names it (default the newest)."`
}

// Help is shown by restore --help.
func (c *restoreCmd) Help() string {
	return `The data directory is made if it is not there, and must be empty. Every byte is checked
against the backup. If it is interrupted, no server starts on what is there: run it
again. Tasks that were running are not in a backup, so nothing is resumed; full texts
are made again when they are first searched.`
}

// Run runs the command.
func (c *restoreCmd) Run(ctx context.Context, p *program) (err error) {
	var bad complaints
	p.readSettings(&c.DirConfig, "", &bad)
	if err := bad.error(); err != nil {
		return err
	}
	into := func(put func(to vfs.FS) error) (err error) {
		st, err := lockDirectory(c.DataDir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, st.lock.Close(), st.dir.Close()) }()
		err = put(st.files)
		if errors.Is(err, backup.ErrNotEmpty) {
			err = usage("the data directory %s holds data: name an empty one, or move what is there away (%w)", c.DataDir, err)
		}
		return err
	}
	var done backup.Taken
	err = fromBackups(c.From, func(f *os.File) error {
		return into(func(to vfs.FS) error {
			done, err = backup.RestoreArchive(ctx, f, to)
			return err
		})
	}, func(d *backup.Dir) error {
		if done, err = c.choose(d); err != nil {
			return err
		}
		return into(func(to vfs.FS) error { return d.Restore(ctx, done, to) })
	})
	if err != nil {
		return err
	}
	done.Index = nil
	return p.print(done, func(w io.Writer, _ paint) {
		fmt.Fprintf(w, "%s: the backup of %s restored, %s of %d bytes\n", c.DataDir, done.Time.Format("2006-01-02 15:04:05 MST"), count(done.Files, "file"), done.Bytes)
	})
}

// choose returns the backup that was asked for.
func (c *restoreCmd) choose(d *backup.Dir) (backup.Taken, error) {
	var damaged []error
	list, err := d.Backups(func(f backup.Finding) { damaged = append(damaged, fmt.Errorf("%s: %s", f.File, f.Reason)) })
	if err != nil {
		return backup.Taken{}, err
	}
	if c.Backup == "" && len(damaged) > 0 {
		return backup.Taken{}, as(errDamage, fmt.Errorf("the newest backup may be one that cannot be read; name another one by --backup:\n%w", indented(damaged)))
	}
	for _, t := range slices.Backward(list) {
		if c.Backup == "" || t.Name == c.Backup {
			return t, nil
		}
	}
	return backup.Taken{}, fmt.Errorf("%w in %s", backup.ErrNone, c.From)
}
