package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// Ext is the extension of catalog files.
	Ext = "catalog"
	// magic begins every catalog file.
	magic = "VLCT"
	// version is the only format that this program reads: a file of another is
	// rebuilt.
	version = 1
	// headSize is the size of a catalog file's header but for the domain.
	headSize = 20
	// maxDomain bounds the domain's name, in bytes.
	maxDomain = 4096
	// frameSize is the size of what stands before each record's body.
	frameSize = 8
	// maxBody bounds the body of a record.
	maxBody = 1<<21 - 1
	// readSize is how much of a file is read and written at a time.
	readSize = 256 << 10
)

// recordType numbers the types of records, as on disk.
type recordType uint8

const (
	// putRecord: the commit is there, with this header.
	putRecord recordType = 1
	// replaceRecord ends what an intent began: the commit's file has this header
	// now.
	replaceRecord recordType = 2
	// intentRecord: the commit's file is about to be replaced; until another
	// record says what by, its header is to be read.
	intentRecord recordType = 3
	// removeRecord: the commit is not there any more, or its file is about to go.
	removeRecord recordType = 4

	// The records of a list of pruned commits.

	// pruneRecord: the commit was pruned.
	pruneRecord recordType = 5
	// returnRecord: the commit is indexed again.
	returnRecord recordType = 6

	// decisionRecord is the record of a journal of decisions.
	decisionRecord recordType = 7
)

// home returns how the files begin that records of a type belong in.
func (t recordType) home() string {
	switch {
	case t == decisionRecord:
		return decisionsMagic
	case t >= pruneRecord:
		return prunedMagic
	}
	return magic
}

// errDamaged is why a catalog file, or what follows some of its records, cannot
// be read. It is no error to a caller: the file is rebuilt.
var errDamaged = errors.New("damaged catalog file")

// errVersion is the errDamaged of a file of another version.
var errVersion = fmt.Errorf("%w: of another version", errDamaged)

// FileName returns the name of a domain's catalog file.
func FileName(domain string) string { return vfs.FileName(domain, "", Ext) }

// appendHead appends the header of a file that begins with magic. The generation is another one
// for each file that is begun, and enters all its checksums.
func appendHead(b []byte, magic, domain string, generation uint64) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(domain)))
	b = binary.LittleEndian.AppendUint64(b, generation)
	b = append(b, domain...)
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, b[start:]))
}

// appendRecord appends a record of that type that will stand at that offset of
// the file.
func appendRecord(b []byte, generation uint64, offset int64, t recordType, body func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, frameSize)...)
	b = body(append(b, byte(t)))
	frame, rest := b[start:start+frameSize], b[start+frameSize:]
	binary.LittleEndian.PutUint32(frame, uint32(len(rest)))
	binary.LittleEndian.PutUint32(frame[4:], recordSum(generation, offset, rest))
	return b
}

// recordSum returns the checksum of a record: over the file's generation, the
// record's place and its body, whose length is in its place's neighbour.
func recordSum(generation uint64, offset int64, body []byte) uint32 {
	var place [20]byte
	binary.LittleEndian.PutUint64(place[:], generation)
	binary.LittleEndian.PutUint64(place[8:], uint64(offset))
	binary.LittleEndian.PutUint32(place[16:], uint32(len(body)))
	return vfs.Checksum(vfs.Checksum(0, place[:]), body)
}

// change is what a record says.
type change struct {
	typ    recordType
	commit string
	info   snapshot.Info // of a put or replace
	base   string        // of a pruned one
	// decision is that of a decisionRecord.
	decision *Decision
}

// file is what is known of a catalog file, or another of this form, that was read or
// written.
type file struct {
	magic      string
	domain     string
	generation uint64
	end        int64 // where the next record goes
	records    int
}

// readHead reads the header of an open file that begins with magic.
func readHead(f vfs.File, magic string) (file, error) {
	size, err := f.Size()
	if err != nil {
		return file{}, err
	}
	p := make([]byte, min(size, headSize+maxDomain))
	if n, err := f.ReadAt(p, 0); err != nil && !errors.Is(err, io.EOF) {
		return file{}, err
	} else {
		p = p[:n]
	}
	return parseHead(p, magic)
}

