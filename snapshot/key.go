package snapshot

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Key names a document: by a string, or by an integer of 64 bits, whose ID is
// its shortest decimal form. The two are different keys even where they read
// alike.
type Key struct {
	ID  string
	Int bool
}

// IntKey returns the key of an integer.
func IntKey(n int64) Key { return Key{ID: strconv.FormatInt(n, 10), Int: true} }

// StringKeys returns the keys of ids that are strings.
func StringKeys(ids []string) []Key {
	if ids == nil {
		return nil
	}
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i].ID = id
	}
	return keys
}

// Compare orders keys: integers by value, then strings by their bytes.
func (k Key) Compare(o Key) int { return compareKeys(k.ID, k.Int, o.ID, o.Int) }

func compareKeys(a string, aInt bool, b string, bInt bool) int {
	switch {
	case aInt != bInt && aInt:
		return -1
	case aInt != bInt:
		return 1
	case !aInt:
		return strings.Compare(a, b)
	}
	// Decimal forms without leading zeros: of two with the same sign, the
	// longer is farther from zero.
	negative := a != "" && a[0] == '-'
	switch {
	case negative != (b != "" && b[0] == '-') && negative:
		return -1
	case negative != (b != "" && b[0] == '-'):
		return 1
	}
	c := cmp.Compare(len(a), len(b))
	if c == 0 {
		c = strings.Compare(a, b)
	}
	if negative {
		return -c
	}
	return c
}

// value returns the integer of an integer key; ok is false where ID is not its
// shortest decimal form.
func (k Key) value() (n int64, ok bool) {
	n, err := strconv.ParseInt(k.ID, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == k.ID
}

// check returns the reason why the key cannot be one, or nil.
func (k Key) check() error {
	if k.Int {
		if _, ok := k.value(); !ok {
			return badf("%q is no integer in its shortest form", k.ID)
		}
		return nil
	}
	if k.ID == "" || len(k.ID) > MaxID {
		return badf("an id is empty or above %d bytes", MaxID)
	}
	return nil
}

// sortedKeys returns the keys in order, each once.
func sortedKeys(keys []Key) []Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, Key.Compare)
	return slices.Compact(keys)
}

// keyEncoder encodes keys in order, each by what it has beyond the one before.
type keyEncoder struct {
	last   Key
	number int64 // the last integer
	any    bool
}

// maxShared bounds how many bytes a key takes from the one before, and so by
// how much keys can outgrow their encoding.
const maxShared = 255

// append appends the key without the bit that says of which type it is.
func (e *keyEncoder) append(b []byte, k Key) []byte {
	if k.Int {
		n, _ := k.value()
		if e.any {
			b = appendUvarint(b, uint64(n)-uint64(e.number))
		} else {
			b = appendUvarint(b, zigzag(n))
		}
		e.last, e.number, e.any = k, n, true
		return b
	}
	shared := 0
	if !e.last.Int {
		shared = commonPrefix(e.last.ID, k.ID)
	}
	e.last, e.any = k, true
	b = appendUvarint(b, uint64(shared))
	return appendString(b, k.ID[shared:])
}

// commonPrefix returns how many bytes a and b begin with alike, up to maxShared.
func commonPrefix(a, b string) int {
	n := min(len(a), len(b), maxShared)
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// keyDecoder decodes what keyEncoder encodes.
type keyDecoder struct {
	text   strings.Builder // of many keys
	rest   int             // bytes yet to be decoded, which bound what is allocated ahead
	last   Key
	number int64
	any    bool
}

// next decodes a key that is above the last one.
func (d *keyDecoder) next(r *reader, isInt bool) Key {
	d.rest = len(r.rest)
	if isInt {
		n := int64(r.num(1<<64 - 1))
		if d.any {
			delta := uint64(n)
			n = int64(uint64(d.number) + delta)
			if !d.last.Int || delta == 0 || n <= d.number {
				r.fail("an integer key is out of order")
			}
		} else {
			n = unzigzag(uint64(n))
		}
		var digits [20]byte
		d.last, d.number, d.any = Key{ID: d.copy("", strconv.AppendInt(digits[:0], n, 10)), Int: true}, n, true
		return d.last
	}
	shared := int(r.num(maxShared))
	suffix := r.string(MaxID)
	before := d.last.ID
	if d.last.Int || !d.any {
		before = ""
	}
	switch {
	case r.err != nil:
		return Key{}
	case shared > len(before) || shared+len(suffix) > MaxID || len(suffix) == 0:
		r.fail("a key is empty, too long, or takes more from the one before than that has")
		return Key{}
	case shared < maxShared && shared < len(before) && suffix[0] <= before[shared],
		// With the most that can be shared, the rest decides.
		shared == maxShared && string(suffix) <= before[shared:]:
		r.fail("key %q is out of order, or not in its shortest form", string(suffix))
		return Key{}
	}
	d.last, d.any = Key{ID: d.copy(before[:shared], suffix)}, true
	return d.last
}

// copy returns prefix and suffix as one string.
func (d *keyDecoder) copy(prefix string, suffix []byte) string {
	n := len(prefix) + len(suffix)
	if d.text.Cap()-d.text.Len() < n {
		d.text = strings.Builder{}
		d.text.Grow(n + min(slabSize, 2*d.rest))
	}
	start := d.text.Len()
	d.text.WriteString(prefix)
	d.text.Write(suffix)
	return d.text.String()[start:]
}

// appendKeys appends a list of keys, ascending: for each its type, 1 for an
// integer, and the key.
func appendKeys(b []byte, keys []Key) []byte {
	var e keyEncoder
	for _, k := range keys {
		kind := byte(0)
		if k.Int {
			kind = 1
		}
		b = e.append(append(b, kind), k)
	}
	return b
}

// decodeKeys decodes a list of n keys.
func decodeKeys(raw []byte, n uint32) ([]Key, error) {
	if uint64(n)*2 > uint64(len(raw)) {
		return nil, badf("%d bytes cannot hold %d keys", len(raw), n)
	}
	keys := make([]Key, n)
	r := &reader{rest: raw}
	var d keyDecoder
	for i := range keys {
		keys[i] = d.next(r, r.num(1) == 1)
		if r.err != nil {
			return nil, r.err
		}
	}
	if len(r.rest) > 0 {
		return nil, badf("%d bytes follow the last key", len(r.rest))
	}
	return keys, nil
}
