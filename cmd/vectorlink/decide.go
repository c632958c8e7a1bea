package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/pairs"
)

var _ = (&reading{
	group: ofDuplicates, name: "decide", help: "Note whether two documents are the same thing.",
	more: `Pairs that are different are no longer listed as duplicates from then on, at this
commit and those that build on it.`,
	method: http.MethodPost, path: "/decisions", requests: []any{&pairs.DecisionRequest{}},
	tags: tags{
		"a": `arg:""`, "b": `arg:""`, "decision": `arg:""`, "by": `placeholder:"NAME"`,
	},
	show: showing(func(w io.Writer, _ paint, d *catalog.Decision, _ answered) {
		fmt.Fprintf(w, "decision %d: %s\n", d.N, d.Verdict)
	}),
}).register()

// written declares in which form decisions come.
type written struct {
	Format string `param:"format" words:"csv,ndjson" help:"Write them as they are kept elsewhere: csv, or ndjson, which duplicates --decisions reads."`
}

var _ = (&reading{
	group: ofDuplicates, name: "decisions", help: "List what was decided about pairs of documents, or write it out.",
	path: "/decisions", requests: []any{&pairs.DecisionsRequest{}, &written{}},
	always: map[string]any{"format": "ndjson"},
	lines:  true,
	show:   printDecisions,
}).register()

func printDecisions(w io.Writer, _ paint, a answered) error {
	if a.given["format"] != nil {
		_, err := w.Write(a.body)
		return err
	}
	rows := grid{{"N", "DECISION", "DOCUMENTS", "", "BY", "NOTE", "COMMIT", "AT"}}
	err := eachLine(bytes.NewReader(a.body), func(line []byte) error {
		var d catalog.Decision
		if err := json.Unmarshal(line, &d); err != nil {
			return foreign(a.from, err)
		}
		rows = append(rows, []any{d.N, d.Verdict, d.A, d.B, d.By, clip(d.Note, 40), d.Commit, d.At})
		return nil
	})
	if err != nil {
		return err
	}
	rows.text(w)
	return nil
}
