package space

import (
	"context"
	"fmt"
	"io"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
)

// Bundle calls use with what writes the snapshot file of a place. Of a branch that is
// all that was acknowledged, which becomes a commit first where it is none.
func (sp *Space) Bundle(ctx context.Context, at At, use func(commit string, w *bundle.Writer) error) error {
	ref := search.Ref{Commit: at.Commit}
	if at.Commit == "" {
		if sp.writable(at) == nil { // of what only reads, the commits
			if _, err := sp.Commit(ctx, at); err != nil {
				return err
			}
		}
		ref.Commit = sp.last(at.Branch)
	}
	if ref.Commit == "" {
		return fmt.Errorf("%w: nothing was written to the space %s", contract.ErrNotFound, sp.name)
	}
	return sp.s.cfg.Service.Bundle(ctx, search.BundleRequest{Domain: sp.name, Ref: ref}, use)
}

// Import takes a snapshot file into a space: all that it holds into one without
// commits, else as a commit of those keys that its main branch lacks. It is durable
// when Import returns.
func (s *Spaces) Import(ctx context.Context, name string, body io.Reader) (indexer.ImportResult, error) {
	sp, at, err := s.Find(name)
	switch {
	case err == nil:
		name = sp.name
		if err = sp.writable(at); err == nil {
			_, err = sp.Commit(ctx, at) // what is newer than the file stays
		}
	case checkName(name) == nil:
		err = nil
	}
	if err != nil {
		return indexer.ImportResult{}, err
	}
	return s.cfg.Service.Import(ctx, indexer.ImportRequest{Domain: name, Branch: at.Branch}, body)
}
