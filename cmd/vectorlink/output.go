package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// printJSON writes v as one line of JSON.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// print prints the result of a command: v with --json, else what text writes.
func (p *program) print(v any, text func(out io.Writer, c paint)) error {
	if p.json {
		return printJSON(p.stdout, v)
	}
	text(p.stdout, p.paint(p.stdout))
	return nil
}

// paint writes colours, or nothing.
type paint struct{ on bool }

// paint returns colours for w: on a terminal, unless NO_COLOR is set.
func (p *program) paint(w io.Writer) paint {
	return paint{isTerminal(w) && p.lookup("NO_COLOR") == "" && p.lookup("TERM") != "dumb"}
}

func (c paint) code(n, s string) string {
	if !c.on || s == "" {
		return s
	}
	return "\x1b[" + n + "m" + s + "\x1b[0m"
}

func (c paint) bold(s string) string { return c.code("1", s) }
func (c paint) dim(s string) string  { return c.code("2", s) }

// table writes rows in columns, without what could move a terminal's cursor. Cells
// of the columns in right are aligned right. It holds no colours: their bytes would
// count as width.
func table(w io.Writer, right string, rows [][]string) {
	widths := make(map[int]int)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = plainText(cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i < len(right) && right[i] == 'r' {
				cell = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + cell
			}
			if i > 0 {
				cell = "\t" + cell
			}
			fmt.Fprint(tw, cell)
		}
		fmt.Fprintln(tw)
	}
	_ = tw.Flush() // that it failed is known to output
}

// clip makes one line of at most n characters of a document's text. What could
// move a terminal's cursor becomes a space.
func clip(text string, n int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)[:n-1]
	return strings.TrimRightFunc(string(runes), unicode.IsSpace) + "…"
}

// plainText returns s without what could move a terminal's cursor.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// count writes a number with its noun: 1 document, 2 documents.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
