package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/pairs"
)

// profile is the answer of /duplicates/profile.
type profile struct {
	pairs.Profile
	Steps []struct {
		pairs.ProfileStep
		Examples []api.Group `json:"examples"`
	} `json:"steps"`
}

// barWidth is the length of the longest bar of a histogram.
const barWidth = 30

func printProfile(w io.Writer, c paint, f *profile, _ answered) {
	fmt.Fprintln(w, c.dim(fmt.Sprintf("%s at commit %s by likeness %s, matched %s: pairs from %.2f on are duplicates by default",
		count(f.Documents, "document"), plainText(f.Commit), f.Likeness, f.Match, f.MinScore)))
	most := 1
	for _, s := range f.Steps {
		most = max(most, s.Pairs)
	}
	rows := grid{{"FROM", "PAIRS", "DOCUMENTS", "SAME", "DIFFERENT", "PRECISION", ""}}
	for _, s := range f.Steps {
		var precision any
		if s.Precision != nil {
			precision = number(fmt.Sprintf("%.2f", *s.Precision))
		}
		rows = append(rows, []any{number(fmt.Sprintf("%.2f", s.From)), s.Pairs, s.Documents, s.Same, s.Different, precision,
			strings.Repeat("#", (s.Pairs*barWidth+most-1)/most)})
	}
	rows.text(w)
	shown := duplicates{paint: c}
	for _, s := range f.Steps {
		if len(s.Examples) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", c.bold(fmt.Sprintf("from %.2f", s.From)))
		for i := range s.Examples {
			shown.group(w, &s.Examples[i])
		}
	}
}
