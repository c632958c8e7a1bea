package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// Constants are the values that FORMAT.md must give.
var Constants = map[string]int{
	"version": version, "maxAuthor": contract.MaxAuthorBytes, "maxMessage": contract.MaxMessageBytes, "maxName": maxName, "MaxID": MaxID, "MaxText": MaxText, "MaxFields": MaxFields,
	"maxOthers": maxOthers, "maxSections": maxSections, "maxShared": maxShared,
	"blockSize": blockSize, "ratioTexts": maxRatio(textsSection), "ratioEntries": maxRatio(fieldsSection),
	"checkpoint": int(Checkpoint), "delta": int(Delta), "alias": int(Alias),
	"texts": int(textsSection), "entries": int(entriesSection), "removed": int(removedSection), "graph": int(graphSection),
	"skipped": int(skippedSection), "chunks": int(chunksSection), "fields": int(fieldsSection), "unreadable": int(unreadableSection), "about": int(aboutSection),
	"preamble": preambleSize, "section row": rowSize, "block stream": blockRowSize, "tail": tailSize,
	"old header": legacyFixed, "old section row": rowSize, "old footer": legacyFooter,
	"magic": number(magic), "end magic": number(endMagic), "old magic": number(magic), "old end magic": number(legacyEnd),
}

func number(magic string) int { return int(binary.LittleEndian.Uint32([]byte(magic))) }

// Row is a section's row, for annotated dumps.
type Row struct {
	Name        string
	Type, Space int
	Blocks      int
	Length, Raw uint64
	Offset      int
}

// Rows returns the rows of a sound file, and where they are.
func Rows(data []byte) (out []Row, record, at int, err error) {
	n, err := trailerSize(data, int64(len(data)))
	if err != nil {
		return nil, 0, 0, err
	}
	start := len(data) - n
	_, rows, _, _, err := decodeTrailer(data[start:], int64(len(data)))
	for _, r := range rows {
		out = append(out, Row{r.typ.String(), int(r.typ), int(r.space), int(r.blocks()), r.length, r.raw, int(r.offset)})
	}
	return out, start, len(data) - tailSize - len(rows)*rowSize, err
}

// Seal makes the checksums and the end of a file right, as far as its structure
// allows, so that a fuzzer gets past them. It returns the name that the file
// must have.
func Seal(data []byte) string {
	le := binary.LittleEndian
	if len(data) < preambleSize+tailSize {
		return ""
	}
	if v := le.Uint16(data[4:]); string(data[:4]) == magic && v >= 1 && v <= legacyVersion {
		return sealLegacy(data)
	}
	copy(data, preamble)
	copy(data[len(data)-4:], endMagic)
	n, err := trailerSize(data, int64(len(data)))
	if err != nil {
		return ""
	}
	p := data[len(data)-n:]
	tail := p[n-tailSize:]
	seal := func() {
		le.PutUint32(tail[8:], vfs.Checksum(0, data[:len(data)-n]))
		le.PutUint32(tail[12:], vfs.Checksum(0, p[:n-8]))
	}
	seal()
	record := int(le.Uint32(tail))
	h, err := parseHeader(p[:record], &Header{})
	if err != nil {
		return ""
	}
	at, end := uint64(preambleSize), uint64(len(data)-n)
	for i := range int(le.Uint32(tail[4:])) {
		b := p[record+i*rowSize:]
		r := row{typ: sectionType(le.Uint16(b)), flags: b[4], space: le.Uint16(b[6:]), length: le.Uint64(b[8:]), raw: le.Uint64(b[16:])}
		if r.length > end-at {
			break
		}
		le.PutUint32(b[24:], sealSection(&h, r, data[at:at+r.length]))
		at += r.length
	}
	seal()
	return FileName(h.Domain, h.Commit)
}

// sealSection makes the checksums of blocks right, and returns the section's.
func sealSection(h *Header, r row, section []byte) uint32 {
	le, seed := binary.LittleEndian, h.identity(r)
	if r.stream() && r.blocks() <= r.length/blockRowSize {
		size := r.blocks() * blockRowSize
		table, rest := section[r.length-size:], section[:r.length-size]
		for i := range int(r.blocks()) {
			stored := min(uint64(le.Uint32(table[i*blockRowSize:])&^rawFlag), uint64(len(rest)))
			le.PutUint32(table[i*blockRowSize+4:], vfs.Checksum(blockIdentity(seed, i), rest[:stored]))
			rest = rest[stored:]
		}
		section = table
	}
	return vfs.Checksum(seed, section)
}

