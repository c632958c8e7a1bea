package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
)

// Templates is how the page reads the queries and templates of a database's schema, and
// tries others on its documents. It changes nothing.
type Templates interface {
	// Classes returns the classes that have documents of their own, by name.
	Classes(ctx context.Context, domain, commit string) ([]Template, error)
	// Try returns what a template makes of the documents of the given ids, or, with
	// none, of so many of its class, and what is wrong with it.
	Try(ctx context.Context, domain, commit string, t Template, ids []string, count int) (Trial, error)
}

// Template is how the documents of a class become texts.
type Template struct {
	Class    string
	Query    string
	Template string // "": they do not
	Problem  string // why the schema's cannot be read, "" for nothing
}

// Trial is what came of trying a Template.
type Trial struct {
	Documents []Tried
	Tried     int // documents that the findings are about
	Findings  []Finding
	Object    json.RawMessage // the class as the schema would hold it
}

// Tried is a document's text, or why it has none.
type Tried struct {
	ID             string
	Text           string
	Tokens, Chunks int
	Problem        string
}

// Finding is a mistake in a Template.
type Finding struct {
	Wrong bool   // it keeps documents out of the index; else it was hardly meant
	Part  string // query, template or documents
	Line  int    // 0: of no line
	Text  string
}

const (
	// triedDocuments is how many documents a template is shown on, maxTriedIDs how
	// many can be named.
	triedDocuments = 3
	maxTriedIDs    = 20
)

// triedText is a document as it is shown: Was is its text by the schema's template,
// where another one is tried.
type triedText struct {
	Tried
	Was *string
}

type templatesPage struct {
	*frame
	Problem string // why the schema cannot be read
	Classes []Template
	Chosen  *Template // as the schema has it; nil: none
	Draft   Template
	Edited  bool
	IDs     string // as given
	Trial   Trial
	Texts   []triedText
	JSON    string
	Request string
}

// templatesPage shows what documents of a class become by its template, or by the one
// that the address brings.
func (s *Site) templatesPage(a *answer) error {
	f, err := s.domainFrame(a, "Templates", "templates")
	if err != nil {
		return err
	}
	if s.cfg.Templates == nil {
		return fmt.Errorf("%w: this server has no document database whose templates could be shown", contract.ErrNotFound)
	}
	p := &templatesPage{frame: f, IDs: f.query.Get("id")}
	err = s.try(a.r.Context(), p)
	if errors.Is(err, contract.ErrSource) || errors.Is(err, contract.ErrNotFound) || errors.Is(err, contract.ErrInvalid) {
		p.Problem = err.Error()
	} else if err != nil {
		return err
	}
	return s.render(a, http.StatusOK, "templates", f, p)
}

// try fills in the page.
func (s *Site) try(ctx context.Context, p *templatesPage) (err error) {
	domain, commit := p.Domain, p.At.Commit
	if p.Classes, err = s.cfg.Templates.Classes(ctx, domain, commit); err != nil || len(p.Classes) == 0 {
		return err
	}
	name := p.query.Get("class")
	at := slices.IndexFunc(p.Classes, func(t Template) bool { return t.Class == name || name == "" && t.Template != "" })
	if at < 0 && name != "" {
		return fmt.Errorf("%w: the schema has no class %s with documents of its own", contract.ErrNotFound, clip(name, 80))
	}
	p.Chosen = &p.Classes[max(at, 0)]
	p.Title = "Template of " + p.Chosen.Class
	p.Draft = *p.Chosen
	for name, part := range map[string]*string{"query": &p.Draft.Query, "template": &p.Draft.Template} {
		if given := p.query[name]; len(given) > 0 {
			*part = strings.ReplaceAll(given[0], "\r\n", "\n") // as forms send it
		}
	}
	if p.Edited = p.Draft.Query != p.Chosen.Query || p.Draft.Template != p.Chosen.Template; p.Edited {
		p.Draft.Problem = ""
	}
	if len(p.Draft.Query)+len(p.Draft.Template) > maxForm {
		return fmt.Errorf("%w: query and template have more than %s together", contract.ErrInvalid, bytesOf(maxForm))
	}
	ids := strings.FieldsFunc(p.IDs, func(r rune) bool { return r == ',' || r == ' ' })
	if len(ids) > maxTriedIDs {
		return fmt.Errorf("%w: name at most %d documents", contract.ErrInvalid, maxTriedIDs)
	}
	p.Request = "vectorlink templates preview --domain " + domain + " --commit " + commit + " --class " + p.Chosen.Class
	if p.Trial, err = s.cfg.Templates.Try(ctx, domain, commit, p.Draft, ids, triedDocuments); err != nil {
		return err
	}
	before := make(map[string]string)
	if p.Edited && p.Chosen.Template != "" {
		was, err := s.cfg.Templates.Try(ctx, domain, commit, *p.Chosen, ids, triedDocuments)
		if err != nil {
			return err
		}
		for _, d := range was.Documents {
			before[d.ID] = d.Text
		}
	}
	for _, d := range p.Trial.Documents {
		t := triedText{Tried: d}
		if was, ok := before[d.ID]; ok && len(was)+len(d.Text) <= 2*maxCompared {
			t.Was = &was
		}
		p.Texts = append(p.Texts, t)
	}
	var object strings.Builder
	enc := json.NewEncoder(&object)
	enc.SetEscapeHTML(false) // < and & stay what they are in a template
	enc.SetIndent("", "  ")
	if p.Trial.Object != nil && !slices.ContainsFunc(p.Trial.Findings, func(f Finding) bool { return f.Wrong }) {
		err = enc.Encode(p.Trial.Object)
	}
	p.JSON = object.String()
	return err
}
