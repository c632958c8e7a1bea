package textindex

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// compiled is a query as the index's analyzer understands it.
type compiled struct {
	leaves []*leaf
	root   *rule // nil: any leaf will do
	fuzzy  Fuzzy
	spelt  int // letters of words that may be misspelt, so far
}

// leaf is what counts as one term: a term, a phrase of terms, or the words that
// begin with a prefix.
type leaf struct {
	elements []element
	bit      uint64  // its own, in a query with syntax; 0 for another spelling alone
	bits     uint64  // its own, and of the leaves that it is another spelling of
	count    int     // how often the query names it where it is not excluded
	share    float64 // of the weight of a term; less for another spelling
	position int     // in the query, for errors
	base     *leaf   // whose chunks count as having it when it is weighed
	chunks   int     // live ones that have it or its base
	weight   float64
	// word is the surface that may be misspelt, if it is the query's; of what
	// stands in for one, the word that was found.
	word  string
	close bool // stands in for a misspelt word
	// apart, if not nil, is the phrase of the word's parts, which stands in for it
	// where no chunk has it.
	apart *leaf
}

// variantShare is the share of what is found by another spelling.
const variantShare = 0.5

// element is one word of a phrase.
type element struct {
	offset int // in words from the first
	term   string
	prefix bool // term is the beginning of a surface
}

// rule decides about documents by the bits of the leaves that they have.
type rule struct {
	bit     uint64 // of a leaf; of a group 0
	clauses []ruled
}

type ruled struct {
	occur occur
	rule  *rule
}

// matches reports whether a document of these bits is a hit.
func (r *rule) matches(bits uint64) bool {
	if r.clauses == nil {
		return bits&r.bit != 0
	}
	any, required := false, false
	for _, c := range r.clauses {
		ok := c.rule.matches(bits)
		switch {
		case ok && c.occur == mustNot, !ok && c.occur == must:
			return false
		case c.occur == must:
			required = true
		}
		any = any || ok
	}
	return any || required
}

// meets reports whether a document of these bits has all that the group
// requires and nothing that it excludes.
func (r *rule) meets(bits uint64) bool {
	for _, c := range r.clauses {
		if c.occur != should && c.rule.matches(bits) != (c.occur == must) {
			return false
		}
	}
	return true
}

// conditional reports whether a group requires or excludes anything.
func (r *rule) conditional() bool {
	return slices.ContainsFunc(r.clauses, func(c ruled) bool { return c.occur != should })
}

// compiler makes a query out of its parts.
type compiler struct {
	analyzer *analyzer
	fuzzy    Fuzzy
	silent   bool // silent words are looked for, since there are no others
	leaves   []*leaf
	known    map[string]*leaf // by their elements
	own      int              // number of leaves that have a bit
}

func (x *Index) compile(q Query) (*compiled, error) {
	a, err := newAnalyzer(x.analyzer)
	if err != nil {
		return nil, fmt.Errorf("textindex: %w", err)
	}
	c := &compiler{analyzer: a, fuzzy: q.fuzzy, known: map[string]*leaf{}}
	if q.root == nil {
		c.plain(q.text)
		return &compiled{leaves: c.leaves, fuzzy: q.fuzzy}, nil
	}
	root, excluded := c.rule(q.root, true, should)
	if root == nil {
		*c = compiler{analyzer: a, fuzzy: q.fuzzy, silent: true, known: map[string]*leaf{}}
		root, excluded = c.rule(q.root, true, should)
	}
	if root == nil {
		root = &rule{clauses: excluded} // there is nothing to look for; what is excluded still is
	}
	for len(root.clauses) == 1 && root.clauses[0].occur == should && root.clauses[0].rule.clauses != nil {
		root = root.clauses[0].rule // (a AND b) is a AND b
	}
	return &compiled{leaves: c.leaves, root: root, fuzzy: q.fuzzy}, nil
}

// plain compiles the words of a text.
func (c *compiler) plain(text string) {
	var silent []word
	c.analyzer.each(text, sink{
		word: func(w word) {
			if w.Term == "" {
				silent = append(silent, w)
			} else {
				c.word(w, text, 0, 1)
			}
		},
		other: func(term string, words int) { c.joined(term, words, 0, 1) },
		loose: func(term string) { c.spelling([]element{{term: term}}, 0, nil).count++ },
	})
	if len(c.leaves) == 0 {
		for _, w := range silent {
			c.leaf([]element{{term: silentMark + w.surface}}, 0).count++
		}
	}
}

// leaf returns the leaf of the elements, which is one however often the query
// names it.
func (c *compiler) leaf(elements []element, position int) *leaf {
	l := c.spelling(elements, position, nil)
	l.share = 1
	if l.bit == 0 && c.own < MaxClauses {
		l.bit = 1 << c.own
		l.bits |= l.bit
		c.own++
	}
	return l
}

