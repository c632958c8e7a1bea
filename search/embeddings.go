package search

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
)

// EmbeddingsRequest asks for the vectors of a commit's documents.
type EmbeddingsRequest struct {
	Domain string
	Ref    Ref
	Filter Filter // ids that are not there are left out
}

// Embeddings are the vectors of documents at one commit. They can be read
// until the function they were handed to returns.
type Embeddings struct {
	Commit string // the served commit
	Count  int    // documents
	Dim    int    // numbers of each vector; 0 where nothing was ever embedded
	// Damaged is as of Hits: the vectors that are known to be damaged are left
	// out. One that is met for the first time ends Vectors with its error.
	Damaged []string

	// IDs yields the documents' ids, ascending, without reading a vector.
	IDs iter.Seq[string]
	// Identity returns a hash of what the vectors depend on: equal for equal
	// answers, and another one when a domain was deleted and its commits came
	// back with other contents.
	Identity func() [sha256.Size]byte
	// Clustering are the vectors in that role, of the documents that have one;
	// nil for a domain that stores none.
	Clustering *ClusteringEmbeddings
	// Vectors yields them by ascending id. An error ends it.
	Vectors iter.Seq2[Embedding, error]
}

// Embedding is the vector of a document's first chunk, of unit length. It is
// overwritten by the next one.
type Embedding struct {
	ID     string
	Vector []float32
}

// Embeddings calls use with the vectors of the documents that the filter
// admits, one vector per document. Its error is use's, if that was called.
func (r *Reader) Embeddings(ctx context.Context, req EmbeddingsRequest, use func(*Embeddings) error) error {
	d, commit, s, err := r.serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return err
	}
	defer s.Release()
	among, err := s.selection(ctx, req.Filter, replaced(req.Ref, commit))
	if err != nil {
		return err
	}
	found := s.documents(among)
	if bad := s.Harmed(); len(bad) > 0 {
		found = slices.DeleteFunc(found, func(e *snapshot.Entry) bool {
			_, harmed := slices.BinarySearch(bad, e.Chunks[0].Slot)
			return harmed
		})
	}
	byCluster, err := r.clustersOf(d, s)
	if err != nil {
		return err
	}
	var clustering *ClusteringEmbeddings
	var inClusters []clustered
	if byCluster != nil {
		if inClusters, err = byCluster.first(found); err != nil {
			return err
		}
		clustering = byCluster.embeddings(inClusters)
	}
	return use(&Embeddings{
		Clustering: clustering,
		Commit:     commit,
		Count:      len(found),
		Dim:        int(s.view.Header().Dim),
		Damaged:    s.Damaged(),
		IDs: func(yield func(string) bool) {
			for _, e := range found {
				if !yield(e.ID) {
					return
				}
			}
		},
		Identity: func() [sha256.Size]byte { return s.identity(found, inClusters...) },
		Vectors: func(yield func(Embedding, error) bool) {
			v := make([]float32, s.view.Header().Dim)
			for _, e := range found {
				err := context.Cause(ctx)
				if err == nil {
					err = catalog.StoreError(s.vecs.Read(e.Chunks[0].Slot, v))
				}
				if !yield(Embedding{e.ID, v}, err) || err != nil {
					return
				}
			}
		},
	})
}

// identity returns a hash of the snapshot and of the documents' first chunks.
func (s *Snapshot) identity(documents []*snapshot.Entry, clusters ...clustered) (sum [sha256.Size]byte) {
	h := s.view.Header()
	hash := sha256.New()
	fmt.Fprintf(hash, "%q %d %d %d\n", h.Fingerprint, h.Seq, h.Created, len(documents))
	var row []byte
	for _, e := range documents {
		row = binary.LittleEndian.AppendUint32(row[:0], uint32(len(e.ID)))
		row = append(row, e.ID...)
		row = append(row, e.TextHash[:]...)
		for _, c := range e.Chunks[:min(1, len(e.Chunks))] {
			row = binary.LittleEndian.AppendUint32(row, c.Slot)
		}
		hash.Write(row)
	}
	for _, c := range clusters {
		row = binary.LittleEndian.AppendUint32(row[:0], uint32(len(c.id)))
		row = append(row, c.id...)
		row = binary.LittleEndian.AppendUint32(row, c.slot)
		hash.Write(row)
	}
	hash.Sum(sum[:0])
	return sum
}

// documents returns the documents of a selection that have vectors, by
// ascending id.
func (s *Snapshot) documents(among *selection) []*snapshot.Entry {
	var found []*snapshot.Entry
	if among == nil {
		found = slices.AppendSeq(make([]*snapshot.Entry, 0, s.view.Len()), s.view.All())
	} else {
		found = among.entries()
	}
	return slices.DeleteFunc(found, func(e *snapshot.Entry) bool { return len(e.Chunks) == 0 })
}

// slotsOf returns the slots of the documents, ascending, each once.
func slotsOf(documents []*snapshot.Entry) []uint32 {
	slots := make([]uint32, 0, len(documents))
	for _, e := range documents {
		for _, c := range e.Chunks {
			slots = append(slots, c.Slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}
