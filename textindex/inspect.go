package textindex

import (
	"errors"

	"github.com/vectorlink/vectorlink/vfs"
)

// Block describes one block of a segment's file.
type Block struct {
	Offset int64
	Length int64
	Chunks uint32
	Error  string // what is wrong with it; empty if nothing is
}

// Description is what [Inspect] could decode of a segment's file.
type Description struct {
	Name     string
	Size     int64
	Identity *Identity // nil: the header is damaged
	Chunks   uint32
	Blocks   []Block
}

// Inspect decodes as much of the named file as can be decoded, and returns what
// is wrong with it beside that: the first thing, in the file's order.
func Inspect(fsys vfs.FS, name string) (d Description, err error) {
	d.Name = name
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return d, at(name, "inspect", err)
	}
	err = d.read(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return d, at(name, "inspect", err)
	}
	_, err = Verify(fsys, name)
	return d, err
}

func (d *Description) read(f vfs.File) (err error) {
	if d.Size, err = f.Size(); err != nil {
		return err
	}
	head := make([]byte, min(d.Size, minHeader))
	if err := vfs.ReadFull(f, head, 0); err != nil {
		return err
	}
	length, err := prelude(head)
	if err != nil {
		return err
	}
	if int64(length) < minHeader || int64(length) > d.Size {
		return badf("a header of %d bytes in a file of %d", length, d.Size)
	}
	head = append(head, make([]byte, int(length)-len(head))...)
	if err := vfs.ReadFull(f, head[minHeader:], minHeader); err != nil {
		return err
	}
	id, count, rows, err := decodeHeader(head)
	if err != nil {
		return err
	}
	d.Identity, d.Chunks = &id, count
	offset, first := int64(length), error(nil)
	for _, r := range rows {
		b := Block{Offset: offset, Length: int64(r.length), Chunks: r.chunks}
		if err := readBlock(f, r, offset, d.Size); err != nil {
			b.Error = err.Error()
			if first == nil {
				first = err
			}
		}
		d.Blocks = append(d.Blocks, b)
		offset += int64(r.length)
	}
	return first
}

// readBlock reads and checks a block.
func readBlock(f vfs.File, r row, offset, size int64) error {
	if int64(r.length) > size-offset {
		return badf("the file ends before the block at %d does", offset)
	}
	raw := make([]byte, r.length)
	if err := vfs.ReadFull(f, raw, offset); err != nil {
		return err
	}
	if vfs.Checksum(0, raw) != r.crc {
		return badf("the checksum of the block at %d does not match", offset)
	}
	_, err := decodeBlock(raw, r.chunks)
	return err
}
