package vecstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/vectorlink/vectorlink/vfs"
)

// The numbers of FORMAT.md.
const (
	magic = "\x89VLVECS\n"
	// Files of main vectors are of version 1, of others of version 2, whose
	// headers name them.
	version      = 1
	versionNamed = 2

	headerSize = 4096 // also the alignment of pages
	pageAlign  = 4096
	lineAlign  = 64    // alignment of records: a cache line
	maxPage    = 65536 // unless one record needs more

	offVersion     = 8
	offPageSize    = 12
	offDim         = 16
	offMetric      = 20
	offFlags       = 24
	offDomainLen   = 28
	offModelLen    = 30
	offIdentity    = 32
	offNames       = 64
	offNameLen     = headerSize - 8 // version 2
	offHeaderCRC   = headerSize - 4
	flagNormalized = 1

	// MaxDim bounds the dimension; the largest models have some thousands.
	MaxDim = 65536
	// MaxLength and MinLength bound the lengths of vectors that need not have
	// unit length, so that no arithmetic of distances leaves float32.
	MaxLength = 1e18
	MinLength = 1e-15

	// maxNameLen bounds the domain and the fingerprint, in bytes, and
	// maxVectorsName the name of vectors.
	maxNameLen     = 2000
	maxVectorsName = 64

	// Ext is the extension of files of vectors, RangesExt that of their ranges.
	Ext       = "vecs"
	RangesExt = "ranges"

	// Main is the name of the vectors that a domain has first.
	Main = "main"

	keySize = 32
	crcSize = 4
)

// FileName returns the name of the file of a domain's named vectors; "" is
// [Main].
func FileName(domain, name string) string {
	if name == Main {
		name = ""
	}
	return vfs.FileName(domain, name, Ext)
}

// RangesName returns the name of the file of ranges beside a file of vectors.
func RangesName(name string) string { return strings.TrimSuffix(name, "."+Ext) + "." + RangesExt }

// Metric says how the distance of two vectors is measured.
type Metric uint32

// The metrics, as on disk. Larger is nearer in what [Store.Dots] gives.
const (
	// Cosine compares directions: the cosine of the angle.
	Cosine Metric = 1
	// InnerProduct is the inner product.
	InnerProduct Metric = 2
	// Euclidean compares places: minus half the squared distance.
	Euclidean Metric = 3
)

// String returns the metric's name.
func (m Metric) String() string {
	switch m {
	case Cosine:
		return "cosine"
	case InnerProduct:
		return "ip"
	case Euclidean:
		return "l2"
	}
	return fmt.Sprintf("metric(%d)", uint32(m))
}

// Key is the content key of a vector, a SHA-256 over what it was made from.
// Equal keys mean equal vectors.
type Key [keySize]byte

// Config describes the vectors of one file. It never changes.
type Config struct {
	// Domain is the owner's full name, 1 to 2000 bytes.
	Domain string
	// Name tells the domain's vectors from its others, up to 64 bytes. Empty is
	// the same as [Main]; it is empty in what is read from a file.
	Name string
	// Fingerprint names the model and everything else that decides what a text
	// becomes, 1 to 2000 bytes.
	Fingerprint string
	// Dim is the number of values of a vector, 1 to 65536.
	Dim int
	// Metric is how distances are measured.
	Metric Metric
	// Normalized: all vectors have unit length. Append refuses others. Where
	// it is false, they have a length up to [MaxLength], and with Cosine at
	// least [MinLength].
	Normalized bool
}

// plain returns c with the one spelling of the main vectors' name.
func (c Config) plain() Config {
	if c.Name == Main {
		c.Name = ""
	}
	return c
}

func (c Config) validate() error {
	switch {
	case len(c.Name) > maxVectorsName:
		return invalid("a name of %d bytes, want up to %d", len(c.Name), maxVectorsName)
	case c.Name != "" && len(c.Domain)+len(c.Fingerprint)+len(c.Name) > offNameLen-offNames:
		return invalid("domain, fingerprint and name of more than %d bytes", offNameLen-offNames)
	case c.Domain == "" || len(c.Domain) > maxNameLen:
		return invalid("a domain of %d bytes, want 1 to %d", len(c.Domain), maxNameLen)
	case c.Fingerprint == "" || len(c.Fingerprint) > maxNameLen:
		return invalid("a fingerprint of %d bytes, want 1 to %d", len(c.Fingerprint), maxNameLen)
	case c.Dim < 1 || c.Dim > MaxDim:
		return invalid("dimension %d, want 1 to %d", c.Dim, MaxDim)
	case c.Metric < Cosine || c.Metric > Euclidean:
		return invalid("metric %d is not known", c.Metric)
	}
	return nil
}

