package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
)

var _ = (&reading{
	group: ofReading, name: "search", help: "Search a commit for a text.",
	more: `Hits are listed with their scores, of which greater is better. With --from and --to in
the place of a commit it is told how the hits of one differ from those of the other.`,
	method: http.MethodPost, path: "/search", requests: []any{&search.SearchRequest{}, &search.Between{}},
	tags:    tags{"q": `arg:"" name:"query"`, "snippet": "-"},
	always:  map[string]any{"snippet": true},
	member:  "hits",
	show:    showing(printHits),
	between: endpoint{path: "/search/diff", show: showing(printSearchDiff)},
}).register()

var _ = (&reading{
	group: ofReading, name: "similar", help: "List the documents nearest to a document or a text.",
	more:   `Hits are listed with their distances, the nearest first.`,
	method: http.MethodPost, path: "/similar", requests: []any{&search.SimilarRequest{}},
	tags: tags{
		"id": `xor:"source" required:""`, "ids": `xor:"source" required:""`, "text": `xor:"source" required:""`, "snippet": "-",
	},
	always: map[string]any{"snippet": true},
	member: "hits",
	show:   showing(printHits),
}).register()

// snippetWidth is how much of a document's text people see.
const snippetWidth = 120

func printHits(w io.Writer, c paint, hits *[]api.Hit, a answered) {
	if len(*hits) == 0 {
		fmt.Fprintf(w, "no hits at commit %s\n", plainText(a.commit()))
		return
	}
	fmt.Fprintln(w, c.dim(count(len(*hits), "hit")+" at commit "+plainText(a.commit())))
	for _, h := range *hits {
		measured := h.Score
		notes := []string{"found by " + map[string]string{"vector": "meaning", "words": "words", "both": "meaning and words"}[h.Found]}
		if a.asked["mode"] != string(search.ModeText) { // of which the distance is none
			notes[0] += fmt.Sprintf(", distance %.4f", h.Distance)
		}
		if a.asked["q"] == nil {
			measured, notes = h.Distance, nil
		}
		fmt.Fprintf(w, "%.4f  %s\n", measured, c.bold(plainText(h.ID)))
		if h.Chunk.Snippet != nil {
			notes = append(notes, clip(*h.Chunk.Snippet, snippetWidth))
		}
		if h.Text != nil {
			notes = append(notes, clip(*h.Text, len(*h.Text)))
		}
		if len(h.Matched) > 0 {
			notes = append(notes, "has "+strings.Join(h.Matched, ", "))
		}
		if e := h.Explain; e != nil {
			notes = append(notes, fmt.Sprintf("score: %.2f of meaning, %.4f of at most %.4f, and %.2f of words, %.2f of at most %.2f",
				e.Weight, e.Likeness, e.BestLikeness, 1-e.Weight, e.Words, e.BestWords))
		}
		if len(h.Fields) > 0 {
			notes = append(notes, string(h.Fields))
		}
		for _, note := range notes {
			fmt.Fprintf(w, "        %s\n", c.dim(plainText(note)))
		}
	}
}

func printSearchDiff(w io.Writer, _ paint, res *search.SearchDiff, _ answered) {
	counts := map[search.Change]int{}
	rows := grid{{"", "WAS", "IS", "DOCUMENT", ""}}
	rank := func(p *search.Placed) any {
		if p == nil {
			return word("-")
		}
		return p.Rank
	}
	for _, h := range res.Hits {
		counts[h.Change]++
		var notes []string
		for _, n := range []struct {
			is   bool
			text string
		}{{h.TextChanged, "text changed"}, {h.Added, "new document"}, {h.Removed, "document removed"}} {
			if n.is {
				notes = append(notes, n.text)
			}
		}
		rows = append(rows, []any{h.Change, rank(h.Before), rank(h.After), h.ID, strings.Join(notes, ", ")})
	}
	fmt.Fprintf(w, "%d came, %d went, %d moved, %d stayed from %s to %s\n", counts[search.Came], counts[search.Went],
		counts[search.Moved], counts[search.Same], plainText(res.From), plainText(res.To))
	rows.text(w)
}
