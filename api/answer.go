package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

const (
	dataVersion       = "TerminusDB-Data-Version"
	dataVersionPrefix = "commit:"

	// cacheControl lets a client keep what was answered from exactly the
	// commit it named. It is not for ever: a domain can be deleted, and
	// after a merge the far end of a ranking may differ.
	cacheControl = "private, max-age=300"
	// revalidate has it ask each time whether the answer is still the same.
	revalidate = "private, no-cache"
)

// versioned refuses requests with an unreadable data version. What it says is never
// compared with anything.
func versioned(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		for _, v := range r.Header.Values(dataVersion) {
			if !validDataVersion(v) {
				return service.Failure(errHeader, "the header %s must be two words of four or more printable characters with a colon between", dataVersion)
			}
		}
		return next(w, r)
	}
}

func validDataVersion(v string) bool {
	// Whatever we sent ourselves may be sent back to us.
	if id, ours := strings.CutPrefix(v, dataVersionPrefix); ours {
		return id != ""
	}
	left, right, found := strings.Cut(v, ":")
	return found && len(left) >= 4 && len(right) >= 4 && !strings.Contains(right, ":") &&
		!strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c > '~' })
}

// served says which commit an answer comes from.
func served(w http.ResponseWriter, commit string) {
	w.Header().Set(dataVersion, dataVersionPrefix+commit)
	logged(w).commit = commit
}

// answer sends v, read from the served commit, as JSON. When that is the very
// commit the request named, and nothing of it is damaged, the answer may be
// kept and is not sent twice.
func answer(w *response, r *http.Request, ref search.Ref, commit string, v any) error {
	body, err := service.Encode(v)
	if err != nil {
		return err
	}
	served(w, commit)
	if keep(r, w.Header(), ref, commit) && w.unchanged(r, body) {
		return nil
	}
	return service.Send(w, http.StatusOK, mediaJSON, body)
}

// keep reports whether the answer to a request may be cached; those to POST
// may not.
func keep(r *http.Request, h http.Header, ref search.Ref, commit string) bool {
	return r.Method != http.MethodPost && ref.Commit == commit && h.Get(damagedDocuments) == ""
}

// kept reports whether the client has what is answered from a commit, in the form
// that is described by the last arguments.
func (w *response) kept(r *http.Request, ref search.Ref, commit string, identity func() [sha256.Size]byte, form ...any) bool {
	if !keep(r, w.Header(), ref, commit) {
		return false
	}
	of := identity()
	return w.unchanged(r, fmt.Append(of[:], form...))
}

// unchanged gives an answer that may be kept the tag of its content, or of what
// that follows from. Where the client has it, it says so and reports true.
func (w *response) unchanged(r *http.Request, content []byte) bool {
	sum := sha256.Sum256(append(content, w.Header().Get(appliedDecisions)...))
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", etag)
	if w.Header().Get("Cache-Control") != revalidate {
		w.Header().Set("Cache-Control", cacheControl)
	}
	if !known(r.Header, etag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// known reports whether If-None-Match names etag.
func known(h http.Header, etag string) bool {
	for _, line := range h.Values("If-None-Match") {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
			if item == etag || item == "*" {
				return true
			}
		}
	}
	return false
}
