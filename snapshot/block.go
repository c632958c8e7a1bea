package snapshot

import (
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// blockSize is the raw length of every block of a stream but the last.
	blockSize = 32 << 10
	// blockRowSize is the size of a block's row in its stream's table.
	blockRowSize = 8
	// rawFlag marks, in a block row's length, a block that is not compressed.
	rawFlag = 1 << 31
	// cacheBlocks is how many decoded blocks of texts an open file keeps.
	cacheBlocks = 4
)

// maxRatio is the highest ratio of raw to stored length that a block of the
// section may have; one that would shrink further is stored as it is. So the
// memory a file can ask for is bounded by its size. Texts may be much alike, and
// are read a block at a time.
func maxRatio(t sectionType) int {
	if t == textsSection {
		return 256
	}
	return 32
}

// The encoder and the decoder are stateless for whole blocks and start no
// goroutines, so one of each serves the process.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(blockSize),
			zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("snapshot: options of the zstd encoder: " + err.Error())
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(blockSize), zstd.WithDecoderMaxWindow(blockSize),
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(0))
		if err != nil {
			panic("snapshot: options of the zstd decoder: " + err.Error())
		}
		return d
	})
)

// blockWriter cuts a stream of bytes into blocks, compresses each and hands it
// to out.
type blockWriter struct {
	out     func(p []byte) error
	seed    uint32 // checksum of the section's identity
	row     row
	pending []byte // raw bytes of the block being filled
	scratch []byte
	table   []byte
	blocks  int
}

func newBlockWriter(h *Header, t sectionType, out func(p []byte) error) *blockWriter {
	r := row{typ: t, version: 1, flags: requiredFlag | streamFlag}
	return &blockWriter{out: out, row: r, seed: h.identity(r)}
}

