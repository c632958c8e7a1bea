package api

import (
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"

	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// The forms of an answer to /embeddings, as the parameter format names them.
const (
	formJSON  = "json"        // one object
	formLines = "ndjson"      // an object per line
	formTens  = "safetensors" // ids in a header, then rows of float32
	formNumPy = "npy"         // rows of float32
	formIDs   = "ids"         // the ids of the rows, as a JSON array
)

// forms writes each form. The answers are written as they are read: all vectors
// of a commit may be more than memory holds. A failure half way breaks the
// connection.
var forms = map[string]func(http.ResponseWriter, *http.Request, *search.Embeddings) error{
	formJSON:  sendVectors,
	formLines: sendVectorLines,
	formTens:  sendTensors,
	formNumPy: sendNumPy,
	formIDs:   sendIDs,
}

// The media types that vectors are asked for by.
const (
	mediaBytes = "application/octet-stream"
	mediaNumPy = "application/x-npy"
)

// vectorsRequest asks for vectors in a form: by format, by stream, by the lines of its
// body, or by Accept.
type vectorsRequest struct {
	search.EmbeddingsRequest
	Stream bool   `param:"stream"`
	Format string `param:"format"`
}

// form returns the form that is asked for.
func (req *vectorsRequest) form(r *http.Request) string {
	if req.Format != "" {
		return req.Format
	}
	media := service.Preferred(r, mediaJSON, mediaND, mediaNumPy, mediaBytes)
	switch {
	case req.Stream, media == mediaND, r.Method == http.MethodPost && isLines(service.MediaType(r)):
		return formLines
	case media == mediaNumPy:
		return formNumPy
	case media == mediaBytes:
		return formTens
	}
	return formJSON
}

// tell sets the headers of a form that does not carry what they say.
func tell(w http.ResponseWriter, found *search.Embeddings) {
	h := w.Header()
	h.Set("X-Served-Commit", found.Commit)
	h.Set("X-Store-Clustering", strconv.FormatBool(found.Clustering != nil))
	h.Set("X-Total-Count", strconv.Itoa(found.Count))
}

// clustering yields the clustering vectors beside which those of found are
// written; none for a domain that stores none.
func clustering(found *search.Embeddings) iter.Seq2[search.Embedding, error] {
	if found.Clustering == nil {
		return func(func(search.Embedding, error) bool) {}
	}
	return found.Clustering.Vectors
}

func sendVectorLines(w http.ResponseWriter, r *http.Request, found *search.Embeddings) error {
	tell(w, found)
	out := newWriter(w, r, mediaND)
	next, stop := iter.Pull2(out.each(clustering(found)))
	defer stop()
	beside, err, more := next() // the next of the ids that have one
	for e, failed := range out.each(found.Vectors) {
		if failed = errors.Join(failed, err); failed != nil {
			return failed
		}
		out.text(`{"doc_id":`)
		out.json(e.ID)
		out.text(`,"embedding":`)
		out.numbers(e.Vector)
		if more && beside.ID == e.ID {
			out.text(`,"clustering_embedding":`)
			out.numbers(beside.Vector)
			beside, err, more = next()
		}
		if e.Text != nil {
			out.text(`,"text":`)
			out.json(*e.Text)
		}
		if e.Fields != nil {
			out.text(`,"fields":` + string(e.Fields))
		}
		out.text("}\n")
	}
	if err != nil {
		return err
	}
	return out.end()
}

func sendVectors(w http.ResponseWriter, r *http.Request, found *search.Embeddings) error {
	out := newWriter(w, r, mediaJSON)
	out.text(`{"doc_embeddings":`)
	if err := out.object(found.Vectors); err != nil {
		return err
	}
	out.text(`,"clustering_embeddings":`)
	if err := out.object(clustering(found)); err != nil {
		return err
	}
	out.text(`,"store_clustering":` + strconv.FormatBool(found.Clustering != nil) + `,"served_commit":`)
	out.json(found.Commit)
	out.text("}")
	return out.end()
}

// object writes vectors by their ids.
func (w *writer) object(vectors iter.Seq2[search.Embedding, error]) error {
	w.text("{")
	comma := ""
	for e, err := range w.each(vectors) {
		if err != nil {
			return err
		}
		w.text(comma)
		w.json(e.ID)
		w.text(":")
		w.numbers(e.Vector)
		comma = ","
	}
	w.text("}")
	return nil
}

// sendTensors writes the file format of safetensors: rows of little-endian float32, those
// of the clustering vectors after the others. The ids stand in the header's metadata: no
// number of them fits into headers of HTTP.
func sendTensors(w http.ResponseWriter, r *http.Request, found *search.Embeddings) error {
	list := func(name, index string, count int, ids iter.Seq[string]) (npy.Matrix, error) {
		text, err := service.Encode(slices.AppendSeq(make([]string, 0, count), ids))
		return npy.Matrix{Name: name, Index: index, IDs: text, Rows: count, Cols: found.Dim}, err
	}
	main, err := list("embeddings", "ids", found.Count, found.IDs)
	tensors := []npy.Matrix{main}
	if c := found.Clustering; c != nil && err == nil {
		main, err = list("clustering_embeddings", "clustering_ids", c.Count, c.IDs)
		tensors = append(tensors, main)
	}
	if err != nil {
		return err
	}
	start, size, err := npy.AppendTensors(nil, map[string]string{"served_commit": found.Commit}, tensors...)
	if err != nil {
		return err
	}
	return sendRows(w, r, found, mediaBytes, start, size, found.Vectors, clustering(found))
}

// sendNumPy writes the file format of NumPy arrays. Its rows are in
// the order of format=ids.
func sendNumPy(w http.ResponseWriter, r *http.Request, found *search.Embeddings) error {
	start := npy.Header{Type: npy.Float32, Rows: found.Count, Cols: found.Dim}.Append(nil)
	return sendRows(w, r, found, mediaNumPy, start, 4*int64(found.Count)*int64(found.Dim), found.Vectors)
}

// sendRows writes a start and then vectors as little-endian float32, that many
// bytes. The length is sent first, so that an answer that breaks off does not look
// complete.
func sendRows(w http.ResponseWriter, r *http.Request, found *search.Embeddings, mediaType string, start []byte, size int64, lists ...iter.Seq2[search.Embedding, error]) error {
	tell(w, found)
	w.Header().Set("Content-Length", strconv.FormatInt(int64(len(start))+size, 10))
	out := newWriter(w, r, mediaType)
	out.bytes(start)
	var row []byte
	for _, vectors := range lists {
		for e, err := range out.each(vectors) {
			if err != nil {
				return err
			}
			row = npy.AppendFloats(row[:0], e.Vector)
			out.bytes(row)
		}
	}
	return out.end()
}

// sendIDs writes the ids alone, in the order of the rows of the other forms.
func sendIDs(w http.ResponseWriter, r *http.Request, found *search.Embeddings) error {
	tell(w, found)
	out := newWriter(w, r, mediaJSON)
	comma := "["
	for id := range found.IDs {
		out.text(comma)
		out.json(id)
		comma = ","
	}
	if comma == "[" {
		out.text("[")
	}
	out.text("]")
	return out.end()
}
