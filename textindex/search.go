package textindex

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// The parameters of BM25.
const (
	k1 = 1.2
	b0 = 0.75
)

// Bitmap is a set of chunk numbers, so that who makes one need not import its
// module. The zero value is empty.
type Bitmap = roaring.Bitmap

// Part is one file of a snapshot's chain.
type Part struct {
	Segment *Segment
	// Dead are the chunks that do not belong to the snapshot: those of entries
	// changed or removed further up. Nil is none.
	Dead *Bitmap
}

// Stats counts what is live in a snapshot.
type Stats struct {
	Chunks uint64
	Terms  uint64 // of all those chunks, repeated ones too
}

// AvgLen returns the average number of terms of a chunk.
func (s Stats) AvgLen() float64 {
	if s.Chunks == 0 {
		return 0
	}
	return float64(s.Terms) / float64(s.Chunks)
}

// Hit is a chunk that holds a term of the query.
type Hit struct {
	Part  int    // index of the part
	Chunk uint32 // number in the part's segment
	Score float32
}

// Index is the full text of one snapshot. It is immutable.
type Index struct {
	analyzer string
	stats    Stats
	blocks   []liveBlock
}

// liveBlock is a block as the snapshot sees it.
type liveBlock struct {
	*block
	part  int
	first uint32          // number of the block's first chunk
	dead  *roaring.Bitmap // numbered from the block's first chunk; nil for none
	file  string          // for errors
}

// NewIndex makes the index of the snapshot that the parts make up; their order
// only decides how hits name them and how equal ones are ordered. It fails if a
// part's dead chunks are not all its segment's, or the analyzers of the segments
// differ. The bitmaps are not kept.
func NewIndex(parts ...Part) (*Index, error) {
	x := &Index{analyzer: English}
	for i, p := range parts {
		s := p.Segment
		if i == 0 {
			x.analyzer = s.id.Analyzer
		}
		switch {
		case s.id.Analyzer != x.analyzer:
			return nil, fmt.Errorf("textindex: segments of the analyzers %q and %q in one index", x.analyzer, s.id.Analyzer)
		case p.Dead != nil && !p.Dead.IsEmpty() && p.Dead.Maximum() >= s.count:
			return nil, fmt.Errorf("textindex: chunk %d is dead in %s, which has %d", p.Dead.Maximum(), s.name(), s.count)
		}
		var dead roaring.IntPeekable = new(roaring.Bitmap).Iterator()
		if p.Dead != nil {
			dead = p.Dead.Iterator()
		}
		first := uint32(0)
		for _, b := range s.blocks {
			lb := liveBlock{block: b, part: i, first: first, file: s.name()}
			first += uint32(len(b.lengths))
			chunks, terms := uint64(len(b.lengths)), b.terms
			for dead.HasNext() && dead.PeekNext() < first {
				n := dead.Next() - lb.first
				if lb.dead == nil {
					lb.dead = new(roaring.Bitmap)
				}
				lb.dead.Add(n)
				chunks, terms = chunks-1, terms-uint64(b.lengths[n])
			}
			if chunks == 0 {
				continue
			}
			if lb.dead != nil {
				lb.dead.RunOptimize()
			}
			x.stats.Chunks += chunks
			x.stats.Terms += terms
			x.blocks = append(x.blocks, lb)
		}
	}
	return x, nil
}

// Stats returns what the scores are computed over.
func (x *Index) Stats() Stats { return x.stats }

// Search returns the k best chunks for the terms of the query, any of which
// matches, best first, equal ones by part and chunk. All that are as good as
// the last of the k are there too, so that the caller can break the tie by what
// it knows. Nothing is found if the query has no terms, stop words aside.
//
// The score is BM25 with k1 1.2 and b 0.75, summed over the distinct terms:
//
//	ln((N−n+0.5)/(n+0.5)+1) · f·(k1+1) / (f + k1·(1−b+b·length/average))
//
// where N is the number of live chunks, n that of those with the term, and f
// how often the chunk has it. Only chunks that admit agrees to are returned
// (nil: all); it does not change scores, and is called for few more than those
// that could be hits, in no certain order.
//
// Errors are the context's or an [ErrCorrupt].
func (x *Index) Search(ctx context.Context, query string, k int, admit func(part int, chunk uint32) bool) ([]Hit, error) {
	terms, err := x.queryTerms(query)
	if err != nil || len(terms) == 0 || k < 1 {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	if err := s.weigh(ctx, x, terms); err != nil {
		return nil, err
	}
	average := x.stats.AvgLen()
	best := best{k: k, limit: 2*min(k, 1<<20) + 64}
	for i := range x.blocks {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("textindex: search: %w", err)
		}
		lb := &x.blocks[i]
		if err := guard(func() error { return s.score(lb, s.dictionaries[i], average) }); err != nil {
			return nil, at(lb.file, "search", err)
		}
		for _, n := range s.touched {
			score := float32(s.scores[n])
			s.scores[n] = 0
			if score >= best.floor && (admit == nil || admit(lb.part, lb.first+n)) {
				best.add(Hit{Part: lb.part, Chunk: lb.first + n, Score: score})
			}
		}
		s.touched = s.touched[:0]
	}
	s.reset()
	scratches.Put(s)
	return best.sorted(), nil
}

