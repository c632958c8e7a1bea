package textindex

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// The parameters of BM25.
const (
	k1 = 1.2
	b0 = 0.75
)

// Bitmap is a set of chunk numbers, so that callers need not import the module of
// the bitmap. The zero value is empty.
type Bitmap = roaring.Bitmap

// Part is one file of a snapshot's chain.
type Part struct {
	Segment *Segment
	// Dead are the chunks that do not belong to the snapshot: those of entries
	// changed or removed further up. Nil is none.
	Dead *Bitmap
	// Documents numbers, for each chunk of the segment, its document among the
	// part's, ascending. Nil: each chunk is a document of its own.
	Documents []uint32
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
	// Matched are the words, between spaces, that the chunk has, in some form,
	// in the place of misspelt ones.
	Matched string
}

// Index is the full text of one snapshot. It is immutable.
type Index struct {
	analyzer string
	stats    Stats
	blocks   []liveBlock
	parts    []part
}

// part is what the index knows of a part beside its blocks.
type part struct {
	documents []uint32 // as of Part
	count     int      // of the documents
}

// document returns the document that a chunk belongs to.
func (p *part) document(chunk uint32) uint32 {
	if p.documents == nil {
		return chunk
	}
	return p.documents[chunk]
}

// liveBlock is a block as the snapshot sees it.
type liveBlock struct {
	*block
	part  int
	first uint32   // number of the block's first chunk
	dead  []uint64 // bit by chunk of the block; nil for none
	file  string   // for errors
}

// has reports whether the chunk is live.
func (lb *liveBlock) has(chunk uint32) bool {
	return lb.dead == nil || lb.dead[chunk/64]>>(chunk%64)&1 == 0
}

// NewIndex makes the index of the snapshot that the parts make up; their order
// only decides how hits name them and how equal ones are ordered. It fails if a
// part's dead chunks or documents are not its segment's, or the analyzers of the segments
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
		case p.Documents != nil && len(p.Documents) != int(s.count):
			return nil, fmt.Errorf("textindex: %d documents for the %d chunks of %s", len(p.Documents), s.count, s.name())
		}
		x.parts = append(x.parts, part{p.Documents, int(s.count)})
		if n := len(p.Documents); n > 0 {
			x.parts[i].count = int(p.Documents[n-1]) + 1
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
					lb.dead = make([]uint64, (len(b.lengths)+63)/64)
				}
				lb.dead[n/64] |= 1 << (n % 64)
				chunks, terms = chunks-1, terms-uint64(b.lengths[n])
			}
			if chunks == 0 {
				continue
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

// Search returns the k best chunks for the query, best first, equal ones by
// part and chunk. All that are as good as the last of the k are there too, so
// that the caller can break the tie by what it knows.
//
// The score is BM25 with k1 1.2 and b 0.75, summed over what the query names, as
// often as it does: terms, and as one term each phrases and prefixes; excluded
// ones count nothing.
//
//	ln((N−n+0.5)/(n+0.5)+1) · f·(k1+1) / (f + k1·(1−b+b·length/average))
//
// where N is the number of live chunks, n that of those with the term, and f
// how often the chunk has it. Stop words and symbols are no terms, and count
// where the query has nothing else.
//
// Other spellings count half: words that are written as one in the query or the
// chunk, and apart in the other (Wi-Fi, 1,000, iPhone 12), and parts of a word
// that is an identifier or has letters and digits. So does a word that is one
// edit away from a misspelt one of four letters or more; two, from eight letters
// on, count a quarter. An edit puts one letter in, takes one out, changes one or
// transposes two, behind the first letter. A word with digits is not misspelt.
// Of the near words those of the fewest edits are taken, unless the query's own
// is there ([FuzzyOn]); and of the misspelt words the first 16.
//
// Only chunks that admit agrees to are returned (nil: all); it does not change
// scores, and is called for few more than those that could be hits, in no certain
// order.
//
// Errors are the context's, an [ErrCorrupt], or a [*SyntaxError] where the
// query's prefixes stand for too many terms.
func (x *Index) Search(ctx context.Context, q Query, k int, admit func(part int, chunk uint32) bool) ([]Hit, error) {
	hits, _, err := x.SearchAnd(ctx, q, k, admit, nil)
	return hits, err
}

// SearchAnd is Search, and returns the scores of certain chunks besides: 0 of those
// that have no term.
func (x *Index) SearchAnd(ctx context.Context, q Query, k int, admit func(part int, chunk uint32) bool, of []Place) (hits []Hit, scores []float32, err error) {
	scores = make([]float32, len(of))
	if k < 1 {
		return nil, scores, nil
	}
	c, err := x.compile(q)
	if err != nil {
		return nil, nil, err
	}
	best := best{k: k, limit: 2*min(k, 1<<20) + 64}
	err = x.run(ctx, c, func(s *scratch, i int) {
		lb := &x.blocks[i]
		for n, p := range of {
			if p.Part == lb.part && p.Chunk-lb.first < uint32(len(lb.lengths)) {
				scores[n] = float32(s.scores[p.Chunk-lb.first])
			}
		}
		for _, n := range s.touched {
			score := float32(s.scores[n])
			s.scores[n] = 0
			chunk := lb.first + n
			if score < best.floor || score == 0 {
				continue
			}
			if c.root != nil && !c.root.matches(s.found[x.parts[lb.part].document(chunk)]) {
				continue
			}
			if admit == nil || admit(lb.part, chunk) {
				best.add(Hit{Part: lb.part, Chunk: chunk, Score: score})
			}
		}
	}, func(s *scratch) { s.name(x, c, best.sorted()) })
	if err != nil {
		return nil, nil, err
	}
	return best.hits, scores, nil
}

// Place names a chunk of an index by its part, and its number there.
type Place struct {
	Part  int
	Chunk uint32
}

// Documents is a set of a snapshot's documents.
type Documents struct {
	// Parts has the named documents of each part by their numbers, see [Part].
	Parts []*Bitmap
	// Others: the set is of all others than the named ones.
	Others bool
}

// Conditions returns the documents that have all that the query requires and
// nothing that it excludes; what is merely looked for does not count. It
// reports false if the query requires and excludes nothing. Errors are as of
// [Index.Search].
func (x *Index) Conditions(ctx context.Context, q Query) (d Documents, ok bool, err error) {
	c, err := x.compile(q)
	if err != nil || c.root == nil || !c.root.conditional() {
		return Documents{}, false, err
	}
	d.Others = c.root.meets(0)
	for range x.parts {
		d.Parts = append(d.Parts, new(Bitmap))
	}
	last := -1
	err = x.run(ctx, c, func(s *scratch, i int) {
		for _, n := range s.touched {
			s.scores[n] = 0
		}
		if part := x.blocks[i].part; part != last {
			last = part
			for number, bits := range s.found {
				if bits != 0 && c.root.meets(bits) != d.Others {
					d.Parts[part].Add(uint32(number))
				}
			}
		}
	}, func(*scratch) {})
	return d, true, err
}

// run scores the live chunks block by block, and calls yield with the scratch
// after each: its touched are the chunks of the block with a score, which yield
// sets back to zero, its found what the documents of the block's part have.
func (x *Index) run(ctx context.Context, c *compiled, yield func(s *scratch, block int), done func(s *scratch)) error {
	if len(c.leaves) == 0 {
		return nil
	}
	s := scratches.Get().(*scratch)
	if err := s.collect(ctx, x, c); err != nil {
		return err
	}
	for i := range x.blocks {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("textindex: search: %w", err)
		}
		if part := x.blocks[i].part; c.root != nil && (i == 0 || part != x.blocks[i-1].part) {
			s.find(x, c, part)
		}
		s.score(x, c, i)
		yield(s, i)
		s.touched = s.touched[:0]
	}
	done(s)
	s.reset()
	scratches.Put(s)
	return nil
}

