package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
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

// grid is a table: rows of cells under the titles, its first row. Numbers are aligned
// right, distances and scores have four decimals.
type grid [][]any

// A word is a cell that is no text of others, a number one that is aligned as such.
type (
	word   string
	number string
)

// cells returns the cells as texts, and for each column l or r for its alignment.
func (g grid) cells() (rows [][]string, right string) {
	side := []byte(strings.Repeat("l", len(g[0])))
	for _, row := range g {
		var texts []string
		for i, cell := range row {
			text := ""
			switch c := cell.(type) {
			case float32:
				text = fmt.Sprintf("%.4f", c)
				side[i] = 'r'
			case int, int64, uint64, number:
				text = fmt.Sprint(c)
				side[i] = 'r'
			case time.Time:
				text = c.Format(time.RFC3339)
			case nil:
			default:
				text = fmt.Sprint(c)
			}
			texts = append(texts, text)
		}
		rows = append(rows, texts)
	}
	return rows, string(side)
}

// text writes the table for a terminal.
func (g grid) text(w io.Writer) {
	rows, right := g.cells()
	if strings.Join(rows[0], "") == "" { // no titles
		rows = rows[1:]
	}
	table(w, right, rows)
}

// markdown writes it for a page. Texts are shown as they are: nothing in them means
// anything there.
func (g grid) markdown(w io.Writer) {
	rows, right := g.cells()
	for n, row := range rows {
		fmt.Fprint(w, "|")
		for i, text := range row {
			if _, quoted := g[n][i].(string); quoted && n > 0 {
				text = mdCell(text)
			}
			fmt.Fprintf(w, " %s |", text)
		}
		fmt.Fprintln(w)
		if n == 0 {
			fmt.Fprintln(w, "|"+strings.NewReplacer("l", " --- |", "r", " ---: |").Replace(right))
		}
	}
	fmt.Fprintln(w)
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