// layout says where the records of a file are.
type layout struct {
	dim      int
	record   int // bytes of a record, a multiple of lineAlign
	pageSize int // a multiple of pageAlign
	perPage  int // records on a page
}

func recordSize(dim int) int { return roundUp(4*dim+keySize+crcSize, lineAlign) }

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// newLayout checks a page size against the dimension.
func newLayout(dim, pageSize int) (layout, bool) {
	rec := recordSize(dim)
	ok := pageSize%pageAlign == 0 && pageSize >= rec && pageSize <= max(maxPage, roundUp(rec, pageAlign))
	if !ok {
		return layout{}, false
	}
	return layout{dim: dim, record: rec, pageSize: pageSize, perPage: pageSize / rec}, true
}

// choosePage returns the page size for new files: the smallest that wastes at
// most 1/32 of itself, else the one that wastes least. Smaller pages read less
// for one vector.
func choosePage(dim int) int {
	rec := recordSize(dim)
	best, bestUsed := roundUp(rec, pageAlign), 0.0
	for size := best; size <= maxPage; size += pageAlign {
		used := float64(size/rec*rec) / float64(size)
		if used >= 1-1.0/32 {
			return size
		}
		if used > bestUsed {
			best, bestUsed = size, used
		}
	}
	return best
}

// page returns the page of a slot and the slot's index on it.
func (l layout) page(slot uint32) (page uint32, index int) {
	return slot / uint32(l.perPage), int(slot % uint32(l.perPage))
}

// offset returns where a slot's record starts in the file.
func (l layout) offset(slot uint32) int64 {
	page, i := l.page(slot)
	return headerSize + int64(page)*int64(l.pageSize) + int64(i)*int64(l.record)
}

// end returns the size of a file of n records: it stops at the last one.
func (l layout) end(n uint32) int64 {
	if n == 0 {
		return headerSize
	}
	return l.offset(n-1) + int64(l.record)
}

// records returns how many complete records a file of that size holds. It returns
// false if they are more than there are slot numbers.
func (l layout) records(size int64) (uint32, bool) {
	body := size - headerSize
	pages, rest := body/int64(l.pageSize), body%int64(l.pageSize)
	if pages > math.MaxUint32 {
		return 0, false
	}
	n := pages*int64(l.perPage) + min(rest/int64(l.record), int64(l.perPage))
	return uint32(n), n < NoSlot
}

// header is the first 4096 bytes of a file.
type header struct {
	cfg      Config
	pageSize int
}

// encode returns the header's bytes.
func (h header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	le := binary.LittleEndian
	le.PutUint32(b[offVersion:], version)
	if h.cfg.Name != "" {
		le.PutUint32(b[offVersion:], versionNamed)
		le.PutUint16(b[offNameLen:], uint16(len(h.cfg.Name)))
	}
	le.PutUint32(b[offPageSize:], uint32(h.pageSize))
	le.PutUint32(b[offDim:], uint32(h.cfg.Dim))
	le.PutUint32(b[offMetric:], uint32(h.cfg.Metric))
	if h.cfg.Normalized {
		le.PutUint32(b[offFlags:], flagNormalized)
	}
	le.PutUint16(b[offDomainLen:], uint16(len(h.cfg.Domain)))
	le.PutUint16(b[offModelLen:], uint16(len(h.cfg.Fingerprint)))
	copy(b[offNames:], h.cfg.Domain+h.cfg.Fingerprint+h.cfg.Name)
	// The identity is the hash of everything above, and nothing random.
	id := sha256.Sum256(b[:offHeaderCRC])
	copy(b[offIdentity:], id[:])
	le.PutUint32(b[offHeaderCRC:], vfs.Checksum(0, b[:offHeaderCRC]))
	return b
}

