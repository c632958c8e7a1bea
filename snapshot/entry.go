package snapshot

import (
	"crypto/sha256"
	"fmt"
	"math"
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
	ID   string // the document's full IRI, 1 to MaxID bytes, or an integer
	Type string // its class, up to MaxID bytes
	// Int says that the document's key is an integer, of which ID is the
	// shortest decimal form. See [Key].
	Int bool
	// NoText says that the document has no text, which is not an empty one.
	// Its hash is zero.
	NoText bool
	// TextHash is the SHA-256 of the text, see HashText, and TextLen its
	// length in bytes. Write fills both in.
	TextHash [sha256.Size]byte
	TextLen  uint32
	// DocTokens is the number of tokens of the whole text; NotCounted where
	// the vector came with the document.
	DocTokens uint32
	// Chunks are the pieces of the text that have a vector among the main
	// ones, in text order. ChunksOf returns those of others.
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

// Key returns the entry's key.
func (e *Entry) Key() Key { return Key{ID: e.ID, Int: e.Int} }

func compareEntries(a, b *Entry) int { return compareKeys(a.ID, a.Int, b.ID, b.Int) }

// ChunksOf returns the entry's chunks that have a vector of that name; none for
// an entry that was not read from a file, the main ones aside. The slice is
// shared.
func (e *Entry) ChunksOf(name string) []Chunk {
	if name == MainVectors {
		return e.Chunks
	}
	if e.file == nil {
		return nil
	}
	for i := range e.file.header.Others {
		if e.file.header.Others[i].Name == name {
			return e.file.others[i].of(int(e.place))
		}
	}
	return nil
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
	// Others are the chunks of the vectors beside the main ones, in the order
	// of Header.Others; what is missing at the end is none.
	Others [][]Chunk
}

// HashText returns the hash that Entry.TextHash holds.
func HashText(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// CheckEntry returns why no entry can have that type, text and fields, or nil:
// what makes entries asks before, because Write refuses all of them for one.
func CheckEntry(typ, text, fields string) error {
	switch {
	case len(typ) > MaxID:
		return fmt.Errorf("its type has %d bytes, the limit is %d", len(typ), MaxID)
	case len(text) > MaxText:
		return fmt.Errorf("its text has %d bytes, the limit is %d", len(text), MaxText)
	case len(fields) > MaxFields:
		return fmt.Errorf("its fields have %d bytes, the limit is %d", len(fields), MaxFields)
	}
	return nil
}

// check returns the reason why the entry cannot be, or nil.
func (e *Entry) check() error {
	if err := e.Key().check(); err != nil {
		return err
	}
	switch {
	case len(e.Type) > MaxID:
		return badf("the type of entry %q is above %d bytes", e.ID, MaxID)
	case e.TextLen > MaxText || len(e.Fields) > MaxFields:
		return badf("entry %q has a text or fields above the limit", e.ID)
	case e.NoText && (e.TextLen > 0 || e.TextHash != [sha256.Size]byte{}):
		return badf("entry %q has no text, but a length or a hash of one", e.ID)
	}
	return e.checkChunks(e.Chunks)
}

func (e *Entry) checkChunks(chunks []Chunk) error {
	for _, c := range chunks {
		if c.Slot == math.MaxUint32 || c.Start > c.End || c.End > e.TextLen {
			return badf("entry %q has a chunk outside its text, or without a slot", e.ID)
		}
	}
	return nil
}
