package textindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// magic begins every file.
	magic = "VLZP"
	// version is the format that this program writes and reads. Any other is
	// stale: the file is rebuilt, not converted.
	version = 3
	// fixedSize is the size of the header before its strings, rowSize that of
	// a block's row.
	fixedSize = 40
	rowSize   = 12
	// minHeader is the smallest header: empty strings, no rows.
	minHeader = fixedSize + 3*2 + 4
	// checkpointFlag is set in the file of a checkpoint.
	checkpointFlag = 1
)

// row describes a block in the header. Blocks follow the header in the order
// of their rows, without gaps.
type row struct{ chunks, length, crc uint32 }

// appendHeader appends the segment's header in its encoded form, checksum
// included.
func (s *Segment) appendHeader(p []byte) []byte {
	le, start := binary.LittleEndian, len(p)
	length := minHeader + len(s.blocks)*rowSize
	for _, name := range s.id.names() {
		length += len(*name)
	}
	flags := uint32(0)
	if s.id.Checkpoint {
		flags = checkpointFlag
	}
	p = append(p, magic...)
	p = le.AppendUint16(p, version)
	p = le.AppendUint16(p, revision)
	p = le.AppendUint32(p, uint32(length))
	p = le.AppendUint32(p, s.count)
	p = le.AppendUint64(p, s.id.Seq)
	p = le.AppendUint32(p, flags)
	p = le.AppendUint32(p, uint32(len(s.blocks)))
	p = le.AppendUint64(p, s.id.Content)
	for _, name := range s.id.names() {
		p = le.AppendUint16(p, uint16(len(*name)))
		p = append(p, *name...)
	}
	for _, b := range s.blocks {
		p = le.AppendUint32(p, uint32(len(b.lengths)))
		p = le.AppendUint32(p, uint32(len(b.raw)))
		p = le.AppendUint32(p, vfs.Checksum(0, b.raw))
	}
	return le.AppendUint32(p, vfs.Checksum(0, p[start:]))
}

// prelude checks the fixed part of a header and returns the header's length.
func prelude(p []byte) (length uint32, err error) {
	le := binary.LittleEndian
	if len(p) < minHeader || string(p[:4]) != magic {
		return 0, badf("this is no text index")
	}
	return le.Uint32(p[8:]), nil
}

// decodeHeader decodes p, a complete header whose prelude has been checked.
func decodeHeader(p []byte) (id Identity, count uint32, rows []row, err error) {
	fail := func(format string, args ...any) (Identity, uint32, []row, error) {
		return Identity{}, 0, nil, badf(format, args...)
	}
	le, body := binary.LittleEndian, p[:len(p)-4]
	if vfs.Checksum(0, body) != le.Uint32(p[len(body):]) {
		return fail("the header's checksum does not match")
	}
	if v := le.Uint16(body[4:]); v != version {
		return Identity{}, 0, nil, fmt.Errorf("%w: the file has version %d, this program reads %d", ErrStale, v, version)
	}
	if r := le.Uint16(body[6:]); r != revision {
		return Identity{}, 0, nil, fmt.Errorf("%w: it was made by revision %d of the analysis, this program has %d", ErrStale, r, revision)
	}
	count, id.Seq = le.Uint32(body[12:]), le.Uint64(body[16:])
	flags, blocks := le.Uint32(body[24:]), le.Uint32(body[28:])
	id.Content = le.Uint64(body[32:])
	if flags&^checkpointFlag != 0 {
		return fail("unknown flags %#x", flags)
	}
	id.Checkpoint = flags&checkpointFlag != 0
	body = body[fixedSize:]
	for _, name := range id.names() {
		if len(body) < 2 || len(body)-2 < int(le.Uint16(body)) {
			return fail("the header ends early")
		}
		n := 2 + int(le.Uint16(body))
		*name, body = string(body[2:n]), body[n:]
	}
	if err := id.check(); err != nil {
		return Identity{}, 0, nil, err
	}
	if uint64(len(body)) != uint64(blocks)*rowSize {
		return fail("the header's parts do not add up to its length")
	}
	rows = make([]row, blocks)
	sum := uint64(0)
	for i := range rows {
		rows[i] = row{le.Uint32(body), le.Uint32(body[4:]), le.Uint32(body[8:])}
		if rows[i].length > maxBlock {
			return fail("a block of %d bytes", rows[i].length)
		}
		sum += uint64(rows[i].chunks)
		body = body[rowSize:]
	}
	if sum != uint64(count) {
		return fail("the blocks do not add up to %d chunks", count)
	}
	return id, count, rows, nil
}

