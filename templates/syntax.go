package templates

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aymerick/raymond/lexer"
)

// raymond's parser, when it meets a syntax error, leaves its lexer's goroutine
// waiting for ever to hand over the next token. So a template reaches the parser
// only after this recogniser of the same grammar has passed it; it reads tokens
// that were collected to the end, and so leaves nothing behind. A fuzz test holds
// the two together.

const (
	// maxNesting bounds blocks in blocks, and parentheses in parentheses.
	maxNesting = 100
	// maxElseChain bounds the "else if"s of one block, which raymond nests.
	maxElseChain = 1000
)

type recogniser struct {
	src   string
	toks  []lexer.Token
	pos   int
	err   error
	depth int // of open blocks and parentheses
}

// recognise returns nil when raymond's parser accepts the tokens, which must end
// with the end of the template.
func recognise(src string, toks []lexer.Token) error {
	r := &recogniser{src: src, toks: toks}
	r.program()
	if r.err == nil && r.kind() != lexer.TokenEOF {
		if k := r.kind(); k == lexer.TokenInverse || k == lexer.TokenOpenInverseChain {
			r.fail("else outside a block")
		} else {
			r.unexpected("")
		}
	}
	return r.err
}

// lineAt returns the line, from 1, of a position in the template. The lexer's
// own count misses line breaks inside tags.
func lineAt(src string, pos int) int {
	return 1 + strings.Count(src[:min(pos, len(src))], "\n")
}

func badTemplate(src string, pos int, format string, args ...any) error {
	return &TemplateError{Line: lineAt(src, pos), Reason: fmt.Sprintf(format, args...)}
}

func (r *recogniser) token() lexer.Token    { return r.toks[r.pos] }
func (r *recogniser) kind() lexer.TokenKind { return r.toks[r.pos].Kind }

// kindAfter is the kind of the next token but one.
func (r *recogniser) kindAfter() lexer.TokenKind {
	return r.toks[min(r.pos+1, len(r.toks)-1)].Kind
}

// next consumes a token; the last one, the end, stays.
func (r *recogniser) next() lexer.Token {
	t := r.toks[r.pos]
	r.pos = min(r.pos+1, len(r.toks)-1)
	return t
}

// fail keeps the first error. Every loop below ends once there is one.
func (r *recogniser) fail(format string, args ...any) {
	if r.err == nil {
		r.err = badTemplate(r.src, r.token().Pos, format, args...)
	}
}

func (r *recogniser) unexpected(want string) {
	what := "the end of the template"
	if r.kind() != lexer.TokenEOF {
		what = quote(r.token().Val)
	}
	if want == "" {
		r.fail("unexpected %s", what)
	} else {
		r.fail("%s expected, not %s", want, what)
	}
}

// quote quotes a piece of a template, cut to a readable length.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strconv.Quote(s)
}

func (r *recogniser) expect(kind lexer.TokenKind, want string) {
	if r.kind() != kind {
		r.unexpected(want)
		return
	}
	r.next()
}

// enter and leave count what is open, for the sake of the stack.
func (r *recogniser) enter() {
	if r.depth++; r.depth > maxNesting && r.err == nil {
		r.err = overLimit("the template nests deeper than %d at line %d", maxNesting, lineAt(r.src, r.token().Pos))
	}
}

func (r *recogniser) leave() { r.depth-- }

// program : statement*
func (r *recogniser) program() {
	for r.err == nil {
		switch r.kind() {
		case lexer.TokenContent, lexer.TokenComment:
			r.next()
		case lexer.TokenOpen:
			r.mustache(lexer.TokenClose, "}}")
		case lexer.TokenOpenUnescaped:
			r.mustache(lexer.TokenCloseUnescaped, "}}}")
		case lexer.TokenOpenBlock:
			r.block(r.inverseChain)
		case lexer.TokenOpenInverse:
			r.block(r.inverse)
		case lexer.TokenOpenRawBlock:
			r.rawBlock()
		case lexer.TokenOpenPartial:
			r.fail("partials are not supported")
		default:
			return
		}
	}
}

// mustache : OPEN expression CLOSE
func (r *recogniser) mustache(closing lexer.TokenKind, want string) {
	r.next()
	r.expression()
	r.expect(closing, want)
}

// block : openBlock program otherwise? OPEN_ENDBLOCK helperName CLOSE
func (r *recogniser) block(otherwise func()) {
	r.enter()
	defer r.leave()
	start := r.token()
	name := r.openBlock()
	r.program()
	if r.err != nil {
		return
	}
	otherwise()
	if r.err == nil && r.kind() == lexer.TokenEOF {
		r.err = badTemplate(r.src, start.Pos, "block %s is not closed", quote(name))
		return
	}
	r.expect(lexer.TokenOpenEndBlock, "{{/"+name+"}}")
	r.closeName(name)
	r.expect(lexer.TokenClose, "}}")
}

