package space

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs"
)

// Bundle calls use with what writes the snapshot file of a place, the space's schema in
// it. Of a branch that is all that was acknowledged, which becomes a commit first where
// it is none.
func (sp *Space) Bundle(ctx context.Context, at At, use func(commit string, w *bundle.Writer) error) error {
	ref := search.Ref{Commit: at.Commit}
	if at.Commit == "" {
		if sp.writable(at) == nil { // of what only reads, the commits
			if err := sp.begun(ctx, at); err != nil {
				return err
			}
		}
		ref.Commit = sp.last(at.Branch)
	}
	if ref.Commit == "" {
		return fmt.Errorf("%w: nothing was written to the space %s", contract.ErrNotFound, sp.name)
	}
	schema, err := json.Marshal(sp.schema)
	if err != nil {
		return err
	}
	return sp.s.cfg.Service.Bundle(ctx, search.BundleRequest{Domain: sp.name, Ref: ref, Space: header(sp.name, schema, 1)}, use)
}

// begun commits what is pending on a branch. Where nothing ever was, it makes a commit
// that is empty.
func (sp *Space) begun(ctx context.Context, at At) error {
	commit, err := sp.Commit(ctx, at)
	if err != nil || commit != "" {
		return err
	}
	sp.mu.Lock()
	h := sp.head(at.Branch)
	sp.mu.Unlock()
	if err := h.lock(ctx); err != nil {
		return err
	}
	defer h.unlock()
	if sp.last(at.Branch) != "" {
		return nil // meanwhile
	}
	m, err := h.begin(ctx, at.Said, nil, 0)
	if err == nil {
		_, err = m.finish()
	}
	return err
}

// Import takes a snapshot file into a space: all that it holds into one without
// commits, else as a commit of those keys that its main branch lacks. A space that is
// not there gets the schema of the file. It is durable when Import returns.
func (s *Spaces) Import(ctx context.Context, name string, body io.Reader) (indexer.ImportResult, error) {
	if err := service.CallerOf(ctx).Enter(spaceOf(name)); err != nil {
		return indexer.ImportResult{}, err
	}
	var begin func(*bundle.File) error
	sp, at, err := s.Find(ctx, name)
	switch {
	case err == nil:
		name = sp.name
		if err = sp.writable(at); err == nil {
			_, err = sp.Commit(ctx, at) // what is newer than the file stays
		}
	case checkName(name) == nil:
		err, begin = nil, func(file *bundle.File) error { return s.adopt(ctx, name, file) }
	}
	if err != nil {
		return indexer.ImportResult{}, err
	}
	return s.cfg.Service.Import(ctx, indexer.ImportRequest{Domain: name, Branch: at.Branch, Begin: begin}, body)
}

// adopt makes a space of the schema that a snapshot file brings. Without one, the space
// is made of its vectors when it is first asked for.
func (s *Spaces) adopt(ctx context.Context, name string, file *bundle.File) error {
	f, err := file.Open(bundle.SpaceName(file.Manifest().Domain), vfs.Read)
	if err != nil {
		return nil // it is of a domain
	}
	_, schema, _, _, err := readHeader(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%w: the snapshot file: %w", contract.ErrInvalid, err)
	}
	_, _, err = s.Create(ctx, name, schema)
	return err
}
