package search

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
)

// Memory is where the pool keeps a [Derived] of a snapshot. It is named by what the
// snapshot holds that can be read, as far as that is known: a merge does not change it.
type Memory struct {
	r              *Reader
	domain, commit string
	seq            uint64 // given once
	harm           uint64 // a hash of what is known to be damaged
}

// Memory returns where what is derived of the snapshot is kept.
func (s *Snapshot) Memory() Memory {
	h := fnv.New64a()
	fmt.Fprint(h, s.Harmed(), s.Damaged())
	return Memory{s.r, s.d.Name(), s.real, s.view.Header().Seq, h.Sum64()}
}

// Of returns the Memory of another commit of the domain, which need not be open, by
// who knows of the same damage.
func (m Memory) Of(info snapshot.Info) Memory {
	m.commit, m.seq = info.Commit, info.Seq
	return m
}

func (m Memory) key(what string) string {
	return fmt.Sprintf("%s%s\x00%d\x00%x\x00%s", derivedPrefix(m.domain), m.commit, m.seq, m.harm, what)
}

// derivedPrefix is what the keys of a domain's memories begin with.
func derivedPrefix(domain string) string { return "derived\x00" + domain + "\x00" }

// Recall returns what is kept under a name, if anything is.
func Recall[V Derived](m Memory, what string) (v V, ok bool) {
	l := m.r.pool.peek(m.key(what))
	if l == nil {
		return v, false
	}
	defer l.release() // it outlives the lease
	return l.res.(kept).Derived.(V), true
}

// Remember returns what is kept under a name, or made now and kept: once for all who
// ask at the same time.
func Remember[V Derived](ctx context.Context, m Memory, what string, produce func() (V, error)) (v V, err error) {
	d, err := m.r.keep(ctx, m.key(what), func() (Derived, error) { return produce() })
	if err != nil {
		return v, err
	}
	return d.(V), nil
}

// errHarmed is why something is derived again: vectors turned out to be damaged.
var errHarmed = errors.New("damage came to light")

// Derive is Remember for what takes long to derive of a snapshot, which takes its turn.
// Damage that comes to light meanwhile has it derived again, so that the answer is that
// of who knew, and what is kept holds once it is mended.
func Derive[V Derived](ctx context.Context, s *Snapshot, what string, derive func(context.Context) (V, error)) (V, error) {
	for {
		m := s.Memory()
		v, err := Remember(ctx, m, what, func() (v V, err error) {
			done, err := s.r.Turn(ctx)
			if err != nil {
				return v, err
			}
			defer done()
			if v, err = derive(ctx); err == nil && m != s.Memory() {
				err = errHarmed
			}
			return v, err
		})
		switch {
		case err == nil:
			return v, nil
		case ctx.Err() != nil:
			return v, context.Cause(ctx)
		case !errors.Is(err, errHarmed) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
			return v, s.r.whileFollowing(catalog.StoreError(err))
		}
		// Or another caller derived it, and went away.
	}
}
