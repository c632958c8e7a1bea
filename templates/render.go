package templates

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The four reasons for which there is no text.
var (
	// ErrTemplate: the class's template is bad and stays so for every document
	// until somebody corrects it. The error is a [*TemplateError].
	ErrTemplate = errors.New("bad template")
	// ErrData: the document is not one valid JSON object in UTF-8.
	ErrData = errors.New("bad document")
	// ErrLimit: template, document, text or time went over one of the [Limits].
	ErrLimit = errors.New("over a limit")
	// ErrEmpty: the template was filled in and only white space came out, so
	// there is nothing to embed.
	ErrEmpty = errors.New("empty text")
)

// TemplateError says what is wrong with a template. It unwraps to [ErrTemplate].
type TemplateError struct {
	Line   int    // line of the template, from 1; 0 when not known
	Reason string // what to correct; may quote the template, never a document
}

func (e *TemplateError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("templates: %v: %s", ErrTemplate, e.Reason)
	}
	return fmt.Sprintf("templates: %v: line %d: %s", ErrTemplate, e.Line, e.Reason)
}

func (e *TemplateError) Unwrap() error { return ErrTemplate }

// overLimit makes the error for a limit that was passed.
func overLimit(format string, args ...any) error {
	return fmt.Errorf("templates: %w: %s", ErrLimit, fmt.Sprintf(format, args...))
}

// Limits bound one rendering. A field that is zero or negative takes its
// default.
type Limits struct {
	// TemplateBytes is the length of a template. Default 65,536 (64 KiB).
	TemplateBytes int
	// OutputBytes is the length of a text. Default 1,048,576 (1 MiB).
	OutputBytes int
	// Depth is how deep blocks that may repeat their content (each, with,
	// sections) may stand in one another; if and unless do not count. Default 4.
	Depth int
	// Time is for one rendering, reading the document included. Default 2 s. A
	// deadline of the context counts too.
	Time time.Duration
	// Items is how many items one list, or members one object, of a document may
	// hold; all its values together may be 16 times as many. Default 10,000.
	Items int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		TemplateBytes: cmp.Or(max(l.TemplateBytes, 0), 64<<10), OutputBytes: cmp.Or(max(l.OutputBytes, 0), 1<<20),
		Depth: cmp.Or(max(l.Depth, 0), 4), Time: cmp.Or(max(l.Time, 0), 2*time.Second), Items: cmp.Or(max(l.Items, 0), 10_000),
	}
}

// A Renderer fills in templates within its limits. It is safe for concurrent
// use and owns nothing that needs closing.
type Renderer struct {
	limits Limits
	cache  cache
	now    func() time.Time // the clock that Limits.Time goes by
}

// New returns a Renderer.
func New(l Limits) *Renderer {
	return &Renderer{limits: l.withDefaults(), now: time.Now}
}

// Render fills the template with data, one JSON object, and returns the text
// exactly as the template lays it out. The same template and the same object
// give the same text every time.
//
// The error is ErrTemplate, ErrData, ErrLimit or ErrEmpty, or the context's own
// when ctx is done.
func (r *Renderer) Render(ctx context.Context, template string, data []byte) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("templates: %w", err)
	}
	b := &budget{ctx: ctx, now: r.now, deadline: r.now().Add(r.limits.Time), limits: r.limits}
	prog, err := r.Program(template)
	if err != nil {
		return "", err
	}
	root, err := decode(data, b)
	if err != nil {
		return "", err
	}
	text, err := guard(func() (string, error) { return fill(prog, root, b) })
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("templates: %w", ErrEmpty)
	}
	return text, nil
}

// Program returns the parsed template, from the cache where it has been seen: its
// nodes and warnings are for whoever looks at templates without filling them in. Its
// error is one of ErrTemplate and ErrLimit, as Render's would be.
func (r *Renderer) Program(template string) (*Program, error) {
	if len(template) > r.limits.TemplateBytes {
		return nil, overLimit("the template has %d bytes, more than %d", len(template), r.limits.TemplateBytes)
	}
	return r.cache.entry(template, func() (*Program, error) {
		return guard(func() (*Program, error) { return parse(template, r.limits.Depth) })
	})()
}

// guard turns a panic into an error of the template that caused it: raymond
// panics on its own bugs, and one document must not end the process.
func guard[T any](f func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var none T
			result, err = none, &TemplateError{Reason: fmt.Sprintf("internal error: %v", p)}
		}
	}()
	return f()
}

// budget is what is left of one rendering. Work is counted in units of roughly a
// microsecond or less, and the clock is looked at every so many of them.
type budget struct {
	ctx      context.Context
	now      func() time.Time
	deadline time.Time
	limits   Limits
	left     int
}

// unitsPerLook keeps the cost of looking at the clock below a few per cent and
// the overrun of a deadline below a millisecond or so.
const unitsPerLook = 256

// spend takes n units and fails once the time is over.
func (b *budget) spend(n int) error {
	b.left -= n
	if b.left >= 0 {
		return nil
	}
	b.left = unitsPerLook
	if err := b.ctx.Err(); err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	if b.now().After(b.deadline) {
		return overLimit("not done within %v", b.limits.Time)
	}
	return nil
}

// spendBytes takes the units for work that is linear in n bytes.
func (b *budget) spendBytes(n int) error { return b.spend(1 + n/1024) }
