package indexer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// verifyPoolBytes is the buffer pool of a Verify.
const verifyPoolBytes = 16 << 20

// Finding is one thing wrong with a file.
type Finding struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
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
// being appended at the moment are not looked at. The error says that the
// check itself could not go on.
func Verify(ctx context.Context, files vfs.FS, report func(Finding)) (VerifySummary, error) {
	v := verifier{files: files, commits: make(map[string]map[string]snapshot.Info), vectors: make(map[string]uint32)}
	v.report = func(file, reason string) {
		v.sum.Damaged++
		report(Finding{file, reason})
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
		case strings.HasSuffix(name, "."+textindex.Ext):
			v.sum.Files++
			if _, err := textindex.Verify(files, name); err != nil && !errors.Is(err, textindex.ErrStale) {
				v.report(name, err.Error()+"; it is made anew when it is next needed")
			}
		}
	}
	infos, damaged, err := snapshot.List(files)
	if err != nil {
		return v.sum, fmt.Errorf("indexer: verify: %w", err)
	}
	for _, d := range damaged {
		v.sum.Files++
		v.report(d.Name, d.Err.Error())
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
	return v.sum, nil
}

type verifier struct {
	files   vfs.FS
	report  func(file, reason string)
	sum     VerifySummary
	commits map[string]map[string]snapshot.Info // by domain and commit
	vectors map[string]uint32                   // whole vectors, by file
}

func (v *verifier) vectorFile(ctx context.Context, name string) {
	v.sum.Files++
	s, err := vecstore.Open(v.files, name, vecstore.Config{}, vecstore.NewPool(verifyPoolBytes))
	if err != nil {
		v.report(name, err.Error())
		return
	}
	n := s.Len()
	v.vectors[name] = n
	v.sum.Vectors += int(n)
	err = s.Verify(func(slot uint32, err error) {
		if ctx.Err() == nil {
			v.report(name, fmt.Sprintf("vector %d: %v", slot, err))
		}
	})
	if err = errors.Join(err, s.Close()); err != nil {
		v.report(name, err.Error())
	}
	v.sum.Bytes += int64(n) * int64(4*s.Dim())
}

func (v *verifier) commitFile(info snapshot.Info) {
	v.sum.Files++
	v.sum.Commits++
	v.sum.Bytes += info.Size
	if err := snapshot.Verify(v.files, info.Name); err != nil {
		v.report(info.Name, err.Error())
		return
	}
	if info.Kind != snapshot.Checkpoint {
		if _, ok := v.commits[info.Domain][info.Base]; !ok {
			v.report(info.Name, fmt.Sprintf("the file of commit %s, on which it stands, is missing or damaged; index that commit again", info.Base))
		}
	}
	if info.SlotEnd > v.vectors[info.Vecs] {
		v.report(info.Name, fmt.Sprintf("it refers to %d vectors of %s, which holds %d whole ones", info.SlotEnd, info.Vecs, v.vectors[info.Vecs]))
	}
	if info.Kind == snapshot.Checkpoint {
		if err := v.graph(info.Name); err != nil {
			v.report(info.Name, err.Error())
		}
	}
}

func (v *verifier) graph(name string) (err error) {
	f, err := snapshot.Open(v.files, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := f.Graph()
	if err == nil && len(b) > 0 {
		_, err = hnsw.Decode(b)
	}
	return err
}