// write appends s to the stream.
func (w *blockWriter) write(s string) error {
	w.row.raw += uint64(len(s))
	for len(s) > 0 {
		n := min(len(s), blockSize-len(w.pending))
		w.pending = append(w.pending, s[:n]...)
		s = s[n:]
		if len(w.pending) == blockSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *blockWriter) flush() error {
	stored, length := w.pending, uint32(len(w.pending))|rawFlag
	w.scratch = encoder().EncodeAll(w.pending, w.scratch[:0])
	if n := len(w.scratch); n < len(w.pending) && n*maxRatio(w.row.typ) >= len(w.pending) {
		stored, length = w.scratch, uint32(n)
	}
	w.table = binary.LittleEndian.AppendUint32(w.table, length)
	w.table = binary.LittleEndian.AppendUint32(w.table, vfs.Checksum(blockIdentity(w.seed, w.blocks), stored))
	w.row.length += uint64(len(stored))
	w.blocks++
	err := w.out(stored)
	w.pending = w.pending[:0]
	return err
}

// finish writes the last block and the table and returns the section's row.
func (w *blockWriter) finish() (row, error) {
	if len(w.pending) > 0 {
		if err := w.flush(); err != nil {
			return row{}, err
		}
	}
	w.row.length += uint64(len(w.table))
	w.row.crc = vfs.Checksum(w.seed, w.table)
	return w.row, w.out(w.table)
}

// blocks is a block stream whose table has been read and checked.
type blocks struct {
	seed  uint32
	raw   uint64
	rows  []blockRow
	cache [cacheBlocks]atomic.Pointer[cachedBlock]
}

type blockRow struct {
	offset int64  // in the file
	length uint32 // with rawFlag
	crc    uint32
}

// cachedBlock is a decoded block; its bytes are never changed.
type cachedBlock struct {
	number int
	data   []byte
}

// readTable reads the table of a block stream. The row's
// length has been checked against the file's size.
func readTable(f io.ReaderAt, h *Header, r row) (*blocks, error) {
	b := &blocks{seed: h.identity(r), raw: r.raw}
	if r.blocks() > r.length/blockRowSize {
		return nil, badf("%d bytes cannot hold the blocks of %d", r.length, r.raw)
	}
	size, offset := r.blocks()*blockRowSize, r.offset
	table := make([]byte, size)
	if err := vfs.ReadFull(f, table, offset+int64(r.length-size)); err != nil {
		return nil, err
	}
	if vfs.Checksum(b.seed, table) != r.crc {
		return nil, badf("the checksum of its block table does not match")
	}
	b.rows = make([]blockRow, r.blocks())
	at := offset
	for i := range b.rows {
		row := table[i*blockRowSize:]
		b.rows[i] = blockRow{offset: at, length: binary.LittleEndian.Uint32(row), crc: binary.LittleEndian.Uint32(row[4:])}
		stored, raw := b.rows[i].stored(), b.rawLen(i)
		if compressed := b.rows[i].length&rawFlag == 0; stored > raw || compressed == (stored == raw) || stored*maxRatio(r.typ) < raw {
			return nil, badf("block %d has a stored length of %d for %d bytes", i, stored, raw)
		}
		at += int64(stored)
	}
	if at != offset+int64(r.length-size) {
		return nil, badf("its blocks do not add up to its length")
	}
	return b, nil
}

// stored returns the number of bytes the block takes in the file.
func (r blockRow) stored() int { return int(r.length &^ rawFlag) }

// rawLen returns the raw length of block i.
func (b *blocks) rawLen(i int) int {
	return int(min(b.raw-uint64(i)*blockSize, blockSize))
}

// decode checks the stored bytes of block i and returns its raw bytes. They
// alias stored or lie in buf, which has room for a block.
func (b *blocks) decode(i int, stored, buf []byte) ([]byte, error) {
	if vfs.Checksum(blockIdentity(b.seed, i), stored) != b.rows[i].crc {
		return nil, badf("the checksum of block %d does not match", i)
	}
	if b.rows[i].length&rawFlag != 0 {
		return stored, nil
	}
	n := b.rawLen(i)
	data, err := decoder().DecodeAll(stored, buf[:0:n])
	if err != nil || len(data) != n {
		return nil, badf("block %d cannot be decompressed", i)
	}
	return data, nil
}

// all returns the whole stream. The table bounds what it allocates.
func (b *blocks) all(f io.ReaderAt) (string, error) {
	if len(b.rows) == 0 {
		return "", nil
	}
	last := b.rows[len(b.rows)-1]
	start := b.rows[0].offset
	stored := make([]byte, last.offset+int64(last.stored())-start)
	if err := vfs.ReadFull(f, stored, start); err != nil {
		return "", err
	}
	var raw strings.Builder
	raw.Grow(int(b.raw))
	buf := make([]byte, 0, b.rawLen(0))
	for i, r := range b.rows {
		at := r.offset - start
		data, err := b.decode(i, stored[at:at+int64(r.stored())], buf)
		if err != nil {
			return "", err
		}
		raw.Write(data)
	}
	return raw.String(), nil
}

// block returns the raw bytes of block i, from the cache if they are there.
func (b *blocks) block(f io.ReaderAt, i int) ([]byte, error) {
	place := &b.cache[i%cacheBlocks]
	if c := place.Load(); c != nil && c.number == i {
		return c.data, nil
	}
	stored := make([]byte, b.rows[i].stored())
	if err := vfs.ReadFull(f, stored, b.rows[i].offset); err != nil {
		return nil, err
	}
	data, err := b.decode(i, stored, make([]byte, 0, b.rawLen(i)))
	if err != nil {
		return nil, err
	}
	place.Store(&cachedBlock{number: i, data: data})
	return data, nil
}

// read returns n bytes of the stream from offset on, which lie within it.
func (b *blocks) read(f io.ReaderAt, offset uint64, n int) (string, error) {
	var s strings.Builder
	s.Grow(n)
	for s.Len() < n {
		at := offset + uint64(s.Len())
		data, err := b.block(f, int(at/blockSize))
		if err != nil {
			return "", err
		}
		data = data[at%blockSize:]
		s.Write(data[:min(len(data), n-s.Len())])
	}
	return s.String(), nil
}
