package textindex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"

	index "github.com/blevesearch/bleve_index_api"
	segment "github.com/blevesearch/scorch_segment_api/v2"
	zap "github.com/blevesearch/zapx/v16"
)

const (
	// maxChunks and maxPostings bound a block, see limits.
	maxChunks   = 1 << 15
	maxPostings = 1 << 19
	// maxBlock bounds the bytes of a block.
	maxBlock = 1<<31 - 1
	// idField is a field that zapx cannot do without. textField has the terms
	// with their positions. wordField has the words whose surface is not their
	// term, see wordKey, and, each under its mark, the silent words with their
	// positions and the terms of other spellings. What it has counts in no
	// length of a chunk, and what has a mark is in no prefix.
	idField     = "_id"
	textField   = "t"
	wordField   = "w"
	silentMark  = "\x01"
	variantMark = "\x02"
)

// marked reports whether a term is one of wordField, under a mark.
func marked(term string) bool { return term < " " }

// wordKey is what wordField has for a word. A prefix of the surface finds the
// word there even where its end is one that stemming cuts off: universit* finds
// university, whose term is univers. The term stands behind it, so that words
// whose term begins with the prefix as well are not counted twice.
func wordKey(surface, term string) string { return surface + "\x00" + term }

// splitWord takes a wordKey apart.
func splitWord(key string) (surface, term string) {
	surface, term, _ = strings.Cut(key, "\x00")
	return surface, term
}

// block is the index of some consecutive chunks of a segment.
type block struct {
	raw     []byte   // as in the file: the column of lengths, a zap file
	lengths []uint32 // of each chunk, in terms
	terms   uint64   // their sum
	base    *zap.SegmentBase
	common  common
}

// decodeBlock makes a block of its bytes, whose checksum has been checked, and
// which it keeps.
func decodeBlock(raw []byte, chunks uint32) (*block, error) {
	if chunks == 0 || chunks > maxChunks || len(raw) < int(chunks)*4+zap.FooterSize {
		return nil, badf("a block of %d chunks in %d bytes", chunks, len(raw))
	}
	b := &block{raw: raw, lengths: make([]uint32, chunks)}
	for i := range b.lengths {
		b.lengths[i] = binary.LittleEndian.Uint32(raw[4*i:])
		b.terms += uint64(b.lengths[i])
	}
	mem := raw[4*chunks : len(raw)-zap.FooterSize]
	// The footer, big-endian: documents, offsets of stored fields, fields (as
	// sections in version 16), sections and doc values, chunk mode, version,
	// CRC-32 of the file. zapx reads it from named files alone.
	be, foot := binary.BigEndian, raw[len(raw)-zap.FooterSize:]
	documents, stored, sections := be.Uint64(foot), be.Uint64(foot[8:]), be.Uint64(foot[24:])
	mode, version, crc := be.Uint32(foot[40:]), be.Uint32(foot[44:]), be.Uint32(foot[48:])
	switch {
	case version != zap.Version || mode != zap.DefaultChunkMode:
		return nil, badf("a block of zap version %d, chunk mode %d", version, mode)
	case documents != uint64(chunks):
		return nil, badf("a block of %d chunks has a zap file of %d documents", chunks, documents)
	case crc32.ChecksumIEEE(raw[4*chunks:len(raw)-4]) != crc:
		return nil, badf("a zap file's own checksum does not match")
	case stored >= uint64(len(mem)) || sections >= uint64(len(mem)):
		return nil, badf("a zap file's sections lie outside of it")
	}
	err := guard(func() (err error) {
		if b.base, err = zap.InitSegmentBase(mem, crc, mode, documents, stored, sections, nil); err != nil {
			return err
		}
		if fields := b.base.Fields(); !slices.Equal(fields, []string{idField, textField, wordField}) {
			return badf("it has other fields")
		}
		// The dictionaries are loaded here and then cached: a panic while zapx
		// loads one would leave its lock taken.
		if _, err = b.base.Dictionary(textField); err != nil {
			return err
		}
		_, err = b.base.Dictionary(wordField)
		return err
	})
	if err != nil {
		return nil, badf("a zap file cannot be opened: %v", err)
	}
	return b, nil
}

// guard calls f, which reads bytes with zapx, and returns its panic as an
// error: zapx trusts its input. Two checksums let nothing damaged come this
// far, so this is for bytes that were written wrong.
func guard(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = badf("%v", p)
		default:
			err = badf("zapx panics")
		}
	}()
	return f()
}

// limits bound a block, and by that the memory that building one takes: a block
// that has reached either is full.
type limits struct{ chunks, postings int }

// maxShared bounds the positions and frequencies whose records chunks share.
const maxShared = 1 << 11

// blockBuilder gathers chunks until they are a block.
type blockBuilder struct {
	analyzer *analyzer
	chunks   []index.Document
	lengths  []uint32
	postings int
	limits   limits
	// zapx takes the term from the key of the map, so terms that a chunk has
	// once share one record per position, and words one per frequency.
	once        []*index.TokenFreq
	positions   []*index.TokenLocation
	frequencies []*index.TokenFreq
}

func newBlockBuilder(a *analyzer, l limits) *blockBuilder {
	b := &blockBuilder{analyzer: a, limits: l}
	for i := range maxShared {
		b.positions = append(b.positions, &index.TokenLocation{Position: i})
		b.frequencies = append(b.frequencies, frequency(i))
	}
	for i := range maxShared {
		f := frequency(1)
		f.Locations = b.positions[i : i+1 : i+1]
		b.once = append(b.once, f)
	}
	return b
}

