package snapshot

import (
	"encoding/binary"
	"fmt"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// magic begins every commit file.
	magic = "VLCF"
	// version is the highest format that this program reads, and the one that
	// it writes.
	version = 3
	// preambleSize is the size of what stands before the sections.
	preambleSize = 96
	// endMagic ends every commit file of this version.
	endMagic = "FCL3"
	// rowSize is the size of a section's row.
	rowSize = 28
	// tailSize is the size of the end of the trailer, behind header and rows.
	tailSize = 20
	// maxSections bounds the number of sections, those included that this
	// program does not know.
	maxSections = 1024
	// maxRecord bounds the size of the header's record.
	maxRecord = 1 << 20
	// lastRead is how much of a file is read for its trailer, in one go.
	lastRead = 4096
	// smallFile is the size of the files that are read in one go, whole.
	smallFile = 64 << 10
)

// preamble begins every file of this version. It has the form of a header of
// version 1, so that a program of that time knows the file for one of a newer
// version and does not take it for damage.
var preamble = func() []byte {
	b := make([]byte, preambleSize-4, preambleSize)
	copy(b, magic)
	binary.LittleEndian.PutUint16(b[4:], version)
	binary.LittleEndian.PutUint32(b[8:], preambleSize)
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, b))
}()

// sectionType numbers the sections, as on disk.
type sectionType uint16

const (
	textsSection   sectionType = 1
	entriesSection sectionType = 2
	removedSection sectionType = 3
	graphSection   sectionType = 4
	skippedSection sectionType = 5
	chunksSection  sectionType = 6
	fieldsSection  sectionType = 7
	// unreadableSection may be passed over: it says how far vectors can be trusted.
	unreadableSection sectionType = 8
	// aboutSection may be passed over: it is for people.
	aboutSection sectionType = 9
)

// sectionOrder is the order of the sections that this program writes.
var sectionOrder = [...]sectionType{textsSection, fieldsSection, entriesSection, chunksSection, removedSection, skippedSection, unreadableSection, graphSection, aboutSection}

// String returns the section's name in a CorruptError.
func (t sectionType) String() string {
	switch t {
	case textsSection:
		return "texts"
	case entriesSection:
		return "entries"
	case removedSection:
		return "removed"
	case graphSection:
		return "graph"
	case skippedSection:
		return "skipped"
	case chunksSection:
		return "chunks"
	case fieldsSection:
		return "fields"
	case unreadableSection:
		return "unreadable"
	case aboutSection:
		return "about"
	}
	return fmt.Sprint(uint16(t))
}

// required reports whether a file means something else without such a section.
func (t sectionType) required() bool {
	return t != graphSection && t != unreadableSection && t != aboutSection
}

// known reports whether this program understands sections of that row.
func (r row) known() bool {
	return r.typ >= textsSection && r.typ <= aboutSection && r.version == 1
}

const (
	// requiredFlag marks a section without which the file means something else:
	// a reader that does not know it must refuse the file.
	requiredFlag = 1
	// streamFlag marks a block stream.
	streamFlag = 2
)

// row describes a section. Sections lie in the order of their rows, without
// gaps.
type row struct {
	typ     sectionType
	version uint16
	flags   uint8
	space   uint16 // the number of the vectors it is about: see Header.vectors
	length  uint64 // bytes in the file
	raw     uint64 // bytes before compression; length if there is none
	crc     uint32 // of a block stream's table, else of the bytes
	offset  int64  // in the file; follows from the rows before
}

func (r row) stream() bool { return r.flags&streamFlag != 0 }

// blocks returns the number of blocks of a block stream, 0 of another section.
func (r row) blocks() uint64 {
	if !r.stream() {
		return 0
	}
	n := r.raw / blockSize
	if r.raw%blockSize > 0 {
		n++
	}
	return n
}

// name returns the section's name in reports.
func (r row) name(h *Header) string {
	if r.space == 0 || int(r.space) > len(h.Others) {
		return r.typ.String()
	}
	return r.typ.String() + " of " + h.Others[r.space-1].Name
}

// appendTrailer appends the trailer of a file whose bytes before it have the
// checksum body.
func appendTrailer(b []byte, h *Header, rows []row, body uint32) []byte {
	le, start := binary.LittleEndian, len(b)
	plain := *h
	plain.About = nil // it has a section
	b = AppendHeader(b, &plain)
	record := len(b) - start
	for _, r := range rows {
		b = le.AppendUint16(b, uint16(r.typ))
		b = le.AppendUint16(b, r.version)
		b = append(b, r.flags, 0)
		b = le.AppendUint16(b, r.space)
		b = le.AppendUint64(b, r.length)
		b = le.AppendUint64(b, r.raw)
		b = le.AppendUint32(b, r.crc)
	}
	b = le.AppendUint32(b, uint32(record))
	b = le.AppendUint32(b, uint32(len(rows)))
	b = le.AppendUint32(b, body)
	b = le.AppendUint32(b, vfs.Checksum(0, b[start:]))
	return append(b, endMagic...)
}

