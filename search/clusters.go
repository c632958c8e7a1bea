package search

import (
	"context"
	"errors"
	"iter"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
)

// clusters finds the clustering vectors of a snapshot's documents.
type clusters struct {
	s     *Snapshot
	vecs  *vecstore.Store
	slots map[string][]uint32 // by document; found before
}

// clustersOf returns where the clustering vectors of a snapshot are found; nil
// for a domain that stores none. The first time it may read the
// whole file of vectors.
func (r *Reader) clustersOf(d *Domain, s *Snapshot) (c *clusters, err error) {
	fingerprint := s.view.Header().Fingerprint
	if !r.cfg.Clustered(d.Name()) {
		return nil, nil
	}
	c = &clusters{s: s, slots: make(map[string][]uint32)}
	if fingerprint == "" {
		return c, nil // nothing is embedded
	}
	c.vecs, err = d.indexed(fingerprint, d.State().SlotEnd())
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
		return nil, catalog.StoreError(err)
	}
	fingerprint := c.s.view.Header().Fingerprint
	slots := make([]uint32, 0, len(e.Chunks))
	for _, ch := range e.Chunks {
		slot, ok := c.vecs.Lookup(vecstore.ContentKey(fingerprint, contract.RoleClustering, text[ch.Start:ch.End]))
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
	return catalog.StoreError(err)
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
				err := catalog.StoreError(c.vecs.Read(f.slot, v))
				if !yield(Embedding{f.id, v}, err) || err != nil {
					return
				}
			}
		},
	}
}
