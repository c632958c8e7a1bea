package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// mediaJSON is the media type of JSON.
const mediaJSON = "application/json"

// MediaType returns the media type of a request's body without its parameters, in lower
// case; "" where it is missing or unreadable.
func MediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// Preferred returns the one of the media types that the request's Accept headers
// give the most weight; of several, one that is named rather than matched by a star,
// and of those the first. The first also stands for a request that wants none of them.
func Preferred(r *http.Request, offers ...string) string {
	best, most := offers[0], [2]float64{}
	for _, offer := range offers {
		var found [2]float64 // how nearly it is named, and the weight of that
		for _, line := range r.Header.Values("Accept") {
			for item := range strings.SplitSeq(line, ",") {
				name, parameters, _ := strings.Cut(item, ";")
				if near := nearness(strings.ToLower(strings.TrimSpace(name)), offer); near > found[0] {
					found = [2]float64{near, weight(parameters)}
				}
			}
		}
		if found[1] > most[0] || found[1] == most[0] && found[0] > most[1] && found[1] > 0 {
			best, most = offer, [2]float64{found[1], found[0]}
		}
	}
	return best
}

// nearness returns how nearly a media range names a type: 3 by its name, 0 not at all.
func nearness(mediaRange, mediaType string) float64 {
	family, _, _ := strings.Cut(mediaType, "/")
	switch mediaRange {
	case mediaType:
		return 3
	case family + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}

// weight returns the weight among the parameters of a media range, 1 without a number.
func weight(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
}

// Encode returns v as one line of JSON. Characters that only matter inside
// HTML stay themselves.
func Encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("service: encode answer: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// Send writes an answer. Its error means that the client did not take it.
func Send(w http.ResponseWriter, status int, mediaType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("service: write answer: %w", err)
	}
	return nil
}

// SendJSON answers with v.
func SendJSON(w http.ResponseWriter, status int, v any) error {
	body, err := Encode(v)
	if err != nil {
		return err
	}
	return Send(w, status, mediaJSON, body)
}
