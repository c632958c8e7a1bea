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
}

// leaf is what counts as one term: a term, a phrase of terms, or the words that
// begin with a prefix.
type leaf struct {
	elements []element
	bit      uint64 // its own, in a query with syntax
	scored   bool   // it stands somewhere where it is not excluded
	position int    // in the query, for errors
	weight   float64
}

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
	leaves   []*leaf
	known    map[string]*leaf // by their elements
}

func (x *Index) compile(q Query) (*compiled, error) {
	a, err := newAnalyzer(x.analyzer)
	if err != nil {
		return nil, fmt.Errorf("textindex: %w", err)
	}
	c := &compiler{analyzer: a, known: map[string]*leaf{}}
	if q.root == nil {
		a.each(q.text, func(t Token, _ string) {
			if t.Term != "" {
				c.leaf([]element{{term: t.Term}}, 0).scored = true
			}
		})
		return &compiled{leaves: c.leaves}, nil
	}
	root, excluded := c.rule(q.root, true)
	if root == nil {
		root = &rule{clauses: excluded} // there is nothing to look for; what is excluded still is
	}
	for len(root.clauses) == 1 && root.clauses[0].occur == should && root.clauses[0].rule.clauses != nil {
		root = root.clauses[0].rule // (a AND b) is a AND b
	}
	return &compiled{leaves: c.leaves, root: root}, nil
}

// leaf returns the leaf of the elements, which is one however often the query
// names it.
func (c *compiler) leaf(elements []element, position int) *leaf {
	var key strings.Builder
	for _, e := range elements {
		key.WriteString(strconv.Itoa(e.offset) + "\x00" + e.term + "\x00" + strconv.FormatBool(e.prefix) + "\x00")
	}
	l := c.known[key.String()]
	if l == nil {
		l = &leaf{elements: elements, position: position}
		if n := len(c.leaves); n < MaxClauses {
			l.bit = 1 << n
		}
		c.known[key.String()] = l
		c.leaves = append(c.leaves, l)
	}
	return l
}

// rule compiles a node. It is nil if nothing is left to look for without the
// words that have no term; what the node excludes is then returned beside.
func (c *compiler) rule(n *node, scored bool) (*rule, []ruled) {
	if n.clauses == nil {
		elements := c.elements(n)
		if len(elements) == 0 {
			return nil, nil
		}
		l := c.leaf(elements, n.position)
		l.scored = l.scored || scored
		return &rule{bit: l.bit}, nil
	}
	g, positive := &rule{}, false
	for _, cl := range n.clauses {
		r, excluded := c.rule(cl.node, scored && cl.occur != mustNot)
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

// elements returns the words of a word or phrase that have terms.
func (c *compiler) elements(n *node) []element {
	var elements []element
	surface, position := "", 0
	c.analyzer.each(n.text, func(t Token, s string) {
		surface, position = s, t.Position
		if t.Term != "" {
			elements = append(elements, element{offset: t.Position, term: t.Term})
		}
	})
	if n.prefix && surface != "" {
		// The last word is a beginning, even if as a word it would be dropped.
		if last := len(elements) - 1; last >= 0 && elements[last].offset == position {
			elements = elements[:last]
		}
		elements = append(elements, element{offset: position, term: surface, prefix: true})
	}
	for i := len(elements) - 1; i >= 0; i-- {
		elements[i].offset -= elements[0].offset
	}
	return elements
}