// trailerSize returns the size of the trailer that p ends with. Whoever reads
// files of size bytes has checked that p ends with endMagic.
func trailerSize(p []byte, size int64) (int, error) {
	if len(p) < tailSize || size < preambleSize+tailSize {
		return 0, badf("it ends early")
	}
	tail := p[len(p)-tailSize:]
	record, rows := binary.LittleEndian.Uint32(tail), binary.LittleEndian.Uint32(tail[4:])
	if record > maxRecord || rows > maxSections {
		return 0, badf("its header has %d bytes and it has %d sections", record, rows)
	}
	n := int(record) + int(rows)*rowSize + tailSize
	if int64(n) > size-preambleSize {
		return 0, badf("the file is too short for it")
	}
	return n, nil
}

// decodeTrailer decodes p, a whole trailer, of a file of size bytes. body is the
// checksum of what is before, id tells files apart. After an error there may be a
// header nevertheless.
func decodeTrailer(p []byte, size int64) (h Header, rows []row, body uint32, id uint64, err error) {
	fail := func(err error) (Header, []row, uint32, uint64, error) { return h, nil, 0, 0, err }
	le := binary.LittleEndian
	tail := p[len(p)-tailSize:]
	body = le.Uint32(tail[8:])
	crc := vfs.Checksum(0, p[:len(p)-8])
	if crc != le.Uint32(tail[12:]) {
		return fail(badf("its checksum does not match"))
	}
	record, count := int(le.Uint32(tail)), int(le.Uint32(tail[4:]))
	if h, err = parseHeader(p[:record], &Header{}); err != nil {
		return Header{}, nil, 0, 0, err
	}
	if h.About != nil {
		return Header{}, nil, 0, 0, badf("its header says what a section should")
	}
	offset, end := int64(preambleSize), size-int64(len(p))
	rows = make([]row, count)
	for i := range rows {
		r, b := &rows[i], p[record+i*rowSize:]
		*r = row{
			typ: sectionType(le.Uint16(b)), version: le.Uint16(b[2:]), flags: b[4], space: le.Uint16(b[6:]),
			length: le.Uint64(b[8:]), raw: le.Uint64(b[16:]), crc: le.Uint32(b[24:]), offset: offset,
		}
		if b[5] != 0 || r.flags&^(requiredFlag|streamFlag) != 0 {
			return fail(badf("reserved bytes of the row of section %v are set", r.typ))
		}
		if r.length > uint64(end-offset) {
			return fail(badf("the file is too short for its sections"))
		}
		offset += int64(r.length)
	}
	if offset != end {
		return fail(badf("the file's size is not what its sections need"))
	}
	return h, rows, body, uint64(crc)<<32 | uint64(body), checkRows(&h, rows)
}

// checkRows checks which sections a file with that header has.
func checkRows(h *Header, rows []row) error {
	rank := func(r row) int {
		for i, t := range sectionOrder {
			if t == r.typ {
				return i<<16 | int(r.space)
			}
		}
		return -1
	}
	last := -1
	var have [aboutSection + 1]bool
	graphs := 0
	for _, r := range rows {
		if !r.known() {
			if r.flags&requiredFlag != 0 {
				return versionError("section %v has version %d, and one must understand it to read the file", r.typ, r.version)
			}
			if r.typ == graphSection {
				graphs++ // of another version: there, and nothing to read
			}
			continue
		}
		perSpace := r.typ == chunksSection || r.typ == graphSection
		stream := r.typ == textsSection || r.typ == fieldsSection
		switch at := rank(r); {
		case at <= last:
			return badf("section %v is out of order", r.typ)
		case !perSpace && r.space != 0, int(r.space) > len(h.Others):
			return badf("section %v is of vectors %d", r.typ, r.space)
		case r.stream() != stream, !stream && r.raw != r.length, r.length == 0,
			(r.flags&requiredFlag != 0) != r.typ.required():
			return badf("the row of section %v is malformed", r.typ)
		default:
			last = at
		}
		have[r.typ] = true
		if r.typ == graphSection {
			graphs++
			if !h.vectors(int(r.space)).Graph {
				return badf("it has a graph that the header does not name")
			}
		}
	}
	for i := range 1 + len(h.Others) {
		if h.vectors(i).Graph {
			graphs--
		}
	}
	switch {
	case graphs != 0:
		return badf("it has not the graphs that the header names")
	case have[entriesSection] != (h.Changed > 0) || have[removedSection] != (h.Removed > 0) || have[skippedSection] != (h.Skipped > 0),
		!have[entriesSection] && (have[textsSection] || have[fieldsSection] || have[chunksSection] || have[unreadableSection]):
		return badf("it has other sections than its header asks for")
	}
	return nil
}
