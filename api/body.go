package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/internal/rawjson"
	"github.com/vectorlink/vectorlink/service"
)

// Limits of request bodies, in bytes.
const (
	maxJSON = 2 << 20
	maxText = 1 << 20 // of a query sent as raw text
)

// The media types of requests.
const (
	mediaForm = "application/x-www-form-urlencoded"
	mediaJSON = "application/json"
	mediaND   = "application/x-ndjson"
	mediaText = "text/plain; charset=utf-8"
)

// mediaType returns the request body's media type without its parameters, in
// lower case; "" where it is missing or unreadable.
func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

func isJSON(mediaType string) bool {
	return mediaType == mediaJSON || strings.HasSuffix(mediaType, "+json")
}

// preferred returns the one of the media types that the request's Accept headers
// give the most weight; of several, one that is named rather than matched by a star,
// and of those the first. The first also stands for a request that wants none of them.
func preferred(r *http.Request, offers ...string) string {
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

// checkEncoding refuses compressed bodies.
func checkEncoding(r *http.Request) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return service.Failure(errMediaType, "a Content-Encoding is not supported: send the body as it is")
	}
	return nil
}

// readBody reads a body of UTF-8 of at most limit bytes, without a byte order mark.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if err := checkEncoding(r); err != nil {
		return nil, err
	}
	tooLarge := service.Failure(service.ErrTooLarge, "the body is larger than %d bytes", limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, service.Failure(errSlow, "the body did not arrive within %v", bodyTime)
	case err != nil:
		return nil, service.Failure(errSyntax, "the body cannot be read to its end")
	case int64(len(body)) > limit:
		return nil, tooLarge
	case !utf8.Valid(body):
		return nil, service.Failure(errSyntax, "the body is not valid UTF-8")
	}
	return rawjson.Trim(body), nil
}

// parseObject splits a JSON object into its members. Which of them mean
// something, and what, is seen when they are asked for.
func parseObject(body []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(body, &members)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong), err == nil && members == nil:
		return nil, service.Failure(service.ErrType, "the body must be a JSON object")
	case err != nil:
		return nil, service.Failure(errSyntax, "the body is not valid JSON: %v", err)
	}
	if err := rawjson.Check(body); err != nil {
		return nil, service.Failure(errSyntax, "%v", err)
	}
	return members, nil
}
