package search

import (
	"iter"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

// ClusteringVectors is the name of the vectors that texts have in the role of
// clustering. They are of the model of the main ones and lie in the same file, so
// that whatever looks after that file looks after them.
const ClusteringVectors = "clustering"

// StoresClustering reports whether a domain stores clustering: whether its newest
// commit lists such vectors. A commit lists them where its push asks for it, and
// where its base or the newest commit before it does. Aliases stand for commits of
// any age, and do not count.
func StoresClustering(state *catalog.State) bool {
	for info := range state.Newest() {
		if info.Kind != snapshot.Alias {
			return ListsClustering(&info.Header)
		}
	}
	return false
}

// ListsClustering reports whether a commit lists clustering vectors.
func ListsClustering(h *snapshot.Header) bool {
	return slices.ContainsFunc(h.Others, func(v snapshot.NamedVectors) bool { return v.Name == ClusteringVectors })
}

// ClusteringOf reads the clustering vectors of a document's chunks, of unit
// length. A document that was indexed before the domain stored any, or of which
// one is damaged, has none.
func (s *Snapshot) ClusteringOf(e *snapshot.Entry) ([][]float32, error) {
	chunks := e.ChunksOf(ClusteringVectors)
	vectors := make([][]float32, len(chunks))
	for i, c := range chunks {
		vectors[i] = make([]float32, s.vecs.Dim())
		if ok, err := s.ReadVector(c.Slot, vectors[i]); !ok {
			return nil, err
		}
		if !s.settings.Normalize {
			vector.Normalize(vectors[i])
		}
	}
	return vectors, nil
}

// ClusteringEmbeddings are the vectors of documents in the role of clustering.
type ClusteringEmbeddings struct {
	Count int // documents that have one
	// IDs and Vectors are as those of Embeddings.
	IDs     iter.Seq[string]
	Vectors iter.Seq2[Embedding, error]
}
