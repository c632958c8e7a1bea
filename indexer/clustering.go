package indexer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
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
		key := contentKey(b.fingerprint, contract.RoleClustering, text[ch.Start:ch.End])
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

// clusters finds the clustering vectors of a snapshot's documents.
type clusters struct {
	s     *openSnapshot
	vecs  *vecstore.Store
	slots map[string][]uint32 // by document; found before
}

// clustersOf returns where the clustering vectors of a snapshot are found; nil
// for a domain that stores none. It may wait for a task that is just about to
// write a commit.
func (ix *Indexer) clustersOf(d *domain, s *openSnapshot) (*clusters, error) {
	fingerprint := s.view.Header().Fingerprint
	if !ix.tasks.clusters(d.name) {
		return nil, nil
	}
	c := &clusters{s: s, slots: make(map[string][]uint32)}
	if fingerprint == "" {
		return c, nil // nothing is embedded
	}
	if c.vecs = d.lender(ix.cfg.FS, ix.pages, fingerprint); c.vecs != nil {
		return c, nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	vecs, err := d.vectors(ix.cfg.FS, ix.pages)
	if err != nil || vecs == nil || vecs.Config().Fingerprint != fingerprint {
		return c, err
	}
	c.vecs, err = d.writableVectors(ix.cfg.FS, ix.pages, vecs.Config())
	return c, err
}

// of returns the slots of the clustering vectors of a document's chunks, in
// their order; of a document that was indexed before the domain stored any, or
// of which one is damaged, none.
func (c *clusters) of(e *snapshot.Entry) ([]uint32, error) {
	if c.vecs == nil {
		return nil, nil
	}
	if slots, ok := c.slots[e.ID]; ok {
		return slots, nil
	}
	text, err := c.s.view.Text(e)
	if err != nil {
		return nil, storeError(err)
	}
	fingerprint := c.s.view.Header().Fingerprint
	slots := make([]uint32, 0, len(e.Chunks))
	for _, ch := range e.Chunks {
		slot, ok := c.vecs.Lookup(contentKey(fingerprint, contract.RoleClustering, text[ch.Start:ch.End]))
		if !ok {
			slots = nil
			break
		}
		slots = append(slots, slot)
	}
	c.slots[e.ID] = slots
	return slots, nil
}

// distance returns the distance of two documents' nearest chunks by their
// clustering vectors, 1 − dot and at least 0 (wire contract §4, /candidates);
// nil where one has none.
func (c *clusters) distance(a, b *snapshot.Entry) (*float32, error) {
	from, err := c.of(a)
	if err != nil || len(from) == 0 {
		return nil, err
	}
	to, err := c.of(b)
	if err != nil || len(to) == 0 {
		return nil, err
	}
	x, y := make([]float32, c.vecs.Dim()), make([]float32, c.vecs.Dim())
	best := float32(-1)
	for _, i := range from {
		if err := c.read(i, x); err != nil {
			return nil, err
		}
		for _, j := range to {
			if err := c.read(j, y); err != nil {
				return nil, err
			}
			best = max(best, vector.Dot(x, y))
		}
	}
	d := max(0, 1-best)
	return &d, nil
}

// read copies a vector at unit length.
func (c *clusters) read(slot uint32, v []float32) error {
	err := c.vecs.Read(slot, v)
	if err == nil && !c.s.settings.Normalize {
		vector.Normalize(v)
	}
	return storeError(err)
}

// measure adds the clustering distance to every edge that has one.
func (c *clusters) measure(ctx context.Context, directions ...[]CandidateList) error {
	for _, lists := range directions {
		for _, list := range lists {
			e, _ := c.s.view.Lookup(list.ID)
			for i, p := range list.Partners {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				partner, _ := c.s.view.Lookup(p.ID)
				d, err := c.distance(e, partner)
				if errors.Is(err, contract.ErrCorrupt) {
					continue // it costs this edge its distance
				}
				if err != nil {
					return err
				}
				list.Partners[i].Clustering = d
			}
		}
	}
	return nil
}

// ClusteringEmbeddings are the vectors of documents in the role of clustering.
type ClusteringEmbeddings struct {
	Count int // documents that have one
	// IDs and Vectors are as those of Embeddings.
	IDs     iter.Seq[string]
	Vectors iter.Seq2[Embedding, error]
}

// first finds the clustering vectors of the documents' first chunks.
func (c *clusters) first(documents []*snapshot.Entry) (found []clustered, err error) {
	for _, e := range documents {
		slots, err := c.of(e)
		if errors.Is(err, contract.ErrCorrupt) {
			c.s.noteText(e.ID, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(slots) > 0 {
			found = append(found, clustered{e.ID, slots[0]})
		}
		delete(c.slots, e.ID) // not asked for again
	}
	return found, nil
}

type clustered struct {
	id   string
	slot uint32
}

// embeddings returns the vectors that were found, as they are handed out.
func (c *clusters) embeddings(found []clustered) *ClusteringEmbeddings {
	return &ClusteringEmbeddings{
		Count: len(found),
		IDs: func(yield func(string) bool) {
			for _, f := range found {
				if !yield(f.id) {
					return
				}
			}
		},
		Vectors: func(yield func(Embedding, error) bool) {
			if len(found) == 0 {
				return
			}
			v := make([]float32, c.vecs.Dim())
			for _, f := range found {
				err := storeError(c.vecs.Read(f.slot, v))
				if !yield(Embedding{f.id, v}, err) || err != nil {
					return
				}
			}
		},
	}
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
