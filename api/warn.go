package api

import (
	"net/http"
	"net/url"
	"strings"
)

// warning is the header that tells people, one line each, what an answer lacks
// that was to be expected. What is no printable ASCII in it is escaped as in a
// path.
const warning = "X-Vectorlink-Warning"

// Bounds of the warnings of an answer.
const (
	maxWarnings     = 8
	maxWarningBytes = 400
)

// warn says what is to be known about the answer that follows.
func warn(w http.ResponseWriter, warnings []string) {
	for _, text := range warnings[:min(maxWarnings, len(warnings))] {
		w.Header().Add(warning, headerText(text))
	}
}

// headerText returns a text as the value of a header of bounded length.
func headerText(text string) string {
	var b strings.Builder
	for _, r := range text {
		part := string(r)
		if r < ' ' || r > '~' || r == '%' {
			part = url.PathEscape(part)
		}
		if b.Len()+len(part) > maxWarningBytes {
			break
		}
		b.WriteString(part)
	}
	return b.String()
}