func frequency(n int) *index.TokenFreq {
	f := new(index.TokenFreq)
	f.SetFrequency(n)
	return f
}

// add adds a chunk.
func (b *blockBuilder) add(text string) {
	length := uint32(0)
	terms, words := index.TokenFrequencies{}, index.TokenFrequencies{}
	b.analyzer.each(text, sink{
		word: func(w word) {
			if w.Term == "" {
				b.addTerm(words, silentMark+w.surface, w.Position)
				return
			}
			length++
			b.addTerm(terms, w.Term, w.Position)
			if w.surface != w.Term {
				b.addWord(words, wordKey(w.surface, w.Term))
			}
		},
		other: func(term string, _ int) { b.addWord(words, variantMark+term) },
	})
	b.chunks = append(b.chunks, document{terms, words})
	b.lengths = append(b.lengths, length)
	b.postings += len(terms) + len(words)
}

// addTerm adds a term at the position of a word; those in the file count from 1,
// since symbols before the first word have the one before it.
func (b *blockBuilder) addTerm(terms index.TokenFrequencies, term string, position int) {
	position++
	at := &index.TokenLocation{Position: position}
	if position < maxShared {
		at = b.positions[position]
	}
	switch f := terms[term]; {
	case f == nil && position < maxShared:
		terms[term] = b.once[position]
	case f == nil:
		f = frequency(1)
		f.Locations = append(f.Locations, at)
		terms[term] = f
	case f.Frequency() == 1: // perhaps shared
		own := frequency(2)
		own.Locations = append(append(make([]*index.TokenLocation, 0, 4), f.Locations...), at)
		terms[term] = own
	default:
		f.SetFrequency(f.Frequency() + 1)
		f.Locations = append(f.Locations, at)
	}
}

func (b *blockBuilder) addWord(words index.TokenFrequencies, key string) {
	n := 1
	if f := words[key]; f != nil {
		n += f.Frequency()
	}
	if n < maxShared {
		words[key] = b.frequencies[n]
	} else {
		words[key] = frequency(n)
	}
}

func (b *blockBuilder) full() bool {
	return len(b.chunks) >= b.limits.chunks || b.postings >= b.limits.postings
}

// finish makes a block of what was added and empties the builder; nil if that
// is nothing.
func (b *blockBuilder) finish() (*block, error) {
	if len(b.chunks) == 0 {
		return nil, nil
	}
	var plugin zap.ZapPlugin
	built, _, err := plugin.New(b.chunks)
	if err != nil {
		return nil, fmt.Errorf("build a zap segment: %w", err)
	}
	base, ok := built.(*zap.SegmentBase)
	if !ok {
		return nil, fmt.Errorf("zapx builds a %T", built)
	}
	var out bytes.Buffer
	for _, n := range b.lengths {
		out.Write(binary.LittleEndian.AppendUint32(out.AvailableBuffer(), n))
	}
	if _, err := base.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write a zap segment: %w", err)
	}
	if out.Len() > maxBlock {
		return nil, fmt.Errorf("a block of %d bytes is above the limit of %d", out.Len(), maxBlock)
	}
	chunks := uint32(len(b.chunks))
	clear(b.chunks)
	b.chunks, b.lengths, b.postings = b.chunks[:0], b.lengths[:0], 0
	// What was built reads its own buffer, which has room to spare; the block
	// reads the bytes of the file, as it will after Open.
	return decodeBlock(bytes.Clone(out.Bytes()), chunks)
}

// document is a chunk as zapx wants it: an empty id, the terms and the words.
type document struct{ terms, words index.TokenFrequencies }

func (d document) VisitFields(visit index.FieldVisitor) {
	visit(field{name: idField, options: index.StoreField})
	visit(field{name: textField, options: index.IndexField | index.IncludeTermVectors, terms: d.terms})
	visit(field{name: wordField, options: index.IndexField | index.IncludeTermVectors, terms: d.words})
}

func (document) ID() string                                 { return "" }
func (document) Size() int                                  { return 0 }
func (document) VisitComposite(index.CompositeFieldVisitor) {}
func (document) HasComposite() bool                         { return false }
func (document) NumPlainTextBytes() uint64                  { return 0 }
func (document) AddIDField()                                {}
func (document) StoredFieldsBytes() uint64                  { return 0 }
func (document) Indexed() bool                              { return true }

type field struct {
	name    string
	options index.FieldIndexingOptions
	terms   index.TokenFrequencies
}

func (f field) Name() string                                     { return f.name }
func (f field) Options() index.FieldIndexingOptions              { return f.options }
func (f field) AnalyzedTokenFrequencies() index.TokenFrequencies { return f.terms }

// AnalyzedLength is what zapx would store with every posting, exactly but
// beside no chunk without terms; the column of lengths has them all.
func (field) AnalyzedLength() int       { return 0 }
func (field) Value() []byte             { return nil }
func (field) ArrayPositions() []uint64  { return nil }
func (field) EncodedFieldType() byte    { return 't' }
func (field) Analyze()                  {}
func (field) NumPlainTextBytes() uint64 { return 0 }

var (
	_ index.Document  = document{}
	_ index.Field     = field{}
	_ segment.Segment = (*zap.SegmentBase)(nil)
)
