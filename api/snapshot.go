package api

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

const defaultMaxImport = 64 << 30

// snapshot answers GET /snapshot: the snapshot file of a commit, which is made while
// it is sent.
func (s *server) snapshot(w *response, r *http.Request, req *search.BundleRequest) error {
	return s.ix.Bundle(r.Context(), *req, func(commit string, file *bundle.Writer) error {
		served(w, commit)
		return service.SendBundle(w, r, file)
	})
}

// importSnapshot answers POST /snapshot, whose body is a snapshot file.
func (s *server) importSnapshot(w *response, r *http.Request, req *indexer.ImportRequest) error {
	if err := checkEncoding(r); err != nil {
		return err
	}
	body := &bounded{from: r.Body, left: s.cfg.MaxImport}
	if r.ContentLength > s.cfg.MaxImport {
		return body.refuse(s.cfg.MaxImport)
	}
	result, err := s.ix.Import(r.Context(), *req, body)
	switch {
	case body.left < 0:
		return body.refuse(s.cfg.MaxImport)
	case errors.Is(body.err, os.ErrDeadlineExceeded):
		return service.Failure(errSlow, "the rest of the body did not come within %v", s.cfg.PushIdle)
	case body.err != nil:
		return service.Failure(errSyntax, "the body cannot be read to its end")
	case err != nil:
		return err
	}
	w.commit = result.Commit
	return sendJSON(w, result)
}

// bounded reads a body up to a limit, and keeps why it ended.
type bounded struct {
	from io.Reader
	left int64 // below 0: there was more
	err  error
}

func (b *bounded) refuse(limit int64) error {
	return service.Failure(service.ErrTooLarge, "the snapshot file is larger than %d bytes (setting import-bytes)", limit)
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, service.ErrTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
