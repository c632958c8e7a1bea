package space

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// Ext is the extension of the journals of spaces.
const Ext = "space"

// FileName returns the name of the journal of a space.
func FileName(name string) string { return vfs.FileName(name, "", Ext) }

const (
	magic   = "VLSPACE\n"
	version = 1
	// A header is the magic, version, generation, lengths of name and schema, the two,
	// and a checksum.
	headSize  = len(magic) + 4 + 8 + 4 + 4
	frameSize = 8
	// maxSchema and maxRecord bound what is read at once, in bytes. A record holds one
	// batch of writes.
	maxSchema = 64 << 10
	maxRecord = 64 << 20
	// slack is how much of a journal may be settled before it is written anew, besides
	// as much as is live.
	slack = 1 << 20
)

var errJournal = errors.New("damaged journal")

// The types of records.
const (
	recWrites  = 1 // a batch of writes to a branch
	recIntent  = 2 // a commit of the branch's writes up to a number is about to be made
	recSettled = 3 // writes up to a number are in a commit, or given up
	recFrozen  = 4
)

// record is what one record says.
type record struct {
	kind    byte
	branch  string
	commit  string   // recIntent
	through uint64   // recIntent, recSettled
	writes  []*write // recWrites, numbered upwards
	synced  int64    // how much of the file lasted when the record was written
}

// write is a write of one key.
type write struct {
	key     Key
	seq     uint64
	deleted bool
	bare    bool // its vector is zero, and has no direction
	vector  []float32
	fields  string
	text    *string
}

func (w *write) size() int64 {
	return int64(len(w.key.ID)+4*len(w.vector)+len(w.fields)) + textLen(w.text) + 64
}

func textLen(t *string) int64 {
	if t == nil {
		return 0
	}
	return int64(len(*t))
}

// journal is the file of a space. Its methods but sync are called with the space's
// lock held.
type journal struct {
	files vfs.FS
	name  string // of the file

	file       vfs.File // nil: it is to be opened again
	generation uint64
	end        int64

	// written counts the bytes that were ever appended, synced those of them that
	// last. syncing is held by the one who syncs for all that wait; it is taken before
	// the space's lock.
	written int64
	syncing sync.Mutex
	synced  atomic.Int64
}

func header(name string, schema []byte, generation uint64) []byte {
	b := make([]byte, 0, headSize+len(name)+len(schema)+4)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint64(b, generation)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(schema)))
	b = append(append(b, name...), schema...)
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, b))
}

// readHeader reads the header of a journal and where its records begin.
func readHeader(f vfs.File) (name string, schema Schema, generation uint64, end int64, err error) {
	bad := func(why string) error { return fmt.Errorf("%w: %w: %s", contract.ErrCorrupt, errJournal, why) }
	head := make([]byte, headSize)
	if err := vfs.ReadFull(f, head, 0); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "", schema, 0, 0, bad("its header is cut off")
	} else if err != nil {
		return "", schema, 0, 0, err
	}
	p := head[len(magic):]
	nameLen, schemaLen := binary.LittleEndian.Uint32(p[12:]), binary.LittleEndian.Uint32(p[16:])
	switch {
	case string(head[:len(magic)]) != magic:
		return "", schema, 0, 0, bad("it is no journal of a space")
	case binary.LittleEndian.Uint32(p) != version:
		return "", schema, 0, 0, bad(fmt.Sprintf("its version %d is not known", binary.LittleEndian.Uint32(p)))
	case nameLen == 0 || nameLen > MaxNameBytes || schemaLen > maxSchema:
		return "", schema, 0, 0, bad("its header is out of bounds")
	}
	end = int64(headSize) + int64(nameLen) + int64(schemaLen) + 4
	whole := make([]byte, end)
	if err := vfs.ReadFull(f, whole, 0); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "", schema, 0, 0, bad("its header is cut off")
	} else if err != nil {
		return "", schema, 0, 0, err
	}
	if vfs.Checksum(0, whole[:end-4]) != binary.LittleEndian.Uint32(whole[end-4:]) {
		return "", schema, 0, 0, bad("its header has another checksum")
	}
	name = string(whole[headSize : headSize+int(nameLen)])
	if err := json.Unmarshal(whole[headSize+int(nameLen):end-4], &schema); err != nil || schema.complete() != nil {
		return "", schema, 0, 0, bad("its schema cannot be read")
	}
	return name, schema, binary.LittleEndian.Uint64(p[4:]), end, nil
}

