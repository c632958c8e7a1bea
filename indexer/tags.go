package indexer

import (
	"context"
	"fmt"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// reservedPrefix begins names that belong to the program.
const reservedPrefix = ".-"

// Tag gives an indexed commit a name, under which it is found wherever a commit is
// named, and which keeps it from being pruned. It is durable when it returns. The
// same pair again does nothing. A name that is taken, by a commit or as the tag of
// another one, is ErrConflict.
func (ix *Indexer) Tag(_ context.Context, domain, commit, name string) error {
	for _, p := range []struct{ name, value string }{{"commit", commit}, {"name", name}} {
		if err := checkRef(p.name, p.value); err != nil {
			return err
		}
	}
	if strings.HasPrefix(name, reservedPrefix) {
		return fmt.Errorf("%w: name is a reserved one", contract.ErrInvalid)
	}
	d, err := ix.domain(domain)
	if err != nil {
		return err
	}
	release, ok := ix.tasks.Bind(domain, name)
	if !ok {
		return fmt.Errorf("%w: a commit of the name %s is being indexed", contract.ErrConflict, name)
	}
	defer release()
	return d.Update(func(tx *catalog.Tx) error {
		state := tx.State()
		target, ok := state.Real(commit)
		if !ok || catalog.IsMarkName(commit) {
			return state.Missing(commit)
		}
		if old, ok := state.Commit(name); ok {
			switch {
			case !old.Tag:
				return fmt.Errorf("%w: %s is an indexed commit of %s: choose another name", contract.ErrConflict, name, domain)
			case old.Base != target.Commit:
				return fmt.Errorf("%w: %s is the tag of commit %s already: delete it first", contract.ErrConflict, name, old.Base)
			}
			return nil
		}
		if state.Pruned(name) {
			return fmt.Errorf("%w: %s is a commit of %s that was pruned: choose another name", contract.ErrConflict, name, domain)
		}
		s, err := ix.Open(ix.stopCtx, d.Domain, target.Commit)
		if err != nil {
			return err
		}
		defer s.Release()
		_, err = d.write(tx, name, func() (snapshot.Info, error) {
			return s.View().WriteAlias(ix.cfg.FS, snapshot.Header{Commit: name, Tag: true, Seq: d.NextSeq(), Created: now().Unix()})
		})
		return err
	})
}

// DeleteTag removes a tag, and leaves its commit. It is durable when it returns.
func (ix *Indexer) DeleteTag(_ context.Context, domain, name string) error {
	d, err := ix.domain(domain)
	if err != nil {
		return err
	}
	d.rewriting.Lock()
	defer d.rewriting.Unlock()
	return d.Update(func(tx *catalog.Tx) error {
		info, ok := tx.State().Commit(name)
		if !ok || !info.Tag {
			return fmt.Errorf("%w: %s has no tag %s", contract.ErrNotFound, domain, name)
		}
		if err := tx.Remove(name); err != nil {
			return catalog.StoreError(err)
		}
		return ix.removeFiles(d, within(tx), []snapshot.Info{info})
	})
}
