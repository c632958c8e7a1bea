package service

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/vectorlink/vectorlink/bundle"
)

// SendBundle answers with a snapshot file. A client that lost the rest of it asks for
// that by Range, of one part, with If-Range.
func SendBundle(w http.ResponseWriter, r *http.Request, file *bundle.Writer) error {
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range") // each part would be made from the beginning
	}
	h, m, sum := w.Header(), file.Manifest(), file.Identity()
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Type", bundle.MediaType)
	h.Set("Content-Disposition", `attachment; filename="`+plainName(path.Base(m.Domain)+"-"+m.Commit)+"."+bundle.Ext+`"`)
	reader := file.Reader()
	defer reader.Close()
	content := &failing{ReadSeeker: reader}
	http.ServeContent(w, r, "", m.Created, content)
	return content.err
}

// plainName returns a name for a file that is plain everywhere.
func plainName(of string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x80 && (c == '-' || c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return c
		}
		return '_'
	}, of)
}

// failing keeps the error that ended reading: a part must not pass for the whole.
type failing struct {
	io.ReadSeeker
	err error
}

// Read reads on.
func (f *failing) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
