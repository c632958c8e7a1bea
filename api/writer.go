package api

import (
	"bufio"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// writer writes an answer piece by piece and keeps the first error for the end.
type writer struct {
	to     http.ResponseWriter
	buffer *bufio.Writer
	silent bool // HEAD: nothing is written
	failed error
	buf    []byte
}

// newWriter returns a writer of an answer of that type. Its status is 200 from
// the moment when the first piece leaves.
func newWriter(w http.ResponseWriter, r *http.Request, mediaType string) *writer {
	w.Header().Set("Content-Type", mediaType)
	return &writer{to: w, buffer: bufio.NewWriterSize(w, 64<<10), silent: r.Method == http.MethodHead}
}

// each yields the vectors as long as the caller takes them.
func (w *writer) each(vectors iter.Seq2[search.Embedding, error]) iter.Seq2[search.Embedding, error] {
	return func(yield func(search.Embedding, error) bool) {
		if w.silent {
			return
		}
		for e, err := range vectors {
			if w.failed != nil || !yield(e, err) {
				return
			}
		}
	}
}

func (w *writer) bytes(b []byte) {
	if w.failed == nil && !w.silent {
		_, w.failed = w.buffer.Write(b)
	}
}

func (w *writer) text(s string) {
	w.buf = append(w.buf[:0], s...)
	w.bytes(w.buf)
}

func (w *writer) json(v any) {
	b, err := service.Encode(v)
	if err != nil && w.failed == nil {
		w.failed = err
	}
	w.bytes(b)
}

// numbers writes an array of finite numbers.
func (w *writer) numbers(v []float32) {
	b := append(w.buf[:0], '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	w.buf = append(b, ']')
	w.bytes(w.buf)
}

// flush sends what was written so far.
func (w *writer) flush() {
	if w.failed == nil {
		w.failed = w.buffer.Flush()
	}
	if w.failed == nil {
		w.failed = logged(w.to).ctl.Flush()
	}
}

// end writes what is left.
func (w *writer) end() error {
	if w.silent {
		w.to.WriteHeader(http.StatusOK)
	}
	if w.failed != nil {
		return w.failed
	}
	return w.buffer.Flush()
}

// flushEvery is how long a line may wait for others before it is sent.
const flushEvery = time.Second

// sendLines sends each value as a line of JSON in its wire form, while they are
// found. A failure half way breaks the connection, so that a part is never taken for
// the whole.
func sendLines[T any](w *response, r *http.Request, values iter.Seq2[T, error], wire func(T) any) error {
	out := newWriter(w, r, mediaND)
	if out.silent {
		return out.end() // without finding any
	}
	flushed := time.Now()
	for v, err := range values {
		if err != nil {
			return err
		}
		out.json(wire(v))
		out.text("\n")
		if time.Since(flushed) > flushEvery {
			out.flush()
			flushed = time.Now()
		}
		if out.failed != nil {
			return out.failed // and the work ends
		}
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK) // there may be none to write
	}
	return out.end()
}

// itself is the wire form of what needs none.
func itself[T any](v T) any { return v }

// sound yields values of which none fails.
func sound[T any](values iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		values(func(v T) bool { return yield(v, nil) })
	}
}
