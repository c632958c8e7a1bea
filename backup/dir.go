package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// takenExt is the extension of a backup, partExt that of a part.
	takenExt = ".backup"
	partExt  = ".part"
	// takenTime is how the time of a backup is written in its name.
	takenTime = "20060102T150405Z"
	// maxTaken bounds the file of a backup.
	maxTaken = 64 << 20
	// syncers is how many files are synced, checked or put back at once.
	syncers = 8
)

// ErrNone is returned where there is no backup: take one, or name another directory.
var ErrNone = fmt.Errorf("%w: no backup", contract.ErrNotFound)

// Dir is a directory of backups.
type Dir struct {
	fs   vfs.FS
	lock io.Closer

	parts  map[Part]bool   // that the newest backup refers to, and are there
	files  map[string]File // of the newest backup
	staged map[Part]string // the temporary names of new parts
	last   time.Time       // when the newest backup was taken
}

// OpenDir opens a directory of backups and locks it, [vfs.ErrLocked] where another
// process uses it. One with files of others is refused by [ErrNotEmpty]. Close it.
func OpenDir(fsys vfs.FS) (*Dir, error) {
	names, err := fsys.List()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if ext := extension(name); name[0] != '.' && name != lockFile && "."+ext != takenExt && "."+ext != partExt && !vfs.IsTemp(name) {
			return nil, fmt.Errorf("%w, such as %s", ErrNotEmpty, name)
		}
	}
	lock, err := fsys.Lock(lockFile)
	if err != nil {
		return nil, err
	}
	return &Dir{fs: fsys, lock: lock}, nil
}

// Close lets go of the directory.
func (d *Dir) Close() error { return d.lock.Close() }

// partName returns the name of a part's file.
func partName(p Part) string { return hex.EncodeToString(p.Sum[:]) + partExt }

// Backups returns the backups of the directory, the oldest first. What cannot be read is
// reported and left out.
func (d *Dir) Backups(report func(Finding)) ([]Taken, error) {
	names, err := d.fs.List()
	if err != nil {
		return nil, err
	}
	var list []Taken
	for _, name := range names {
		if !strings.HasSuffix(name, takenExt) {
			continue
		}
		switch taken, err := d.read(name); {
		case errors.Is(err, contract.ErrCorrupt):
			report(Finding{name, err.Error()})
		case err != nil:
			return nil, err
		default:
			list = append(list, taken)
		}
	}
	slices.SortFunc(list, func(a, b Taken) int { return a.Time.Compare(b.Time) })
	return list, nil
}

// read reads the file of a backup.
func (d *Dir) read(name string) (t Taken, err error) {
	p, err := d.readFile(name, -1)
	if err != nil {
		return t, err
	}
	line, sum, _ := bytes.Cut(p, []byte("\n"))
	if want := sha256.Sum256(line); string(sum) != hex.EncodeToString(want[:])+"\n" {
		return t, fmt.Errorf("%w: %s has another checksum", contract.ErrCorrupt, name)
	}
	if t, err = parseTaken(line); err != nil {
		return t, fmt.Errorf("%s: %w", name, err)
	}
	t.Name = strings.TrimSuffix(name, takenExt)
	return t, nil
}

// ErrVersion is returned for a backup of a newer version: restore it with a newer
// program.
var ErrVersion = fmt.Errorf("%w: backup of a newer version", contract.ErrCorrupt)

// parseTaken parses what a backup says of itself. The version is looked at first.
func parseTaken(line []byte) (t Taken, err error) {
	if err := json.Unmarshal(line, &t); err != nil {
		return t, fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
	}
	if t.Version != version {
		return t, fmt.Errorf("%w: version %d, written by vectorlink %.40q; this program reads version %d", ErrVersion, t.Version, t.Program, version)
	}
	return t, nil
}

// readFile reads a whole file, of that size unless it is negative.
func (d *Dir) readFile(name string, size int64) (p []byte, err error) {
	f, err := d.fs.Open(name, vfs.Read)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := f.Size()
	if err != nil {
		return nil, err
	}
	if n > maxTaken || size >= 0 && n != size {
		return nil, fmt.Errorf("%w: %s has %d bytes", contract.ErrCorrupt, name, n)
	}
	p = make([]byte, n)
	return p, vfs.ReadFull(f, p, 0)
}

