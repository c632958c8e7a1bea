package textindex

import (
	"encoding/binary"
	"iter"

	"github.com/vectorlink/vectorlink/vfs"
)

// Constants are the values that FORMAT.md must give.
var Constants = map[string]int{
	"magic":       int(binary.LittleEndian.Uint32([]byte(magic))),
	"version":     version,
	"revision":    revision,
	"maxName":     maxName,
	"maxChunks":   maxChunks,
	"maxPostings": maxPostings,
	"maxBlock":    maxBlock,
	"header":      fixedSize,
	"block row":   rowSize,
}

// MaxMemo is how many tokens an analyzer remembers.
const MaxMemo = maxMemo

// BuildBlocks is Build with blocks that are full at so many chunks or postings.
func BuildBlocks(id Identity, chunks iter.Seq2[string, error], maxChunks, maxPostings int) (*Segment, error) {
	return build(id, chunks, limits{maxChunks, maxPostings})
}

// Blocks returns the number of blocks.
func (s *Segment) Blocks() int { return len(s.blocks) }

// Seal gives the header of a file the checksum that it asks for.
func Seal(data []byte) {
	le := binary.LittleEndian
	if len(data) < minHeader {
		return
	}
	if n := int(le.Uint32(data[8:])); n >= minHeader && n <= len(data) {
		le.PutUint32(data[n-4:], vfs.Checksum(0, data[:n-4]))
	}
}

// SealBlocks is Seal with our checksums of all blocks, not those inside of the
// zap files.
func SealBlocks(data []byte) {
	le := binary.LittleEndian
	n := int(le.Uint32(data[8:]))
	_, _, rows, err := decodeHeader(data[:n])
	if err != nil {
		panic(err)
	}
	offset := n
	for i, r := range rows {
		le.PutUint32(data[n-4-(len(rows)-i)*rowSize+8:], vfs.Checksum(0, data[offset:offset+int(r.length)]))
		offset += int(r.length)
	}
	Seal(data)
}

// Checksums returns those of the blocks' bytes as they are now.
func (s *Segment) Checksums() (sums []uint32) {
	for _, b := range s.blocks {
		sums = append(sums, vfs.Checksum(0, b.raw))
	}
	return sums
}

// Guarded is what a search in a file of that name makes of f, which reads its
// bytes.
func Guarded(name string, f func() error) error { return at(name, "search", guard(f)) }

// Largest is the selection of the best hits.
func Largest(x []float32, k int) float32 { return largest(x, k) }

// Seen is what an analyzer passes on. A silent word's term is its surface behind
// a mark.
type Seen struct {
	Words                []Token
	Others, Parts, Loose []string
}

// Look returns what an analyzer passes on of a text.
func Look(name, text string) Seen {
	a, err := newAnalyzer(name)
	if err != nil {
		panic(err)
	}
	var s Seen
	a.each(text, sink{
		word: func(w word) {
			if w.Term == "" {
				w.Term = silentMark + w.surface
			}
			s.Words = append(s.Words, w.Token)
		},
		other: func(term string, words int) {
			if words > 0 {
				s.Others = append(s.Others, term)
			} else {
				s.Parts = append(s.Parts, term)
			}
		},
		loose: func(term string) { s.Loose = append(s.Loose, term) },
	})
	return s
}

// Silent reports whether a term of [Look] is that of a silent word.
func Silent(term string) bool { return marked(term) }
