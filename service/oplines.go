package service

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/internal/rawjson"
)

const (
	lineBuffer = 64 << 10
	// keptLine is how large the memory for a line may be to serve the next.
	keptLine = 1 << 20
	// maxMessage bounds what is kept of an upstream error's text, in bytes.
	maxMessage = 500
)

// ErrAborted is why a push fails that a line of it aborts.
var ErrAborted = errors.New("push aborted")

// ErrGone is why a push fails whose body did not come to its end.
var ErrGone = errors.New("the client disconnected before the end of the body")

// ErrSilent is an ErrGone: the client is there and sends nothing.
var ErrSilent = fmt.Errorf("%w: nothing came for too long", ErrGone)

// LineError is why a push fails by one of its lines.
type LineError struct {
	Line int // from 1
	err  error
}

// Error returns what is wrong; it names the line.
func (e *LineError) Error() string { return e.err.Error() }

// Unwrap returns ErrAborted, or what wraps [contract.ErrInvalid].
func (e *LineError) Unwrap() error { return e.err }

// OpReader reads operations, one JSON object a line (wire contract §3, POST
// /push). Its errors name the line and quote nothing of it.
type OpReader struct {
	body   *bufio.Reader
	limit  int // bytes of a line
	number int // of the line read last, from 1; blank lines count
	offset int64
	line   []byte
}

// NewOpReader returns the OpReader of a body whose lines have at most limit bytes.
func NewOpReader(body io.Reader, limit int) *OpReader {
	return &OpReader{body: bufio.NewReaderSize(body, lineBuffer), limit: limit}
}

// Next returns the next operation; io.EOF at the end, ErrAborted where the client
// gives up.
func (l *OpReader) Next() (contract.Op, error) {
	line, err := l.Line()
	if err != nil {
		return contract.Op{}, err
	}
	op, err := parseOp(line)
	switch {
	case errors.Is(err, errAbort):
		return op, &LineError{l.number, fmt.Errorf("%w by line %d", ErrAborted, l.number)}
	case err != nil && !utf8.Valid(line):
		at := l.offset - int64(len(line)) + int64(invalidAt(line))
		return op, l.Malformed(fmt.Errorf("invalid UTF-8 at byte offset %d", at))
	case err != nil:
		return op, l.Malformed(err)
	}
	return op, nil
}

// Line returns the next line that is not blank, until the next call; io.EOF after the
// last. Other errors are an ErrGone, or a LineError.
func (l *OpReader) Line() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil {
			return nil, err
		}
		// Files that were put together may have marks in the middle.
		if line = rawjson.Trim(line); len(bytes.TrimSpace(line)) > 0 {
			return line, nil
		}
	}
}

// At returns the LineError of the line read last, whose text names it.
func (l *OpReader) At(err error) error {
	return &LineError{l.number, fmt.Errorf("%w (line %d)", err, l.number)}
}

// Malformed returns the LineError of the line read last.
func (l *OpReader) Malformed(reason error) error {
	// A reason of the indexer's says already that it is invalid.
	text := strings.TrimPrefix(reason.Error(), contract.ErrInvalid.Error()+": ")
	return &LineError{l.number, fmt.Errorf("%w: malformed line %d: %s", contract.ErrInvalid, l.number, text)}
}

// read returns the next line, with its newline where it has one, until the
// next call; io.EOF after the last.
func (l *OpReader) read() ([]byte, error) {
	if cap(l.line) > keptLine {
		l.line = nil
	}
	l.line = l.line[:0]
	l.number++
	for {
		part, err := l.body.ReadSlice('\n')
		l.offset += int64(len(part))
		l.line = append(l.line, part...)
		if len(bytes.TrimRight(l.line, "\r\n")) > l.limit {
			return nil, l.Malformed(fmt.Errorf("longer than %d bytes", l.limit))
		}
		switch {
		case err == nil:
			return l.line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l.line) > 0:
			return l.line, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, ErrSilent
		default:
			return nil, ErrGone
		}
	}
}

