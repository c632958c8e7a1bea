package overview

import (
	"cmp"
	"context"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/internal/top"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

const (
	// labelWords is how many words are named of each cluster.
	labelWords = 6
	// labelText is how much of a text is read for them, in bytes.
	labelText = 4 << 10
	// labelBatch is how much text is analyzed at once, in bytes.
	labelBatch = 64 << 10
)

// label sets the words of clusters: those of the highest class-based tf-idf
// (Grootendorst 2022), which is how often a term is in the cluster by how seldom it
// is in all. Terms are those of the domain's full text, told as they are most often
// written. A term of one document alone is none of a larger cluster.
func label(ctx context.Context, s *search.Snapshot, c *Clusters) error {
	members := make([][]*snapshot.Entry, len(c.Clusters))
	for i, k := range c.in {
		if k >= 0 && !c.documents[i].NoText {
			members[k] = append(members[k], c.documents[i])
		}
	}
	totals := make(map[string]float64) // by term, of all clusters
	counts := make([]termCounts, len(members))
	words := 0.0
	for k, documents := range members {
		counts[k] = make(termCounts)
		n, err := countTerms(ctx, s, documents, counts[k])
		if err != nil {
			return err
		}
		for term, count := range counts[k] {
			totals[term] += float64(count.words)
			if count.documents < 2 && len(documents) > 1 {
				delete(counts[k], term)
			}
		}
		words += float64(n)
	}
	type scored struct {
		word  string
		score float64
	}
	for k, terms := range counts {
		list := make([]scored, 0, len(terms))
		for term, count := range terms {
			rare := math.Log(1 + words/float64(len(members))/totals[term])
			list = append(list, scored{count.spelling(), float64(count.words) * rare})
		}
		for _, one := range top.First(list, labelWords, func(a, b scored) int {
			return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.word, b.word))
		}) {
			c.Clusters[k].Words = append(c.Clusters[k].Words, one.word)
		}
	}
	return nil
}

// termCounts counts the terms of a cluster.
type termCounts map[string]*termCount

type termCount struct {
	words, documents int
	last             int // the document counted last, from 1
	written          map[string]int
}

// spelling returns what the term is most often written as.
func (t *termCount) spelling() string {
	best := ""
	for word, n := range t.written {
		if most := t.written[best]; n > most || n == most && word < best {
			best = word
		}
	}
	return best
}

// countTerms counts the terms of documents' texts, and returns how many there are.
// Several texts are analyzed at once: to begin costs more than to go on.
func countTerms(ctx context.Context, s *search.Snapshot, documents []*snapshot.Entry, counts termCounts) (words int, err error) {
	language := s.Settings().Language
	var batch strings.Builder
	var ends []int // of texts in the batch
	document := 0
	flush := func() error {
		text := batch.String()
		tokens, err := textindex.Analyze(language, text)
		if err != nil {
			return err
		}
		at := 0
		for _, t := range tokens {
			for t.Start >= ends[at] {
				at++
			}
			word := strings.ToLower(text[t.Start:t.End])
			if !textindex.Telling(language, word) {
				continue
			}
			count := counts[t.Term]
			if count == nil {
				count = &termCount{written: make(map[string]int, 1)}
				counts[strings.Clone(t.Term)] = count
			}
			words++
			count.words++
			count.written[word]++
			if now := document + at + 1; count.last != now {
				count.last = now
				count.documents++
			}
		}
		document += len(ends)
		batch.Reset()
		ends = ends[:0]
		return context.Cause(ctx)
	}
	for _, e := range documents {
		text, err := s.SoundText(e)
		if err != nil {
			return words, err
		}
		batch.WriteString(beginning(text, labelText))
		batch.WriteString("\n\n")
		ends = append(ends, batch.Len())
		if batch.Len() >= labelBatch {
			if err := flush(); err != nil {
				return words, err
			}
		}
	}
	return words, flush()
}

// beginning returns at most n bytes of a text, whole characters.
func beginning(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