// part reads a part and checks it.
func (d *Dir) part(p Part) ([]byte, error) {
	b, err := d.readFile(partName(p), p.Size)
	switch {
	case gone(err):
		return nil, fmt.Errorf("%w: %s is missing", contract.ErrCorrupt, partName(p))
	case err != nil:
		return nil, err
	case partOf(b) != p:
		return nil, fmt.Errorf("%w: %s has another hash than its name", contract.ErrCorrupt, partName(p))
	}
	return b, nil
}

// Files returns the files of a backup, in the order of their names.
func (d *Dir) Files(t Taken) (files []File, err error) {
	for _, p := range t.Index {
		b, err := d.part(p)
		if err != nil {
			return nil, err
		}
		if files, err = decodeFiles(b, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Summary says what a backup holds and what it has cost.
type Summary struct {
	Taken
	Added   int64 `json:"added_bytes"` // written for this backup
	Parts   int   `json:"added_parts"` // of that
	Removed int   `json:"removed"`     // older backups
	Damaged int   `json:"damaged"`     // findings reported
}

// Take adds a backup of a data directory. keep, if it is not 0, is how many backups stay,
// this one included; the oldest go, with the parts that no other needs, after this
// one is durable. What is damaged is copied as it is, and reported.
func (d *Dir) Take(ctx context.Context, files vfs.FS, program string, keep int, report func(Finding)) (sum Summary, err error) {
	counted := func(f Finding) {
		sum.Damaged++
		report(f)
	}
	if err := d.begin(counted); err != nil {
		return sum, err
	}
	defer func() {
		for _, temp := range d.staged {
			err = errors.Join(err, d.fs.Remove(temp))
		}
	}()
	at := time.Now().UTC()
	if !at.After(d.last) { // the clock was set back
		at = d.last.Add(1)
	}
	list, err := take(ctx, files, d, counted)
	if err != nil {
		return sum, err
	}
	sum.Taken = taken(at, program, list)
	if err := d.finish(ctx, list, &sum); err != nil {
		return sum, err
	}
	if keep > 0 {
		sum.Removed, err = d.expire(keep)
	}
	return sum, err
}

// taken says what a backup of these files is.
func taken(at time.Time, program string, files []File) Taken {
	t := Taken{Version: version, Time: at, Program: program, Files: len(files)}
	for i := range files {
		t.Bytes += files[i].Size
	}
	return t
}

// begin makes out what the newest backup has.
func (d *Dir) begin(report func(Finding)) error {
	if err := vfs.Clean(d.fs); err != nil {
		return err
	}
	names, err := d.fs.List()
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	d.parts, d.files, d.staged = make(map[Part]bool), make(map[string]File), make(map[Part]string)
	backups, err := d.Backups(report)
	if err != nil {
		return err
	}
	for _, t := range slices.Backward(backups) {
		if t.Time.After(d.last) {
			d.last = t.Time
		}
		files, err := d.Files(t)
		if errors.Is(err, contract.ErrCorrupt) {
			report(Finding{t.Name + takenExt, err.Error()})
			continue
		}
		if err != nil {
			return err
		}
		for i := range files {
			whole := true
			for _, p := range files[i].Parts {
				ok := there[partName(p)]
				d.parts[p], whole = ok, whole && ok
			}
			if whole {
				d.files[files[i].Name] = files[i]
			}
		}
		for _, p := range t.Index {
			d.parts[p] = true
		}
		break
	}
	return nil
}

func (d *Dir) newest(name string) (File, bool) {
	f, ok := d.files[name]
	return f, ok
}

func (d *Dir) write(ctx context.Context, f *File, src io.ReaderAt, cuts []Part) error {
	buf := make([]byte, 0, min(partSize, f.Size))
	off := int64(0)
	f.Parts = make([]Part, 0, len(cuts))
	for _, p := range cuts {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if !d.parts[p] { // one of unknown hash is none
			buf = slices.Grow(buf[:0], int(p.Size))[:p.Size]
			if err := readPart(src, buf, off); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			var err error
			if p, err = d.put(buf); err != nil {
				return err
			}
		}
		f.Parts = append(f.Parts, p)
		off += p.Size
	}
	return nil
}

// put keeps bytes as a part, unless there is one.
func (d *Dir) put(b []byte) (Part, error) {
	p := partOf(b)
	if d.parts[p] {
		return p, nil
	}
	temp, err := vfs.WriteTemp(d.fs, "part", false, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return p, err
	}
	d.parts[p], d.staged[p] = true, temp
	return p, nil
}

// finish makes a backup of files whose parts are there.
func (d *Dir) finish(ctx context.Context, files []File, sum *Summary) error {
	if err := d.index(files, &sum.Taken); err != nil {
		return err
	}
	needed := make(map[Part]bool)
	for _, p := range sum.Index {
		needed[p] = true
	}
	for i := range files {
		for _, p := range files[i].Parts {
			needed[p] = true
		}
	}
	var parts []Part
	for p := range d.staged {
		if needed[p] { // others were copied in vain
			parts = append(parts, p)
			sum.Added, sum.Parts = sum.Added+p.Size, sum.Parts+1
		}
	}
	// All of it is written by now, mostly to the disk too: a sync of each has little
	// to wait for.
	err := parallel.Do(ctx, syncers, len(parts), func(_ context.Context, _, i int) error {
		f, err := d.fs.Open(d.staged[parts[i]], vfs.ReadWrite)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := d.fs.Rename(d.staged[p], partName(p)); err != nil {
			return err
		}
		delete(d.staged, p)
	}
	if err := d.fs.SyncDir(); err != nil {
		return err
	}
	return d.name(&sum.Taken)
}

// index writes the list of files, in blocks that end behind every 128th name or so, by
// their hashes: those in which nothing has changed are there.
func (d *Dir) index(files []File, t *Taken) error {
	var block bytes.Buffer
	for i := range files {
		if err := encodeFiles(&block, files[i:i+1]); err != nil {
			return err
		}
		if sum := sha256.Sum256([]byte(files[i].Name)); sum[0]&0x7f != 0 && i < len(files)-1 {
			continue
		}
		p, err := d.put(block.Bytes())
		if err != nil {
			return err
		}
		t.Index = append(t.Index, p)
		block.Reset()
	}
	return nil
}

// name writes the file of a backup: there is one from then on. It is durable.
func (d *Dir) name(t *Taken) error {
	names, err := d.fs.List()
	if err != nil {
		return err
	}
	for at := t.Time; t.Name == "" || slices.Contains(names, t.Name+takenExt); at = at.Add(time.Second) {
		t.Name = at.Format(takenTime)
	}
	unnamed := *t
	unnamed.Name = ""
	line, err := json.Marshal(unnamed)
	if err != nil {
		return err
	}
	err = vfs.WriteFile(d.fs, t.Name+takenExt, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n%x\n", line, sha256.Sum256(line))
		return err
	})
	if err != nil {
		return err
	}
	return d.fs.SyncDir()
}

// expire removes all backups but the newest ones, and then the parts that none of these
// needs. Where a list of files cannot be read, no parts go.
func (d *Dir) expire(keep int) (removed int, err error) {
	damaged := false
	backups, err := d.Backups(func(Finding) { damaged = true })
	if err != nil {
		return 0, err
	}
	for len(backups) > keep {
		if err := d.fs.Remove(backups[0].Name + takenExt); err != nil {
			return removed, err
		}
		backups, removed = backups[1:], removed+1
	}
	// A backup that came back would lack parts.
	if err := d.fs.SyncDir(); err != nil || damaged {
		return removed, err
	}
	needed := make(map[string]bool)
	for _, t := range backups {
		files, err := d.Files(t)
		if errors.Is(err, contract.ErrCorrupt) {
			return removed, nil
		}
		if err != nil {
			return removed, err
		}
		for _, p := range t.Index {
			needed[partName(p)] = true
		}
		for i := range files {
			for _, p := range files[i].Parts {
				needed[partName(p)] = true
			}
		}
	}
	names, err := d.fs.List()
	if err != nil {
		return removed, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, partExt) && !needed[name] {
			if err := d.fs.Remove(name); err != nil {
				return removed, err
			}
		}
	}
	return removed, d.fs.SyncDir()
}
