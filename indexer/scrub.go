package indexer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs"
)

// ScrubFile keeps what the last scrub found. It may be lost: then the next one begins
// soon after the start.
const ScrubFile = "scrub.json"

const (
	defaultScrubRate = 16 << 20 // bytes a second
	firstScrub       = time.Minute
	maxFindings      = 1000 // that are kept; others are counted
	maxScrubFile     = 4 << 20
)

// scrubber verifies the data directory again and again, and keeps what it found.
type scrubber struct {
	mu sync.Mutex // guards what is below
	search.Scrub
}

// kept is what ScrubFile holds.
type kept struct {
	Finished time.Time `json:"finished"`
	Findings []Finding `json:"findings,omitempty"`
	More     int       `json:"more,omitempty"`
}

// scrubLoop scrubs when it is due, until the indexer stops.
func (ix *Indexer) scrubLoop() {
	ix.loadScrub()
	for {
		due := time.Now().Add(min(firstScrub, ix.cfg.ScrubEvery))
		if last := ix.Scrubbed().Finished; !last.IsZero() {
			due = last.Add(ix.cfg.ScrubEvery)
		}
		select {
		case <-time.After(time.Until(due)):
		case <-ix.stopCtx.Done():
			return
		}
		if err := ix.guard(func() error { return ix.Scrub(ix.stopCtx) }); err != nil && ix.stopCtx.Err() == nil {
			ix.log.Error("the scrub could not go on", "err", err)
			select {
			case <-time.After(firstScrub):
			case <-ix.stopCtx.Done():
				return
			}
		}
	}
}

// Scrub verifies every file of the data directory, reading no more bytes a second than
// the configuration allows, and mends what it finds where that costs no embedding.
// Scrubbed tells what is left.
func (ix *Indexer) Scrub(ctx context.Context) error {
	began := time.Now()
	paced := &pacedFS{FS: ix.cfg.FS, ctx: ctx, limit: rate.NewLimiter(rate.Limit(ix.cfg.ScrubRate), int(ix.cfg.ScrubRate))}
	paced.read = func(n int) { ix.scrub.update(func(s *search.Scrub) { s.Bytes += int64(n) }) }
	var found []Finding
	more := 0
	sum, err := Verify(ctx, paced, func(f Finding) {
		if len(found) >= maxFindings {
			more++
			return
		}
		found = append(found, f)
		ix.log.Error("damage", "file", f.File, "reason", f.Reason)
	}, ix.cfg.Checks...)
	if err != nil {
		return err
	}
	for i := range found {
		if ix.doubt(&found[i]); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	ix.scrub.update(func(s *search.Scrub) {
		s.Files += int64(sum.Files)
		s.Finished, s.Findings, s.More = now(), found, more
	})
	for _, f := range found {
		if err := ix.mend(ctx, f); err != nil {
			ix.log.Warn("damage is not mended", "file", f.File, "err", err)
		}
	}
	s := ix.Scrubbed()
	ix.keepScrub(s)
	ix.log.Info("scrubbed", "files", sum.Files, "bytes", sum.Bytes, "dur_ms", time.Since(began).Milliseconds(), "rate", ix.cfg.ScrubRate, "findings", sum.Damaged, "left", len(s.Findings)+s.More)
	return nil
}

func (s *scrubber) update(change func(*search.Scrub)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.Scrub)
}

// Scrubbed returns what scrubs have done since the start, and what the last one found
// that is still so: a finding ends when its commits are indexed or pushed again.
func (ix *Indexer) Scrubbed() search.Scrub {
	ix.scrub.mu.Lock()
	defer ix.scrub.mu.Unlock()
	ix.scrub.Findings = slices.DeleteFunc(slices.Clone(ix.scrub.Findings), func(f Finding) bool {
		return len(f.Commits) > 0 && !ix.suspected(f)
	})
	return ix.scrub.Scrub
}

// suspected reports whether one of the finding's commits was not looked over since.
func (ix *Indexer) suspected(f Finding) bool {
	d := ix.ownerOf(f.File)
	return d != nil && slices.ContainsFunc(f.Commits, func(commit string) bool {
		info, ok := d.State().Commit(commit)
		return ok && d.IsSuspect(info.Name())
	})
}

// ownerOf returns the domain that a file is one of, nil for none.
func (ix *Indexer) ownerOf(file string) *search.Domain {
	for _, d := range ix.Domains().List("") {
		own := strings.TrimSuffix(vfs.FileName(d.Name(), "", snapshot.Ext), "."+snapshot.Ext)
		if rest, ok := strings.CutPrefix(file, own); ok && (strings.HasPrefix(rest, "@") || strings.HasPrefix(rest, ".")) {
			return d
		}
	}
	return nil
}

