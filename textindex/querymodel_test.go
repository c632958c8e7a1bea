package textindex_test

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/textindex"
)

// clause is a random clause of a query: a leaf, or a group of clauses, which
// stand side by side or are joined by AND.
type clause struct {
	sign    string // "", "+", "-", "NOT "
	phrase  []string
	prefix  bool // of phrase[0], which is the only one
	clauses []clause
	and     bool
}

// clause makes a random clause. Groups have something that is not excluded.
func (h *history) clause(depth int, leaves *int) clause {
	words := []string{"ship", "droids", "flying", "Engine", "hyperdrive", "rare7", "é", "the", "nowhere"}
	word := func() string { return words[min(h.rng.IntN(len(words)), h.rng.IntN(len(words)))] }
	var c clause
	switch n := h.rng.IntN(10); {
	case n < 2 && depth < 3 && *leaves < 40 || depth == 0:
		c.and = h.rng.IntN(3) == 0
		for i := range 1 + h.rng.IntN(4) {
			sub := h.clause(depth+1, leaves)
			if i > 0 {
				sub.sign = []string{"", "", "+", "-", "NOT "}[h.rng.IntN(5)]
			}
			c.clauses = append(c.clauses, sub)
		}
		return c
	case n < 4:
		for range 1 + h.rng.IntN(3) {
			c.phrase = append(c.phrase, word())
		}
	case n < 6:
		w := strings.ToLower(word())
		c.phrase, c.prefix = []string{w[:len(w)-h.rng.IntN(max(len(w)-1, 1))]}, true
		if w == "é" {
			c.phrase = []string{"e"}
		}
	default:
		c.phrase = []string{word()}
	}
	*leaves++
	return c
}

func (c clause) String() string {
	switch {
	case c.prefix:
		return c.sign + c.phrase[0] + "*"
	case len(c.phrase) == 1:
		return c.sign + c.phrase[0]
	case len(c.phrase) > 1:
		return c.sign + `"` + strings.Join(c.phrase, " ") + `"`
	}
	return c.sign + "(" + c.inside() + ")"
}

func (c clause) inside() string {
	var parts []string
	for _, sub := range c.clauses {
		parts = append(parts, sub.String())
	}
	if c.and {
		return strings.Join(parts, " AND ")
	}
	return strings.Join(parts, " ")
}

// key names the leaf; it is empty if the leaf does not count.
func (c clause) key(h *history) string {
	if c.prefix {
		return c.phrase[0] + "*"
	}
	words := h.look(strings.Join(c.phrase, " ")).Words
	if len(words) == 1 && textindex.Silent(words[0].Term) && !h.silent {
		return ""
	}
	var key strings.Builder
	for _, t := range words {
		fmt.Fprint(&key, t.Term, t.Position-words[0].Position, " ")
	}
	return key.String()
}

// count returns how often a text has the leaf.
func (c clause) count(h *history, text string) int {
	tokens, n := h.look(text).Words, 0
	if c.prefix {
		for _, t := range tokens {
			surface := strings.ReplaceAll(strings.ToLower(text[t.Start:t.End]), "é", "e")
			if !textindex.Silent(t.Term) && (strings.HasPrefix(surface, c.phrase[0]) || strings.HasPrefix(t.Term, c.phrase[0])) {
				n++
			}
		}
		return n
	}
	wanted := h.look(strings.Join(c.phrase, " ")).Words
	for _, start := range tokens {
		if start.Term != wanted[0].Term {
			continue
		}
		all := true
		for _, w := range wanted {
			all = all && slices.ContainsFunc(tokens, func(t textindex.Token) bool {
				return t.Term == w.Term && t.Position-start.Position == w.Position-wanted[0].Position
			})
		}
		if all {
			n++
		}
	}
	return n
}