// best keeps the k best hits and those that equal the last of them.
type best struct {
	k      int
	floor  float32 // a hit below cannot be among them
	limit  int     // number of hits to cut at
	hits   []Hit
	scores []float32 // for cut
}

func (b *best) add(h Hit) {
	if b.hits = append(b.hits, h); len(b.hits) >= b.limit {
		b.cut()
		b.limit = max(b.limit, 2*len(b.hits))
	}
}

// cut throws out what is below the kth hit.
func (b *best) cut() {
	if len(b.hits) <= b.k {
		return
	}
	b.scores = b.scores[:0]
	for _, h := range b.hits {
		b.scores = append(b.scores, h.Score)
	}
	b.floor = largest(b.scores, b.k)
	b.hits = slices.DeleteFunc(b.hits, func(h Hit) bool { return h.Score < b.floor })
}

func (b *best) sorted() []Hit {
	b.cut()
	slices.SortFunc(b.hits, func(x, y Hit) int {
		switch { // no score is NaN
		case x.Score > y.Score:
			return -1
		case x.Score < y.Score:
			return 1
		}
		return cmp.Or(cmp.Compare(x.Part, y.Part), cmp.Compare(x.Chunk, y.Chunk))
	})
	return b.hits
}

// largest returns the kth largest of the numbers, k from 1, and leaves them in
// another order: Hoare's selection.
func largest(x []float32, k int) float32 {
	for lo, hi := 0, len(x)-1; lo < hi; {
		pivot := x[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for x[i] > pivot {
				i++
			}
			for x[j] < pivot {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k-1 <= j:
			hi = j
		case k-1 >= i:
			lo = i
		default:
			return pivot
		}
	}
	return x[k-1]
}
