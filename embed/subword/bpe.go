package subword

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe joins the characters of a word, two neighbours at a time, in the order
// in which the pairs were learnt.
type bpe struct {
	vocab          map[string]int32
	merges         map[[2]int32]merge
	sign, suffix   string // of pieces inside a word and at its end
	unknown        int32  // -1: what is unknown is dropped
	fuse           bool   // unknown characters side by side are one token
	bytes          *[256]int32
	wordIsOnePiece bool // if the vocabulary has it
}

type merge struct{ rank, id int32 }

func (m *modelJSON) bpe() (model, error) {
	vocab, err := m.pieces()
	if err != nil {
		return nil, err
	}
	b := &bpe{
		vocab: vocab, sign: text(m.ContinuingSubwordPrefix), suffix: text(m.EndOfWordSuffix),
		unknown: -1, fuse: m.FuseUnk, wordIsOnePiece: m.IgnoreMerges,
	}
	if m.UnkToken != nil {
		var ok bool
		if b.unknown, ok = vocab[*m.UnkToken]; !ok {
			return nil, errors.New("the vocabulary has no token for what is unknown")
		}
	}
	if m.ByteFallback {
		if b.bytes, err = byteIDs(func(p string) (int32, bool) { id, ok := vocab[p]; return id, ok }); err != nil {
			return nil, err
		}
	}
	var pairs [][]string
	if err := json.Unmarshal(m.Merges, &pairs); err != nil {
		var lines []string // older files
		if err := json.Unmarshal(m.Merges, &lines); err != nil {
			return nil, errors.New("the merges cannot be read")
		}
		pairs = nil
		for _, line := range lines {
			pairs = append(pairs, strings.Split(line, " "))
		}
	}
	b.merges = make(map[[2]int32]merge, len(pairs))
	for rank, p := range pairs {
		if len(p) != 2 || len(p[1]) < len(b.sign) {
			return nil, fmt.Errorf("merge %d is not a pair", rank)
		}
		left, ok1 := vocab[p[0]]
		right, ok2 := vocab[p[1]]
		joined, ok3 := vocab[p[0]+p[1][len(b.sign):]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d is of pieces that the vocabulary has not", rank)
		}
		b.merges[[2]int32{left, right}] = merge{int32(rank), joined}
	}
	return b, nil
}

// A symbol is a piece of a word under way, linked to its neighbours.
type symbol struct {
	id           int32
	start, end   int32 // characters of the word
	before, next int32 // indexes, -1: none
	gone         bool
}

// A candidate is a pair that may be joined, as long as it is still there.
type candidate struct {
	rank, id    int32
	left, right int32 // indexes of symbols
	ids         [2]int32
}

// candidates is a heap: the earliest learnt first, then the leftmost.
type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].left < c[j].left
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

func (b *bpe) append(out []Token, word []char) []Token {
	if b.wordIsOnePiece {
		if id, ok := b.vocab[string(appendText(nil, word))]; ok {
			return append(out, token(id, word))
		}
	}
	symbols := b.symbols(word)
	if len(symbols) == 0 {
		return out
	}
	var queue candidates
	look := func(left int32) {
		if right := symbols[left].next; right >= 0 {
			ids := [2]int32{symbols[left].id, symbols[right].id}
			if m, ok := b.merges[ids]; ok {
				queue = append(queue, candidate{m.rank, m.id, left, right, ids})
			}
		}
	}
	for i := range symbols {
		look(int32(i))
	}
	heap.Init(&queue)
	for len(queue) > 0 {
		c := heap.Pop(&queue).(candidate)
		left, right := &symbols[c.left], &symbols[c.right]
		if left.gone || right.gone || left.next != c.right || left.id != c.ids[0] || right.id != c.ids[1] {
			continue
		}
		left.id, left.end, left.next = c.id, right.end, right.next
		right.gone = true
		if left.next >= 0 {
			symbols[left.next].before = c.left
		}
		for _, i := range []int32{c.left, left.before} {
			if i < 0 {
				continue
			}
			n := len(queue)
			if look(i); len(queue) > n {
				heap.Fix(&queue, n)
			}
		}
	}
	for i := int32(0); i >= 0; i = symbols[i].next {
		s := symbols[i]
		out = append(out, token(s.id, word[s.start:s.end]))
	}
	return out
}

// symbols returns what joining begins with: a symbol for each character.
func (b *bpe) symbols(word []char) []symbol {
	symbols := make([]symbol, 0, len(word))
	add := func(id int32, start, end int) {
		n := int32(len(symbols))
		if n > 0 {
			symbols[n-1].next = n
		}
		symbols = append(symbols, symbol{id: id, start: int32(start), end: int32(end), before: n - 1, next: -1})
	}
	fusing := false
	var buf []byte
	for i, c := range word {
		buf = buf[:0]
		if i > 0 {
			buf = append(buf, b.sign...)
		}
		buf = utf8.AppendRune(buf, c.r)
		if i == len(word)-1 {
			buf = append(buf, b.suffix...)
		}
		if id, ok := b.vocab[string(buf)]; ok {
			add(id, i, i+1)
			fusing = false
			continue
		}
		switch {
		case b.bytes != nil:
			for _, x := range buf {
				add(b.bytes[x], i, i+1)
			}
			fusing = false
		case b.unknown < 0:
		case fusing && b.fuse:
			symbols[len(symbols)-1].end = int32(i + 1)
		default:
			add(b.unknown, i, i+1)
			fusing = true
		}
	}
	return symbols
}
