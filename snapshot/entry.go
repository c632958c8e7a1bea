package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
)

// Limits of an entry. Write refuses what passes them, and reading takes a file
// that claims more for damaged.
const (
	MaxID     = 1 << 16 // bytes of a document's id, and of its type
	MaxText   = 1 << 28 // bytes of a text
	MaxFields = 1 << 24 // bytes of an entry's fields
)

// Entry is what a snapshot says of a document. Entries that a View hands out
// are shared: they must not be changed.
type Entry struct {
	ID   string // the document's full IRI, 1 to MaxID bytes
	Type string // its class, up to MaxID bytes
	// TextHash is the SHA-256 of the text, see HashText, and TextLen its
	// length in bytes. Write fills both in.
	TextHash [sha256.Size]byte
	TextLen  uint32
	// DocTokens is the number of tokens of the whole text; NotCounted where
	// the vector came with the document.
	DocTokens uint32
	// Chunks are the pieces of the text that have a vector, in text order.
	Chunks []Chunk
	// Fields are the document's fields as canonical JSON, "" for none. Opaque
	// here.
	Fields string

	file   *File  // where the text lies
	offset uint64 // in the stream of texts
	place  uint32 // among the file's entries
}

// NotCounted in the place of a number of tokens says that no model has seen the
// text: the entry's vector was supplied with it.
const NotCounted = math.MaxUint32

// Supplied reports whether the entry's vector was supplied with its text.
func (e *Entry) Supplied() bool { return e.DocTokens == NotCounted }

// Tokens returns the number of tokens of the whole text, 0 where they were not
// counted.
func (e *Entry) Tokens() int {
	if e.Supplied() {
		return 0
	}
	return int(e.DocTokens)
}

// File returns the commit file that lists the entry; nil for one that was not
// read from a file.
func (e *Entry) File() *File { return e.file }

// Place returns the entry's index among the entries of its file.
func (e *Entry) Place() int { return int(e.place) }

// Chunk is a piece of a text and the slot of its vector.
type Chunk struct {
	Slot       uint32 // below 2³²−1
	Start, End uint32 // byte range in the text
	TokenStart uint32 // index of its first token in the text
	Tokens     uint32 // number of its tokens
}

// EntryText is an entry and its text.
type EntryText struct {
	Entry
	Text string
}

// HashText returns the hash that Entry.TextHash holds.
func HashText(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// minEntry is the size of the smallest encoded entry: seven numbers of one
// byte, an id of one byte, the hash.
const minEntry = 8 + sha256.Size

// minChunk is the size of the smallest encoded chunk.
const minChunk = 5

// slabSize is how much a decoder allocates at once for many small things.
const slabSize = 64 << 10

// check returns the reason why the entry cannot be, or nil.
func (e *Entry) check() error {
	switch {
	case e.ID == "" || len(e.ID) > MaxID || len(e.Type) > MaxID:
		return badf("an id or a type is empty or above %d bytes", MaxID)
	case e.TextLen > MaxText || len(e.Fields) > MaxFields:
		return badf("entry %q has a text or fields above the limit", e.ID)
	}
	for _, c := range e.Chunks {
		if c.Slot == math.MaxUint32 || c.Start > c.End || c.End > e.TextLen {
			return badf("entry %q has a chunk outside its text, or without a slot", e.ID)
		}
	}
	return nil
}

// appendEntry appends the encoded entry.
func appendEntry(b []byte, e *Entry) []byte {
	b = appendString(b, e.ID)
	b = appendString(b, e.Type)
	b = append(b, e.TextHash[:]...)
	b = binary.AppendUvarint(b, e.offset)
	b = binary.AppendUvarint(b, uint64(e.TextLen))
	b = binary.AppendUvarint(b, uint64(e.DocTokens))
	b = appendString(b, e.Fields)
	b = binary.AppendUvarint(b, uint64(len(e.Chunks)))
	for _, c := range e.Chunks {
		for _, v := range [...]uint32{c.Slot, c.Start, c.End, c.TokenStart, c.Tokens} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return b
}

// decodeEntries decodes the n entries in raw, whose texts lie in a stream of
// textsEnd bytes, and checks all that one file can tell. Slots are below
// slotEnd.
func decodeEntries(raw []byte, n, slotEnd uint32, textsEnd uint64) ([]Entry, error) {
	if uint64(n)*minEntry > uint64(len(raw)) {
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
		e.Chunks = a.chunks(int(r.uvarint(uint64(len(r.rest)/minChunk))), len(r.rest))
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
		a.slab = make([]Chunk, max(n, min(slabSize/20, rest/minChunk)))
	}
	c := a.slab[:n:n]
	a.slab = a.slab[n:]
	return c
}

// appendIDs appends a list of ids.
func appendIDs(b []byte, ids []string) []byte {
	for _, id := range ids {
		b = appendString(b, id)
	}
	return b
}

// decodeIDs decodes a list of n ids, ascending.
func decodeIDs(raw []byte, n uint32) ([]string, error) {
	if uint64(n)*2 > uint64(len(raw)) {
		return nil, badf("%d bytes cannot hold %d ids", len(raw), n)
	}
	ids := make([]string, n)
	r := &reader{rest: raw}
	var a arena
	for i := range ids {
		ids[i] = a.string(r.string(MaxID), len(r.rest))
		switch {
		case r.err != nil:
			return nil, r.err
		case ids[i] == "" || i > 0 && ids[i-1] >= ids[i]:
			return nil, badf("id %q is empty or out of order", ids[i])
		}
	}
	if len(r.rest) > 0 {
		return nil, badf("%d bytes follow the last id", len(r.rest))
	}
	return ids, nil
}
