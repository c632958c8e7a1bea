package pairs

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"slices"
	"unicode"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// fileFeatures are the words and the trigrams of characters of one commit file's
// texts, hashed, in the pool: shared by every snapshot whose chain has the file.
// They are made of the texts when they are first asked for, which takes about as
// long as to read these.
type fileFeatures struct {
	grams features[uint16]
	words features[uint32]
}

// features are sets of hashes, one of each entry.
type features[T uint16 | uint32] struct {
	all  []T
	ends []uint32 // by entry, in all
}

// of returns the set of entry i, ascending.
func (f *features[T]) of(i int) []T {
	from := uint32(0)
	if i > 0 {
		from = f.ends[i-1]
	}
	return f.all[from:f.ends[i]]
}

// end ends the set of an entry, whose hashes were added to all.
func (f *features[T]) end() { f.ends = append(f.ends, uint32(len(f.all))) }

// Bytes returns the memory that they take.
func (f *fileFeatures) Bytes() int64 {
	return int64(2*cap(f.grams.all) + 4*cap(f.words.all) + 4*cap(f.grams.ends) + 4*cap(f.words.ends))
}

// featuresOf makes the features of a commit file, by so many goroutines.
func featuresOf(ctx context.Context, file *snapshot.File, workers int) (*fileFeatures, error) {
	const each = 1024 // entries, made by one goroutine
	entries := file.Entries()
	scanners, parts := make([]scanner, workers), (len(entries)+each-1)/each
	all := &fileFeatures{}
	err := parallel.Ordered(ctx, len(scanners), parts, func(ctx context.Context, worker, i int) (*fileFeatures, error) {
		part, s := &fileFeatures{}, &scanners[worker]
		for e := i * each; e < min((i+1)*each, len(entries)); e++ {
			text, err := file.Text(&entries[e])
			if err != nil && !errors.Is(err, snapshot.ErrCorrupt) {
				return nil, catalog.StoreError(err)
			}
			s.scan(text) // of a damaged one nothing
			part.grams.all = s.grams.drain(part.grams.all)
			part.grams.end()
			slices.Sort(s.words)
			part.words.all = append(part.words.all, slices.Compact(s.words)...)
			part.words.end()
		}
		return part, nil
	}, func(part *fileFeatures) (bool, error) {
		all.grams.join(&part.grams, parts)
		all.words.join(&part.words, parts)
		return true, nil
	})
	return all, err
}

// join appends the sets of the next entries, the first of so many parts that are about
// as long.
func (f *features[T]) join(next *features[T], parts int) {
	if f.all == nil && parts > 1 {
		f.all = make([]T, 0, len(next.all)*(parts+parts/16))
		f.ends = make([]uint32, 0, len(next.ends)*parts)
	}
	base := uint32(len(f.all))
	f.all = append(f.all, next.all...)
	for _, end := range next.ends {
		f.ends = append(f.ends, base+end)
	}
}

// scanner takes texts apart. Its memory is used again for the next one.
type scanner struct {
	grams gramSet
	words []uint32
}

// gramSet is a set of hashes, which it yields in order without sorting them.
type gramSet struct {
	bits [1 << 10]uint64
	used [1 << 4]uint64 // which of bits are not 0
}

func (s *gramSet) add(g uint16) {
	s.bits[g>>6] |= 1 << (g & 63)
	s.used[g>>12] |= 1 << (g >> 6 & 63)
}

// drain appends the hashes to list, ascending, and leaves none.
func (s *gramSet) drain(list []uint16) []uint16 {
	for i, used := range s.used {
		for ; used != 0; used &= used - 1 {
			at := i<<6 | bits.TrailingZeros64(used)
			for set := s.bits[at]; set != 0; set &= set - 1 {
				list = append(list, uint16(at<<6|bits.TrailingZeros64(set)))
			}
			s.bits[at] = 0
		}
		s.used[i] = 0
	}
	return list
}

