package templates

import "strings"

// Outline says what a template does with which values, for whoever looks at
// templates without filling them in.
type Outline struct {
	Parts    []Part
	Warnings []Warning // in order of lines
}

// PartKind says what a part of a template does with its value.
type PartKind int

const (
	Prints   PartKind = iota + 1 // {{x}}
	Tests                        // {{#if x}}, {{#unless x}}
	Enters                       // {{#with x}}
	Loops                        // {{#each x}}
	Sections                     // {{#x}}, {{^x}}: by the kind of the value
)

// Part is a value that is printed, or a block. Plain text is left out.
type Part struct {
	Kind PartKind
	// Value is the path of the value; nil where it is computed or a literal.
	Value *Path
	// Scalar: it has no path and is a text, a number or the like.
	Scalar bool
	// Others are the further paths that the part reads.
	Others []*Path
	Names  []string // of a block: as |value key|
	Body   []Part
	Else   []Part
}

// Path names a value: of a variable such as @root, or of the context some levels
// up, down through parts.
type Path struct {
	Line     int // of the template, from 1
	Up       int
	Variable string // without @; empty for a field
	Scoped   bool   // begins with this, . or ..: names of blocks do not count
	Parts    []string
}

// String writes the path as a template does.
func (p *Path) String() string {
	if p.Variable != "" {
		return strings.Join(append([]string{"@" + p.Variable}, p.Parts...), ".")
	}
	text := strings.Repeat("../", p.Up) + strings.Join(p.Parts, ".")
	if text == "" {
		return "this"
	}
	return text
}

// IsThis reports whether the path names the context itself.
func (p *Path) IsThis() bool { return p.Variable == "" && p.Up == 0 && len(p.Parts) == 0 }

// A Warning points at something in a valid template that its author can hardly
// have meant.
type Warning struct {
	Line int    // line of the template, from 1
	Text string // what to do about it
}

// Outline returns what a template does. Its error is one of ErrTemplate and
// ErrLimit, as Render's would be.
func (r *Renderer) Outline(template string) (Outline, error) {
	prog, err := r.program(template)
	if err != nil {
		return Outline{}, err
	}
	return Outline{Parts: outline(prog.body), Warnings: append([]Warning(nil), prog.warnings...)}, nil
}

func outline(nodes []node) []Part {
	var parts []Part
	for _, n := range nodes {
		switch n := n.(type) {
		case print:
			p := Part{Kind: Prints}
			p.value(n.value)
			parts = append(parts, p)
		case *block:
			p := Part{Kind: partKinds[n.kind], Names: n.params, Body: outline(n.body), Else: outline(n.otherwise)}
			p.value(n.value)
			if n.includeZero != nil {
				p.reads(n.includeZero)
			}
			parts = append(parts, p)
		}
	}
	return parts
}

var partKinds = map[blockKind]PartKind{
	blockSection: Sections, blockIf: Tests, blockUnless: Tests, blockWith: Enters, blockEach: Loops,
}

func (p *Part) value(e expr) {
	switch e := e.(type) {
	case *path:
		p.Value = e.outline()
		return
	case *call:
		p.Scalar = e.helper == "len" || e.helper == "eq"
	case literal:
		p.Scalar = true
	}
	p.reads(e)
}

// reads adds the paths in an expression.
func (p *Part) reads(e expr) {
	switch e := e.(type) {
	case *path:
		p.Others = append(p.Others, e.outline())
	case *call:
		for _, a := range e.args {
			p.reads(a)
		}
	}
}

func (p *path) outline() *Path {
	variable := p.variable
	if p.isVar && variable == "" {
		variable = "." // {{@.}}, which is never set
	}
	return &Path{Line: p.line, Up: p.up, Variable: variable, Scoped: p.scoped, Parts: p.parts}
}