// parseHead parses the header that p begins with.
func parseHead(p []byte, magic string) (file, error) {
	if len(p) < headSize || string(p[:4]) != magic {
		return file{}, fmt.Errorf("%w: it does not begin as such a file does", errDamaged)
	}
	if v := binary.LittleEndian.Uint16(p[4:]); v != version {
		return file{}, fmt.Errorf("%w: %d, this program reads %d", errVersion, v, version)
	}
	n := int(binary.LittleEndian.Uint16(p[6:]))
	if n == 0 || n > maxDomain || headSize+n > len(p) {
		return file{}, fmt.Errorf("%w: it ends early", errDamaged)
	}
	body := p[:headSize-4+n]
	if vfs.Checksum(0, body) != binary.LittleEndian.Uint32(p[len(body):]) {
		return file{}, fmt.Errorf("%w: the checksum of its header does not match", errDamaged)
	}
	return file{magic: magic, domain: string(body[16:]), generation: binary.LittleEndian.Uint64(p[8:]), end: int64(headSize + n)}, nil
}

// scan reads the records of an open catalog file from c.end on, and hands them
// over. c stands behind the last one that is whole. What follows that one is
// errDamaged: of a file that another process is writing, it may be half a record.
func (c *file) scan(f vfs.File, take func(change)) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	var buf, rest []byte // rest is what was read and begins at c.end
	var like snapshot.Header
	for c.end < size {
		n := 0
		if len(rest) >= frameSize {
			n = int(binary.LittleEndian.Uint32(rest)) + frameSize
		}
		if n > frameSize+maxBody {
			return badRecord("its length is out of bounds")
		}
		if need := max(n, frameSize); len(rest) < need {
			if int64(need) > size-c.end {
				return badRecord("it ends early")
			}
			if buf == nil {
				buf = make([]byte, min(size-c.end, readSize))
			}
			if need > len(buf) {
				buf = make([]byte, need)
			}
			kept := copy(buf, rest)
			more := buf[kept:min(int64(len(buf)), size-c.end)]
			if _, err := io.ReadFull(io.NewSectionReader(f, c.end+int64(kept), int64(len(more))), more); err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					return badRecord("the file was cut meanwhile")
				}
				return err
			}
			rest = buf[:kept+len(more)]
			continue
		}
		ch, err := c.parse(rest[:n], &like)
		if err != nil {
			return err
		}
		if ch.info.Commit != "" {
			like = ch.info.Header
		}
		take(ch)
		rest = rest[n:]
		c.end += int64(n)
		c.records++
	}
	return nil
}

// parse parses the record p, which stands at c.end. like is the header before it.
func (c *file) parse(p []byte, like *snapshot.Header) (change, error) {
	body := p[frameSize:]
	if len(body) < 2 {
		return change{}, badRecord("it is empty")
	}
	if recordSum(c.generation, c.end, body) != binary.LittleEndian.Uint32(p[4:]) {
		return change{}, badRecord("its checksum does not match")
	}
	ch := change{typ: recordType(body[0])}
	switch typ := ch.typ; {
	case typ.home() != c.magic:
		return ch, badRecord("it is of a type that belongs elsewhere")
	case typ == decisionRecord:
		var err error
		if ch.decision, err = parseDecision(body[1:]); err != nil {
			return ch, err
		}
	case typ == putRecord || typ == replaceRecord:
		var err error
		if ch.info, err = parseInfo(body[1:], c.domain, like); err != nil {
			return ch, err
		}
		ch.commit = ch.info.Commit
	case typ == intentRecord || typ == removeRecord || typ == pruneRecord || typ == returnRecord:
		ch.commit, ch.base = string(body[1:]), unknownBase
		if name, base, ok := strings.Cut(ch.commit, "\x00"); ok && typ == pruneRecord {
			ch.commit, ch.base = name, base
		}
		if len(ch.commit) > maxString || len(ch.base) > maxString {
			return ch, badRecord("the name of its commit is too long")
		}
	default:
		return ch, badRecord("it is of no known type")
	}
	return ch, nil
}

// append appends the record of a change to b, which will be written at c.end.
func (c *file) append(b []byte, ch change) []byte {
	return appendRecord(b, c.generation, c.end+int64(len(b)), ch.typ, func(b []byte) []byte {
		if ch.typ == putRecord || ch.typ == replaceRecord {
			return appendInfo(b, &ch.info)
		}
		if ch.typ == decisionRecord {
			return appendDecision(b, ch.decision)
		}
		b = append(b, ch.commit...)
		if ch.typ == pruneRecord && ch.base != unknownBase {
			b = append(append(b, 0), ch.base...)
		}
		return b
	})
}

// badRecord is the reason why a record of a catalog file cannot be decoded.
func badRecord(reason string) error { return fmt.Errorf("%w: %s", errDamaged, reason) }
