package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// maxPasses bounds how often a directory that changes is looked at. Each pass
	// copies what has come since the one before, so that they become short.
	maxPasses = 200
	// maxTail bounds the parts that an appended file has behind its closed ranges;
	// with more they are copied again as one.
	maxTail = 64
)

// derived are the extensions of files that are made again when they are missing.
var derived = []string{catalog.Ext, textindex.Ext, vecstore.RangesExt}

// left reports whether a file of a data directory is in no backup: what is hidden or
// unfinished, what is made again, and tasks.
func left(name string) bool {
	return vfs.IsTemp(name) || name[0] == '.' || name == lockFile || name == Unfinished || name == listName || slices.Contains(derived, extension(name)) ||
		strings.HasPrefix(name, "tasks.journal") || strings.HasPrefix(name, tasks.IDPrefix)
}

// lockFile is what a process locks in a directory.
const lockFile = "LOCK"

func extension(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// taker copies a data directory.
type taker struct {
	files  vfs.FS
	to     store
	report func(Finding)
	cat    *catalog.Catalog

	copied map[string]File // by name, commit files of whatever pass
	told   map[Finding]bool
	floors map[string]uint32 // of each file of vectors, the slots that commits refer to
	list   []File            // of this pass
	listed map[string]bool   // the names of commit files in it
}

// take copies the files of a data directory to a store, and returns them in the order
// of their names. What is damaged is copied as it is, and reported.
func take(ctx context.Context, files vfs.FS, to store, report func(Finding)) (_ []File, err error) {
	t := &taker{files: files, to: to, report: report, copied: make(map[string]File), told: make(map[Finding]bool)}
	// Damaged files are found below.
	if t.cat, err = catalog.Open(catalog.Config{FS: files, ReadOnly: true, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	for range maxPasses {
		switch whole, err := t.pass(ctx); {
		case gone(err): // the directory has gone on
		case err != nil:
			return nil, err
		case whole:
			slices.SortFunc(t.list, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
			return t.list, nil
		}
	}
	return nil, fmt.Errorf("%w: the data directory changes faster than it can be copied", contract.ErrBusy)
}

// pass copies what was not copied yet, and reports whether all of it is of one moment.
func (t *taker) pass(ctx context.Context) (whole bool, err error) {
	t.list, t.listed = t.list[:0], make(map[string]bool)
	names, err := t.files.List()
	if err != nil {
		return false, err
	}
	if slices.Contains(names, Unfinished) {
		return false, fmt.Errorf("%w: a restore into the data directory was interrupted", contract.ErrInvalid)
	}
	// The journals first: what they say to be in commits is in them then.
	journals, err := t.journals(ctx, names)
	if err != nil {
		return false, err
	}
	if err := t.cat.Refresh(); err != nil {
		return false, err
	}
	if names, err = t.files.List(); err != nil {
		return false, err
	}
	if same, err := t.unchanged(journals, names); err != nil || !same {
		return false, err
	}
	if whole, err := t.commits(ctx); err != nil || !whole {
		return false, err
	}
	// What is appended to after the commits that refer to it.
	for _, name := range names {
		switch ext := extension(name); {
		case left(name), ext == space.Ext, t.listed[name]:
		case ext == snapshot.Ext:
			err = t.unlisted(ctx, name)
		case ext == vecstore.Ext:
			err = t.vectors(ctx, name)
		default:
			if err = t.appended(ctx, name, nil); gone(err) {
				err = nil
			}
			if err == nil && (ext == catalog.PrunedExt || ext == catalog.DecisionsExt) {
				t.doubt(name, catalog.Verify(t.files, name))
			}
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// doubt reports a file that is damaged, once.
func (t *taker) doubt(name string, err error) {
	if err == nil || gone(err) {
		return
	}
	if f := (Finding{name, err.Error()}); !t.told[f] {
		t.told[f] = true
		t.report(f)
	}
}

// journals copies the journals of spaces, and returns what they were before.
func (t *taker) journals(ctx context.Context, names []string) (map[string]space.Journal, error) {
	seen := make(map[string]space.Journal)
	for _, name := range names {
		if !strings.HasSuffix(name, "."+space.Ext) {
			continue
		}
		j, err := space.Inspect(t.files, name)
		if err != nil && !errors.Is(err, contract.ErrCorrupt) {
			return nil, err
		}
		t.doubt(name, err)
		seen[name] = j
		if err := t.appended(ctx, name, nil); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// unchanged reports whether no space has begun or ended a commit since its journal was
// looked at. Writes may have come: the copy ends before them.
func (t *taker) unchanged(journals map[string]space.Journal, names []string) (bool, error) {
	for _, name := range names {
		if !strings.HasSuffix(name, "."+space.Ext) {
			continue
		}
		before, ok := journals[name]
		now, err := space.Inspect(t.files, name)
		if err != nil && !errors.Is(err, contract.ErrCorrupt) {
			return false, err
		}
		if !ok || now.Generation != before.Generation || now.Turns != before.Turns {
			return false, nil
		}
	}
	return true, nil
}

// commits copies the commit files of the catalog's states, and reports whether they are
// still those.
func (t *taker) commits(ctx context.Context) (whole bool, err error) {
	whole, t.floors = true, make(map[string]uint32)
	for _, d := range t.cat.Domains() {
		state := d.State()
		for info := range state.Oldest() {
			if err := ctx.Err(); err != nil {
				return false, context.Cause(ctx)
			}
			if info.On != "" && !state.Has(info.On) {
				return false, nil // it has come while the directory was listed
			}
			for _, n := range info.Named() {
				t.floors[n.Vecs] = max(t.floors[n.Vecs], n.SlotEnd)
			}
			f, err := t.commit(ctx, info)
			if gone(err) || errors.Is(err, vfs.ErrReplaced) {
				whole = false // the next state knows
				continue
			}
			if err != nil {
				return false, err
			}
			t.list, t.listed[f.Name] = append(t.list, f), true
		}
	}
	return whole, nil
}

// commit returns the file of a commit, which is copied unless it is there.
func (t *taker) commit(ctx context.Context, info snapshot.Info) (File, error) {
	f := File{Name: info.Name(), Size: info.Size, ID: strconv.FormatUint(info.ID, 16)}
	if have, ok := t.copied[f.Name]; ok && have.Size == f.Size && have.ID == f.ID {
		return have, nil
	}
	if have, ok := t.to.newest(f.Name); ok && have.Size == f.Size && have.ID == f.ID {
		return have, nil
	}
	src, err := t.files.Open(f.Name, vfs.Read)
	if err != nil {
		return f, err
	}
	defer src.Close() // opened for reading
	held := opened{t.files, f.Name, src}
	now, err := snapshot.ReadInfo(held, f.Name)
	switch {
	case err == nil && !now.Same(info):
		return f, vfs.ErrReplaced
	case err == nil:
		err = snapshot.Verify(held, f.Name)
	}
	if err != nil {
		t.doubt(f.Name, err)
		f.ID = "" // to be looked at again
		if f.Size, err = src.Size(); err != nil {
			return f, err
		}
	}
	if err := t.to.write(ctx, &f, src, cut(nil, f.Size)); err != nil {
		return f, err
	}
	t.copied[f.Name] = f
	return f, nil
}

// unlisted copies a commit file that the catalog does not know, unless it is sound and
// has come since.
func (t *taker) unlisted(ctx context.Context, name string) error {
	_, err := snapshot.ReadInfo(t.files, name)
	if err == nil || gone(err) {
		return nil
	}
	t.doubt(name, err)
	return t.appended(ctx, name, nil)
}

// vectors copies a file of vectors. Ranges that no writer changes any more are known
// by their hashes, and are not read if the store has them.
func (t *taker) vectors(ctx context.Context, name string) error {
	src, err := t.files.Open(name, vfs.Read)
	if err != nil {
		return err
	}
	defer src.Close() // opened for reading
	ranges, err := closed(opened{t.files, name, src}, name, t.floors[name])
	if err != nil && !errors.Is(err, vecstore.ErrCorrupt) {
		return err
	}
	t.doubt(name, err)
	var cuts []Part
	at := int64(0)
	for i, r := range ranges {
		if i == 0 {
			cuts, at = cut(cuts, r.Offset), r.Offset // the header
		}
		cuts, at = append(cuts, Part{r.Size, r.Sum}), at+r.Size
	}
	return t.appendedTo(ctx, name, src, cuts, at)
}

// closed returns the closed ranges of a file of vectors below end.
func closed(files vfs.FS, name string, end uint32) (ranges []vecstore.Range, err error) {
	s, err := vecstore.OpenRead(files, name, vecstore.Config{}, vecstore.NewPool(partSize))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	damage := s.Refresh(end) // it has published what there is
	ranges, err = s.Ranges()
	return ranges, errors.Join(damage, err)
}

// appended copies a file that is appended to, or replaced.
func (t *taker) appended(ctx context.Context, name string, cuts []Part) error {
	src, err := t.files.Open(name, vfs.Read)
	if err != nil {
		return err
	}
	defer src.Close() // opened for reading
	return t.appendedTo(ctx, name, src, cuts, 0)
}

// appendedTo copies an open file of which the bytes up to at are cut. What follows is
// cut where it was cut before, so that only what was appended is new.
func (t *taker) appendedTo(ctx context.Context, name string, src vfs.File, cuts []Part, at int64) error {
	size, err := src.Size()
	if err != nil {
		return err
	}
	before, _ := t.to.newest(name)
	var tail []Part
	from, end := at, int64(0)
	for _, p := range before.Parts {
		if begin := end; begin == from && begin+p.Size <= size && p.Size <= partSize {
			tail, from = append(tail, Part{Size: p.Size}), begin+p.Size
		}
		end += p.Size
	}
	if len(tail) > maxTail {
		tail, from = nil, at
	}
	f := File{Name: name, Size: size}
	if err := t.to.write(ctx, &f, src, cut(append(cuts, tail...), size-from)); err != nil {
		return err
	}
	t.list = append(t.list, f)
	return nil
}
