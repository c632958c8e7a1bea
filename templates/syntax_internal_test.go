package templates

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aymerick/raymond/parser"
)

// What the recogniser passes, raymond's parser must accept: else it leaves a
// goroutine behind.
func mustAgree(t *testing.T, template string) (passed bool) {
	t.Helper()
	if len(template) > 1<<12 || checkText(template) != nil {
		return false
	}
	src, toks, err := normalise(template)
	if err != nil || recognise(src, toks) != nil {
		return false
	}
	if _, err := parser.Parse(src); err != nil {
		t.Fatalf("%q passed, but: %v", template, err)
	}
	return true
}

var fragments = []string{
	"{{", "}}", "{{#", "{{/", "{{^", "{{else", "}}", "}}", "}}", " ", "a", "b", "if", "each", " ", "(", ")", "=", "1", "1.5",
	`"s"`, "@", "index", ".", "/", "..", "this", "as |", "|", "{{{", "}}}", "{{{{", "}}}}", "{{{{/", "raw", "{{else}}", "{{#a}}",
	"{{/a}}", "{{^}}", "{{#if a}}", "{{/if}}", "~", "{{!x}}", "text", "\n", "[a b]", "[]", "true", "0x1", "-", "1e999",
	"{{else if a}}", "{{a.b}}", `\`, "{{&", "{{>", "'x'", "a=1", "{{1}}", "{{#1}}", "{{/1.0}}", "{{/1}}", `{{#"a"}}`, "{{#[a]}}",
	"{{/[a]}}", "{{#@a}}", "{{/@a}}", "\r", "\xff",
}

func TestSyntax(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, seed))
	passed := 0
	for range 6_000 {
		var b strings.Builder
		for range 1 + rng.IntN(9) {
			b.WriteString(fragments[rng.IntN(len(fragments))])
		}
		if mustAgree(t, b.String()) {
			passed++
		}
	}
	if passed < 600 {
		t.Errorf("seed %d: only %d templates passed", seed, passed)
	}
}

func FuzzSyntax(f *testing.F) {
	for _, s := range []string{
		"{{#if a}}x{{else if (eq b 1)}}y{{else}}z{{/if}}", "{{^a}}{{else}}{{/a}}", "{{{{raw}}}}x{{{{/raw}}}}", "{{#each a as |b c|}}{{/each}}",
		"{{a.0.b}}{{@../index}}{{[x y]}}{{len \"s\" x=(eq 1 2)}}", "{{#1}}{{/1.0}}", "{{else}}", "{{{a}}", "{{#a}}{{/b}}", "{{> a}}", "{{\r\na\r}}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, template string) { mustAgree(t, template) })
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	parsed := 0
	parse := func() (*Program, error) { parsed++; return nil, nil }
	for i := range 4 * cacheEntries {
		c.entry(strings.Repeat("x", i), parse)
		if len(c.young) > cacheEntries || len(c.old) > cacheEntries || c.bytes > cacheBytes {
			t.Fatalf("after %d: %d young of %d bytes, %d old", i, len(c.young), c.bytes, len(c.old))
		}
	}
	for i := range 4 * cacheEntries {
		c.entry(strings.Repeat("y", i), parse)
		if c.entry("kept", parse)(); parsed != 1 {
			t.Fatalf("an entry in use was dropped after %d", i)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		number number
		want   decimal
	}{
		{"0", decimal{}}, {"-0.00e7", decimal{}}, {"1", decimal{false, "1", 1}}, {"10", decimal{false, "1", 2}},
		{"-0.0120", decimal{true, "12", -1}}, {"12e-3", decimal{false, "12", -1}}, {"1.50E+2", decimal{false, "15", 3}},
	} {
		if got := c.number.decimal(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.number, got, c.want)
		}
	}
}

// A panic is an error of the template, not the end of the process.
func TestGuard(t *testing.T) {
	_, err := guard(func() (*Program, error) { panic("boom") })
	if !errors.Is(err, ErrTemplate) {
		t.Errorf("got %v, want ErrTemplate", err)
	}
}
