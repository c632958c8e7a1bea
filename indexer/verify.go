package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// verifyPoolBytes is the buffer pool of a Verify.
const verifyPoolBytes = 16 << 20

// Finding is one thing wrong with a file.
type Finding = search.Finding

// Check verifies files that belong to others, those of one ending.
type Check struct {
	Ext string
	// Verify returns the size of a file, and what is wrong with it.
	Verify func(files vfs.FS, name string) (int64, error)
}

// VerifySummary says what a Verify has read.
type VerifySummary struct {
	Files   int   `json:"files"`
	Commits int   `json:"commits"`
	Vectors int   `json:"vectors"`
	Bytes   int64 `json:"bytes"`
	Damaged int   `json:"damaged"` // findings reported
}

// Verify reads every commit file and every vector of a data directory, checks
// their checksums and that what refers to another is answered, and reports
// each thing wrong. It writes nothing, so it may run beside a server; vectors
// being appended at the moment are not looked at. Files of others are left to
// their checks. The error says that the check itself could not go on.
func Verify(ctx context.Context, files vfs.FS, report func(Finding), others ...Check) (VerifySummary, error) {
	v := verifier{files: files, commits: make(map[string]map[string]snapshot.Info), vectors: make(map[string]uint32), models: make(map[string]vecstore.Config), freed: make(map[string]func(uint32) bool), bad: make(map[string]map[uint32]*badVector)}
	v.report = func(file, reason string, commits ...string) {
		if ctx.Err() != nil {
			return // what could not be read for that is no damage
		}
		v.sum.Damaged++
		report(Finding{File: file, Reason: reason, Commits: commits})
	}
	// Commits are listed before vectors are counted: what a commit refers to is
	// there before it. What has gone since the lists were made was removed.
	infos, damaged, err := snapshot.List(files)
	if err != nil {
		return v.sum, fmt.Errorf("indexer: verify: %w", err)
	}
	names, err := files.List()
	if err != nil {
		return v.sum, fmt.Errorf("indexer: verify: %w", err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return v.sum, context.Cause(ctx)
		}
		switch {
		case strings.HasSuffix(name, ".vecs"):
			v.vectorFile(ctx, name)
		case strings.HasSuffix(name, "."+catalog.Ext):
			v.sum.Files++
			if err := catalog.Verify(files, name); err != nil {
				v.report(name, err.Error()+"; it is rebuilt at the next start")
			}
		case strings.HasSuffix(name, "."+catalog.PrunedExt):
			v.sum.Files++
			if err := catalog.Verify(files, name); err != nil {
				v.report(name, err.Error()+"; commits that it does not name any more are not known as pruned")
			}
		case strings.HasSuffix(name, "."+catalog.DecisionsExt):
			v.sum.Files++
			if err := catalog.Verify(files, name); err != nil {
				v.report(name, err.Error()+"; the decisions that can be read count, the others are to be made or imported again")
			}
		case strings.HasSuffix(name, "."+textindex.Ext):
			v.sum.Files++
			if _, err := textindex.Verify(files, name); err != nil && !errors.Is(err, textindex.ErrStale) && !errors.Is(err, fs.ErrNotExist) {
				v.report(name, err.Error()+"; it is rebuilt when it is next needed")
			}
		default:
			for _, check := range others {
				if !strings.HasSuffix(name, "."+check.Ext) {
					continue
				}
				size, err := check.Verify(files, name)
				if errors.Is(err, fs.ErrNotExist) {
					continue // removed meanwhile
				}
				v.sum.Files++
				v.sum.Bytes += size
				if err != nil {
					v.report(name, err.Error())
				}
			}
		}
	}
	for _, d := range damaged {
		v.sum.Files++
		v.report(d.Name, d.Err.Error()+"; index or push its commit again")
	}
	for _, info := range infos {
		if v.commits[info.Domain] == nil {
			v.commits[info.Domain] = make(map[string]snapshot.Info)
		}
		v.commits[info.Domain][info.Commit] = info
	}
	for _, info := range infos {
		if err := ctx.Err(); err != nil {
			return v.sum, context.Cause(ctx)
		}
		v.commitFile(info)
	}
	v.reportVectors()
	return v.sum, context.Cause(ctx)
}

type verifier struct {
	files   vfs.FS
	report  func(file, reason string, commits ...string)
	sum     VerifySummary
	commits map[string]map[string]snapshot.Info // by domain and commit
	vectors map[string]uint32                   // vectors, by file
	models  map[string]vecstore.Config          // by file
	freed   map[string]func(uint32) bool        // whether a slot was, by file; nil where none was
	bad     map[string]map[uint32]*badVector    // damaged ones, and freed ones that are referred to, by file and slot
}

// badVector is a damaged vector and what refers to it. One that nothing refers
// to does no harm: its text has another one by now, or was never committed.
type badVector struct {
	err          error
	document     string // one of those whose it is
	commits      map[string]struct{}
	moreThanThat bool
}

