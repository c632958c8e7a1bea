package tasks

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vectorlink/vectorlink/vfs"
)

// The journal's layout, see FORMAT.md.
const (
	fileMagic   = "\x89VLTASK\n"
	fileVersion = 1
	headerSize  = 16

	recordMagic = "\xf5VLT" // the first byte is never part of JSON
	recordHead  = 16
	maxBody     = 4 << 20
)

// errHeader: the file does not begin as a journal of this version does.
var errHeader = errors.New("damaged header, or the file of a newer program")

// record holds the state of a task, or the removal of a task. Of several records
// about one task the last holds.
type record struct {
	Task   *Task           `json:"task,omitempty"`
	Resume json.RawMessage `json:"resume,omitempty"` // see Spec; of a pending task
	Forget string          `json:"forget,omitempty"` // a task's id
	// Clustering said whether a domain stores clustering, which its commits say
	// now. It is read, so that it is no damage, and not written.
	Clustering *struct{} `json:"clustering,omitempty"`
}

// valid reports whether the registry can have written r.
func (r *record) valid() bool {
	switch {
	case r.Task != nil:
		t := r.Task
		return r.Forget == "" && r.Clustering == nil && isID(t.ID) &&
			(t.State == Pending && t.Finished.IsZero() || (t.State == Complete || t.State == Failed) && !t.Finished.IsZero()) &&
			t.Percentage >= 0 && t.Percentage <= 100 && len(t.Skipped) <= MaxSkipped &&
			isTime(t.Created) && isTime(t.Finished)
	case r.Forget != "":
		return r.Clustering == nil && isID(r.Forget)
	default:
		return r.Clustering != nil
	}
}

// isTime reports whether the time can be written in UTC.
func isTime(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 0 && year <= 9999
}

func header() []byte {
	b := append(make([]byte, 0, headerSize), fileMagic...)
	b = binary.LittleEndian.AppendUint32(b, fileVersion)
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, b))
}

// append appends the record's bytes to b. A task whose list of skipped documents
// makes it too large is written without the list.
func (r record) append(b []byte) ([]byte, error) {
	start := len(b)
	out := bytes.NewBuffer(append(b, make([]byte, recordHead)...))
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return b, fmt.Errorf("encode a task: %w", err)
	}
	body := out.Len() - start - recordHead
	if body > maxBody {
		if r.Task == nil || r.Task.Skipped == nil {
			return b, fmt.Errorf("encode a task: it takes %d bytes, more than %d", body, maxBody)
		}
		t := *r.Task
		t.Skipped = nil
		r.Task = &t
		return r.append(b)
	}
	b = out.Bytes()
	head := b[start:]
	copy(head, recordMagic)
	binary.LittleEndian.PutUint32(head[4:], uint32(body))
	binary.LittleEndian.PutUint32(head[8:], vfs.Checksum(0, head[recordHead:]))
	binary.LittleEndian.PutUint32(head[12:], vfs.Checksum(0, head[:12]))
	return b, nil
}

// scanned is what scan found out about a file.
type scanned struct {
	end  int64 // of the last complete record
	lost int64 // bytes before end that belong to no complete record
}

// scan reads a journal of that size and calls visit with its complete records, in
// order, and their sizes, but for those about a task of which a later one says more:
// to parse them takes most of the time. It passes over all other bytes. The error is
// errHeader, or that of the reader.
func scan(r io.ReaderAt, size int64, visit func(rec record, size int)) (scanned, error) {
	last := make(map[string]int64) // where the last record about a task is, by its id
	_, err := scanEach(io.NewSectionReader(r, 0, size), size, func(at int64, body []byte) bool {
		last[subject(body)] = at
		return false
	}, nil)
	if err != nil {
		return scanned{end: headerSize}, err
	}
	return scanEach(io.NewSectionReader(r, 0, size), size, func(at int64, body []byte) bool {
		id := subject(body)
		return id == "" || last[id] == at
	}, visit)
}

// subject returns the id of the task that a record is about, as append writes it; ""
// for other records.
func subject(body []byte) string {
	rest, ok := bytes.CutPrefix(body, []byte(`{"task":{"id":"`))
	if n := len(IDPrefix) + idDigits; ok && len(rest) > n && rest[n] == '"' {
		return string(rest[:n])
	}
	return ""
}

// scanEach is scan of those records of whose place and body wants says so.
func scanEach(r io.Reader, size int64, wants func(at int64, body []byte) bool, visit func(rec record, size int)) (scanned, error) {
	s := scanned{end: headerSize}
	in := bufio.NewReaderSize(r, int(min(max(size, 4<<10), recordHead+maxBody)))
	head, err := in.Peek(headerSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return s, err
	}
	if !bytes.Equal(head, header()) {
		return s, errHeader
	}
	at := discard(in, headerSize)
	for {
		body, err := peek(in)
		if err != nil {
			return s, err
		}
		var rec record
		wanted := body != nil && wants(at, body)
		if body != nil && (!wanted || json.Unmarshal(body, &rec) == nil && rec.valid()) {
			n := recordHead + len(body)
			if wanted {
				visit(rec, n)
			}
			s.lost += at - s.end
			at += discard(in, n)
			s.end = at
			continue
		}
		passed, err := seek(in)
		at += passed
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
	}
}

// discard skips n bytes that are known to be there.
func discard(in *bufio.Reader, n int) int64 {
	n, _ = in.Discard(n)
	return int64(n)
}

// peek returns the body of the record that comes next, nil where none does; it is
// good until the next read. The error is that of the reader.
func peek(in *bufio.Reader) (body []byte, err error) {
	head, err := in.Peek(recordHead)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil || string(head[:4]) != recordMagic || vfs.Checksum(0, head[:12]) != binary.LittleEndian.Uint32(head[12:]) {
		return nil, err
	}
	n, sum := binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[8:])
	if n > maxBody {
		return nil, nil
	}
	b, err := in.Peek(recordHead + int(n))
	if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
		return nil, nil // the file ends before it does
	}
	if err != nil || vfs.Checksum(0, b[recordHead:]) != sum {
		return nil, err
	}
	return b[recordHead:], nil
}

// seek skips at least one byte, up to where the next record may begin, and
// returns how many. It is io.EOF where none can.
func seek(in *bufio.Reader) (passed int64, err error) {
	for skip := 1; ; {
		n, err := in.Discard(skip)
		passed += int64(n)
		if err != nil {
			return passed, err
		}
		if _, err := in.Peek(len(recordMagic)); err != nil {
			return passed, err
		}
		b, _ := in.Peek(in.Buffered())
		if skip = bytes.Index(b, []byte(recordMagic)); skip >= 0 {
			n, err := in.Discard(skip)
			return passed + int64(n), err
		}
		skip = len(b) - len(recordMagic) + 1
	}
}
