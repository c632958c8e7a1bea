package textindex

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what [Parse] takes.
const (
	// MaxQuery is the length of a query in bytes.
	MaxQuery = 8 << 10
	// MaxClauses is the number of its words and phrases.
	MaxClauses = 64
	// MaxDepth is how deep its parentheses may stand in each other.
	MaxDepth = 16
	// MaxExpansion is the number of different terms that the prefixes of a
	// query may stand for in a snapshot, altogether.
	MaxExpansion = 4096
)

// Query is what a search looks for, made by [Plain] or [Parse]. The zero value
// looks for nothing.
type Query struct {
	// text is a plain query's, of any length.
	text  string
	root  *node // of one with syntax
	fuzzy Fuzzy
}

// Fuzzy says which words of a query may be misspelt: such a word also finds the
// documents with a word that is near it, see [Index.Search].
type Fuzzy uint8

const (
	// FuzzyOff: none.
	FuzzyOff Fuzzy = iota
	// FuzzyAuto: those that no document has.
	FuzzyAuto
	// FuzzyOn: all.
	FuzzyOn
)

// Fuzzy returns the query with words that may be misspelt.
func (q Query) Fuzzy(f Fuzzy) Query {
	q.fuzzy = f
	return q
}

// Plain returns the query for any of the text's words. Nothing in it is syntax.
func Plain(text string) Query { return Query{text: text} }

// SyntaxError is a mistake in a query.
type SyntaxError struct {
	Position int // of the mistake, in characters from 1
	Reason   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("at character %d of the query: %s", e.Position, e.Reason)
}

// Parse reads a query with operators:
//
//	word        any form of the word, as in a plain query
//	"a phrase"  these words in this order
//	word*       words that begin with it
//	a b         either; those that have more of them come first
//	a OR b      either
//	a AND b     both
//	+a          only documents that have a
//	-a, NOT a   only documents that do not have a
//	( … )       a query of its own
//
// NOT binds closer than AND, and AND closer than OR and what stands side by
// side. The operators are words in capitals, + and - stand directly before what
// they are for. A word that the analysis splits, as x-wing, is a phrase of its
// parts. A phrase stands in one chunk; what AND, NOT, + and - say holds for a
// document, whichever of its chunks the words stand in. Stop words and symbols
// count in phrases, and where there is nothing else to look for; a symbol also
// where it is required or excluded. A word finds its other spellings, as of
// [Index.Search], unless it is quoted.
//
// The error is a [*SyntaxError].
func Parse(text string) (Query, error) {
	p := parser{text: text}
	if len(text) > MaxQuery {
		return Query{}, p.fail(MaxQuery, "the query is longer than %d bytes", MaxQuery)
	}
	root, err := p.group(0)
	if err != nil {
		return Query{}, err
	}
	return Query{root: root}, nil
}

// Words returns the query's words without its operators, for an embedding: what
// is to be found, not what is excluded.
func (q Query) Words() string {
	if q.root == nil {
		return q.text
	}
	var words []string
	q.root.words(&words)
	return strings.Join(words, " ")
}

// occur says what a clause asks of a document.
type occur uint8

const (
	should occur = iota
	must
	mustNot
)

// node is a word, a phrase or a group of a query.
type node struct {
	text     string   // of a word or phrase
	prefix   bool     // word*
	quoted   bool     // "word", "a phrase"
	position int      // as of SyntaxError
	clauses  []clause // of a group, else nil
}

type clause struct {
	occur occur
	node  *node
}

func (n *node) words(list *[]string) {
	if n.clauses == nil {
		if text := strings.TrimSpace(n.text); text != "" {
			*list = append(*list, text)
		}
	}
	for _, c := range n.clauses {
		if c.occur != mustNot {
			c.node.words(list)
		}
	}
}

// parser reads a query from left to right.
type parser struct {
	text   string
	at     int // byte offset
	leaves int
}

// position returns that of a byte offset, in characters from 1.
func (p *parser) position(at int) int { return 1 + utf8.RuneCountInString(p.text[:at]) }

func (p *parser) fail(at int, format string, args ...any) error {
	return &SyntaxError{Position: p.position(at), Reason: fmt.Sprintf(format, args...)}
}

// space skips white space.
func (p *parser) space() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.text[p.at:], unicode.IsSpace))
}

// more reports whether something of the present group is left.
func (p *parser) more() bool {
	p.space()
	return p.at < len(p.text) && p.text[p.at] != ')'
}

// word returns the word at the parser, up to white space, a parenthesis or a
// quotation mark, without taking it.
func (p *parser) word() string {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"()`, r) })
	if end < 0 {
		return rest
	}
	return rest[:end]
}

// take takes the operator, if that is what stands at the parser.
func (p *parser) take(operator string) bool {
	if p.space(); p.word() != operator {
		return false
	}
	p.at += len(operator)
	return true
}

