package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/internal/rawjson"
)

// input is what a push reads: files in whatever form, written as operations.
type input struct {
	id, text string   // names of the members that are a document's id and text
	ids      []string // of rows that are still to come
	files    []source
	size     int64 // bytes of the files, as far as known
	read     atomic.Int64
	unfit    int // values that are no fields

	out   *bufio.Writer
	lines int // written
	sent  func()
}

// source is one of the files.
type source struct {
	name string
	io.Reader
	io.Closer // nil: standard input
	read      func(in *input, f *source) error
	first     int // lines that were written before it
}

// formats read a file of each form.
var formats = map[string]func(*input, *source) error{
	"ndjson": (*input).objects, "jsonl": (*input).objects, "json": (*input).objects,
	"csv":         func(in *input, f *source) error { return in.table(f, ',') },
	"tsv":         func(in *input, f *source) error { return in.table(f, '\t') },
	"npy":         (*input).numpy,
	"safetensors": (*input).tensors,
}

func (in *input) close() {
	for _, f := range in.files {
		if f.Closer != nil {
			_ = f.Close() // it was only read
		}
	}
}

// share returns how much of the files is read, from 0 to 1.
func (in *input) share() float64 {
	if in.size == 0 {
		return 0
	}
	return min(float64(in.read.Load())/float64(in.size), 1)
}