// spelling returns the leaf of the elements, of which it is not known to be
// named by the query. A new one is weighed with its base.
func (c *compiler) spelling(elements []element, position int, base *leaf) *leaf {
	var key strings.Builder
	for _, e := range elements {
		key.WriteString(strconv.Itoa(e.offset) + "\x00" + e.term + "\x00" + strconv.FormatBool(e.prefix) + "\x00")
	}
	l := c.known[key.String()]
	if l == nil {
		l = &leaf{elements: elements, position: position, share: variantShare, base: base}
		c.known[key.String()] = l
		c.leaves = append(c.leaves, l)
	}
	return l
}

// word adds a word of a text, which the query names so often, and returns its
// leaf.
func (c *compiler) word(w word, text string, position, times int) *leaf {
	l := c.leaf([]element{{term: w.Term}}, position)
	l.count += times
	if !w.pair {
		l.word = w.surface
	}
	if parts := split(text[w.Start:w.End]); !w.pair && len(parts) > 1 && len(parts) <= maxParts {
		l.apart = &leaf{share: variantShare}
		for i, part := range parts {
			f := c.analyzer.form(part)
			if f.term == "" {
				f.term = silentMark + f.surface
			}
			l.apart.elements = append(l.apart.elements, element{offset: i, term: f.term})
		}
	}
	c.variants(l, times, l.bits)
	return l
}

// variants adds a term as another spelling has it.
func (c *compiler) variants(l *leaf, times int, bits uint64) {
	v := c.spelling([]element{{term: variantMark + l.elements[0].term}}, l.position, l)
	v.count += times
	v.bits |= bits
}

// joined adds what so many of the query's words are when they are written as
// one, where the leaf of these bits is looked for.
func (c *compiler) joined(term string, words int, bits uint64, times int) {
	if words == 0 {
		return
	}
	l := c.spelling([]element{{term: term}}, 0, nil)
	l.count += times
	l.bits |= bits
	c.variants(l, times, bits)
}

// rule compiles a node. It is nil if nothing is left to look for without the
// silent words; what the node excludes is then returned beside.
func (c *compiler) rule(n *node, scored bool, o occur) (*rule, []ruled) {
	if n.clauses == nil {
		l := c.term(n, scored, o)
		if l == nil {
			return nil, nil
		}
		return &rule{bit: l.bit}, nil
	}
	g, positive := &rule{}, false
	for _, cl := range n.clauses {
		r, excluded := c.rule(cl.node, scored && cl.occur != mustNot, cl.occur)
		if r != nil {
			g.clauses = append(g.clauses, ruled{cl.occur, r})
			positive = positive || cl.occur != mustNot
		} else if cl.occur == must {
			g.clauses = append(g.clauses, excluded...)
		}
	}
	if !positive {
		return nil, g.clauses
	}
	return g, nil
}

// term returns the leaf of a word or phrase, nil if it is a silent word that does
// not count there.
func (c *compiler) term(n *node, scored bool, o occur) *leaf {
	times := 0
	if scored {
		times = 1
	}
	type join struct {
		term  string
		words int
	}
	var words []word
	var joins []join
	count := 0 // of the words that are no symbols
	c.analyzer.each(n.text, sink{
		word: func(w word) {
			if last := len(words) - 1; w.symbol && last >= 0 && words[last].Start == w.Start {
				return // a part of the same symbol
			}
			if !w.symbol {
				count++
			}
			words = append(words, w)
		},
		other: func(term string, words int) { joins = append(joins, join{term, words}) },
	})
	joined := func(l *leaf) {
		for _, j := range joins {
			if j.words == count {
				c.joined(j.term, j.words, l.bit, times)
			}
		}
	}
	silent := !slices.ContainsFunc(words, func(w word) bool { return w.Term != "" })
	switch {
	case len(words) == 0:
		return nil
	case n.prefix && !words[len(words)-1].symbol:
	case len(words) == 1 && !silent && !n.quoted:
		l := c.word(words[0], n.text, n.position, times)
		joined(l)
		return l
	case silent && len(words) == 1 && !n.quoted && !c.silent && (o == should || !words[0].symbol):
		return nil
	}
	elements := make([]element, len(words))
	for i, w := range words {
		elements[i] = element{offset: w.Position - words[0].Position, term: w.Term}
		if w.Term == "" {
			elements[i].term = silentMark + w.surface
		}
	}
	if last := len(words) - 1; n.prefix && !words[last].symbol {
		// It is a beginning, even if as a word it would be silent.
		elements[last].term, elements[last].prefix = words[last].surface, true
	}
	l := c.leaf(elements, n.position)
	l.count += times
	if !n.quoted && !n.prefix {
		joined(l)
	}
	return l
}