// walk calls f with the leaves that have terms, in their order, and whether
// they stand where something is excluded.
func (c clause) walk(h *history, excluded bool, f func(leaf clause, excluded bool)) {
	excluded = excluded || c.sign == "-" || c.sign == "NOT "
	if c.clauses == nil && c.key(h) != "" {
		f(c, excluded)
	}
	for _, sub := range c.clauses {
		sub.walk(h, excluded, f)
	}
}

// truth is what a clause says of a document: nothing, if it has no terms.
type truth int

const (
	nothing truth = iota
	no
	yes
)

// judge decides about a document by the leaves that it has. For a clause that
// has nothing to look for it returns beside whether the document has what the
// clause excludes.
func (c clause) judge(h *history, has map[string]bool) (t truth, spoilt bool) {
	if c.clauses == nil {
		switch key := c.key(h); {
		case key == "":
			return nothing, false
		case has[key]:
			return yes, false
		}
		return no, false
	}
	positive, hit, missing, required := false, false, false, false
	for _, sub := range c.clauses {
		t, s := sub.judge(h, has)
		out := sub.sign == "-" || sub.sign == "NOT "
		must := !out && (c.and || sub.sign == "+")
		switch {
		case t == nothing:
			spoilt = spoilt || must && s
		case out:
			spoilt = spoilt || t == yes
		default:
			positive = true
			hit = hit || t == yes
			required = required || must
			missing = missing || must && t == no
		}
	}
	switch {
	case !positive:
		return nothing, spoilt
	case spoilt || missing || !hit && !required:
		return no, false
	}
	return yes, false
}

// checkQuery makes a random query and holds what the index finds against its
// definition.
func (h *history) checkQuery(c commit, x *textindex.Index) {
	h.t.Helper()
	leaves := 0
	root := h.clause(0, &leaves)
	h.silent = false
	t, _ := root.judge(h, nil)
	h.silent = t == nothing
	text := root.inside()
	q, err := textindex.Parse(text)
	if err != nil {
		h.t.Fatalf("Parse(%s): %v", text, err)
	}
	type chunk struct {
		found
		counts map[string]int
		length int
	}
	var chunks []chunk
	total, with, order := 0, map[string]int{}, []string{}
	scored, has := map[string]int{}, map[string]map[string]bool{}
	root.walk(h, false, func(leaf clause, excluded bool) {
		key := leaf.key(h)
		if !slices.Contains(order, key) {
			order = append(order, key)
		}
		if !excluded {
			scored[key]++
		}
	})
	for d, v := range c.docs {
		has[d] = map[string]bool{}
		for i, t := range v.chunks {
			ch := chunk{found{doc: d, ordinal: i}, map[string]int{}, len(slices.DeleteFunc(slices.Clone(h.look(t).Words), func(t textindex.Token) bool { return textindex.Silent(t.Term) }))}
			root.walk(h, false, func(leaf clause, _ bool) {
				key := leaf.key(h)
				if _, ok := ch.counts[key]; ok {
					return
				}
				ch.counts[key] = leaf.count(h, t)
				if ch.counts[key] > 0 {
					with[key]++
					has[d][key] = true
				}
			})
			total += ch.length
			chunks = append(chunks, ch)
		}
	}
	n, average := float64(len(chunks)), float64(total)/float64(len(chunks))
	var want []found
	for _, ch := range chunks {
		score := 0.0
		for _, key := range order {
			f, nt := float64(ch.counts[key]), float64(with[key])
			if f > 0 {
				score += float64(scored[key]) * math.Log((n-nt+0.5)/(nt+0.5)+1) * f * (1.2 + 1) / (f + 1.2*(1-0.75+0.75*float64(ch.length)/average))
			}
		}
		if t, _ := root.judge(h, has[ch.doc]); t == yes && score > 0 {
			ch.score = float32(score)
			want = append(want, ch.found)
		}
	}
	sortFound(want)
	got := h.find(c, x, q, 1<<30, nil)
	if len(got) != len(want) {
		h.t.Fatalf("%s finds %d chunks, want %d", text, len(got), len(want))
	}
	agree(h.t, got, want)
}