// scan calls visit with the records from where c ends, and moves its end behind the
// last that is whole. What follows that was never acknowledged, unless the disk lost
// it; lost is how many bytes that are. If a later record tells that it did last, the
// journal is damaged.
func (j *journal) scan(size int64, visit func(record) error) (lost int64, err error) {
	for {
		r, n, err := j.read(j.end, size)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return size - j.end, j.torn(size)
		}
		if err := visit(r); err != nil {
			return 0, err
		}
		j.end += n
	}
}

// read returns the record at a place and its length, 0 if there is none that is whole.
func (j *journal) read(at, size int64) (r record, n int64, err error) {
	frame := make([]byte, frameSize)
	if size-at < frameSize {
		return r, 0, nil
	}
	if err := vfs.ReadFull(j.file, frame, at); err != nil {
		return r, 0, err
	}
	n = int64(binary.LittleEndian.Uint32(frame))
	if n == 0 || n > maxRecord || n > size-at-frameSize {
		return r, 0, nil
	}
	body := make([]byte, n)
	if err := vfs.ReadFull(j.file, body, at+frameSize); err != nil {
		return r, 0, err
	}
	if j.sum(at, body) != binary.LittleEndian.Uint32(frame[4:]) {
		return r, 0, nil
	}
	if r, err = decode(body); err != nil {
		return r, 0, nil
	}
	return r, frameSize + n, nil
}

// torn returns nil if what is behind the end may be what a power cut leaves, and
// [contract.ErrCorrupt] if a record that is whole tells that it lasted.
func (j *journal) torn(size int64) error {
	const window = 1 << 20
	buf := make([]byte, window+frameSize+1)
	for at := j.end + 1; at+frameSize < size; {
		part := buf[:min(int64(len(buf)), size-at)]
		if err := vfs.ReadFull(j.file, part, at); err != nil {
			return err
		}
		next := at + int64(len(part)) - frameSize
		for i := range len(part) - frameSize {
			// Most places are passed over by what a record begins with.
			n, kind := int64(binary.LittleEndian.Uint32(part[i:])), part[i+frameSize]
			if n == 0 || n > maxRecord || kind < recWrites || kind > recFrozen {
				continue
			}
			r, whole, err := j.read(at+int64(i), size)
			if err != nil {
				return err
			}
			if whole == 0 {
				continue
			}
			if r.synced > j.end {
				return fmt.Errorf("%w: %w: the record at byte %d is not what was written, and later ones are", contract.ErrCorrupt, errJournal, j.end)
			}
			next = at + int64(i) + whole
			break
		}
		at = next
	}
	return nil
}

// sum returns the checksum of a record at a place, of this file alone.
func (j *journal) sum(at int64, body []byte) uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], j.generation)
	binary.LittleEndian.PutUint64(b[8:], uint64(at))
	return vfs.Checksum(vfs.Checksum(0, b[:]), body)
}

// append writes a record at the end. It lasts after a sync.
func (j *journal) append(r record) error {
	r.synced = j.end - (j.written - j.synced.Load())
	body := r.encode(nil)
	if len(body) > maxRecord {
		return invalid("one write has more than %d bytes", maxRecord)
	}
	b := make([]byte, 0, frameSize+len(body))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, j.sum(j.end, body))
	b = append(b, body...)
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return err
	}
	j.end += int64(len(b))
	j.written += int64(len(b))
	return nil
}

// syncer is a file that can be synced.
type syncer interface{ Sync() error }

// sync returns when the first n bytes that were ever appended last. Of those who wait
// at once, one syncs for all. now returns what is written and the file it is in.
func (j *journal) sync(n int64, now func() (written int64, file syncer)) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced.Load() >= n {
		return nil
	}
	upTo, file := now()
	err := file.Sync()
	if err != nil && j.synced.Load() >= n {
		return nil // the journal was written anew meanwhile, and the file closed
	}
	if err == nil {
		j.synced.Store(max(j.synced.Load(), upTo))
	}
	return err
}