// openBlock : OPEN expression blockParams? CLOSE
func (r *recogniser) openBlock() (name string) {
	open := r.next()
	if r.kind() != lexer.TokenEOF && open.Kind == lexer.TokenOpenInverseChain && r.token().Pos == open.Pos+len(open.Val) {
		// raymond takes {{elsewhere}} for an else.
		r.fail("write {{this.else...}} for a field whose name begins with else")
		return ""
	}
	name = r.expression()
	if r.kind() == lexer.TokenOpenBlockParams {
		r.next()
		if r.kind() != lexer.TokenID {
			r.unexpected("a name")
		}
		for r.kind() == lexer.TokenID {
			r.next()
		}
		r.expect(lexer.TokenCloseBlockParams, "|")
	}
	r.expect(lexer.TokenClose, "}}")
	return name
}

// inverseChain : (OPEN_INVERSE_CHAIN ... CLOSE program)* inverse?
func (r *recogniser) inverseChain() {
	for n := 0; r.err == nil && r.kind() == lexer.TokenOpenInverseChain; n++ {
		if n == maxElseChain {
			r.err = overLimit("a block of the template has more than %d else-ifs", maxElseChain)
			return
		}
		r.openBlock()
		r.program()
	}
	r.inverse()
}

// inverse : INVERSE program
func (r *recogniser) inverse() {
	if r.err == nil && r.kind() == lexer.TokenInverse {
		r.next()
		r.program()
	}
}

// rawBlock : OPEN_RAW expression CLOSE_RAW CONTENT OPEN_END_RAW helperName CLOSE_RAW
func (r *recogniser) rawBlock() {
	r.next()
	name := r.expression()
	r.expect(lexer.TokenCloseRawBlock, "}}}}")
	r.expect(lexer.TokenContent, "text")
	r.expect(lexer.TokenOpenEndRawBlock, "{{{{/"+name+"}}}}")
	r.closeName(name)
	r.expect(lexer.TokenCloseRawBlock, "}}}}")
}

func (r *recogniser) closeName(open string) {
	if r.err != nil {
		return
	}
	pos := r.token().Pos
	if name := r.helperName(); r.err == nil && name != open {
		r.err = badTemplate(r.src, pos, "block %s is closed by %s", quote(open), quote(name))
	}
}

// expression : helperName param* (ID EQUALS param)*
func (r *recogniser) expression() (name string) {
	name = r.helperName()
	for r.err == nil && r.isParam() && !r.isHash() {
		r.param()
	}
	for r.err == nil && r.isHash() {
		r.next()
		r.next()
		r.param()
	}
	return name
}

func (r *recogniser) isHash() bool {
	return r.kind() == lexer.TokenID && r.kindAfter() == lexer.TokenEquals
}

func (r *recogniser) isParam() bool {
	switch r.kind() {
	case lexer.TokenOpenSexpr, lexer.TokenBoolean, lexer.TokenNumber, lexer.TokenString,
		lexer.TokenData, lexer.TokenID:
		return true
	}
	return false
}

// param : helperName | OPEN_SEXPR expression CLOSE_SEXPR
func (r *recogniser) param() {
	if r.kind() != lexer.TokenOpenSexpr {
		r.helperName()
		return
	}
	r.enter()
	defer r.leave()
	r.next()
	if r.err == nil {
		r.expression()
	}
	r.expect(lexer.TokenCloseSexpr, ")")
}

// helperName : BOOLEAN | NUMBER | STRING | DATA? path
//
// It returns the name in the form in which raymond compares it with the name
// that closes a block.
func (r *recogniser) helperName() string {
	switch r.kind() {
	case lexer.TokenBoolean, lexer.TokenString:
		return r.next().Val
	case lexer.TokenNumber:
		v, precision, err := 0.0, -1, error(nil)
		if n, e := strconv.Atoi(r.token().Val); e == nil {
			v, precision = float64(n), 0
		} else {
			v, err = strconv.ParseFloat(r.token().Val, 64)
		}
		if err != nil {
			r.fail("bad number %s", quote(r.token().Val))
			return ""
		}
		r.next()
		return strconv.FormatFloat(v, 'f', precision, 64)
	case lexer.TokenData:
		r.next()
		return r.path("@")
	default:
		return r.path("")
	}
}

// path : ID (SEP ID)*
func (r *recogniser) path(name string) string {
	start := r.pos
	parts := false
	for {
		if r.kind() != lexer.TokenID {
			r.unexpected("a name")
			return ""
		}
		id := r.token().Val
		up := id == ".." || id == "." || id == "this"
		if up && parts {
			r.fail("%s must stand at the beginning of a path", quote(id))
			return ""
		}
		parts = parts || !up
		r.next()
		if r.kind() != lexer.TokenSep {
			break
		}
		r.next()
	}
	var b strings.Builder
	b.WriteString(name)
	for _, t := range r.toks[start:r.pos] {
		b.WriteString(t.Val)
	}
	return unbracket(b.String())
}

// unbracket takes the brackets off [a name].
func unbracket(s string) string {
	if len(s) >= 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}