func (v *verifier) vectorFile(ctx context.Context, name string) {
	v.sum.Files++
	s, err := vecstore.Open(v.files, name, vecstore.Config{}, vecstore.NewPool(verifyPoolBytes))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if errors.Is(err, vecstore.ErrCorrupt) {
		err = fmt.Errorf("%w; index a commit of its domain again", err)
	}
	if err != nil {
		v.report(name, err.Error())
		return
	}
	n := s.Len()
	v.vectors[name] = n
	cfg := s.Config()
	v.models[name] = cfg
	if want := vecstore.FileName(cfg.Domain, cfg.Name); want != name {
		v.report(name, "it belongs to the file "+want)
	}
	v.sum.Vectors += int(n)
	err = s.Verify(func(slot uint32, err error) {
		switch {
		case ctx.Err() != nil:
		case slot == vecstore.NoSlot:
			v.report(name, err.Error())
		default:
			v.noteBad(name, slot, err)
		}
	})
	if errors.Is(err, vecstore.ErrCorrupt) {
		err = nil // reported one by one
	}
	if err = errors.Join(err, s.Close()); err != nil {
		v.report(name, err.Error())
	}
	v.sum.Bytes += int64(int(n)-s.Freed()) * int64(4*s.Dim())
	if s.Freed() > 0 {
		v.freed[name] = s.IsFreed
	}
}

// noteBad notes that a vector cannot be read.
func (v *verifier) noteBad(file string, slot uint32, err error) *badVector {
	if v.bad[file] == nil {
		v.bad[file] = make(map[uint32]*badVector)
	}
	b := &badVector{err: err, commits: make(map[string]struct{})}
	v.bad[file][slot] = b
	return b
}

// badOf returns what is known of a vector that cannot be read, nil of another.
func (v *verifier) badOf(file string, slot uint32) *badVector {
	b := v.bad[file][slot]
	if freed := v.freed[file]; b == nil && freed != nil && freed(slot) {
		b = v.noteBad(file, slot, fmt.Errorf("vector %d was freed by gc while no commit used it", slot))
	}
	return b
}

func (v *verifier) commitFile(info snapshot.Info) {
	v.sum.Files++
	v.sum.Commits++
	v.sum.Bytes += info.Size
	if err := snapshot.Verify(v.files, info.Name()); errors.Is(err, fs.ErrNotExist) {
		return
	} else if err != nil {
		mend := "index or push"
		if info.Kind == snapshot.Alias {
			mend = "assign"
		}
		v.report(info.Name(), fmt.Sprintf("%v; %s commit %s again", err, mend, info.Commit), info.Commit)
		return
	}
	if info.Kind != snapshot.Checkpoint {
		if _, ok := v.commits[info.Domain][info.On]; !ok {
			v.report(info.Name(), fmt.Sprintf("the file of commit %s, on which it stands, is missing or damaged; index or push that commit again", info.On), info.Commit)
		}
	}
	for _, n := range info.Named() {
		if n.Name != snapshot.MainVectors && n.Vecs == info.Vecs && n.SlotEnd <= info.SlotEnd && n.Fingerprint == info.Fingerprint && n.Dim == info.Dim {
			continue // what is wrong with these was reported of the main ones
		}
		if n.SlotEnd > v.vectors[n.Vecs] {
			v.report(info.Name(), fmt.Sprintf("it refers to %d vectors of %s, which holds %d", n.SlotEnd, n.Vecs, v.vectors[n.Vecs]))
		}
		if have, ok := v.models[n.Vecs]; ok && n.SlotEnd > 0 && (have.Fingerprint != n.Fingerprint || have.Dim != int(n.Dim)) {
			v.report(info.Name(), fmt.Sprintf("it refers to vectors of %s (%d dimensions), %s holds those of %s (%d)", n.Fingerprint, n.Dim, n.Vecs, have.Fingerprint, have.Dim))
		}
	}
	if err := v.references(info); err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.report(info.Name(), err.Error(), info.Commit)
	}
}

// references decodes the graph of a commit file, and notes which damaged
// vectors, of whatever name, its entries refer to.
func (v *verifier) references(info snapshot.Info) (err error) {
	suspect := slices.DeleteFunc(info.Named(), func(n snapshot.NamedVectors) bool { return len(v.bad[n.Vecs]) == 0 && v.freed[n.Vecs] == nil })
	if !info.Graph && len(suspect) == 0 {
		return nil
	}
	f, err := snapshot.Open(v.files, info.Name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i := range f.Entries() {
		e := &f.Entries()[i]
		for _, n := range suspect {
			for _, c := range e.ChunksOf(n.Name) {
				b := v.badOf(n.Vecs, c.Slot)
				if b == nil {
					continue
				}
				b.moreThanThat = b.moreThanThat || b.document != "" && b.document != e.ID
				b.document = e.ID
				b.commits[info.Commit] = struct{}{}
			}
		}
	}
	p, err := f.Graph()
	if err == nil && len(p) > 0 {
		_, err = hnsw.Decode(p)
	}
	return err
}

// reportVectors reports the damaged vectors that are referred to.
func (v *verifier) reportVectors() {
	for _, name := range slices.Sorted(maps.Keys(v.bad)) {
		for _, slot := range slices.Sorted(maps.Keys(v.bad[name])) {
			b := v.bad[name][slot]
			if len(b.commits) == 0 {
				continue
			}
			whose := b.document
			if b.moreThanThat {
				whose += " and others"
			}
			commits := slices.Sorted(maps.Keys(b.commits))
			v.report(name, fmt.Sprintf("%v; it is of document %s: index or push again commit %s", b.err, whose, strings.Join(commits, ", ")), commits...)
		}
	}
}