// scan takes a text apart: into words, runs of letters and digits, and trigrams of
// characters of those with a blank on either side of each. Case and accents do not
// count. An ideogram is a word.
func (s *scanner) scan(text string) {
	s.words = s.words[:0]
	a, b, word := uint32(' '), uint32(' '), uint32(0)
	put := func(c uint32) {
		if c != ' ' || b != ' ' {
			s.grams.add(uint16((a*0x9E3779B1 ^ b*0x85EBCA77 ^ c*0xC2B2AE3D) >> 16))
			a, b = b, c
		}
		if c == ' ' && word != 0 {
			s.words = append(s.words, word)
			word = 0
		}
	}
	for _, r := range textindex.Fold(text) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
		case 'A' <= r && r <= 'Z':
			r += 'a' - 'A'
		case r < 0x80 || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			put(' ')
			continue
		case unicode.Is(unicode.Han, r):
			put(uint32(r))
			s.words = append(s.words, hashed(hashBasis, uint32(r)))
			continue
		default:
			r = unicode.ToLower(r)
		}
		put(uint32(r))
		if word == 0 {
			word = hashBasis
		}
		word = hashed(word, uint32(r))
	}
	put(' ')
}

// hashBasis and hashed make hashes of characters (FNV-1a).
const hashBasis uint32 = 2166136261

func hashed(h, c uint32) uint32 { return (h ^ c) * 16777619 }

// featureView are the features of a snapshot's documents and what each weighs:
// the square of its inverse document frequency, over the snapshot's documents.
type featureView struct {
	files     map[*snapshot.File]*fileFeatures
	documents int
	grams     []float32 // weight, by hash
	words     []float32 // weight, by the upper bits of the hash
	held      []uint32  // documents that have it, by gram and then by the upper bits of a word's hash
}

// wordsFrom is where words follow the grams in what is listed by both.
const wordsFrom = 1 << 16

// wordBits is how many bits of a word's hash its frequency is counted by: where two
// share them both count as a little more frequent.
const wordBits = 18

func wordPlace(hash uint32) uint32 { return hash >> (32 - wordBits) }

// Bytes returns the memory that the view takes beside the files' features.
func (v *featureView) Bytes() int64 { return int64(4 * (len(v.grams) + len(v.words) + len(v.held))) }

// features returns the snapshot's features, made at their first use.
func (s *opened) features(ctx context.Context, workers int) (*featureView, error) {
	d, err := s.Keep(ctx, "features", func() (search.Derived, error) {
		v := &featureView{files: make(map[*snapshot.File]*fileFeatures)}
		err := s.EachFile(ctx, "features", func(f *snapshot.File) (search.Derived, error) { return featuresOf(ctx, f, workers) },
			func(f *snapshot.File, made search.Derived) error {
				v.files[f] = made.(*fileFeatures)
				return nil
			})
		if err != nil {
			return nil, err
		}
		v.held = make([]uint32, wordsFrom+1<<wordBits)
		for e := range s.view.All() {
			v.documents++
			for _, g := range v.gramsOf(e) {
				v.held[g]++
			}
			for _, w := range v.wordsOf(e) {
				v.held[wordsFrom+wordPlace(w)]++
			}
		}
		v.grams, v.words = v.weights(v.held[:wordsFrom]), v.weights(v.held[wordsFrom:])
		return v, nil
	})
	if err != nil {
		return nil, err
	}
	return d.(*featureView), nil
}

func (v *featureView) weights(held []uint32) []float32 {
	weights := make([]float32, len(held))
	for i, n := range held {
		w := math.Log1p(float64(v.documents) / float64(max(n, 1)))
		weights[i] = float32(w * w)
	}
	return weights
}

func (v *featureView) gramsOf(e *snapshot.Entry) []uint16 {
	return v.files[e.File()].grams.of(e.Place())
}
func (v *featureView) wordsOf(e *snapshot.Entry) []uint32 {
	return v.files[e.File()].words.of(e.Place())
}