// parseHeader reads the header of the named file. It allocates nothing by the
// lengths in it.
func parseHeader(name string, b []byte) (header, error) {
	corrupt := func(reason string) (header, error) {
		return header{}, &CorruptError{File: name, Slot: NoSlot, Reason: "header: " + reason}
	}
	if len(b) < headerSize {
		return corrupt(fmt.Sprintf("%d bytes of %d", len(b), headerSize))
	}
	b = b[:headerSize]
	le := binary.LittleEndian
	if !bytes.HasPrefix(b, []byte(magic)) {
		return corrupt("not a vector file")
	}
	v, sound := le.Uint32(b[offVersion:]), le.Uint32(b[offHeaderCRC:]) == vfs.Checksum(0, b[:offHeaderCRC])
	switch {
	case v != version && v != versionNamed && sound:
		return header{}, fmt.Errorf("vecstore: %s: %w: %d, this program writes %d", name, ErrVersion, v, versionNamed)
	case v != version && v != versionNamed:
		// Every version has this checksum: a flipped bit is no newer program.
		return corrupt(fmt.Sprintf("version %d, and a checksum mismatch", v))
	case !sound:
		return corrupt("checksum mismatch")
	}
	domainLen, modelLen := int(le.Uint16(b[offDomainLen:])), int(le.Uint16(b[offModelLen:]))
	nameLen := 0
	if v == versionNamed {
		nameLen = int(le.Uint16(b[offNameLen:]))
	}
	if domainLen > maxNameLen || modelLen > maxNameLen || nameLen > maxVectorsName || offNames+domainLen+modelLen+nameLen > offHeaderCRC {
		return corrupt("lengths out of bounds")
	}
	names := b[offNames : offNames+domainLen+modelLen+nameLen]
	h := header{
		pageSize: int(le.Uint32(b[offPageSize:])),
		cfg: Config{
			Domain:      string(names[:domainLen]),
			Fingerprint: string(names[domainLen : domainLen+modelLen]),
			Name:        string(names[domainLen+modelLen:]),
			Dim:         int(le.Uint32(b[offDim:])),
			Metric:      Metric(le.Uint32(b[offMetric:])),
			Normalized:  le.Uint32(b[offFlags:])&flagNormalized != 0,
		},
	}
	if err := h.cfg.validate(); err != nil || h.cfg.Name == Main {
		return corrupt("values out of bounds")
	}
	if _, ok := newLayout(h.cfg.Dim, h.pageSize); !ok {
		return corrupt("page size out of bounds")
	}
	// Unknown flags, bytes that must be zero and the identity, all at once.
	if !bytes.Equal(h.encode(), b) {
		return corrupt("reserved bytes or identity wrong")
	}
	return h, nil
}

// codec makes and checks the records of one file.
type codec struct {
	layout
	identity [sha256.Size]byte
	seed     uint32 // CRC32C of the identity, with which records' begin
}

func newCodec(h header, l layout) codec {
	id := [sha256.Size]byte(h.encode()[offIdentity:])
	return codec{layout: l, identity: id, seed: vfs.Checksum(0, id[:])}
}

// sum is the checksum of a record: CRC32C of identity, slot, and all of the
// record before the checksum itself.
func (c codec) sum(slot uint32, rec []byte) uint32 {
	var s [4]byte
	binary.LittleEndian.PutUint32(s[:], slot)
	return vfs.Checksum(vfs.Checksum(c.seed, s[:]), rec[:c.record-crcSize])
}

// stored returns the checksum that a record has.
func (c codec) stored(rec []byte) uint32 { return binary.LittleEndian.Uint32(rec[c.record-crcSize:]) }

// appendRecord appends a slot's record to b.
func (c codec) appendRecord(b []byte, slot uint32, key Key, vec []float32) []byte {
	start := len(b)
	for _, x := range vec {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	b = append(b, key[:]...)
	b = append(b, make([]byte, c.record-crcSize-(len(b)-start))...)
	return binary.LittleEndian.AppendUint32(b, c.sum(slot, b[start:]))
}

// check returns what is wrong with a slot's record, or "".
func (c codec) check(slot uint32, rec []byte) string {
	if c.stored(rec) != c.sum(slot, rec) {
		return "checksum mismatch"
	}
	if c.freedAt(slot, rec) > 0 {
		return "the vector was freed"
	}
	if !allZero(rec[4*c.dim+keySize : c.record-crcSize]) {
		return "reserved bytes are not zero"
	}
	return ""
}

// key returns the key of a record.
func (c codec) key(rec []byte) Key { return Key(rec[4*c.dim:]) }

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// littleEndian is the machine's order of bytes; the file's is fixed.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf returns the memory of v, to read a page into it without a copy.
func bytesOf(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// toNative turns little-endian values, as read from a file, into the machine's.
func toNative(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		binary.NativeEndian.PutUint32(b, binary.LittleEndian.Uint32(b))
	}
}
