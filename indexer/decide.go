package indexer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

// DecideRequest asks to note decisions about documents.
type DecideRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    catalog.Ref
	// Decisions that name no commit are made at the one that Ref asks for.
	Decisions []catalog.Decision
}

// Decide notes decisions about documents of a commit, durably: all of them or none.
// It returns them with their numbers.
func (ix *Indexer) Decide(ctx context.Context, req DecideRequest) ([]catalog.Decision, error) {
	if ix.stopCtx.Err() != nil {
		return nil, contract.ErrClosed
	}
	d, err := ix.Domains().Domain(req.Domain)
	if err != nil {
		return nil, err
	}
	served, err := d.State().Resolve(req.Ref)
	if err != nil {
		return nil, err
	}
	made := slices.Clone(req.Decisions)
	var s *search.Snapshot // of the last commit
	defer func() {
		if s != nil {
			s.Release()
		}
	}()
	at := ""
	for i := range made {
		x := &made[i]
		if x.Commit == "" {
			x.Commit = served
		}
		if err := x.Check(); err != nil {
			return nil, err
		}
		if info, ok := d.State().Commit(x.Commit); ok && info.Tag {
			x.Commit = info.Base // a tag may be taken away
		}
		if x.Commit != at {
			next, err := ix.Open(ctx, d, x.Commit)
			if err != nil {
				return nil, err
			}
			if s != nil {
				s.Release()
			}
			s, at = next, x.Commit
		}
		for _, id := range []string{x.A, x.B} {
			if _, ok := s.View().Lookup(id); !ok {
				return nil, fmt.Errorf("%w: commit %s has no document %.200q", contract.ErrNotFound, x.Commit, id)
			}
		}
		if x.At.IsZero() {
			x.At = time.Now()
		}
	}
	return d.Domain.Decide(made)
}
