package templates_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vectorlink/vectorlink/templates"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// jsonList is a JSON list of n items.
func jsonList(item string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

// nest puts n loops over path into one another, around inside.
func nest(n int, path, inside string) string {
	return strings.Repeat("{{#each "+path+"}}", n) + inside + strings.Repeat("{{/each}}", n)
}

func TestLimits(t *testing.T) {
	ten := `{"a":` + jsonList("1", 10_000) + `,"s":"` + strings.Repeat("s", 1000) + `"}`
	for _, c := range []struct{ name, template, data string }{
		{"10,000 loops deep", nest(10_000, "@root.a", "x"), `{"a":[1]}`},
		{"5 loops deep", nest(5, "@root.a", "x"), `{"a":[1]}`},
		{"10,000 ifs deep", strings.Repeat("{{#if a}}", 6_000) + "x", `{"a":[1]}`},
		{"101 ifs deep", strings.Repeat("{{#if a}}", 101) + "x" + strings.Repeat("{{/if}}", 101), `{"a":[1]}`},
		{"8,000 parentheses deep", "{{len " + strings.Repeat("(len ", 8_000) + "a" + strings.Repeat(")", 8_000) + "}}", `{"a":1}`},
		{"2,000 else-ifs", "{{#if a}}" + strings.Repeat("{{else if a}}", 2_000) + "{{/if}}", `{"a":1}`},
		{"1 MB of text", strings.Repeat("x", 1<<20), `{}`},
		{"1 MB of tags", strings.Repeat("{{x}}", 1<<20/5), `{}`},
		{"blanks in a comment", "{{!" + strings.Repeat(" ", 60_000), `{}`},
		{"list indexes", strings.Repeat("{{a.0.b}}", 7_000), `{}`},
		{"4 loops over 24 items", nest(4, "@root.a", "{{this}}12345678"), `{"a":` + jsonList("1", 24) + `}`},
		{"4 loops over 10,000 items", nest(4, "@root.a", "{{this}}"), ten},
		{"4 loops that print nothing", nest(4, "@root.a", ""), ten},
		{"4 loops over what is not there", nest(4, "@root.a", "{{b.c.d}}{{#if b}}x{{/if}}"), ten},
		{"sections as loops", strings.Repeat("{{#@root.a}}", 4) + strings.Repeat("{{/@root.a}}", 4), ten},
		{"a list printed 1,000 times", nest(2, "@root.a", "{{@root.a}}"), ten},
		{"a string printed 10,000 times", "{{#each a}}{{@root.s}}{{/each}}", ten},
		{"comparisons", nest(4, "@root.a", "{{#if (eq @root.a @root.a)}}{{/if}}"), ten},
		{"lengths", nest(4, "@root.a", "{{#if (eq (len @root.s) @root.s.length)}}{{/if}}"), ten},
		{"nulls printed", nest(3, "@root.a", "{{@root.n}}"), `{"a":` + jsonList("1", 10_000) + `,"n":` + jsonList("null", 10_000) + `}`},
		{"a million items", "{{a.[0]}}", `{"a":` + jsonList("1", 1_000_000) + `}`},
		{"10,001 items", "x", `{"a":` + jsonList("1", 10_001) + `}`},
		{"10,001 members", "x", `{"a":1` + strings.Repeat(`,"a":1`, 10_000) + `}`},
		{"a million values", "x", `{"a":` + jsonList(jsonList("[]", 1_000), 1_000) + `}`},
		{"data 1,000,000 deep", "x", `{"a":` + strings.Repeat("[", 1_000_000)},
		{"data 101 deep", "x", `{"a":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`},
		{"a number of a megabyte", "x", `{"a":` + strings.Repeat("1", 1<<20) + `}`},
		{"a string of 2 MB", "{{a}}", `{"a":"` + strings.Repeat("a", 2<<20) + `"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A clock that goes on by a millisecond whenever it is looked at,
			// which is after so much work.
			const most = 200 * time.Millisecond
			r, at, looks := templates.New(templates.Limits{Time: most}), time.Unix(0, 0), 0
			r.SetClock(func() time.Time {
				looks++
				at = at.Add(time.Millisecond)
				return at
			})
			got, err := r.Render(t.Context(), c.template, []byte(c.data))
			if !errors.Is(err, templates.ErrLimit) || got != "" {
				t.Errorf("got %.40q, %v, want ErrLimit", got, err)
			}
			if looks > int(most/time.Millisecond)+2 {
				t.Errorf("worked on after the end of its time: %d looks at the clock", looks)
			}
			if err != nil && len(err.Error()) > 150 {
				t.Errorf("long error: %v", err)
			}
		})
	}
}

// TestWithinLimits holds the limits from the inside.
func TestWithinLimits(t *testing.T) {
	for _, c := range []struct {
		name           string
		limits         templates.Limits
		template, data string
		want           int // bytes of text
	}{
		{"4 loops", templates.Limits{}, nest(4, "@root.a", "x"), `{"a":[1,2]}`, 16},
		{"loops beside one another", templates.Limits{}, strings.Repeat(nest(4, "@root.a", "x"), 3), `{"a":[1]}`, 3},
		{"a loop after else", templates.Limits{Depth: 1}, "{{#each b}}{{else}}{{#each a}}x{{/each}}{{/each}}", `{"a":[1]}`, 1},
		{"deeper by choice", templates.Limits{Depth: 6}, nest(6, "@root.a", "x"), `{"a":[1]}`, 1},
		{"100 ifs", templates.Limits{}, strings.Repeat("{{#if a}}", 100) + "x" + strings.Repeat("{{/if}}", 100), `{"a":1}`, 1},
		{"1,000 else-ifs", templates.Limits{}, "{{#if b}}" + strings.Repeat("{{else if b}}", 999) + "{{else if a}}x{{/if}}", `{"a":1}`, 1},
		{"64 KiB of template", templates.Limits{}, strings.Repeat("x", 64<<10), `{}`, 64 << 10},
		{"1 MiB of text", templates.Limits{}, "{{a}}", `{"a":"` + strings.Repeat("a", 1<<20) + `"}`, 1 << 20},
		{"10,000 items", templates.Limits{}, "{{#each a}}{{this}}{{/each}}", `{"a":` + jsonList("1", 10_000) + `}`, 10_000},
		{"more of everything by choice", templates.Limits{TemplateBytes: 4 << 20, OutputBytes: 4 << 20, Items: 2_000_000, Time: time.Minute},
			"{{a}}" + strings.Repeat("x", 100<<10), `{"a":` + jsonList("1234567890123456789", 60_000) + `}`, 100<<10 + 21*60_000 - 2},
		{"data 99 deep", templates.Limits{}, "{{a}}", `{"a":` + strings.Repeat("[", 99) + "1" + strings.Repeat("]", 99) + `}`, 1},
	} {
		if c.limits.Time == 0 {
			c.limits.Time = time.Minute
		}
		got, err := templates.New(c.limits).Render(t.Context(), c.template, []byte(c.data))
		if err != nil || len(got) != c.want {
			t.Errorf("%s: got %d bytes, %v, want %d", c.name, len(got), err, c.want)
		}
	}
}

func TestContext(t *testing.T) {
	r := templates.New(templates.Limits{Time: time.Hour})
	endless, data := nest(4, "@root.a", ""), []byte(`{"a":`+jsonList("1", 10_000)+`}`)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Render(ctx, "{{a}}", data); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.Render(ctx, endless, data); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := r.Render(ctx, endless, data); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled during: got %v", err)
	}
}

// TestBadTemplatesLeaveNothing parses many distinct bad templates of every kind
// of syntax error. raymond's own Parse leaves a goroutine behind for each.
func TestBadTemplatesLeaveNothing(t *testing.T) {
	kinds := []string{
		"%d {{#if x}}", "%d {{/if}} {{a}} {{b}}", "{{#if x}} %d {{/each}} {{a}}", "%d {{else}} {{a}}", "{{(}} %d {{a}} {{b}}",
		"{{a b=}} %d {{c}}", "{{#each a as ||}} %d {{/each}}", "{{ %d", "{{shout x}} {{x}} %d", "{{> p}} {{x}} %d",
		"{{foo.this}} %d {{a}}", "{{{x}} %d {{a}}", "{{{{a}}}} %d {{{{/b}}}} {{a}}", "{{x}}} %d {{}} {{a}}", "{{len 0x1}} %d {{a}}",
		"{{!-- %d", "{{\"%d}}", "{{[%d}}", "{{x %d ~ }} {{a}}", "{{=%d}} {{a}}",
	}
	n := 4_000
	if os.Getenv("VECTORLINK_LONG") != "" {
		n = 100_000
	}
	r := templates.New(templates.Limits{})
	before := runtime.NumGoroutine()
	for i := range n {
		template := fmt.Sprintf(kinds[i%len(kinds)], i)
		if _, err := r.Program(template); !errors.Is(err, templates.ErrTemplate) {
			t.Fatalf("Program(%q) = %v, want ErrTemplate", template, err)
		}
	}
	goleak.VerifyNone(t)
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func FuzzRender(f *testing.F) {
	for _, template := range []string{
		peopleTemplate, "{{#each l as |v k|}}{{k}}{{v.s}}{{@../index}}{{else}}x{{/each}}", "{{~#if (eq n 1.0)~}} a {{else if s}}b{{/if}}",
		"{{l.0.s}} {{l.[1]}} {{lookup o \"k\"}} {{len l}}", "{{#o}}{{../s}}{{/o}}{{^f}}no{{/f}}", "{{{{raw}}}}{{x}}{{{{/raw}}}}",
		"\\{{s}} \\\\{{s}} {{! c }}{{!-- d --}}", "{{#with o}}{{this}}{{@root}}{{/with}}", "{{a.0.0b.1}}\r\n{{\r}}", "{{#if a}}{{/each}}",
		"{{> p}}", "{{\"s\"}}{{1}}{{true}}{{-1.5e3}}", "{{{", "{{#each l}}{{#each @root.l}}{{#each @root.l}}{{this}}{{/each}}{{/each}}{{/each}}",
	} {
		f.Add(template, `{"s":"str","n":1,"l":[{"s":"a"},"b"],"o":{"k":"v"},"t":true,"f":false,"e":"","z":0.0,"nul":null}`)
	}
	for _, data := range []string{"", "null", "{}", `{"a":[[[]]]}`, `{"a":{"a":{"a":1e5}}}`, `{"label":"\ud800","desc":["x",1,null]}`, `{"label":01}`} {
		f.Add(peopleTemplate, data)
	}
	r := templates.New(templates.Limits{OutputBytes: 1 << 16, TemplateBytes: 1 << 12, Time: 100 * time.Millisecond})
	f.Fuzz(func(t *testing.T, template, data string) {
		got, err := r.Render(t.Context(), template, []byte(data))
		known := errors.Is(err, templates.ErrTemplate) || errors.Is(err, templates.ErrData) ||
			errors.Is(err, templates.ErrLimit) || errors.Is(err, templates.ErrEmpty)
		if err != nil && (!known || got != "") {
			t.Fatalf("got %q, %v", got, err)
		}
		if len(got) > 1<<16 {
			t.Fatalf("got %d bytes", len(got))
		}
		if _, check := r.Program(template); errors.Is(err, templates.ErrTemplate) != errors.Is(check, templates.ErrTemplate) {
			t.Fatalf("Render: %v, Check: %v", err, check)
		}
		if again, err2 := r.Render(t.Context(), template, []byte(data)); err == nil && err2 == nil && again != got {
			t.Fatalf("got %q, then %q", got, again)
		}
		if n := runtime.NumGoroutine(); n > 1000 {
			t.Fatalf("%d goroutines", n)
		}
	})
}
