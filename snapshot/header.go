package snapshot

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Kind is what a commit file is.
type Kind uint8

// The kinds, as on disk.
const (
	// Checkpoint: the whole entry table, and perhaps a graph.
	Checkpoint Kind = 1
	// Delta: what the commit changed against its base.
	Delta Kind = 2
	// Alias: the commit is another name of its base's snapshot.
	Alias Kind = 3
)

// String returns the kind's name as listings show it.
func (k Kind) String() string {
	switch k {
	case Checkpoint:
		return "checkpoint"
	case Delta:
		return "delta"
	case Alias:
		return "alias"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Header says what a commit file is and what its snapshot holds.
type Header struct {
	Kind   Kind
	Domain string // org/db
	Commit string
	// Base is the commit that this one was built on, "" for none; an alias
	// stands for it. A checkpoint's is history only: it stands on nothing.
	Base string
	// Branch is the branch whose head moved here, "" for none.
	Branch string
	// Seq numbers the domain's commits: a branch's head is its commit of the
	// highest Seq. A number passed to Write is never given to another commit,
	// even if that Write failed.
	Seq uint64
	// Created is when the commit was indexed, in Unix seconds.
	Created int64

	// Fingerprint and Dim identify the embedding model, Vecs is the name of
	// the file of vectors. They may be empty while SlotEnd is 0; from then on
	// they stay what they are along a chain.
	Fingerprint string
	Dim         uint32
	Vecs        string
	// Settings are what the domain was created with, in a form that is its
	// owner's (opaque here); "" for the defaults. What is written on a view
	// takes the view's.
	Settings string
	// SlotEnd is 1 + the highest slot that this file refers to, or anything
	// below it did when it was written; 0 for none. A base that is rewritten
	// with other slots may end above.
	SlotEnd uint32

	// Documents and Chunks count what is live in the whole snapshot.
	Documents, Chunks uint32
	// Changed, Removed and Skipped count what this file lists.
	Changed, Removed, Skipped uint32

	// What the commit cost when it was indexed, for reports: documents
	// inserted or changed, documents deleted, texts embedded, texts found
	// stored, tokens of the embedded texts. A merge keeps them.
	Indexed, Deleted, Embedded, Reused uint32
	Tokens                             uint64
}

const (
	// magic begins every commit file.
	magic = "VLCF"
	// version is the highest format that this program writes and reads. A file
	// gets the lowest that can say what it holds.
	version = 2
	// versionSettings is the first format with settings and skipped ids.
	versionSettings = 2
	// fixedSize is the size of the header before its strings.
	fixedSize = 80
	// rowSize is the size of a section's row.
	rowSize = 28
	// maxName bounds each of the header's strings, in bytes.
	maxName = 4096
	// maxSections is the number of section types.
	maxSections = 5
	// minHeader and maxHeader bound the header's length.
	minHeader = fixedSize + 6*2 + 4
	maxHeader = minHeader + 6*maxName + 2 + maxName + maxSections*rowSize
	// firstRead is how much of a file is read for its header, in one go.
	firstRead = 4096
)

// sectionType numbers the sections, as on disk and in the order of the file.
type sectionType uint8

const (
	textsSection   sectionType = 1
	entriesSection sectionType = 2
	removedSection sectionType = 3
	graphSection   sectionType = 4
	skippedSection sectionType = 5
)

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
	}
	return fmt.Sprintf("section(%d)", uint8(t))
}

// row describes a section in the header. Sections follow the header in the
// order of their rows, without gaps.
type row struct {
	typ    sectionType
	blocks uint32 // number of blocks of a block stream, else 0
	length uint64 // bytes in the file
	raw    uint64 // bytes before compression; length if there is none
	crc    uint32 // of a block stream's table, else of the bytes
}

// encodedSize returns the length of the header with the given number of
// sections. It depends on the strings alone, so that the header can be written
// when everything behind it is.
func (h *Header) encodedSize(sections int) int {
	n := minHeader + sections*rowSize
	for _, s := range h.names(1) {
		n += len(*s)
	}
	if h.version() >= versionSettings {
		n += 2 + len(h.Settings)
	}
	return n
}

// version returns the lowest format that can say what the header does.
func (h *Header) version() uint16 {
	if h.Settings != "" || h.Skipped > 0 {
		return versionSettings
	}
	return 1
}

// names returns the strings of a format in the order of the file.
func (h *Header) names(version uint16) []*string {
	names := []*string{&h.Domain, &h.Commit, &h.Base, &h.Branch, &h.Fingerprint, &h.Vecs}
	if version >= versionSettings {
		names = append(names, &h.Settings)
	}
	return names
}

// appendTo appends the header in its encoded form, checksum included.
func (h *Header) appendTo(b []byte, rows []row) []byte {
	le, start := binary.LittleEndian, len(b)
	b = append(b, magic...)
	b = le.AppendUint16(b, h.version())
	b = append(b, byte(h.Kind), byte(len(rows)))
	b = le.AppendUint32(b, uint32(h.encodedSize(len(rows))))
	b = le.AppendUint32(b, h.Dim)
	b = le.AppendUint64(b, h.Seq)
	b = le.AppendUint64(b, uint64(h.Created))
	b = le.AppendUint64(b, h.Tokens)
	for _, n := range h.counts() {
		b = le.AppendUint32(b, *n)
	}
	for _, s := range h.names(h.version()) {
		b = appendShort(b, *s)
	}
	for _, r := range rows {
		b = append(b, byte(r.typ), 0, 0, 0)
		b = le.AppendUint32(b, r.blocks)
		b = le.AppendUint64(b, r.length)
		b = le.AppendUint64(b, r.raw)
		b = le.AppendUint32(b, r.crc)
	}
	return le.AppendUint32(b, checksum(0, b[start:]))
}

