package search

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/snapshot"
)

// EmbeddingsRequest asks for the vectors of a commit's documents.
type EmbeddingsRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	Filter Filter // ids that are not there are left out
	// Texts and OutputFields have documents bring their texts and fields beside
	// their vectors, as in Options.
	Texts        bool     `param:"texts"`
	OutputFields []string `param:"output_fields" kind:"names" most:"100"`
}

// Embeddings are the vectors of documents at one commit. They can be read
// until the function they were handed to returns.
type Embeddings struct {
	Commit string // the served commit
	Count  int    // documents
	Dim    int    // numbers of each vector; 0 where nothing was embedded and the model's is not known
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
	Text   *string         // when asked for; a damaged one is empty
	Fields json.RawMessage // when asked for
}

// Embeddings calls use with the vectors of the documents that the filter
// admits, one vector per document. Its error is use's, if that was called.
func (r *Reader) Embeddings(ctx context.Context, req EmbeddingsRequest, use func(*Embeddings) error) error {
	d, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return err
	}
	defer s.Release()
	among, err := s.Select(ctx, req.Filter, Replaced(req.Ref, commit))
	if err != nil {
		return err
	}
	documents := s.Documents(among)
	rows := s.firstChunks(documents, snapshot.MainVectors)
	found := &Embeddings{
		Commit:   commit,
		Count:    len(rows),
		Dim:      r.dimension(ctx, s),
		Damaged:  s.Damaged(),
		IDs:      idsOf(rows),
		Identity: func() [sha256.Size]byte { return s.identity(rows) },
		Vectors:  s.vectorsOf(ctx, rows, req),
	}
	if StoresClustering(d.State()) {
		documents = documents[:0] // those that go without their vectors go without these
		for _, r := range rows {
			documents = append(documents, r.entry)
		}
		clustering := s.firstChunks(documents, ClusteringVectors)
		found.Clustering = &ClusteringEmbeddings{Count: len(clustering), IDs: idsOf(clustering), Vectors: s.vectorsOf(ctx, clustering, EmbeddingsRequest{})}
		found.Identity = func() [sha256.Size]byte { return s.identity(rows, clustering...) }
	}
	return use(found)
}

// dimension returns the length of the vectors that the snapshot has, or would have if
// there was a document in it.
func (r *Reader) dimension(ctx context.Context, s *Snapshot) int {
	n := int(s.view.Header().Dim)
	if n == 0 {
		n = s.d.shown().Dim
	}
	if n == 0 && r.Up() {
		n, _ = r.cfg.Embedder.Dim(ctx, contract.Secret{}) // 0 if it cannot be told
	}
	return n
}

// firstChunk is a document and the slot of its first chunk's vector.
type firstChunk struct {
	entry *snapshot.Entry
	slot  uint32
}

// firstChunks returns those of the documents that have vectors of that name, of
// which the first is not known to be damaged.
func (s *Snapshot) firstChunks(documents []*snapshot.Entry, name string) []firstChunk {
	bad := s.Harmed()
	rows := make([]firstChunk, 0, len(documents))
	for _, e := range documents {
		chunks := e.ChunksOf(name)
		if len(chunks) == 0 {
			continue
		}
		if _, harmed := slices.BinarySearch(bad, chunks[0].Slot); !harmed {
			rows = append(rows, firstChunk{e, chunks[0].Slot})
		}
	}
	return rows
}

func idsOf(rows []firstChunk) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range rows {
			if !yield(r.entry.ID) {
				return
			}
		}
	}
}

// vectorsOf yields the vectors of rows as they are stored, and what else is asked
// for.
func (s *Snapshot) vectorsOf(ctx context.Context, rows []firstChunk, req EmbeddingsRequest) iter.Seq2[Embedding, error] {
	return func(yield func(Embedding, error) bool) {
		v := make([]float32, s.view.Header().Dim)
		for _, r := range rows {
			err := context.Cause(ctx)
			if err == nil {
				err = catalog.StoreError(s.vecs.Read(r.slot, v))
			}
			e := Embedding{ID: r.entry.ID, Vector: v}
			if req.Texts && err == nil {
				var text string
				text, _, err = s.shownText(r.entry)
				e.Text = &text
			}
			if len(req.OutputFields) > 0 {
				e.Fields = fields.Object(r.entry.Fields).Select(req.OutputFields)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Identity returns a hash of the snapshot and of all that it holds and can read.
func (s *Snapshot) Identity() [sha256.Size]byte {
	return s.identity(s.firstChunks(slices.Collect(s.view.All()), snapshot.MainVectors))
}

// identity returns a hash of the snapshot and of the documents' first chunks.
func (s *Snapshot) identity(rows []firstChunk, clustering ...firstChunk) (sum [sha256.Size]byte) {
	h := s.view.Header()
	hash := sha256.New()
	fmt.Fprintf(hash, "%q %d %d %d\n", h.Fingerprint, h.Seq, h.Created, len(rows))
	var row []byte
	for _, r := range slices.Concat(rows, clustering) {
		row = binary.LittleEndian.AppendUint32(row[:0], uint32(len(r.entry.ID)))
		row = append(row, r.entry.ID...)
		row = append(row, r.entry.TextHash[:]...)
		row = binary.LittleEndian.AppendUint32(row, r.slot)
		hash.Write(row)
	}
	hash.Sum(sum[:0])
	return sum
}

// Documents returns the documents of a selection that have vectors, by
// ascending id.
func (s *Snapshot) Documents(among *Selection) []*snapshot.Entry {
	var found []*snapshot.Entry
	if among == nil {
		found = slices.AppendSeq(make([]*snapshot.Entry, 0, s.view.Len()), s.view.All())
	} else {
		found = among.entries()
	}
	return slices.DeleteFunc(found, func(e *snapshot.Entry) bool { return len(e.Chunks) == 0 })
}

// SlotsOf returns the slots of the documents, ascending, each once.
func SlotsOf(documents []*snapshot.Entry) []uint32 {
	slots := make([]uint32, 0, len(documents))
	for _, e := range documents {
		for _, c := range e.Chunks {
			slots = append(slots, c.Slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}
