package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
)

// Report chooses how a command that a pipeline runs tells its result.
type Report struct {
	Summary   string `enum:"text,md,json,junit,sarif," default:"" placeholder:"FORMAT" help:"Print the result as text (the default), md (Markdown), json, junit (XML of test results) or sarif (of code analysis)."`
	SummaryTo string `placeholder:"FILE" help:"Append the result as Markdown to this file too, such as $$GITHUB_STEP_SUMMARY."`
}

// given reports whether any of it was asked for.
func (r *Report) given() bool { return r.Summary != "" || r.SummaryTo != "" }

// choose settles the format: --json is short for --summary json.
func (r *Report) choose(p *program) error {
	switch {
	case !p.json:
	case r.Summary == "" || r.Summary == "json":
		r.Summary = "json"
	default:
		return usage("--json and --summary %s cannot go together", r.Summary)
	}
	return nil
}

// result is what a Report prints. As JSON it is the value itself.
type result interface {
	text(w io.Writer)
	markdown(w io.Writer)
	findings() []finding
	// failed reports whether the result is a failure, which the error of the
	// command tells as text.
	failed() bool
}

// print prints the result in the chosen format, and where else it was asked for.
func (r *Report) print(p *program, res result) error {
	var err error
	switch {
	case r.Summary == "json":
		err = printJSON(p.stdout, res)
	case r.Summary == "md":
		res.markdown(p.stdout)
	case r.Summary == "junit":
		err = printJUnit(p.stdout, res.findings())
	case r.Summary == "sarif":
		err = printSARIF(p.stdout, res.findings())
	case !res.failed():
		res.text(p.stdout)
	}
	if err != nil || r.SummaryTo == "" {
		return err
	}
	f, err := os.OpenFile(r.SummaryTo, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("--summary-to: %w", err)
	}
	var text strings.Builder
	res.markdown(&text)
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("--summary-to: %w", err)
	}
	return nil
}

// summary is what index --wait prints at the end.
type summary struct {
	TaskID string `json:"task_id"`
	taskState
	Error   string  `json:"error,omitempty"`
	Code    string  `json:"error_code,omitempty"`
	Seconds float64 `json:"seconds"`

	strict bool // the command fails for documents that were skipped
}

func (s *summary) failed() bool { return s.Error != "" }

func (s *summary) took() string {
	return seconds(time.Duration(s.Seconds * float64(time.Second)))
}

func (s *summary) text(w io.Writer) {
	fmt.Fprintf(w, "%s@%s is indexed: %s (%d new or changed, %d deleted)\n",
		plainText(s.Domain), plainText(s.Commit), count(s.Documents, "document"), s.Indexed, s.Deleted)
	fmt.Fprintf(w, "%s embedded (%s), %d reused, in %s\n",
		count(s.Embedded, "text"), count(s.Tokens, "token"), s.Reused, s.took())
	if !s.HeadMoved && s.Branch != "" {
		fmt.Fprintf(w, "it is not the last indexed commit of %s\n", plainText(s.Branch))
	}
	textSkipped(w, s.Skipped, s.SkippedTotal, "skipped")
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "warning: %s\n", plainText(warning))
	}
}

func (s *summary) markdown(w io.Writer) {
	name := mdCode(s.Domain + "@" + s.Commit)
	if s.failed() {
		fmt.Fprintf(w, "### vectorlink: %s is not indexed\n\n%s\n\n", name, mdCode(s.Error))
		return
	}
	fmt.Fprintf(w, "### vectorlink: %s is indexed\n\n", name)
	mdNumbers(w, "documents", s.Documents, "new or changed", s.Indexed, "deleted", s.Deleted,
		"texts embedded", s.Embedded, "texts reused", s.Reused, "tokens", s.Tokens, "skipped", s.SkippedTotal, "time", s.took())
	if !s.HeadMoved && s.Branch != "" {
		fmt.Fprintf(w, "It is not the last indexed commit of %s.\n\n", mdCode(s.Branch))
	}
	mdSkipped(w, s.Skipped, s.SkippedTotal)
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "Warning: %s.\n\n", mdCode(warning))
	}
}

func (s *summary) findings() []finding {
	if s.failed() {
		return []finding{{"index-failed", levelError, []string{s.Domain + "@" + s.Commit}, s.Error}}
	}
	return skippedFindings(s.Skipped, s.strict)
}

// skippedFindings tells of documents that were skipped, or would be.
func skippedFindings(skipped []indexer.Skipped, strict bool) []finding {
	list, how := make([]finding, len(skipped)), levelWarning
	if strict {
		how = levelError
	}
	for i, d := range skipped {
		list[i] = finding{"document-skipped", how, []string{d.ID}, d.Message}
	}
	return list
}

// maxShownSkipped is how many of the documents that were skipped people see.
const maxShownSkipped = 20

// textSkipped writes the first of the documents that were skipped, of which list
// has some and total counts all.
func textSkipped(w io.Writer, list []indexer.Skipped, total int, verb string) {
	if total == 0 {
		return
	}
	fmt.Fprintf(w, "%s %s:\n", count(total, "document"), verb)
	shown := list[:min(len(list), maxShownSkipped)]
	for _, d := range shown {
		fmt.Fprintf(w, "  %s: %s\n", plainText(d.ID), clip(d.Message, 200))
	}
	switch {
	case total > len(list) && len(list) > len(shown):
		fmt.Fprintf(w, "  and %d more (--json lists the first %d)\n", total-len(shown), len(list))
	case total > len(list):
		fmt.Fprintf(w, "  and %d more\n", total-len(shown))
	case total > len(shown):
		fmt.Fprintf(w, "  and %d more (--json lists all)\n", total-len(shown))
	}
}

// mdSkipped is textSkipped for a page.
func mdSkipped(w io.Writer, list []indexer.Skipped, total int) {
	if total == 0 {
		return
	}
	fmt.Fprintf(w, "Skipped:\n\n")
	shown := list[:min(len(list), maxShownSkipped)]
	for _, d := range shown {
		fmt.Fprintf(w, "- %s: %s\n", mdCode(d.ID), mdCode(clip(d.Message, 200)))
	}
	if total > len(shown) {
		fmt.Fprintf(w, "- and %d more\n", total-len(shown))
	}
	fmt.Fprintln(w)
}

// mdNumbers writes a table of one row from names and values.
func mdNumbers(w io.Writer, pairs ...any) {
	var head, rule, row strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&head, "| %v ", pairs[i])
		rule.WriteString("| ---: ")
		fmt.Fprintf(&row, "| %v ", pairs[i+1])
	}
	fmt.Fprintf(w, "%s|\n%s|\n%s|\n\n", head.String(), rule.String(), row.String())
}

// mdCell is mdCode in a cell of a table, which a bar would end.
func mdCell(s string) string { return strings.ReplaceAll(mdCode(s), "|", "\\|") }

// mdCode writes s so that nothing in it means anything to Markdown.
func mdCode(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(plainText(s)), " "), "`", "'")
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