func sealLegacy(data []byte) string {
	le := binary.LittleEndian
	_, n, err := prelude(data)
	if err != nil || n > len(data)-legacyFooter {
		return ""
	}
	seal := func() { le.PutUint32(data[n-4:], vfs.Checksum(0, data[:n-4])) }
	seal()
	h, rows, err := decodeLegacy(data[:n])
	if err != nil {
		return ""
	}
	rowAt := n - 4 - len(rows)*rowSize
	for i, r := range rows {
		if r.length > uint64(len(data)-legacyFooter)-uint64(r.offset) {
			return FileName(h.Domain, h.Commit)
		}
		le.PutUint32(data[rowAt+i*rowSize+24:], sealSection(&h, r, data[r.offset:uint64(r.offset)+r.length]))
	}
	seal()
	foot := data[len(data)-legacyFooter:]
	le.PutUint32(foot, vfs.Checksum(vfs.Checksum(0, data[n:len(data)-legacyFooter]), data[:n]))
	copy(foot[4:], legacyEnd)
	return FileName(h.Domain, h.Commit)
}

// Reencode checks that what has been read encodes to the bytes it was read
// from. Files of the old versions have no encoder any more.
func Reencode(f *File) error {
	l := &f.layout
	if l.legacy {
		return nil
	}
	got := make([]byte, l.size-l.end)
	if err := vfs.ReadFull(l.src, got, l.end); err != nil {
		return err
	}
	if want := appendTrailer(nil, &l.header, l.rows, l.body); !bytes.Equal(got, want) {
		return fmt.Errorf("trailer re-encodes to other bytes")
	}
	enc := newEntryEncoder(1 + len(l.header.Others))
	for i := range f.entries {
		e := f.entries[i]
		enc.add(&e, othersOf(&f.entries[i], l.header.Others))
	}
	for _, r := range l.rows {
		var want []byte
		switch {
		case !r.known():
			continue
		case r.typ == entriesSection:
			want = enc.section()
		case r.typ == chunksSection:
			want = enc.chunks[r.space].section()
		case r.typ == removedSection:
			want = appendKeys(nil, f.removed)
		case r.typ == skippedSection:
			want = appendKeys(nil, f.skipped)
		case r.typ == unreadableSection:
			want = appendSlots(nil, slices.Collect(f.unreadable.all()))
		default:
			continue
		}
		got, err := readPlain(l.src, &l.header, r)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%v re-encode to other bytes", r.typ)
		}
	}
	return nil
}

// DecodeEntries, DecodeChunks and DecodeKeys are the decoders, for fuzzing;
// they return what the result encodes to.
func DecodeEntries(raw []byte, n uint32, textsEnd uint64, fields string) ([]byte, error) {
	entries, err := decodeEntries(raw, n, textsEnd, fields)
	if err != nil {
		return nil, err
	}
	enc := newEntryEncoder(1)
	for i := range entries {
		enc.add(&entries[i], nil)
	}
	return enc.section(), nil
}

func DecodeChunks(raw []byte, texts []uint32, slotEnd uint32) ([]byte, error) {
	entries := make([]Entry, len(texts))
	for i, n := range texts {
		entries[i].TextLen, entries[i].DocTokens = n, n/2
	}
	var enc chunkEncoder
	chunks := make([][]Chunk, len(texts))
	_, err := decodeChunks(raw, entries, slotEnd, func(i int, c []Chunk) { chunks[i] = c })
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if err := entries[i].checkChunks(chunks[i]); err != nil {
			return nil, fmt.Errorf("a chunk that no entry may have passes: %v", err)
		}
		enc.add(&entries[i], chunks[i])
	}
	return enc.section(), nil
}

func DecodeLegacyEntries(raw []byte, n, slotEnd uint32, textsEnd uint64) (int, error) {
	entries, err := decodeLegacyEntries(raw, n, slotEnd, textsEnd)
	return len(entries), err
}

func DecodeKeys(raw []byte, n uint32) ([]byte, error) {
	keys, err := decodeKeys(raw, n)
	return appendKeys(nil, keys), err
}

// AddSection returns the file with another section before its trailer, of a type
// that nobody knows.
func AddSection(data []byte, typ, sectionVersion uint16, required bool, contents []byte) []byte {
	n, err := trailerSize(data, int64(len(data)))
	if err != nil {
		panic(err)
	}
	h, rows, _, _, err := decodeTrailer(data[len(data)-n:], int64(len(data)))
	if err != nil {
		panic(err)
	}
	r := row{typ: sectionType(typ), version: sectionVersion, length: uint64(len(contents)), raw: uint64(len(contents))}
	if required {
		r.flags = requiredFlag
	}
	r.crc = vfs.Checksum(h.identity(r), contents)
	out := append(bytes.Clone(data[:len(data)-n]), contents...)
	return appendTrailer(out, &h, append(rows, r), vfs.Checksum(0, out))
}

// Users returns the number of references to an open file.
func (f *File) Users() int64 { return f.users.Load() }

// Descriptor reports whether the open file keeps a descriptor.
func (f *File) Descriptor() bool { return f.f != nil }
