package subword

import (
	"encoding/json"
	"fmt"

	"github.com/dlclark/regexp2/v2"
)

// A pattern cuts characters into what it matches and what stands between.
type pattern func([]char) []span

// A span is a range of characters. Spans follow one another without a gap and
// are not empty.
type span struct {
	start, end int
	match      bool
}

// add appends the match from start to end, after what stands before it.
func add(spans []span, start, end int) []span {
	at := 0
	if n := len(spans); n > 0 {
		at = spans[n-1].end
	}
	if at < start {
		spans = append(spans, span{at, start, false})
	}
	if start < end {
		spans = append(spans, span{start, end, true})
	}
	return spans
}

// finish appends what stands after the last match.
func finish(spans []span, n int) []span { return add(spans, n, n) }

// invert takes what find matches for what stands between.
func invert(find pattern) pattern {
	return func(chars []char) []span {
		spans := find(chars)
		for i := range spans {
			spans[i].match = !spans[i].match
		}
		return spans
	}
}

// A patternSource is a pattern as the file writes it: a text to find or an
// expression.
type patternSource struct {
	Text, Regex *string
}

// UnmarshalJSON reads {"String":"x"}, {"Regex":"x"} or "x".
func (p *patternSource) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		p.Text = &text
		return nil
	}
	var object struct{ String, Regex *string }
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	p.Text, p.Regex = object.String, object.Regex
	return nil
}

func (p *patternSource) compile() (pattern, error) {
	switch {
	case p == nil || p.Text == nil && p.Regex == nil:
		return nil, errPattern
	case p.Regex != nil:
		return expression(*p.Regex)
	}
	want := []rune(*p.Text)
	if len(want) == 0 {
		return nil, errPattern
	}
	return func(chars []char) []span {
		var found []span
		for i := 0; i+len(want) <= len(chars); {
			if !hasPrefix(chars[i:], want) {
				i++
				continue
			}
			found = add(found, i, i+len(want))
			i += len(want)
		}
		return finish(found, len(chars))
	}, nil
}

func hasPrefix(chars []char, want []rune) bool {
	if len(chars) < len(want) {
		return false
	}
	for i, r := range want {
		if chars[i].r != r {
			return false
		}
	}
	return true
}

// expression compiles a regular expression. Those of tokenizers look ahead,
// which package regexp cannot. There is no bound on the time that matching
// takes: the library's needs a goroutine that nobody waits for, and whoever
// chose the file can choose another.
func expression(source string) (pattern, error) {
	re, err := regexp2.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("pattern %.100q: %w", source, err)
	}
	return func(chars []char) []span {
		matches, err := re.FindAllRunesIndex(runesOf(make([]rune, 0, len(chars)), chars), -1)
		if err != nil { // the library ran out of its own stack: nothing is cut
			matches = nil
		}
		found := make([]span, 0, len(matches)+1)
		for _, m := range matches {
			found = add(found, m[0], m[1])
		}
		return finish(found, len(chars))
	}, nil
}
