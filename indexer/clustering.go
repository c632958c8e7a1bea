package indexer

import (
	"cmp"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// A domain that stores clustering gets a second vector for every text that is
// indexed from then on, in the role of clustering. These vectors lie among the
// others and are found by their content key alone: no commit file refers to one,
// and no search meets one. Whoever wants a document's reads its text.

var clusteringBucket = []byte("clustering")

// clusters reports whether a domain stores clustering.
func (r *taskRegistry) clusters(domain string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.clustering[domain]
	return ok
}

// setClustering turns it on or off. It is durable when it returns, as far as
// tasks are: with a damaged task database it is forgotten, and is to be turned
// on again.
func (r *taskRegistry) setClustering(domain string, on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, is := r.clustering[domain]; is == on {
		return nil
	}
	if err := r.storeClustering(domain, on); err != nil {
		return fmt.Errorf("%w: that the domain stores clustering cannot be recorded: %w", contract.ErrStore, err)
	}
	if on {
		r.clustering[domain] = struct{}{}
	} else {
		delete(r.clustering, domain)
	}
	return nil
}

// storeClustering writes what setClustering sets. Called with r.mu held.
func (r *taskRegistry) storeClustering(domain string, on bool) error {
	if r.db == nil {
		return nil
	}
	return guarded(func() error {
		return r.db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(clusteringBucket)
			if err != nil {
				return err
			}
			if on {
				return b.Put([]byte(domain), nil)
			}
			return b.Delete([]byte(domain))
		})
	})
}

// loadClustering reads which domains store clustering.
func (r *taskRegistry) loadClustering(tx *bbolt.Tx) error {
	b := tx.Bucket(clusteringBucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, _ []byte) error {
		r.clustering[string(k)] = struct{}{}
		return nil
	})
}

// cluster has the chunks of a text embedded for clustering, where they are not.
// The text lies in the stage at off; below 0 it is put there if need be.
func (b *builder) cluster(text string, off int64, chunks []snapshot.Chunk) error {
	if !b.clustering {
		return nil
	}
	tokens := 0
	for _, ch := range chunks {
		key := vecstore.ContentKey(b.fingerprint, contract.RoleClustering, text[ch.Start:ch.End])
		if _, asked := b.wanted[key]; asked || b.stored(key) {
			continue
		}
		if off < 0 {
			at, err := b.stage.put(text)
			if err != nil {
				return err
			}
			off = at.off
		}
		b.wanted[key] = struct{}{}
		b.pieces = append(b.pieces, piece{
			key: key, text: span{off + int64(ch.Start), int(ch.End - ch.Start)}, tokens: int(ch.Tokens), role: contract.RoleClustering,
		})
		b.issued++
		tokens += int(ch.Tokens)
	}
	if b.flowing && tokens > 0 {
		b.report(func(t *Task) { t.TokensToEmbed += tokens })
	}
	return nil
}

// inRole returns the pieces of a batch that are embedded in a role.
func inRole(batch []piece, role contract.Role) []piece {
	var part []piece
	for _, p := range batch {
		if cmp.Or(p.role, contract.RoleDocument) == role {
			part = append(part, p)
		}
	}
	return slices.Clip(part)
}
