package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Constants are the values that FORMAT.md must give.
var Constants = map[string]int{
	"version": version, "maxName": maxName, "MaxID": MaxID, "MaxText": MaxText, "MaxFields": MaxFields,
	"blockSize": blockSize, "ratioTexts": maxRatio(textsSection), "ratioEntries": maxRatio(entriesSection),
	"checkpoint": int(Checkpoint), "delta": int(Delta), "alias": int(Alias),
	"texts": int(textsSection), "entries": int(entriesSection), "removed": int(removedSection), "graph": int(graphSection),
	"skipped": int(skippedSection),
	"header":  fixedSize, "section row": rowSize, "block stream": blockRowSize, "footer": footerSize,
	"magic": int(binary.LittleEndian.Uint32([]byte(magic))), "end magic": int(binary.LittleEndian.Uint32([]byte(endMagic))),
}

// Row is a section's row, for annotated dumps.
type Row struct {
	Name           string
	Type           int
	Blocks         int
	Length, Raw    uint64
	Offset, RowsAt int
}

// Rows returns the rows of a file whose header is sound.
func Rows(data []byte) ([]Row, int, error) {
	n, err := prelude(data)
	if err != nil {
		return nil, 0, err
	}
	_, rows, err := decodeHeader(data[:n])
	var out []Row
	offset := n
	for i, r := range rows {
		out = append(out, Row{r.typ.String(), int(r.typ), int(r.blocks), r.length, r.raw, offset, n - 4 - (len(rows)-i)*rowSize})
		offset += int(r.length)
	}
	return out, n, err
}

// Seal makes the checksums and the footer of a file right, as far as its
// structure allows, so that a fuzzer gets past them. It returns the name that
// the file must have.
func Seal(data []byte) string {
	le := binary.LittleEndian
	n, err := prelude(data)
	if err != nil || n > len(data)-footerSize {
		return ""
	}
	seal := func() { le.PutUint32(data[n-4:], checksum(0, data[:n-4])) }
	seal()
	h, rows, err := decodeHeader(data[:n])
	if err != nil {
		return ""
	}
	at, rowAt := uint64(n), n-4-len(rows)*rowSize
	for _, r := range rows {
		if r.length > uint64(len(data)-footerSize)-at {
			return FileName(h.Domain, h.Commit)
		}
		section := data[at : at+r.length]
		seed := h.identity(r.typ)
		if size := uint64(r.blocks) * blockRowSize; r.typ <= entriesSection && size <= r.length {
			table := section[r.length-size:]
			rest := section[:r.length-size]
			for i := range int(r.blocks) {
				stored := min(uint64(le.Uint32(table[i*blockRowSize:])&^rawFlag), uint64(len(rest)))
				le.PutUint32(table[i*blockRowSize+4:], checksum(blockIdentity(seed, i), rest[:stored]))
				rest = rest[stored:]
			}
			section = table
		}
		le.PutUint32(data[rowAt+24:], checksum(seed, section))
		at, rowAt = at+r.length, rowAt+rowSize
	}
	seal()
	foot := data[len(data)-footerSize:]
	le.PutUint32(foot, checksum(checksum(0, data[n:len(data)-footerSize]), data[:n]))
	copy(foot[4:], endMagic)
	return FileName(h.Domain, h.Commit)
}

// Reencode checks that what has been read encodes to the bytes it was read from.
func Reencode(f *File) error {
	rows, err := func() ([]row, error) {
		_, rows, _, _, err := readHeader(f.f, f.name)
		return rows, err
	}()
	if err != nil {
		return err
	}
	want := f.header.appendTo(nil, rows)
	got := make([]byte, len(want))
	if err := readFull(f.f, got, 0); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("header re-encodes to other bytes")
	}
	at := int64(len(want))
	for _, r := range rows {
		switch r.typ {
		case entriesSection:
			stream, err := readTable(f.f, &f.header, r, at)
			if err != nil {
				return err
			}
			got, err := stream.all(f.f)
			if err != nil {
				return err
			}
			var want []byte
			for i := range f.entries {
				want = appendEntry(want, &f.entries[i])
			}
			if !bytes.Equal(got, want) {
				return fmt.Errorf("entries re-encode to other bytes")
			}
		case removedSection:
			got, err := readPlain(f.f, &f.header, r, at)
			if err != nil {
				return err
			}
			if !bytes.Equal(got, appendIDs(nil, f.removed)) {
				return fmt.Errorf("removed ids re-encode to other bytes")
			}
		case skippedSection:
			got, err := readPlain(f.f, &f.header, r, at)
			if err != nil {
				return err
			}
			if !bytes.Equal(got, appendIDs(nil, f.skipped)) {
				return fmt.Errorf("skipped ids re-encode to other bytes")
			}
		}
		at += int64(r.length)
	}
	return nil
}

// DecodeEntries and DecodeIDs are the decoders, for fuzzing; they return
// what the result encodes to.
func DecodeEntries(raw []byte, n, slotEnd uint32, textsEnd uint64) ([]byte, error) {
	entries, err := decodeEntries(raw, n, slotEnd, textsEnd)
	var b []byte
	for i := range entries {
		b = appendEntry(b, &entries[i])
	}
	return b, err
}

func DecodeIDs(raw []byte, n uint32) ([]byte, error) {
	ids, err := decodeIDs(raw, n)
	return appendIDs(nil, ids), err
}

// Users returns the number of references to an open file.
func (f *File) Users() int64 { return f.users.Load() }
