package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

const defaultMaxImport = 64 << 30

// snapshot answers GET /snapshot: the snapshot file of a commit, which is made while
// it is sent. A client that lost the rest asks for it by Range, with If-Range.
func (s *server) snapshot(w *response, r *http.Request, req *search.BundleRequest) error {
	return s.ix.Bundle(r.Context(), *req, func(commit string, file *bundle.Writer) error {
		served(w, commit)
		h := w.Header()
		if !keep(r, h, req.Ref, commit) {
			h.Set("Cache-Control", revalidate)
		}
		if sum := file.Identity(); w.unchanged(r, sum[:]) {
			return nil
		}
		if strings.Contains(r.Header.Get("Range"), ",") {
			r.Header.Del("Range") // several parts would be made from the beginning each
		}
		m := file.Manifest()
		h.Set("Content-Type", bundle.MediaType)
		h.Set("Content-Disposition", `attachment; filename="`+fileName(path.Base(m.Domain)+"-"+m.Commit)+`"`)
		content := &failing{ReadSeeker: file.Reader()}
		defer content.ReadSeeker.(io.Closer).Close()
		http.ServeContent(w, r, "", m.Created, content)
		return content.err
	})
}

// fileName returns a name for the file of a snapshot that is plain everywhere.
func fileName(of string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x80 && (c == '-' || c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return c
		}
		return '_'
	}, of) + "." + bundle.Ext
}

// failing keeps the error that ended reading: a part must not pass for the whole.
type failing struct {
	io.ReadSeeker
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// importSnapshot answers POST /snapshot, whose body is a snapshot file.
func (s *server) importSnapshot(w *response, r *http.Request, p *service.Params) error {
	var req indexer.ImportRequest
	p.Decode(&req)
	if err := accept(w, p); err != nil {
		return err
	}
	if err := checkEncoding(r); err != nil {
		return err
	}
	body := &bounded{from: r.Body, left: s.cfg.MaxImport}
	if r.ContentLength > s.cfg.MaxImport {
		return body.refuse(s.cfg.MaxImport)
	}
	result, err := s.ix.Import(r.Context(), req, body)
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
