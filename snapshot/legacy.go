package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"

	"github.com/vectorlink/vectorlink/vfs"
)

// What is here reads the files of versions 1 and 2, which nothing writes any
// more. Their header comes first and holds the rows of the sections.

const (
	// legacyVersion is the highest of these versions.
	legacyVersion = 2
	// versionSettings is the first of them with settings and skipped ids.
	versionSettings = 2
	// legacyFixed is the size of such a header before its strings.
	legacyFixed = 80
	// legacyFooter is the size of the footer: checksum and endMagic.
	legacyFooter = 8
	// legacyEnd ends such a file.
	legacyEnd = "FCLV"
	// legacySections is the number of its section types.
	legacySections = 5
	// minHeader and maxHeader bound the header's length.
	minHeader = legacyFixed + 6*2 + 4
	maxHeader = minHeader + 6*maxName + 2 + maxName + legacySections*rowSize
	// firstRead is how much of a file is read for its header, in one go.
	firstRead = 4096
	// legacyMinEntry is the size of the smallest encoded entry: seven numbers
	// of one byte, an id of one byte, the hash.
	legacyMinEntry = 8 + sha256.Size
	// legacyMinChunk is the size of the smallest encoded chunk.
	legacyMinChunk = 5
)

// legacyNames returns the strings of a version's header in the order of the file.
func (h *Header) legacyNames(version uint16) []*string {
	names := []*string{&h.Domain, &h.Commit, &h.Base, &h.Branch, &h.Fingerprint, &h.Vecs}
	if version >= versionSettings {
		names = append(names, &h.Settings)
	}
	return names
}

// legacyCounts returns the small counters in the order of the file.
func (h *Header) legacyCounts() [10]*uint32 {
	return [...]*uint32{&h.SlotEnd, &h.Documents, &h.Chunks, &h.Changed, &h.Removed,
		&h.Indexed, &h.Deleted, &h.Embedded, &h.Reused, &h.Skipped}
}

// prelude checks the first bytes of a file and returns its version and, up to
// legacyVersion, the header's length. A version's number is believed only where
// the checksum, which stands in the same place in all versions, covers it.
func prelude(p []byte) (version uint16, length int, err error) {
	if len(p) < minHeader {
		return 0, 0, badf("it ends early")
	}
	if string(p[:4]) != magic {
		return 0, 0, badf("this is no commit file")
	}
	n := binary.LittleEndian.Uint32(p[8:])
	if n < minHeader || n > maxHeader {
		return 0, 0, badf("its length is given as %d", n)
	}
	return binary.LittleEndian.Uint16(p[4:]), int(n), nil
}

// checkVersion checks p, a whole header whose prelude has been checked.
func checkVersion(p []byte) error {
	body := p[:len(p)-4]
	v := binary.LittleEndian.Uint16(p[4:])
	// A flipped bit of the version's is no newer program.
	switch sound := vfs.Checksum(0, body) == binary.LittleEndian.Uint32(p[len(body):]); {
	case !sound && v > version:
		return badf("version %d, and its checksum does not match", v)
	case !sound:
		return badf("its checksum does not match")
	case v > version:
		return versionError("the file has version %d, this program reads up to %d", v, version)
	case v == 0:
		return badf("version 0")
	}
	return nil
}

// decodeLegacy decodes p, a whole header whose version has been checked.
func decodeLegacy(p []byte) (h Header, rows []row, err error) {
	format := binary.LittleEndian.Uint16(p[4:])
	h.Kind = Kind(p[6])
	sections := int(p[7])
	r := &reader{rest: p[12 : len(p)-4]}
	h.Dim = r.uint32()
	h.Seq = r.uint64()
	h.Created = int64(r.uint64())
	h.Tokens = r.uint64()
	for _, n := range h.legacyCounts() {
		*n = r.uint32()
	}
	for _, s := range h.legacyNames(format) {
		*s = r.short(maxName)
	}
	if sections > legacySections || len(r.rest) != sections*rowSize {
		return h, nil, badf("its parts do not add up to its length")
	}
	offset := int64(len(p))
	for range sections {
		lead := r.uint32()
		if lead > 0xff {
			return h, nil, badf("reserved bytes are set")
		}
		row := row{typ: sectionType(lead), offset: offset, flags: requiredFlag}
		blocks := r.uint32()
		row.length, row.raw, row.crc = r.uint64(), r.uint64(), r.uint32()
		if row.typ == textsSection || row.typ == entriesSection {
			row.flags |= streamFlag
		}
		if row.length > math.MaxInt64-uint64(offset) || uint64(blocks) != row.blocks() {
			return h, nil, badf("the row of section %v is malformed", row.typ)
		}
		offset += int64(row.length)
		rows = append(rows, row)
	}
	if r.err != nil {
		return h, nil, r.err
	}
	needs := uint16(1)
	if h.Settings != "" || h.Skipped > 0 {
		needs = versionSettings
	}
	if format != needs {
		return h, nil, badf("version %d, what it says is written in version %d", format, needs)
	}
	if h.Kind == Delta || h.Kind == Alias {
		h.On = h.Base
	}
	for _, row := range rows {
		h.Graph = h.Graph || row.typ == graphSection
	}
	if err := h.validate(); err != nil {
		return h, nil, err
	}
	return h, rows, checkLegacyRows(&h, rows)
}

