package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// Service is what pages need of a *service.Service.
type Service interface {
	DomainInfos(of func(domain string) bool) []search.DomainInfo
	Commits(domain string) ([]search.CommitInfo, error)
	Statistics(domain string) (search.Statistics, error)
	Tasks(domain string, state indexer.TaskState) ([]indexer.Task, error)
	Integrity(domain string) (search.Integrity, error)
	Search(ctx context.Context, req search.SearchRequest) (search.Hits, error)
	SearchDiff(ctx context.Context, req search.SearchDiffRequest) (search.SearchDiff, error)
	Similar(ctx context.Context, req search.SimilarRequest) (search.Hits, error)
	Document(ctx context.Context, req search.DocumentRequest) (search.Document, error)
	ListDocuments(ctx context.Context, req search.DocumentsRequest) (search.Documents, error)
	Diff(ctx context.Context, req search.DiffRequest) (search.Diff, error)
	Facets(ctx context.Context, domain string, ref search.Ref, most int) (*search.Facets, error)
	FieldValues(ctx context.Context, domain string, ref search.Ref, name string) (map[string]json.RawMessage, error)
	Duplicates(ctx context.Context, req pairs.DuplicatesRequest) (pairs.Pairs, error)
	DuplicatesProfile(ctx context.Context, req pairs.ProfileRequest) (pairs.Profile, error)
	Decide(ctx context.Context, req indexer.DecideRequest) ([]catalog.Decision, error)
	DecisionsAt(domain, commit string) ([]catalog.Decision, error)
	Clusters(ctx context.Context, req overview.ClustersRequest) (*overview.Clusters, error)
	ClustersDiff(ctx context.Context, req overview.ClustersDiffRequest) (*overview.ClustersDiff, error)
	Map(ctx context.Context, req overview.MapRequest) (*overview.Map, error)
}

// History is where the names of commits come from.
type History interface {
	Heads(ctx context.Context, domain string) (map[string]string, error)
	Ancestry(ctx context.Context, domain, commit string) iter.Seq2[contract.Ancestor, error]
}

// Watcher says how far followed branches are behind.
type Watcher interface {
	Lag(domain string) []indexer.BranchLag
}

// Config is what New needs to know.
type Config struct {
	Service Service // required
	History History // nil: commits are known by their ids
	Watcher Watcher // nil: no branch is followed
	// Templates reads and tries the templates of the document database; nil: it has none.
	Templates Templates
	// ReadOnly has pages offer nothing that changes something.
	ReadOnly bool
	// DocumentURL is the address of a document in the database's own interface, with
	// {domain}, {branch}, {commit} and {id} for the document's; empty: there is none.
	DocumentURL string
	// Price is what a million tokens cost; 0: not known.
	Price float64
	// OpenAPI is the contract that /ui/api shows.
	OpenAPI []byte
	Version string
	// Stopping is closed when the server begins to stop: streams end then.
	Stopping <-chan struct{}
	Logger   *slog.Logger // nil: nothing is logged
}

// Site answers requests under /ui/.
type Site struct {
	cfg   Config
	mux   *http.ServeMux
	names *names
	works *works
	// reference is the contract, read when it is first asked for.
	reference func() (*reference, error)
}

// New returns the Site. It must be closed.
func New(cfg Config) *Site {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Site{cfg: cfg, mux: http.NewServeMux(), names: newNames(cfg.History), works: newWorks()}
	s.reference = sync.OnceValues(func() (*reference, error) { return parseReference(cfg.OpenAPI) })
	s.routes()
	return s
}

// Close ends what is being worked out, and waits for it.
func (s *Site) Close() { s.works.close() }

// routes lists the pages. The address of one begins with /ui/ and the domain's two
// parts.
func (s *Site) routes() {
	s.page("GET /ui/{$}", s.home)
	s.page("GET /ui/events", s.events)
	s.page("GET /ui/static/{file}", s.static)
	s.page("GET /ui/about", s.about)
	s.page("GET /ui/api", s.api)
	for path, p := range map[string]func(*answer) error{
		"GET  ":           s.overview,
		"GET newer":       s.newer,
		"GET search":      s.search,
		"GET doc":         s.document,
		"GET changes":     s.changes,
		"GET duplicates":  s.duplicates,
		"POST duplicates": s.decide,
		"GET clusters":    s.clusters,
		"GET templates":   s.templatesPage,
		"GET map":         s.mapPage,
		"GET map/points":  s.mapPoints,
		"GET map/texts":   s.mapTexts,
		"GET map/ids":     s.mapIDs,
	} {
		method, rest, _ := strings.Cut(path, " ")
		pattern := method + " /ui/{org}/{db}"
		if rest = strings.TrimSpace(rest); rest != "" {
			pattern += "/" + rest
		}
		s.page(pattern, p)
	}
	s.page("/ui/", func(*answer) error { return fmt.Errorf("%w: there is no such page", contract.ErrNotFound) })
}

// answer is a request for a page, and the answer to it.
type answer struct {
	http.ResponseWriter
	r   *http.Request
	err error
}

func (s *Site) page(pattern string, p func(*answer) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
		a := w.(*answer)
		a.err = p(a)
	})
}

