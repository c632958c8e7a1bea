package snapshot

import (
	"encoding/binary"
)

func appendUvarint(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// zigzag maps signed numbers to unsigned ones, small to small.
func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// appendString appends a length as uvarint and the bytes.
func appendString[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendShort appends a length as uint16 and the bytes.
func appendShort(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// reader takes values off the front of bytes that may be damaged. After
// the first failure it only yields zeros: callers check err once per record.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = badf(format, args...)
	}
	r.rest = nil
}

// take returns the next n bytes, which alias the input.
func (r *reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.rest)) {
		r.fail("it ends early")
		return nil
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}

func (r *reader) uint16() uint16 {
	if p := r.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if p := r.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// num is uvarint, quick for numbers of one byte.
func (r *reader) num(limit uint64) uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 && uint64(r.rest[0]) <= limit {
		n := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(n)
	}
	return r.uvarint(limit)
}

// uvarint reads a number of at most limit in its shortest form: one value has
// one encoding.
func (r *reader) uvarint(limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.rest)
	switch {
	case n == 0:
		r.fail("it ends early")
		return 0
	case n < 0 || n > 1 && r.rest[n-1] == 0:
		r.fail("a number is malformed")
		return 0
	case v > limit:
		r.fail("number %d is above its limit %d", v, limit)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// string reads what appendString wrote, at most limit bytes; it aliases the
// input.
func (r *reader) string(limit uint64) []byte { return r.take(r.uvarint(limit)) }

// short reads what appendShort wrote, at most limit bytes.
func (r *reader) short(limit int) string {
	n := r.uint16()
	if int(n) > limit {
		r.fail("a name of %d bytes is above the limit of %d", n, limit)
	}
	return string(r.take(uint64(n)))
}