// Write keeps the segment under its commit's name ([FileName]), in place of any
// other. Readers see the old file or the new one. Write does not sync, see the
// package comment. After an error the segment can be used as before; the next
// start of the program rebuilds it.
func (s *Segment) Write(fsys vfs.FS) error {
	name := s.name()
	temp, err := vfs.WriteTemp(fsys, name, false, s.Encode)
	if err == nil {
		if err = fsys.Rename(temp, name); err != nil {
			err = errors.Join(err, fsys.Remove(temp))
		}
	}
	if err != nil {
		return fmt.Errorf("textindex: write %s: %w", name, err)
	}
	return nil
}

// Sum returns a checksum that tells segments of other bytes apart.
func (s *Segment) Sum() uint32 { return vfs.Checksum(0, s.appendHeader(nil)) }

// Encode writes the bytes of the segment's file, for files that go elsewhere.
func (s *Segment) Encode(w io.Writer) error {
	if _, err := w.Write(s.appendHeader(nil)); err != nil {
		return err
	}
	for _, b := range s.blocks {
		if _, err := w.Write(b.raw); err != nil {
			return err
		}
	}
	return nil
}

// Open reads the segment of that identity. It returns [io/fs.ErrNotExist],
// [ErrStale] or [ErrCorrupt] if the caller has to [Build] the segment,
// [ErrAnalyzer] if that would fail too, and else the disk's error.
func Open(fsys vfs.FS, want Identity) (*Segment, error) {
	name := FileName(want.Domain, want.Commit)
	if _, err := newAnalyzer(want.Analyzer); err != nil {
		return nil, fmt.Errorf("textindex: open %s: %w", name, err)
	}
	s, err := read(fsys, name, true, func(got Identity) error {
		if got != want {
			return fmt.Errorf("%w: it is of another commit file or analyzer", ErrStale)
		}
		return nil
	})
	if err != nil {
		return nil, at(name, "open", err)
	}
	return s, nil
}

// Verify reads the named file to its last byte and returns its identity. Errors
// are those of [Open]. ErrStale means that the format or the analysis is older:
// the file will be rebuilt. One block at a time is in memory.
func Verify(fsys vfs.FS, name string) (Identity, error) {
	s, err := read(fsys, name, false, func(got Identity) error {
		if want := FileName(got.Domain, got.Commit); want != name {
			return badf("it belongs to the file %s", want)
		}
		return nil
	})
	if err != nil {
		return Identity{}, at(name, "verify", err)
	}
	return s.id, nil
}

// read reads the named file, after check has agreed to its identity. Without keep the
// segment has no blocks.
func read(fsys vfs.FS, name string, keep bool, check func(Identity) error) (*Segment, error) {
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return nil, err
	}
	s, err := readFile(f, keep, check)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return s, nil
}

func readFile(f vfs.File, keep bool, check func(Identity) error) (*Segment, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(size, minHeader))
	if err := vfs.ReadFull(f, head, 0); err != nil {
		return nil, err
	}
	length, err := prelude(head)
	if err != nil {
		return nil, err
	}
	if int64(length) < minHeader || int64(length) > size {
		return nil, badf("a header of %d bytes in a file of %d", length, size)
	}
	head = append(head, make([]byte, int(length)-len(head))...)
	if err := vfs.ReadFull(f, head[minHeader:], minHeader); err != nil {
		return nil, err
	}
	id, _, rows, err := decodeHeader(head)
	if err != nil {
		return nil, err
	}
	rest := size - int64(length)
	for _, r := range rows {
		rest -= int64(r.length)
	}
	if rest != 0 {
		return nil, badf("the file's size is not what its blocks need")
	}
	if err := check(id); err != nil {
		return nil, err
	}
	s, offset := &Segment{id: id, blocks: make([]*block, 0, len(rows))}, int64(length)
	for i, r := range rows {
		raw := make([]byte, r.length)
		if err := vfs.ReadFull(f, raw, offset); err != nil {
			return nil, err
		}
		if vfs.Checksum(0, raw) != r.crc {
			return nil, badf("the checksum of block %d does not match", i)
		}
		b, err := decodeBlock(raw, r.chunks)
		if err != nil {
			return nil, err
		}
		if keep {
			s.append(b)
		}
		offset += int64(r.length)
	}
	return s, nil
}
