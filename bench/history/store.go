package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/bench/corpus"
	"github.com/vectorlink/vectorlink/bench/cputime"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
)

const taskFile = "tasks.journal"

// watched notes the files of vectors that are opened.
type watched struct {
	vfs.FS
	mu      sync.Mutex // guards vectors
	vectors []string
}

func (w *watched) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if strings.HasSuffix(name, ".vecs") {
		w.mu.Lock()
		w.vectors = append(w.vectors, name)
		w.mu.Unlock()
	}
	return w.FS.Open(name, mode)
}

// opened returns the files of vectors that were opened since the last call.
func (w *watched) opened() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := w.vectors
	w.vectors = nil
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// store is a data directory that is open.
type store struct {
	ix    *indexer.Indexer
	disk  *vfs.OS
	files *watched
}

// open opens a data directory whose pool of snapshots has so many bytes; 0 means
// the default.
func open(dir string, pool int64) (*store, error) {
	disk, err := vfs.NewOS(dir)
	if err != nil {
		return nil, err
	}
	s := &store{disk: disk, files: &watched{FS: vfs.Limit(disk, vfs.DefaultLimit())}}
	s.ix, err = indexer.Open(indexer.Config{
		FS: s.files, Embedder: corpus.Embedder{}, Renderer: templates.New(templates.Limits{}),
		TaskFile: taskFile, SnapshotPoolBytes: pool,
	})
	if err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	return s, nil
}

func (s *store) close() error {
	return errors.Join(s.ix.Close(context.Background()), s.disk.Close())
}

// push makes a commit.
func (s *store) push(ctx context.Context, req indexer.PushRequest, ops ...contract.Op) error {
	p, err := s.ix.StartPush(ctx, req)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if err := p.Apply(op); err != nil {
			p.Abort(err)
			return err
		}
	}
	p.Finish()
	<-p.Done()
	return p.Err()
}

// merge waits for the merges that are due, and returns the CPU time they took.
func (s *store) merge() time.Duration {
	cpu := cputime.Process()
	for s.ix.Merging() > 0 {
		time.Sleep(500 * time.Microsecond)
	}
	return cputime.Process() - cpu
}

const words = 12 // of a document

func upsert(id int, text string) contract.Op {
	return contract.Op{Kind: contract.Upsert, ID: fmt.Sprintf("terminusdb:///bench/Doc/%d", id), Text: text}
}

// commitName returns the name of a domain's commit, as long as those of
// TerminusDB and as different from one to the next.
func commitName(i int) string {
	return fmt.Sprintf("%016x%015x", uint64(i)*0x9e3779b97f4a7c15, i)
}

const historic = "bench/history" // the domain of long histories

// history is a domain that gets commit after commit.
type history struct {
	*store
	texts     *corpus.Corpus
	documents int
	commits   int // of one document each, after the first
}

// begin makes the first commit of a history, of texts by document.
func begin(ctx context.Context, dir string, texts []string) (*history, error) {
	s, err := open(dir, 0)
	if err != nil {
		return nil, err
	}
	h := &history{store: s, texts: corpus.New(2), documents: len(texts)}
	ops := make([]contract.Op, len(texts))
	for i, text := range texts {
		ops[i] = upsert(i, text)
	}
	if err := s.push(ctx, indexer.PushRequest{Domain: historic, Commit: commitName(0)}, ops...); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.merge()
	return h, nil
}

// commit replaces a document. It returns which, its text, and the CPU time of
// the commit and that of the merges it made due.
func (h *history) commit(ctx context.Context) (id int, text string, cpu, merging time.Duration, err error) {
	id, text = h.texts.IntN(h.documents), h.texts.Text(words)
	op := upsert(id, text)
	cpu = cputime.Process()
	err = h.push(ctx, indexer.PushRequest{Domain: historic, Commit: commitName(h.commits + 1)}, op)
	cpu = cputime.Process() - cpu
	if err == nil {
		h.commits++
		merging = h.merge()
	}
	return id, text, cpu, merging, err
}