// counts returns the small counters in the order of the file.
func (h *Header) counts() [10]*uint32 {
	return [...]*uint32{&h.SlotEnd, &h.Documents, &h.Chunks, &h.Changed, &h.Removed,
		&h.Indexed, &h.Deleted, &h.Embedded, &h.Reused, &h.Skipped}
}

// prelude checks the first bytes of a file and returns the header's length.
func prelude(p []byte) (length int, err error) {
	if len(p) < minHeader {
		return 0, badf("it ends early")
	}
	if string(p[:4]) != magic {
		return 0, badf("this is no commit file")
	}
	n := binary.LittleEndian.Uint32(p[8:])
	if n < minHeader || n > maxHeader {
		return 0, badf("its length is given as %d", n)
	}
	return int(n), nil
}

// decodeHeader decodes p, a whole header whose prelude has been checked.
func decodeHeader(p []byte) (h Header, rows []row, err error) {
	body := p[:len(p)-4]
	format := binary.LittleEndian.Uint16(p[4:])
	// Length and checksum are those of every version: a flipped bit of the
	// version's is no newer program.
	switch sound := checksum(0, body) == binary.LittleEndian.Uint32(p[len(body):]); {
	case !sound && format > version:
		return h, nil, badf("version %d, and its checksum does not match", format)
	case !sound:
		return h, nil, badf("its checksum does not match")
	case format > version:
		return h, nil, fmt.Errorf("%w: the file has version %d, this program reads up to %d", ErrVersion, format, version)
	case format == 0:
		return h, nil, badf("version 0")
	}
	h.Kind = Kind(p[6])
	sections := int(p[7])
	r := &reader{rest: body[12:]}
	h.Dim = r.uint32()
	h.Seq = r.uint64()
	h.Created = int64(r.uint64())
	h.Tokens = r.uint64()
	for _, n := range h.counts() {
		*n = r.uint32()
	}
	for _, s := range h.names(format) {
		*s = r.short(maxName)
	}
	if sections > maxSections || len(r.rest) != sections*rowSize {
		return h, nil, badf("its parts do not add up to its length")
	}
	for range sections {
		lead := r.uint32()
		if lead > 0xff {
			return h, nil, badf("reserved bytes are set")
		}
		rows = append(rows, row{typ: sectionType(lead), blocks: r.uint32(), length: r.uint64(), raw: r.uint64(), crc: r.uint32()})
	}
	if r.err != nil {
		return h, nil, r.err
	}
	if format != h.version() {
		return h, nil, badf("version %d, what it says is written in version %d", format, h.version())
	}
	if err := h.validate(); err != nil {
		return h, nil, err
	}
	return h, rows, checkRows(&h, rows)
}

// validate returns the reason why the header makes no sense, or nil.
func (h *Header) validate() error {
	for _, s := range h.names(version) {
		if len(*s) > maxName {
			return badf("a name of %d bytes is above the limit of %d", len(*s), maxName)
		}
	}
	switch {
	case h.Domain == "" || h.Commit == "":
		return badf("domain or commit is empty")
	case h.Base == h.Commit:
		return badf("the commit is its own base")
	case (h.Kind == Delta || h.Kind == Alias) && h.Base == "":
		return badf("a %v has no base", h.Kind)
	case h.Kind == Alias && (h.Changed != 0 || h.Removed != 0 || h.Skipped != 0):
		return badf("an alias lists entries")
	case h.Kind == Checkpoint && (h.Removed != 0 || h.Changed != h.Documents):
		return badf("a checkpoint lists %d entries and %d removed ones for %d documents", h.Changed, h.Removed, h.Documents)
	case h.Kind < Checkpoint || h.Kind > Alias:
		return badf("unknown %v", h.Kind)
	case h.SlotEnd > 0 && (h.Vecs == "" || h.Dim == 0), h.Chunks > 0 && (h.SlotEnd == 0 || h.Documents == 0):
		return badf("it has chunks without documents or slots, or slots without a file of vectors")
	}
	return nil
}

// checkRows checks which sections a file with that header has.
func checkRows(h *Header, rows []row) error {
	var types strings.Builder
	for _, r := range rows {
		types.WriteByte('0' + byte(r.typ)&0xf)
	}
	s, last := types.String(), ""
	if h.Skipped > 0 {
		last = "5"
	}
	ok := false
	switch h.Kind {
	case Checkpoint:
		ok = s == "12"+last || s == "124"+last
	case Delta:
		ok = s == "123"+last
	case Alias:
		ok = s == ""
	}
	if !ok {
		return badf("a %v has other sections than it should", h.Kind)
	}
	for _, r := range rows {
		stream := r.typ == textsSection || r.typ == entriesSection
		if r.typ > skippedSection || !stream && (r.blocks != 0 || r.raw != r.length) || r.typ == graphSection && r.length == 0 {
			return badf("the row of section %v is malformed", r.typ)
		}
	}
	return nil
}

// identity is the start of the checksum of everything in a section, so that
// whole sections and blocks in the wrong place do not pass.
func (h *Header) identity(t sectionType) uint32 {
	b := appendShort(nil, h.Domain)
	b = appendShort(b, h.Commit)
	b = append(b, byte(h.Kind), byte(t))
	return checksum(0, b)
}

// blockIdentity is the start of the checksum of a block stream's block.
func blockIdentity(section uint32, number int) uint32 {
	return checksum(section, binary.LittleEndian.AppendUint32(nil, uint32(number)))
}