// checkLegacyRows checks which sections a file with that header has.
func checkLegacyRows(h *Header, rows []row) error {
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
		if r.typ > skippedSection || !r.stream() && r.raw != r.length || r.typ == graphSection && r.length == 0 {
			return badf("the row of section %v is malformed", r.typ)
		}
	}
	return nil
}

// decodeLegacyEntries decodes the n entries in raw, whose texts lie in a stream
// of textsEnd bytes, and checks all that one file can tell. Slots are below
// slotEnd.
func decodeLegacyEntries(raw []byte, n, slotEnd uint32, textsEnd uint64) ([]Entry, error) {
	if uint64(n)*legacyMinEntry > uint64(len(raw)) {
		return nil, badf("%d bytes cannot hold %d entries", len(raw), n)
	}
	entries := make([]Entry, n)
	r := &reader{rest: raw}
	var a arena
	for i := range entries {
		e := &entries[i]
		e.ID = a.string(r.string(MaxID), len(r.rest))
		e.Type = a.intern(r.string(MaxID))
		copy(e.TextHash[:], r.take(sha256.Size))
		e.offset = r.uvarint(textsEnd)
		e.TextLen = uint32(r.uvarint(min(MaxText, textsEnd-e.offset)))
		e.DocTokens = uint32(r.uvarint(math.MaxUint32))
		e.Fields = a.string(r.string(MaxFields), len(r.rest))
		e.Chunks = a.chunks(int(r.uvarint(uint64(len(r.rest)/legacyMinChunk))), len(r.rest))
		for j := range e.Chunks {
			e.Chunks[j] = Chunk{
				Slot:       uint32(r.uvarint(math.MaxUint32)),
				Start:      uint32(r.uvarint(MaxText)),
				End:        uint32(r.uvarint(MaxText)),
				TokenStart: uint32(r.uvarint(math.MaxUint32)),
				Tokens:     uint32(r.uvarint(math.MaxUint32)),
			}
			if r.err == nil && e.Chunks[j].Slot >= slotEnd {
				return nil, badf("entry %q uses slot %d, the header allows %d", e.ID, e.Chunks[j].Slot, slotEnd)
			}
		}
		if r.err != nil {
			return nil, r.err
		}
		if err := e.check(); err != nil {
			return nil, err
		}
		if i > 0 && entries[i-1].ID >= e.ID {
			return nil, badf("entry %q is out of order", e.ID)
		}
	}
	if len(r.rest) > 0 {
		return nil, badf("%d bytes follow the last entry", len(r.rest))
	}
	return entries, nil
}

// arena allocates the many small things of a table together, and types once.
type arena struct {
	text  strings.Builder
	types map[string]string
	slab  []Chunk
}

// string copies b; rest is how many bytes are still to be decoded, which
// bounds what is worth allocating ahead.
func (a *arena) string(b []byte, rest int) string {
	if a.text.Cap()-a.text.Len() < len(b) {
		a.text = strings.Builder{}
		a.text.Grow(max(len(b), min(slabSize, rest)))
	}
	start := a.text.Len()
	a.text.Write(b)
	return a.text.String()[start:]
}

// intern returns b as a string, the same one for the same bytes.
func (a *arena) intern(b []byte) string {
	s, ok := a.types[string(b)]
	if !ok {
		if a.types == nil {
			a.types = map[string]string{}
		}
		s = string(b)
		a.types[s] = s
	}
	return s
}

// chunks returns n chunks; rest is as for string.
func (a *arena) chunks(n, rest int) []Chunk {
	if n == 0 {
		return nil
	}
	if n > len(a.slab) {
		a.slab = make([]Chunk, max(n, min(slabSize/20, rest/legacyMinChunk)))
	}
	c := a.slab[:n:n]
	a.slab = a.slab[n:]
	return c
}

// decodeLegacyIDs decodes a list of n ids, ascending.
func decodeLegacyIDs(raw []byte, n uint32) ([]Key, error) {
	if uint64(n)*2 > uint64(len(raw)) {
		return nil, badf("%d bytes cannot hold %d ids", len(raw), n)
	}
	ids := make([]Key, n)
	r := &reader{rest: raw}
	var a arena
	for i := range ids {
		ids[i].ID = a.string(r.string(MaxID), len(r.rest))
		switch {
		case r.err != nil:
			return nil, r.err
		case ids[i].ID == "" || i > 0 && ids[i-1].ID >= ids[i].ID:
			return nil, badf("id %q is empty or out of order", ids[i].ID)
		}
	}
	if len(r.rest) > 0 {
		return nil, badf("%d bytes follow the last id", len(r.rest))
	}
	return ids, nil
}
