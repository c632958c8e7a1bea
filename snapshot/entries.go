package snapshot

import (
	"crypto/sha256"
	"math"
	"slices"
)

// The flags of an encoded entry.
const (
	entryInt        = 1 // the key is an integer
	entryNoText     = 2
	entryNotCounted = 4
	entryFields     = 8
)

// minEntry is the size of the smallest encoded entry: flags, an integer key, a
// type.
const minEntry = 3

// slabSize is how much a decoder allocates at once for many small things.
const slabSize = 64 << 10

// entryEncoder encodes the entries of a file, in order of their keys.
type entryEncoder struct {
	table  []byte
	ids    int // bytes of all ids
	count  uint32
	keys   keyEncoder
	types  map[string]uint64
	texts  uint64 // end of the texts so far
	chunks []chunkEncoder
}

func newEntryEncoder(spaces int) *entryEncoder {
	return &entryEncoder{types: map[string]uint64{}, chunks: make([]chunkEncoder, spaces)}
}

// add encodes an entry whose text lies at e.offset, and its chunks.
func (w *entryEncoder) add(e *Entry, others [][]Chunk) {
	flags := byte(0)
	if e.Int {
		flags |= entryInt
	}
	if e.NoText {
		flags |= entryNoText
	}
	if e.Supplied() {
		flags |= entryNotCounted
	}
	if e.Fields != "" {
		flags |= entryFields
	}
	b := append(w.table, flags)
	b = w.keys.append(b, e.Key())
	n, ok := w.types[e.Type]
	if !ok {
		n = uint64(len(w.types))
		w.types[e.Type] = n
	}
	if b = appendUvarint(b, n); !ok {
		b = appendString(b, e.Type)
	}
	if !e.NoText {
		b = append(b, e.TextHash[:]...)
		if e.offset == w.texts {
			b = appendUvarint(b, 0)
			w.texts += uint64(e.TextLen)
		} else {
			b = appendUvarint(b, e.offset+1)
			w.texts = max(w.texts, e.offset+uint64(e.TextLen))
		}
		b = appendUvarint(b, uint64(e.TextLen))
	}
	if !e.Supplied() {
		b = appendUvarint(b, uint64(e.DocTokens))
	}
	if e.Fields != "" {
		b = appendUvarint(b, uint64(len(e.Fields)))
	}
	w.table = b
	w.ids += len(e.ID)
	w.count++
	w.chunks[0].add(e, e.Chunks)
	for i := 1; i < len(w.chunks); i++ {
		var chunks []Chunk
		if i <= len(others) {
			chunks = others[i-1]
		}
		w.chunks[i].add(e, chunks)
	}
}

// section returns the section's bytes.
func (w *entryEncoder) section() []byte {
	return append(appendUvarint(nil, uint64(w.ids)), w.table...)
}