// doubt has the commits of a finding looked over when they are indexed again, and
// names that of a file which does not say its own.
func (ix *Indexer) doubt(f *Finding) {
	d := ix.ownerOf(f.File)
	if d == nil {
		return
	}
	if len(f.Commits) == 0 {
		for info := range d.State().Newest() {
			if info.Name() == f.File {
				f.Commits = []string{info.Commit}
			}
		}
	}
	for _, commit := range f.Commits {
		if info, ok := d.State().Commit(commit); ok {
			d.Suspect(info.Name())
		}
	}
	if f.File == d.VecsName() {
		if err := d.Retire(nil); err != nil { // what is in memory may be better than the disk
			ix.log.Warn("close vectors", "domain", d.Name(), "err", err)
		}
	}
}

var errEmbeds = fmt.Errorf("%w: to mend it texts must be embedded again: index or push the commit again", contract.ErrConflict)

// mend mends a finding from what is at hand: derived files are made anew, and commits
// rebuilt, by tasks of their own that embed nothing.
func (ix *Indexer) mend(ctx context.Context, f Finding) error {
	d := ix.ownerOf(f.File)
	if d == nil {
		return nil // the domain is gone
	}
	var err error
	switch {
	case f.File == catalog.FileName(d.Name()):
		err = d.Rewrite()
	case strings.HasSuffix(f.File, "."+textindex.Ext):
		if _, err = textindex.Verify(ix.cfg.FS, f.File); err != nil { // it may be another one by now
			err = errors.Join(ix.cfg.FS.Remove(f.File), ix.cfg.FS.SyncDir())
		}
	case len(f.Commits) == 0:
		return errors.New("nothing here can make it again")
	default:
		for _, commit := range f.Commits {
			if err = ix.mendCommit(ctx, d, commit); err != nil {
				return err
			}
		}
	}
	if err != nil {
		return err
	}
	ix.log.Info("damage is mended", "file", f.File)
	ix.scrub.update(func(s *search.Scrub) {
		s.Mended++
		s.Findings = slices.DeleteFunc(slices.Clone(s.Findings), func(have Finding) bool { return have.File == f.File && have.Reason == f.Reason })
	})
	return nil
}

// mendCommit has a task look a commit over.
func (ix *Indexer) mendCommit(ctx context.Context, d *search.Domain, commit string) error {
	info, ok := d.State().Commit(commit)
	if !ok || !d.IsSuspect(info.Name()) {
		return nil
	}
	if info.Kind == snapshot.Alias {
		return errors.New("it is another name of a commit: assign it again")
	}
	j, fresh, err := ix.tasks.Start(tasks.Spec{Domain: d.Name(), Commit: commit, Branch: info.Branch})
	if err != nil {
		return err
	}
	if fresh {
		ix.enqueue(&job{Job: j, free: true})
	}
	t, err := ix.tasks.Wait(ctx, j.ID())
	switch {
	case err != nil:
		return err
	case t.State == TaskFailed:
		return errors.New(t.Error)
	case d.IsSuspect(info.Name()):
		return errEmbeds
	}
	return nil
}

// loadScrub takes over what an earlier process found.
func (ix *Indexer) loadScrub() {
	var last kept
	f, err := ix.cfg.FS.Open(ScrubFile, vfs.Read)
	if err == nil {
		err = json.NewDecoder(io.NewSectionReader(f, 0, maxScrubFile)).Decode(&last)
		_ = f.Close() // opened for reading
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			ix.log.Warn("what the last scrub found is not known; the next begins soon", "file", ScrubFile, "err", err)
		}
		return
	}
	for i := range last.Findings {
		ix.doubt(&last.Findings[i])
	}
	ix.scrub.update(func(s *search.Scrub) { s.Finished, s.Findings, s.More = last.Finished, last.Findings, last.More })
}

// keepScrub writes what was found for the next process.
func (ix *Indexer) keepScrub(s search.Scrub) {
	text, err := json.Marshal(kept{s.Finished, s.Findings, s.More})
	if err == nil {
		err = vfs.WriteFile(ix.cfg.FS, ScrubFile, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	if err != nil {
		ix.log.Warn("what the scrub found is not kept for the next start", "err", err)
	}
}

// pacedFS is a file system whose files are read at a bounded rate, until ctx ends.
type pacedFS struct {
	vfs.FS
	ctx   context.Context
	limit *rate.Limiter
	read  func(n int)
}

// Open opens the file.
func (p *pacedFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := p.FS.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return &pacedFile{f, p}, nil
}

type pacedFile struct {
	vfs.File
	fs *pacedFS
}

// ReadAt waits for its turn.
func (f *pacedFile) ReadAt(b []byte, at int64) (int, error) {
	for n := len(b); n > 0; n -= f.fs.limit.Burst() {
		if err := f.fs.limit.WaitN(f.fs.ctx, min(n, f.fs.limit.Burst())); err != nil {
			return 0, err
		}
	}
	n, err := f.File.ReadAt(b, at)
	f.fs.read(n)
	return n, err
}

// damaged counts what is wrong and not mended.
func (ix *Indexer) damaged() int {
	s := ix.Scrubbed()
	return len(s.Findings) + s.More
}
