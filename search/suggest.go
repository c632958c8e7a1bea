package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// The bounds of suggestions (wire contract §4).
const (
	suggestRows        = 200 // chunks looked at, at most
	suggestRowsPerHit  = 5
	suggestSources     = 5 // documents that completions are taken from
	suggestCompletions = 8
	suggestNextWords   = 5
	suggestMoreWords   = 3 // words that a completion goes on for
)

// SuggestRequest asks how the beginning of a query could go on.
type SuggestRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	Text   string `param:"q" need:"" help:"The beginning of a query."`
	Count  int    `param:"count" default:"11" least:"1" help:"Most documents to list (default 11)."`
	Filter Filter
}

// Suggestions is the answer to a SuggestRequest.
type Suggestions struct {
	Commit      string   // the served commit
	Total       int      // documents among the chunks that were looked at
	Completions []string // the commonest first
	Hits        []Suggestion
	Damaged     []string // as of Hits
	Warnings    []string // as of Hits
}

// Suggestion is a document whose text has words of the query.
type Suggestion struct {
	ID       string
	Distance float32 // by words, as in a full-text search; 0 for a substring
	Snippet  string  // the chunk that matches best
	// Start and End cut the first occurrence of the query out of Snippet, up
	// to the end of its last word; both 0 where there is none, as when other
	// forms of the words matched.
	Start, End int
	NextWords  []string // the words behind it
}

// Suggest finds documents by the words of the query, or, where none has any,
// those in which it occurs within a word. It needs no embedding.
func (r *Reader) Suggest(ctx context.Context, req SuggestRequest) (Suggestions, error) {
	if req.Text == "" {
		return Suggestions{}, fmt.Errorf("%w: q must not be empty", contract.ErrInvalid)
	}
	if req.Count < 1 {
		return Suggestions{}, fmt.Errorf("%w: count must be at least 1", contract.ErrInvalid)
	}
	_, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return Suggestions{}, err
	}
	defer s.Release()
	among, err := s.Select(ctx, req.Filter, Replaced(req.Ref, commit))
	if err != nil {
		return Suggestions{}, err
	}
	rows := suggestRowsPerHit * (min(req.Count, suggestRows) + 1)
	chunks, _, err := r.textChunks(ctx, s, textindex.Plain(req.Text), among, min(rows, suggestRows))
	if err == nil && len(chunks) == 0 {
		chunks, err = s.substring(ctx, req.Text, among, min(rows, suggestRows))
	}
	if err != nil {
		return Suggestions{}, err
	}
	out := Suggestions{Commit: commit}
	seen := make(map[*snapshot.Entry]struct{})
	for _, c := range chunks { // the best first, so a document's first is its best
		if _, ok := seen[c.entry]; ok {
			continue
		}
		seen[c.entry] = struct{}{}
		if len(out.Hits) == req.Count {
			continue
		}
		hit := Suggestion{ID: c.entry.ID, Distance: c.distance}
		if hit.Snippet, err = s.ChunkText(c.entry, c.chunk); errors.Is(err, contract.ErrCorrupt) {
			s.noteText(c.entry.ID, err) // the hit stands without it
		} else if err != nil {
			return Suggestions{}, err
		}
		if start, end := indexFold(hit.Snippet, req.Text); start >= 0 {
			hit.Start, hit.End = start, wordEnd(hit.Snippet, end)
			hit.NextWords = firstWords(hit.Snippet[hit.End:], suggestNextWords)
		}
		out.Hits = append(out.Hits, hit)
	}
	out.Total = len(seen)
	out.Damaged, out.Warnings = s.Damaged(), s.unanalyzed(textindex.Plain(req.Text))
	out.Completions = completions(out.Hits[:min(suggestSources, len(out.Hits))], req.Text)
	return out, nil
}

// substring returns the first chunks in which the text occurs in any case, at
// most one per document, by ascending id.
func (s *Snapshot) substring(ctx context.Context, text string, among *Selection, k int) ([]scored, error) {
	var found []scored
	for _, e := range s.Documents(among) {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		whole, err := s.view.Text(e)
		if err = catalog.StoreError(err); errors.Is(err, contract.ErrCorrupt) {
			s.noteText(e.ID, err)
			continue
		} else if err != nil {
			return nil, err
		}
		for i, c := range e.Chunks {
			if start, _ := indexFold(whole[c.Start:c.End], text); start >= 0 {
				found = append(found, scored{entry: e, chunk: i})
				break
			}
		}
		if len(found) == k {
			break
		}
	}
	return found, nil
}

// completions returns what follows the query in the hits' snippets, the
// commonest first: to the end of the word, and up to some words on.
func completions(hits []Suggestion, query string) []string {
	type completion struct {
		text  string // as first seen
		count int
	}
	var all []*completion
	by := make(map[string]*completion)
	count := func(text string) {
		if len(text) <= len(query) {
			return
		}
		key := foldCase(text)
		c, ok := by[key]
		if !ok {
			c = &completion{text: text}
			by[key] = c
			all = append(all, c)
		}
		c.count++
	}
	for _, h := range hits {
		for rest := h.Snippet; ; {
			start, end := indexFold(rest, query)
			if start < 0 {
				break
			}
			stop := wordEnd(rest, end)
			text := rest[start:stop]
			count(text)
			for _, word := range firstWords(rest[stop:], suggestMoreWords) {
				text += " " + word
				count(text)
			}
			rest = rest[end:]
		}
	}
	slices.SortFunc(all, func(a, b *completion) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.text, b.text))
	})
	texts := make([]string, min(len(all), suggestCompletions))
	for i := range texts {
		texts[i] = all[i].text
	}
	return texts
}

// separates reports whether the character stands between words.
func separates(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(".,;:", r)
}

// wordEnd returns where the word that text[:end] ends in is over.
func wordEnd(text string, end int) int {
	if i := strings.IndexFunc(text[end:], separates); i >= 0 {
		return end + i
	}
	return len(text)
}

// firstWords returns the first n words of a text.
func firstWords(text string, n int) []string {
	var words []string
	for w := range strings.FieldsFuncSeq(text, separates) {
		if len(words) == n {
			break
		}
		words = append(words, w)
	}
	return words
}

// indexFold returns where the first occurrence of part in text begins and ends,
// whatever the case of its letters; −1 where there is none. It compares
// character by character, because a text in lower case may have other lengths.
func indexFold(text, part string) (start, end int) {
	first, _ := utf8.DecodeRuneInString(part)
	first = foldRune(first)
	for i, r := range text {
		if foldRune(r) == first {
			if n := prefixFold(text[i:], part); n >= 0 {
				return i, i + n
			}
		}
	}
	return -1, -1
}

// prefixFold returns how many bytes of the beginning of text are part; −1 if
// it begins otherwise.
func prefixFold(text, part string) int {
	n := 0
	for _, want := range part {
		if n == len(text) {
			return -1
		}
		got, size := utf8.DecodeRuneInString(text[n:])
		if foldRune(got) != foldRune(want) {
			return -1
		}
		n += size
	}
	return n
}

func foldCase(text string) string { return strings.Map(foldRune, text) }

// foldRune returns the same character for all cases of a letter.
func foldRune(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case r < utf8.RuneSelf:
		return r
	}
	least := r
	for x := unicode.SimpleFold(r); x != r; x = unicode.SimpleFold(x) {
		least = min(least, x)
	}
	return least
}