// decodeEntries decodes the n entries in raw, whose texts lie in a stream of
// textsEnd bytes, and checks all that one file can tell but for chunks.
func decodeEntries(raw []byte, n uint32, textsEnd uint64, fields string) ([]Entry, error) {
	if uint64(n)*minEntry > uint64(len(raw)) {
		return nil, badf("%d bytes cannot hold %d entries", len(raw), n)
	}
	r := &reader{rest: raw}
	ids := r.num(uint64(n)*maxShared + uint64(len(raw))*20)
	if r.err != nil {
		return nil, r.err
	}
	var keys keyDecoder
	keys.text.Grow(int(ids))
	entries := make([]Entry, n)
	var types []string
	known := map[string]bool{}
	texts, fieldsAt, length := uint64(0), uint64(0), uint64(0)
	for i := range entries {
		e := &entries[i]
		flags := r.num(entryInt | entryNoText | entryNotCounted | entryFields)
		e.Int, e.NoText = flags&entryInt != 0, flags&entryNoText != 0
		e.ID = keys.next(r, e.Int).ID
		length += uint64(len(e.ID))
		switch t := r.num(uint64(len(types))); {
		case r.err != nil:
			return nil, r.err
		case t < uint64(len(types)):
			e.Type = types[t]
		default:
			e.Type = string(r.string(MaxID))
			if known[e.Type] {
				return nil, badf("type %q comes twice", e.Type)
			}
			known[e.Type] = true
			types = append(types, e.Type)
		}
		if !e.NoText {
			copy(e.TextHash[:], r.take(sha256.Size))
			e.offset = texts
			if at := r.num(textsEnd); at > 0 {
				if e.offset = at - 1; e.offset == texts {
					return nil, badf("entry %q says where its text is, which follows", e.ID)
				}
			}
			if r.err != nil || e.offset > textsEnd {
				return nil, badf("the text of entry %q lies outside", e.ID)
			}
			e.TextLen = uint32(r.num(min(MaxText, textsEnd-e.offset)))
			texts = max(texts, e.offset+uint64(e.TextLen))
		}
		if e.DocTokens = NotCounted; flags&entryNotCounted == 0 {
			e.DocTokens = uint32(r.num(NotCounted - 1))
		}
		if flags&entryFields != 0 {
			n := r.num(min(MaxFields, uint64(len(fields))-fieldsAt))
			if n == 0 && r.err == nil {
				return nil, badf("entry %q has fields of no length", e.ID)
			}
			e.Fields = fields[fieldsAt : fieldsAt+n]
			fieldsAt += n
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	switch {
	case len(r.rest) > 0:
		return nil, badf("%d bytes follow the last entry", len(r.rest))
	case length != ids:
		return nil, badf("its ids have not the length that it says")
	case fieldsAt != uint64(len(fields)), texts != textsEnd:
		return nil, badf("fields or texts are left over")
	}
	return entries, nil
}

// chunkEncoder encodes the chunks of a file's entries, in their order, among
// vectors of one name.
type chunkEncoder struct {
	table []byte
	count uint32
	end   uint32 // 1 + the highest slot
	next  uint32 // after the last slot
}

// wholeText returns the chunk that covers all of the entry's text.
func wholeText(e *Entry, slot uint32) Chunk {
	return Chunk{Slot: slot, End: e.TextLen, Tokens: uint32(e.Tokens())}
}

func (w *chunkEncoder) add(e *Entry, chunks []Chunk) {
	whole := len(chunks) == 1 && chunks[0] == wholeText(e, chunks[0].Slot)
	// 1 says that one chunk follows that covers the text.
	n := uint64(len(chunks))
	if n > 0 && !whole {
		n++
	}
	w.table = appendUvarint(w.table, n)
	for _, c := range chunks {
		w.table = appendUvarint(w.table, zigzag(int64(c.Slot)-int64(w.next)))
		w.next = c.Slot + 1
		w.end = max(w.end, w.next)
		if !whole {
			for _, v := range [...]uint32{c.Start, c.End - c.Start, c.TokenStart, c.Tokens} {
				w.table = appendUvarint(w.table, uint64(v))
			}
		}
	}
	w.count += uint32(len(chunks))
}

// section returns the section's bytes; nil where no entry has a chunk.
func (w *chunkEncoder) section() []byte {
	if w.count == 0 {
		return nil
	}
	return append(appendUvarint(nil, uint64(w.count)), w.table...)
}

// minChunk is the size of the smallest encoded chunk.
const minChunk = 1

// decodeChunks decodes the chunks of the entries and gives each entry's to
// take. Slots are below slotEnd.
func decodeChunks(raw []byte, entries []Entry, slotEnd uint32, take func(i int, chunks []Chunk)) (count uint32, err error) {
	r := &reader{rest: raw}
	total := r.num(min(math.MaxUint32, uint64(len(raw))/minChunk))
	slab := make([]Chunk, total)
	next := uint32(0)
	for i := range entries {
		e := &entries[i]
		n := r.num(uint64(len(slab)) + 1)
		whole := n == 1
		if n > 1 {
			n--
		}
		if r.err != nil || n > uint64(len(slab)) {
			return 0, badf("the number of chunks of entry %q is wrong", e.ID)
		}
		chunks := slab[:n:n]
		slab = slab[n:]
		for j := range chunks {
			slot := int64(next) + unzigzag(r.num(1<<33))
			if r.err == nil && (slot < 0 || slot >= int64(slotEnd) || slot >= math.MaxUint32) {
				return 0, badf("entry %q uses slot %d, the header allows %d", e.ID, slot, slotEnd)
			}
			next = uint32(slot) + 1
			if whole {
				chunks[j] = wholeText(e, uint32(slot))
				continue
			}
			c := Chunk{Slot: uint32(slot), Start: uint32(r.num(MaxText))}
			c.End = c.Start + uint32(r.num(MaxText))
			c.TokenStart, c.Tokens = uint32(r.num(math.MaxUint32)), uint32(r.num(math.MaxUint32))
			if c.End > e.TextLen {
				return 0, badf("entry %q has a chunk outside its text", e.ID)
			}
			if len(chunks) == 1 && c == wholeText(e, c.Slot) {
				return 0, badf("the chunk of entry %q is not in its shortest form", e.ID)
			}
			chunks[j] = c
		}
		if r.err != nil {
			return 0, r.err
		}
		if n > 0 {
			take(i, chunks)
		}
	}
	if len(r.rest) > 0 || len(slab) > 0 || total == 0 {
		return 0, badf("chunks are missing or left over")
	}
	return uint32(total), nil
}

// appendSlots appends slots in ascending order, each once: their number, and what
// each is above the least that it can be. No slots are no bytes.
func appendSlots(b []byte, slots []uint32) []byte {
	slices.Sort(slots)
	if slots = slices.Compact(slots); len(slots) == 0 {
		return b
	}
	b = appendUvarint(b, uint64(len(slots)))
	next := uint32(0)
	for _, slot := range slots {
		b = appendUvarint(b, uint64(slot-next))
		next = slot + 1
	}
	return b
}

// decodeSlots decodes what appendSlots made; slots are below end.
func decodeSlots(raw []byte, end uint32) (slots bitset, err error) {
	r := &reader{rest: raw}
	n := r.num(uint64(len(raw)))
	if r.err == nil && n == 0 {
		return slots, badf("it lists nothing")
	}
	next := uint64(0)
	for range n {
		slot := next + r.num(math.MaxUint32)
		if r.err == nil && slot >= uint64(end) {
			r.fail("it lists slot %d, the header allows %d", slot, end)
		}
		if r.err != nil {
			return bitset{}, r.err
		}
		slots.set(uint32(slot), true, nil)
		next = slot + 1
	}
	if len(r.rest) > 0 {
		return bitset{}, badf("%d bytes follow it", len(r.rest))
	}
	return slots, nil
}

// chunkTable holds the chunks of a file's entries among vectors beside the main
// ones.
type chunkTable struct {
	count  uint32
	chunks [][]Chunk // by entry; nil where none has any
}

// of returns the chunks of an entry.
func (t *chunkTable) of(place int) []Chunk {
	if t.chunks == nil {
		return nil
	}
	return t.chunks[place]
}