// rewrite puts a journal of these records in the place of the one there is. It lasts
// when it returns.
func (j *journal) rewrite(name string, schema []byte, records []record) error {
	next := journal{generation: rand.Uint64()}
	head := header(name, schema, next.generation)
	next.end = int64(len(head))
	err := vfs.WriteFile(j.files, j.name, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, r := range records {
			body := r.encode(nil)
			b := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
			b = binary.LittleEndian.AppendUint32(b, next.sum(next.end, body))
			b = append(b, body...)
			if _, err := w.Write(b); err != nil {
				return err
			}
			next.end += int64(len(b))
		}
		return nil
	})
	if err == nil {
		err = j.files.SyncDir()
	}
	if err != nil {
		return err
	}
	file, err := j.files.Open(j.name, vfs.ReadWrite)
	if err != nil {
		return err
	}
	old := j.file
	j.file, j.generation, j.end = file, next.generation, next.end
	j.synced.Store(j.written)
	if old != nil {
		_ = old.Close() // all of it is in the new one
	}
	return nil
}

func (j *journal) close() error {
	return errors.Join(j.file.Sync(), j.file.Close())
}

// openJournal opens the journal of a space, fs.ErrNotExist if there is none.
func openJournal(files vfs.FS, name string, mode vfs.Mode) (j *journal, schema Schema, err error) {
	f, err := files.Open(FileName(name), mode)
	if err != nil {
		return nil, schema, err
	}
	j = &journal{files: files, name: FileName(name), file: f}
	of, schema, generation, end, err := readHeader(f)
	if err == nil && of != name {
		err = fmt.Errorf("%w: the journal of %s belongs to another space", contract.ErrCorrupt, name)
	}
	if err != nil {
		return nil, schema, errors.Join(err, f.Close())
	}
	j.generation, j.end = generation, end
	return j, schema, nil
}

// encode appends a record's body.
func (r *record) encode(b []byte) []byte {
	b = append(b, r.kind)
	b = appendText(b, r.branch)
	switch r.kind {
	case recIntent:
		b = appendText(b, r.commit)
		b = binary.AppendUvarint(b, r.through)
	case recSettled:
		b = binary.AppendUvarint(b, r.through)
	case recWrites:
		b = binary.AppendUvarint(b, uint64(len(r.writes)))
		for _, w := range r.writes {
			b = w.encode(b)
		}
	}
	return binary.AppendUvarint(b, uint64(r.synced))
}

// The flags of a write.
const (
	isDeleted = 1 << iota
	isBare
	isInt
	hasText
)

func (w *write) encode(b []byte) []byte {
	flags := byte(0)
	for _, f := range []struct {
		set bool
		bit byte
	}{{w.deleted, isDeleted}, {w.bare, isBare}, {w.key.Int, isInt}, {w.text != nil, hasText}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, w.seq)
	b = appendText(b, w.key.ID)
	if w.deleted {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(w.vector)))
	for _, x := range w.vector {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	b = appendText(b, w.fields)
	if w.text != nil {
		b = appendText(b, *w.text)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads a record's body. All lengths are bounded by what is there.
func decode(body []byte) (r record, err error) {
	d := decoder{rest: body}
	r.kind = d.byte()
	r.branch = d.text()
	switch r.kind {
	case recIntent:
		r.commit = d.text()
		r.through = d.number()
	case recSettled:
		r.through = d.number()
	case recFrozen:
	case recWrites:
		n := d.number()
		if n > uint64(len(d.rest)) {
			return r, errJournal
		}
		r.writes = make([]*write, 0, min(n, 1024))
		for range n {
			w := d.write()
			if d.bad {
				break
			}
			r.writes = append(r.writes, w)
		}
	default:
		d.bad = true
	}
	if !d.bad && len(d.rest) > 0 {
		r.synced = int64(min(d.number(), math.MaxInt64))
	}
	if d.bad || len(d.rest) > 0 {
		return r, errJournal
	}
	return r, nil
}

type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() string { return string(d.bytes(d.number())) }

func (d *decoder) write() *write {
	flags := d.byte()
	w := &write{deleted: flags&isDeleted != 0, bare: flags&isBare != 0, seq: d.number()}
	w.key = Key{ID: d.text(), Int: flags&isInt != 0}
	if w.deleted {
		return w
	}
	n := d.number()
	if n > MaxDims {
		d.bad = true
		return w
	}
	b := bytes.Clone(d.bytes(4 * n))
	w.vector = make([]float32, len(b)/4)
	for i := range w.vector {
		w.vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	w.fields = d.text()
	if flags&hasText != 0 {
		t := d.text()
		w.text = &t
	}
	return w
}