// group reads clauses up to the end of the text or of the parentheses.
func (p *parser) group(depth int) (*node, error) {
	start, g := p.at, &node{clauses: []clause{}}
	or := -1 // where an OR stands that waits for its right side
	for p.more() {
		at := p.at
		if p.take("OR") {
			switch {
			case or >= 0 || len(g.clauses) == 0:
				return nil, p.fail(at, "OR needs a word on both sides")
			case g.clauses[len(g.clauses)-1].occur == mustNot:
				return nil, p.fail(at, "what is excluded cannot be an alternative of OR")
			}
			or = at
			continue
		}
		more, err := p.conjunction(depth)
		if err != nil {
			return nil, err
		}
		if or >= 0 && more[0].occur == mustNot {
			return nil, p.fail(or, "what is excluded cannot be an alternative of OR")
		}
		or = -1
		g.clauses = append(g.clauses, more...)
	}
	switch {
	case or >= 0:
		return nil, p.fail(or, "OR needs a word on both sides")
	case len(g.clauses) == 0 && depth > 0:
		return nil, p.fail(p.at, "nothing stands in the parentheses")
	case len(g.clauses) == 0:
		return nil, p.fail(p.at, "the query is empty")
	case !hasPositive(g.clauses):
		return nil, p.fail(start, "everything is excluded: say what to find as well")
	case depth == 0 && p.at < len(p.text):
		return nil, p.fail(p.at, "this parenthesis was not opened")
	}
	return g, nil
}

func hasPositive(clauses []clause) bool {
	for _, c := range clauses {
		if c.occur != mustNot {
			return true
		}
	}
	return false
}

// conjunction reads clauses joined by AND and returns what they are to the
// group: one clause, or several that exclude.
func (p *parser) conjunction(depth int) ([]clause, error) {
	var all []clause
	for {
		c, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if !p.take("AND") {
			break
		}
		at := p.at - len("AND")
		if !p.more() || p.word() == "AND" || p.word() == "OR" {
			return nil, p.fail(at, "AND needs a word on both sides")
		}
	}
	if len(all) == 1 || !hasPositive(all) {
		return all, nil
	}
	for i := range all {
		if all[i].occur == should {
			all[i].occur = must
		}
	}
	return []clause{{should, &node{clauses: all}}}, nil
}

// unary reads a word, phrase or group and what stands before it.
func (p *parser) unary(depth int) (clause, error) {
	p.space()
	start, o := p.at, should
	if p.take("NOT") {
		o = mustNot
		p.space()
	} else if c := p.text[p.at]; c == '+' || c == '-' {
		o = must
		if c == '-' {
			o = mustNot
		}
		p.at++
	}
	if o != should {
		operator := strings.TrimSpace(p.text[start:p.at])
		next, _ := utf8.DecodeRuneInString(p.text[p.at:])
		if p.at == len(p.text) || unicode.IsSpace(next) || strings.ContainsRune("+-)", next) {
			return clause{}, p.fail(start, "%s needs a word, a phrase or parentheses behind it", operator)
		}
		if w := p.word(); w == "AND" || w == "OR" || w == "NOT" {
			return clause{}, p.fail(p.at, "%s cannot stand behind %s", w, operator)
		}
	}
	n, err := p.primary(depth)
	return clause{o, n}, err
}

// primary reads a word, a phrase or a group.
func (p *parser) primary(depth int) (*node, error) {
	start := p.at
	switch p.text[p.at] {
	case '(':
		if depth == MaxDepth {
			return nil, p.fail(start, "more than %d parentheses stand in each other", MaxDepth)
		}
		p.at++
		g, err := p.group(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.at == len(p.text) {
			return nil, p.fail(start, "this parenthesis is not closed")
		}
		p.at++
		return g, nil
	case '"':
		end := strings.IndexByte(p.text[start+1:], '"')
		if end < 0 {
			return nil, p.fail(start, "this quotation mark is not closed")
		}
		p.at += end + 2
		n, err := p.leaf(start, p.text[start+1:start+1+end], false)
		if err == nil {
			n.quoted = true
		}
		return n, err
	}
	word := p.word()
	if word == "AND" {
		return nil, p.fail(start, "AND needs a word on both sides")
	}
	p.at += len(word)
	text, prefix := strings.CutSuffix(word, "*")
	if i := strings.IndexByte(text, '*'); i >= 0 || prefix && text == "" {
		return nil, p.fail(start+max(i, 0), "* stands at the end of a word alone; for the character, quote it")
	}
	return p.leaf(start, text, prefix)
}

func (p *parser) leaf(at int, text string, prefix bool) (*node, error) {
	if p.leaves++; p.leaves > MaxClauses {
		return nil, p.fail(at, "more than %d words and phrases", MaxClauses)
	}
	return &node{text: text, prefix: prefix, position: p.position(at)}, nil
}