// Serve answers a request under /ui/, or returns why it cannot and has then written
// nothing.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request) error {
	a := &answer{ResponseWriter: w, r: r}
	h := w.Header()
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// The mux hands the request on with its path's values set.
	s.mux.ServeHTTP(a, r)
	return a.err
}

// policy is what a browser may do with a page: scripts are of this origin and htmx's
// elements bear the nonce.
const policy = "default-src 'none'; script-src 'self' 'nonce-%s'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx"

// render answers with the template of that name over data, which embeds the frame.
func (s *Site) render(w http.ResponseWriter, status int, name string, f *frame, data any) error {
	var page bytes.Buffer
	if err := templates[name].ExecuteTemplate(&page, "frame.html", data); err != nil {
		return fmt.Errorf("page: render %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", fmt.Sprintf(policy, f.Nonce))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // a reader who left is no fault
	return nil
}

// Refuse answers with why a request was not answered otherwise.
func (s *Site) Refuse(w http.ResponseWriter, r *http.Request, status int, reason, request string) error {
	f := s.frameOf(r, fmt.Sprintf("%d", status))
	return s.render(w, status, "error", f, struct {
		*frame
		Status  int
		Reason  string
		Request string
		Again   string
	}{f, status, reason, request, "?" + r.URL.RawQuery})
}

// see answers with another address, relative to that of the request.
func see(w http.ResponseWriter, address string) error {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// frame is what all pages have.
type frame struct {
	Root     string // leads to /ui/ from the page's address
	Nonce    string
	Title    string
	Active   string // the view
	Domain   string // "" where the page is about none
	At       moment
	AtGiven  string // as the address says it
	Branches []moment
	Follows  bool    // At is where its branch stands, and the address names no commit
	Older    *moment // the commit before and after At in its branch; nil: none
	Newer    *moment
	Recent   []moment // commits, newest first
	More     int      // commits that Recent leaves out
	Quiet    int      // others that it leaves out, because they changed nothing
	ReadOnly bool
	Drafts   bool // there are templates to be shown
	Version  string
	Refresh  int // seconds until the page is to be asked for again; 0: never
	query    url.Values
}

// frameOf returns the frame of a page that is about no domain.
func (s *Site) frameOf(r *http.Request, title string) *frame {
	depth := max(strings.Count(strings.TrimPrefix(r.URL.EscapedPath(), "/ui/"), "/"), 0)
	root := strings.Repeat("../", depth)
	if root == "" {
		root = "./"
	}
	return &frame{
		Root: root, Nonce: rand.Text(), Title: title, ReadOnly: s.cfg.ReadOnly || !service.CallerOf(r.Context()).May(service.Push), Drafts: s.cfg.Templates != nil,
		Version: s.cfg.Version, query: r.URL.Query(),
	}
}

// escaped returns a domain as two segments of a path.
func escaped(domain string) string {
	org, db, _ := strings.Cut(domain, "/")
	return url.PathEscape(org) + "/" + url.PathEscape(db)
}

// To returns the address of a view of the domain, at the commit that is looked at.
func (f *frame) To(view string, pairs ...string) string { return f.In(f.Domain, view, pairs...) }

// In returns the address of a view of a domain. Values that are empty are left out; the
// commit is the page's where pairs do not say another one.
func (f *frame) In(domain, view string, pairs ...string) string {
	path := f.Root + escaped(domain)
	if view != "" {
		path += "/" + view
	}
	q := make(url.Values)
	if domain == f.Domain && f.AtGiven != "" {
		q.Set("at", f.AtGiven)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// But returns the address of this page with other parameters; an empty value removes
// one.
func (f *frame) But(pairs ...string) string {
	q := make(url.Values)
	for name, values := range f.query {
		if values[0] != "" {
			q[name] = values
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "?" + q.Encode()
}

// Rest returns the parameters of the page's address but one, and but those that say how
// far a list has been read, for a form that changes that one.
func (f *frame) Rest(but string) (list []field) {
	for name, values := range f.query {
		for _, v := range values {
			if name != but && name != "start" && name != "page" && v != "" {
				list = append(list, field{name, v})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Given returns a parameter of the page's address.
func (f *frame) Given(name string) string { return f.query.Get(name) }

// Toggle returns the address of this page with one value of a parameter that may be
// repeated added, or removed where it is given.
func (f *frame) Toggle(name, value string) string {
	q := make(url.Values)
	for n, values := range f.query {
		q[n] = append([]string(nil), values...)
	}
	for i, v := range q[name] {
		if v == value {
			q[name] = append(q[name][:i], q[name][i+1:]...)
			return "?" + q.Encode()
		}
	}
	q.Add(name, value)
	return "?" + q.Encode()
}

// templates holds one set for each page, by its name.
var templates = parseTemplates("error", "home", "about", "api", "overview", "search", "doc", "changes", "duplicates", "clusters", "map", "templates")

func parseTemplates(names ...string) map[string]*template.Template {
	sets := make(map[string]*template.Template, len(names))
	for _, name := range names {
		sets[name] = template.Must(template.New(name).Funcs(functions).ParseFS(files, "tmpl/frame.html", "tmpl/parts.html", "tmpl/"+name+".html"))
	}
	return sets
}
