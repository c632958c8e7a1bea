package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
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

func isJSON(mediaType string) bool {
	return mediaType == mediaJSON || strings.HasSuffix(mediaType, "+json")
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