// invalidAt returns the index of the first byte that is not UTF-8.
func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// errAbort is parseOp's answer to an Abort.
var errAbort = errors.New("abort")

// parseOp reads one operation. Members have exactly the names of the contract,
// which is why they are not decoded into a struct: that would take other
// letter cases for the same.
func parseOp(line []byte) (contract.Op, error) {
	if !utf8.Valid(line) {
		return contract.Op{}, errors.New("invalid UTF-8")
	}
	var members map[string]json.RawMessage
	array, rest := rawjson.CutNumbers(line, "vector")
	if err := json.Unmarshal(rest, &members); err != nil || members == nil {
		return contract.Op{}, errors.New("not a JSON object")
	}
	if array != nil && string(members["vector"]) == "null" { // of two the last counts
		members["vector"] = array
	}
	if err := rawjson.Check(line); err != nil {
		return contract.Op{}, err
	}
	m := opMembers{members: members}
	kind := m.text("op")
	var op contract.Op
	switch {
	case m.err != nil:
	case kind == "Inserted", kind == "Changed", kind == "Replaced":
		op = contract.Op{Kind: contract.Upsert, ID: m.id(), Text: m.text("string"), Fields: m.fields(), Vector: m.vector()}
	case kind == "Deleted":
		op = contract.Op{Kind: contract.Delete, ID: m.id()}
	case kind == "Error":
		op = contract.Op{Kind: contract.Failed, Err: fmt.Errorf("operation error: %s", clip(m.text("message"), maxMessage))}
		if _, ok := members["id"]; ok {
			op.ID = m.text("id")
		}
	case kind == "Abort":
		return op, errAbort
	default:
		return op, errors.New("op is none of Inserted, Changed, Replaced, Deleted, Error, Abort")
	}
	op.Ignored = len(members) - m.read
	return op, m.err
}

// opMembers are the members of an operation; err is the first that is missing
// or wrong.
type opMembers struct {
	members map[string]json.RawMessage
	read    int // of those that are there
	err     error
}

// member returns a member and whether it is there.
func (m *opMembers) member(name string) (json.RawMessage, bool) {
	raw, ok := m.members[name]
	if ok {
		m.read++
	}
	return raw, ok
}

func (m *opMembers) text(name string) string {
	raw, ok := m.member(name)
	var text *string
	switch {
	case m.err != nil:
	case !ok:
		m.err = fmt.Errorf("%s is missing", name)
	case json.Unmarshal(raw, &text) != nil || text == nil:
		m.err = fmt.Errorf("%s is not a string", name)
	default:
		return *text
	}
	return ""
}

func (m *opMembers) fields() string {
	raw, ok := m.member("fields")
	if m.err != nil || !ok || string(raw) == "null" {
		return ""
	}
	object, err := fields.Parse(raw)
	if err != nil {
		m.err = fmt.Errorf("fields: %w", err)
	}
	return string(object)
}

// vector returns the vector of an operation, of either name; nil where it brings
// none.
func (m *opMembers) vector() []float32 {
	raw, plain := m.member("vector")
	plain = plain && string(raw) != "null"
	raw64, packed := m.member("vector_b64")
	packed = packed && string(raw64) != "null"
	if m.err != nil || !plain && !packed {
		return nil
	}
	name, v, err := "vector", []float32(nil), error(nil)
	switch {
	case plain && packed:
		err = errors.New("is there beside vector_b64")
	case plain:
		v, err = ParseVector(raw)
	default:
		name = "vector_b64"
		var text string
		if json.Unmarshal(raw64, &text) != nil {
			err = errors.New("is not a string")
		} else {
			v, err = ParseVector64(text)
		}
	}
	if m.err == nil && err != nil {
		m.err = errors.New(name + " " + err.Error())
	}
	return v
}

func (m *opMembers) id() string {
	id := m.text("id")
	if m.err == nil && id == "" {
		m.err = errors.New("id is empty")
	}
	return id
}

// clip returns at most n bytes of a text, cut between characters.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
