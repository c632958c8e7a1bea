package templates

import (
	"strings"

	"github.com/aymerick/raymond/lexer"
	"github.com/aymerick/raymond/parser"
)

const (
	// maxBlank bounds a run of white space, over which raymond's lexer takes time
	// in the square when it stands in a comment.
	maxBlank = 128
	// maxRelexBytes bounds the work of normalise over one template.
	maxRelexBytes = 1 << 20
)

// parse makes a program of a template. It leaves no goroutine behind.
func parse(template string, depth int) (*Program, error) {
	if err := checkText(template); err != nil {
		return nil, err
	}
	src, toks, err := normalise(template)
	if err != nil {
		return nil, err
	}
	if err := recognise(src, toks); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(src)
	if err != nil {
		return nil, &TemplateError{Reason: firstLine(err.Error())}
	}
	return compile(src, tree, depth)
}

func checkText(template string) error {
	blank := 0
	for i, c := range template {
		switch c {
		case ' ', '\t', '\n', '\r', '\f':
			if blank++; blank > maxBlank {
				return overLimit("the template has more than %d white space characters in a row at line %d", maxBlank, lineAt(template, i))
			}
		case '\uFFFD':
			if !strings.HasPrefix(template[i:], "\uFFFD") {
				return badTemplate(template, i, "not valid UTF-8")
			}
			blank = 0
		default:
			blank = 0
		}
	}
	return nil
}

// normalise returns the template's tokens, after having rewritten two things
// that Handlebars knows and raymond's lexer does not: list.0.label becomes
// list.[0].label, and a carriage return inside a tag a blank. Lines stay where
// they are.
func normalise(src string) (string, []lexer.Token, error) {
	for work := 0; ; {
		toks := scan(src)
		edited := edit(src, toks)
		if edited == src {
			last := toks[len(toks)-1]
			if last.Kind == lexer.TokenError {
				return "", nil, badTemplate(src, last.Pos, "%s", lexReason(last.Val))
			}
			return src, toks, nil
		}
		if work += len(src); work > maxRelexBytes {
			return "", nil, overLimit("the template has too many list indexes; write list.[0] for list.0")
		}
		src = edited
	}
}

// scan collects the tokens up to the end or to an error. With either the lexer's
// goroutine ends, so it must be read that far.
func scan(src string) []lexer.Token {
	l := lexer.Scan(src)
	var toks []lexer.Token
	for {
		t := l.NextToken()
		toks = append(toks, t)
		if t.Kind == lexer.TokenEOF || t.Kind == lexer.TokenError {
			return toks
		}
	}
}

// edit makes the rewritings that the tokens show to be needed; after a lexer's
// error there may be more to come.
func edit(src string, toks []lexer.Token) string {
	var b strings.Builder
	done := 0
	for i, t := range toks {
		if t.Pos < done { // the lexer cut a segment in two
			continue
		}
		switch t.Kind {
		case lexer.TokenNumber, lexer.TokenError:
			if i == 0 || toks[i-1].Kind != lexer.TokenSep || toks[i-1].Pos+1 != t.Pos {
				continue
			}
			if n := segmentLen(src[t.Pos:]); n > 0 {
				b.WriteString(src[done:t.Pos] + "[" + src[t.Pos:t.Pos+n] + "]")
				done = t.Pos + n
			}
		case lexer.TokenID:
			if t.Val[0] != '[' && strings.Contains(t.Val, "\r") {
				b.WriteString(src[done:t.Pos] + strings.ReplaceAll(t.Val, "\r", " "))
				done = t.Pos + len(t.Val)
			}
		}
	}
	if done == 0 {
		return src
	}
	b.WriteString(src[done:])
	return b.String()
}

// segmentLen is the length of the path segment that begins with a digit at the
// beginning of s, or 0.
func segmentLen(s string) int {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0
	}
	// What a name may not hold, in Handlebars as in raymond.
	if n := strings.IndexAny(s, " \n\t\r!\"#%&'()*+,./;<=>@[\\]^`{|}~"); n >= 0 {
		return n
	}
	return len(s)
}

func lexReason(message string) string {
	if message == "" {
		return "syntax error"
	}
	return strings.ToLower(message[:1]) + message[1:]
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
