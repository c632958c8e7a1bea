package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
)

// reading is a command that sends one request and prints the answer.
type reading struct {
	group, name, help string
	more              string  // of the help
	method, path      string  // GET if there is no method
	show              printer // of an answer for people; nil: nothing is printed
	requests          []any   // declare the flags, as pointers
	tags              tags    // of flags, as asks takes them
	// always are parameters that are sent unless they are given.
	always map[string]any
	// choose, if it is not nil, changes what is sent, and returns where to if it is not
	// the endpoint.
	choose func(asked map[string]any) (endpoint, error)
	// member is what --json calls the answer beside the commit; empty: the answer
	// stands alone.
	member string
	// lines says that the answer is JSON by lines, which --json leaves as they are.
	lines bool
	// between, if there is a path, answers where --from and --to are given in the place
	// of a commit.
	between endpoint
}

// endpoint is where a reading asks.
type endpoint struct {
	method, path string
	show         printer
}

// printer prints an answer for people.
type printer func(w io.Writer, c paint, a answered) error

// showing returns the printer of an answer that is decoded into a T.
func showing[T any](print func(w io.Writer, c paint, v *T, a answered)) printer {
	return func(w io.Writer, c paint, a answered) error {
		var v T
		if err := json.Unmarshal(a.body, &v); err != nil {
			return foreign(a.from, err)
		}
		print(w, c, &v, a)
		return nil
	}
}

// register adds the command.
func (r *reading) register() struct{} {
	return add(command{r.group, r.name, r.help, func() any {
		more := tags{}
		if r.between.path != "" {
			more["from"], more["to"] = `xor:"ref" required:""`, ""
		}
		maps.Copy(more, r.tags)
		return &readingCmd{reading: r, request: asks(more, r.requests...)}
	}, nil})
}

// readingCmd runs a reading.
type readingCmd struct {
	ClientConfig
	request
	reading *reading
}

// Help is shown by --help.
func (c *readingCmd) Help() string { return c.reading.more }

// Run runs the command.
func (c *readingCmd) Run(ctx context.Context, p *program) error {
	r, asked := c.reading, maps.Clone(c.reading.always)
	if asked == nil {
		asked = make(map[string]any)
	}
	given := c.values()
	maps.Copy(asked, given)
	to := endpoint{r.method, r.path, r.show}
	if r.choose != nil {
		other, err := r.choose(asked)
		if err != nil {
			return err
		}
		if other.path != "" {
			to = other
		}
	}
	if r.between.path != "" && (asked["from"] != nil || asked["to"] != nil) {
		if asked["from"] == nil || asked["to"] == nil {
			return usage("--from and --to go together")
		}
		to = r.between
	}
	a, err := p.send(ctx, c.ClientConfig, to.method, to.path, asked)
	a.asked, a.given = asked, given
	if err != nil || to.show == nil {
		return err
	}
	if !p.json {
		return to.show(p.stdout, p.paint(p.stdout), a)
	}
	raw := json.RawMessage(a.body)
	switch {
	case r.lines:
		_, err := p.stdout.Write(raw)
		return err
	case !json.Valid(raw):
		return to.show(io.Discard, paint{}, a) // tells what is wrong
	case r.member != "" && to.path == r.path:
		return printJSON(p.stdout, map[string]any{"commit": a.commit(), r.member: raw})
	}
	return printJSON(p.stdout, raw)
}

// send sends a request of these parameters: in its address, or where it is a POST as
// its body.
func (p *program) send(ctx context.Context, cfg ClientConfig, method, path string, asked map[string]any) (answered, error) {
	if method == http.MethodPost {
		return p.ask(ctx, cfg, method, path, nil, asked, nil)
	}
	return p.ask(ctx, cfg, cmp.Or(method, http.MethodGet), path, query(asked), nil, nil)
}