// queryTerms returns the distinct terms of the query in their order.
func (x *Index) queryTerms(query string) ([]string, error) {
	a, err := newAnalyzer(x.analyzer)
	if err != nil {
		return nil, fmt.Errorf("textindex: %w", err)
	}
	var terms []string
	seen := map[string]bool{}
	a.each(query, func(t Token) {
		if !seen[t.Term] {
			seen[t.Term] = true
			terms = append(terms, t.Term)
		}
	})
	return terms, nil
}

// weighted is a term of the query.
type weighted struct {
	term   []byte
	weight float64 // what does not depend on the chunk: idf·(k1+1)
}

// scratch is the memory of one search. One that was left in the middle is not
// used again: its scores are not zero.
type scratch struct {
	terms        []weighted
	dictionaries []segment.TermDictionary // of the index's blocks
	iterator     segment.PostingsIterator // for zapx to reuse
	scores       []float64                // of a block's chunks; zero between blocks
	touched      []uint32                 // chunks whose score is not zero
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// reset drops what refers to the index.
func (s *scratch) reset() {
	clear(s.dictionaries)
	clear(s.terms)
	s.terms, s.dictionaries = s.terms[:0], s.dictionaries[:0]
	s.iterator = nil
}

// weigh opens the dictionaries, counts the live chunks of each term and keeps
// the terms that have any.
func (s *scratch) weigh(ctx context.Context, x *Index, terms []string) error {
	size := 0
	for i := range x.blocks {
		size = max(size, len(x.blocks[i].lengths))
		err := guard(func() error {
			d, err := x.blocks[i].base.Dictionary(textField)
			s.dictionaries = append(s.dictionaries, d)
			return err
		})
		if err != nil {
			return at(x.blocks[i].file, "search", badf("a zap file: %v", err))
		}
	}
	if len(s.scores) < size {
		s.scores = make([]float64, size)
	}
	for _, term := range terms {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("textindex: search: %w", err)
		}
		key, n := []byte(term), uint64(0)
		for i := range x.blocks {
			lb := &x.blocks[i]
			err := guard(func() error {
				p, err := find(s.dictionaries[i], key, lb)
				if err == nil {
					n += p.Count()
				}
				return err
			})
			if err != nil {
				return at(lb.file, "search", err)
			}
		}
		if n > x.stats.Chunks {
			return at(x.blocks[0].file, "search", badf("more postings than chunks"))
		}
		if n > 0 {
			idf := math.Log((float64(x.stats.Chunks-n)+0.5)/(float64(n)+0.5) + 1)
			s.terms = append(s.terms, weighted{term: key, weight: idf * (k1 + 1)})
		}
	}
	return nil
}

// find returns the live postings of the term in the block.
func find(d segment.TermDictionary, term []byte, lb *liveBlock) (segment.PostingsList, error) {
	p, err := d.PostingsList(term, lb.dead, nil)
	if err != nil {
		return nil, badf("a zap file: %v", err)
	}
	return p, nil
}

// score adds up the scores of a block's live chunks.
func (s *scratch) score(lb *liveBlock, d segment.TermDictionary, average float64) error {
	lengths := lb.lengths
	fixed, perTerm := k1*(1-b0), k1*b0/average
	for _, t := range s.terms {
		postings, err := find(d, t.term, lb)
		if err != nil {
			return err
		}
		s.iterator = postings.Iterator(true, false, false, s.iterator)
		for {
			p, err := s.iterator.Next()
			if err != nil {
				return badf("a zap file: %v", err)
			}
			if p == nil {
				break
			}
			n := p.Number()
			if n >= uint64(len(lengths)) {
				return badf("a posting of chunk %d of %d", n, len(lengths))
			}
			f := float64(p.Frequency())
			if s.scores[n] == 0 {
				s.touched = append(s.touched, uint32(n))
			}
			s.scores[n] += t.weight * f / (f + fixed + perTerm*float64(lengths[n]))
		}
	}
	return nil
}

// best keeps the k best hits and those that equal the last of them.
type best struct {
	k     int
	floor float32 // a hit below cannot be among them
	limit int     // number of hits to cut at
	hits  []Hit
}

func (b *best) add(h Hit) {
	if b.hits = append(b.hits, h); len(b.hits) >= b.limit {
		b.cut()
		b.limit = max(b.limit, 2*len(b.hits))
	}
}

func (b *best) cut() {
	slices.SortFunc(b.hits, func(x, y Hit) int {
		return cmp.Or(cmp.Compare(y.Score, x.Score), cmp.Compare(x.Part, y.Part), cmp.Compare(x.Chunk, y.Chunk))
	})
	if len(b.hits) > b.k {
		b.floor = b.hits[b.k-1].Score
		end := b.k
		for end < len(b.hits) && b.hits[end].Score == b.floor {
			end++
		}
		b.hits = b.hits[:end]
	}
}

func (b *best) sorted() []Hit {
	b.cut()
	return b.hits
}