// Read reads the file, and counts.
func (f *source) counted(in *input) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := f.Reader.Read(p)
		in.read.Add(int64(n))
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// writeTo writes the operations of all files, and calls sent for each.
func (in *input) writeTo(w io.Writer, sent func()) error {
	in.out, in.sent = bufio.NewWriterSize(w, 64<<10), sent
	for i := range in.files {
		f := &in.files[i]
		f.first = in.lines
		if err := f.read(in, f); err != nil {
			if errors.Is(err, io.ErrClosedPipe) {
				return err // the server wants no more, and says why
			}
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return in.out.Flush()
}

// origin says where a line that was written came from.
func (in *input) origin(line int) string {
	for _, f := range slices.Backward(in.files) {
		if line > f.first {
			return fmt.Sprintf(" (record %d of %s)", line-f.first, f.name)
		}
	}
	return ""
}

// line writes a line.
func (in *input) line(text []byte) error {
	in.lines++
	in.sent()
	if _, err := in.out.Write(text); err != nil {
		return err
	}
	return in.out.WriteByte('\n')
}

// operation is a document as it is written.
type operation struct {
	Op       string          `json:"op"`
	ID       string          `json:"id"`
	Text     string          `json:"string"`
	Fields   json.RawMessage `json:"fields,omitempty"`
	Vector   json.RawMessage `json:"vector,omitempty"`
	Vector64 json.RawMessage `json:"vector_b64,omitempty"`
}

func (in *input) operation(op operation) error {
	op.Op = "Inserted"
	text, err := json.Marshal(op)
	if err != nil {
		return err
	}
	return in.line(text)
}

// unmarked returns r without the byte order mark that some programs begin with.
func unmarked(r io.Reader) *bufio.Reader {
	b := bufio.NewReaderSize(r, 64<<10)
	if start, _ := b.Peek(3); string(start) == "\xef\xbb\xbf" {
		_, _ = b.Discard(3)
	}
	return b
}

// objects reads JSON objects: those of an array, or one a line.
func (in *input) objects(f *source) error {
	r := unmarked(f.counted(in))
	start, _ := r.Peek(4 << 10)
	if start = bytes.TrimLeft(start, " \t\r\n"); len(start) > 0 && start[0] == '[' {
		return in.array(json.NewDecoder(r))
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAnswerLine)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(rawjson.Trim(lines.Bytes()))
		if err := in.object(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

func (in *input) array(r *json.Decoder) error {
	_, err := r.Token()
	for n := 1; err == nil && r.More(); n++ {
		var raw json.RawMessage
		if err = r.Decode(&raw); err != nil {
			break
		}
		var line bytes.Buffer
		if err = json.Compact(&line, raw); err == nil {
			err = in.object(line.Bytes())
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
	}
	if err == nil {
		_, err = r.Token()
	}
	if err != nil {
		return fmt.Errorf("not a JSON array: %w", err)
	}
	return nil
}

// object writes an operation as it is, a document as one, and nothing as that.
func (in *input) object(text []byte) error {
	if len(text) == 0 {
		return in.line(text)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return errors.New("not a JSON object")
	}
	if err := whole(text); err != nil {
		return err
	}
	if _, ok := members["op"]; ok {
		return in.line(text)
	}
	var id, body string
	if raw := members[in.id]; json.Unmarshal(raw, &id) != nil {
		var number json.Number
		if json.Unmarshal(raw, &number) != nil {
			return fmt.Errorf("no text or number %q, which is to be the id (--id names another)", in.id)
		}
		id = number.String()
	}
	name := in.text
	if _, ok := members[name]; !ok && name == "text" {
		name = "string"
	}
	if json.Unmarshal(members[name], &body) != nil {
		return fmt.Errorf("no text %q, which is to be the document's (--text names another)", in.text)
	}
	op := operation{ID: id, Text: body, Vector: members["vector"], Vector64: members["vector_b64"]}
	for _, used := range []string{in.id, name, "vector", "vector_b64"} {
		delete(members, used)
	}
	var nested map[string]json.RawMessage
	if json.Unmarshal(members["fields"], &nested) == nil {
		delete(members, "fields")
		maps.Copy(members, nested)
	}
	var err error
	if op.Fields, err = in.pick(members); err != nil {
		return err
	}
	return in.operation(op)
}

// whole returns an error for JSON of which decoding would make other texts.
func whole(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("invalid UTF-8")
	}
	return rawjson.Check(text)
}

// pick returns the fields among the members of a document, and counts the others.
func (in *input) pick(members map[string]json.RawMessage) (json.RawMessage, error) {
	maps.DeleteFunc(members, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" || string(raw) == "[]" })
	if len(members) == 0 {
		return nil, nil
	}
	all, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	picked := fields.Pick(all)
	if picked == "" {
		in.unfit += len(members)
		return nil, nil
	}
	var kept map[string]json.RawMessage
	if err := json.Unmarshal([]byte(picked), &kept); err != nil {
		return nil, err
	}
	in.unfit += len(members) - len(kept)
	return json.RawMessage(picked), nil
}

// table reads rows of CSV, whose first names the columns. It is read twice: what a
// column holds is known at its end.
func (in *input) table(f *source, comma rune) error {
	file, ok := f.Reader.(*os.File)
	if _, err := seek(file); !ok || err != nil {
		spool, err := os.CreateTemp("", "vectorlink-push-")
		if err != nil {
			return err
		}
		defer func() { _ = errors.Join(spool.Close(), os.Remove(spool.Name())) }()
		if _, err := io.Copy(spool, f.Reader); err != nil {
			return err
		}
		file = spool
	}
	var kinds []string // a JSON value that all cells of the column are like; "" before any, text where they differ
	names := []string(nil)
	for pass := range 2 {
		if _, err := seek(file); err != nil {
			return err
		}
		r := csv.NewReader(unmarked(file))
		r.Comma, r.ReuseRecord = comma, true
		head, err := r.Read()
		if err != nil {
			return fmt.Errorf("the names of the columns: %w", err)
		}
		if pass == 0 {
			names, kinds = slices.Clone(head), make([]string, len(head))
			for _, name := range []string{in.id, in.text} {
				if !slices.Contains(names, name) {
					return fmt.Errorf("no column %q among %s (--id and --text name others)", name, strings.Join(names, ", "))
				}
			}
		}
		for {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if pass == 0 {
				for i, cell := range row {
					if kind := kindOf(cell); kind != "" && kinds[i] != kind {
						if kinds[i] != "" {
							kind = "text"
						}
						kinds[i] = kind
					}
				}
			} else if err := in.row(names, kinds, row); err != nil {
				line, _ := r.FieldPos(0)
				return fmt.Errorf("line %d: %w", line, err)
			}
		}
		in.read.Store(int64(pass) * in.size)
	}
	return nil
}

// seek goes to the start of a file that can be read again.
func seek(file *os.File) (int64, error) {
	if file == nil {
		return 0, os.ErrInvalid
	}
	return file.Seek(0, io.SeekStart)
}

// kindOf returns what a cell of CSV looks like: number, boolean, text, or "".
func kindOf(cell string) string {
	switch {
	case cell == "":
		return ""
	case cell == "true", cell == "false":
		return "boolean"
	case (cell[0] == '-' || '0' <= cell[0] && cell[0] <= '9') && json.Valid([]byte(cell)):
		return "number"
	}
	return "text"
}

func (in *input) row(names, kinds, row []string) error {
	var op operation
	members := make(map[string]json.RawMessage, len(row))
	for i, cell := range row {
		switch {
		case names[i] == in.id:
			op.ID = cell
		case names[i] == in.text:
			op.Text = cell
		case cell == "":
		case kinds[i] != "text":
			members[names[i]] = json.RawMessage(cell)
		default:
			text, err := json.Marshal(cell)
			if err != nil {
				return err
			}
			members[names[i]] = text
		}
	}
	if op.ID == "" {
		return errors.New("the id is empty")
	}
	var err error
	if op.Fields, err = in.pick(members); err != nil {
		return err
	}
	return in.operation(op)
}
