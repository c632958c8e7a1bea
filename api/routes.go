package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// route is one path, its methods and its handler.
type route struct {
	path    string
	methods []string
	handler handler
	open    bool          // answers without credentials
	needs   service.Scope // of a key, any of them; none: admin
	duplex  bool          // answers while the body still comes
	shape   func(err error, status int, code, text string) any
}

// table lists every endpoint. HEAD goes where GET only reads: /index and
// /assign change something, which a HEAD request must never do.
func (s *server) table() []route {
	var (
		read   = []string{http.MethodGet, http.MethodHead}
		query  = []string{http.MethodGet, http.MethodHead, http.MethodPost}
		change = []string{http.MethodGet, http.MethodPost}
		any    = service.Read | service.Index | service.Push
	)
	own := []route{
		{path: "/health/live", methods: read, handler: s.live, open: true},
		{path: "/health/ready", methods: read, handler: s.ready, open: true},
		{path: "/openapi.yaml", methods: read, handler: s.openapi, open: true},
		{path: "/docs", methods: read, handler: s.docs, open: true},
		{path: "/index", needs: service.Index, methods: change, handler: s.sameSite(with(anyParams, asking(s.index)))},
		{path: "/push", needs: service.Push, methods: []string{http.MethodPost}, handler: s.sameSite(with(queryParams, asking(s.push))), duplex: true},
		{path: "/check", needs: any, methods: read, handler: with(queryParams, asking(s.check))},
		{path: "/assign", needs: service.Index | service.Push, methods: change, handler: s.sameSite(with(anyParams, asking(s.assign)))},
		{path: "/search", needs: service.Read, methods: query, handler: versioned(s.timely(with(searchParams, s.search)))},
		{path: "/search/diff", needs: service.Read, methods: read, handler: s.timely(with(queryParams, reading(s, s.searchDiff)))},
		{path: "/diff", needs: service.Read, methods: read, handler: with(queryParams, reading(s, s.diff))},
		{path: "/documents", needs: service.Read, methods: read, handler: with(queryParams, reading(s, s.documents))},
		{path: "/similar", needs: service.Read, methods: query, handler: versioned(s.timely(with(jsonParams, reading(s, s.similar))))},
		{path: "/suggest", needs: service.Read, methods: read, handler: versioned(s.timely(with(queryParams, reading(s, s.suggest))))},
		{path: "/duplicates", needs: service.Read, methods: query, handler: with(queryParams, reading(s, s.duplicates))},
		{path: "/duplicates/profile", needs: service.Read, methods: query, handler: with(queryParams, reading(s, s.duplicatesProfile))},
		{path: "/decisions", needs: service.Read, methods: read, handler: s.sameSite(with(decisionsParams, s.decisions))},
		{path: "/decisions", needs: service.Push, methods: []string{http.MethodPost}, handler: s.sameSite(with(decisionsParams, s.decisions))},
		{path: "/candidates", needs: service.Read, methods: []string{http.MethodPost}, handler: with(jsonParams, reading(s, s.candidates))},
		{path: "/clusters", needs: service.Read, methods: read, handler: with(queryParams, reading(s, s.clusters))},
		{path: "/clusters/diff", needs: service.Read, methods: read, handler: with(queryParams, reading(s, s.clustersDiff))},
		{path: "/map", needs: service.Read, methods: read, handler: with(queryParams, reading(s, s.mapOf))},
		{path: "/compare", needs: service.Read, methods: []string{http.MethodPost}, handler: s.timely(with(jsonParams, asking(s.compare)))},
		{path: "/embeddings", needs: service.Read, methods: query, handler: with(embeddingsParams, s.embeddings)},
		{path: "/notify", needs: service.Index, methods: []string{http.MethodPost}, handler: s.sameSite(with(anyParams, asking(s.notify)))},
		{path: "/domain", needs: service.Admin, methods: []string{http.MethodDelete}, handler: s.sameSite(with(queryParams, asking(s.deleteDomain)))},
		{path: "/branch-index", needs: service.Admin, methods: []string{http.MethodDelete}, handler: s.sameSite(with(queryParams, asking(s.deleteBranchIndex)))},
		{path: "/tags", needs: service.Read, methods: read, handler: s.sameSite(with(anyParams, asking(s.tags)))},
		{path: "/tags", needs: service.Index | service.Push, methods: []string{http.MethodPost}, handler: s.sameSite(with(anyParams, asking(s.tag)))},
		{path: "/tags", needs: service.Index | service.Push, methods: []string{http.MethodDelete}, handler: s.sameSite(with(anyParams, asking(s.untag)))},
		{path: "/prune", needs: service.Admin, methods: []string{http.MethodPost}, handler: s.sameSite(with(anyParams, asking(s.prune)))},
		{path: "/pruned", needs: service.Read, methods: read, handler: with(queryParams, asking(s.pruned))},
		{path: "/last-indexed", needs: any, methods: read, handler: with(queryParams, asking(s.lastIndexed))},
		{path: "/statistics", needs: service.Read, methods: read, handler: with(queryParams, asking(s.statistics))},
		{path: "/integrity", needs: service.Read, methods: read, handler: with(queryParams, asking(s.integrity))},
		{path: "/commits", needs: service.Read, methods: read, handler: with(queryParams, asking(s.commits))},
		{path: "/domains", needs: any, methods: read, handler: with(queryParams, asking(s.domains))},
		{path: "/tasks", needs: any, methods: read, handler: with(queryParams, asking(s.tasks))},
		{path: "/document", needs: service.Read, methods: read, handler: with(queryParams, asking(s.document))},
		{path: "/snapshot", needs: service.Read, methods: read, handler: with(queryParams, reading(s, s.snapshot))},
		{path: "/snapshot", needs: service.Push, methods: []string{http.MethodPost}, handler: s.sameSite(with(queryParams, asking(s.importSnapshot))), duplex: true},
	}
	if s.cfg.Profile {
		own = append(own, profiles()...)
	}
	for _, rt := range s.cfg.Routes {
		h := s.timely(handler(rt.Answer))
		if rt.Streams {
			h = s.streaming(rt.Answer)
		}
		own = append(own, route{path: rt.Path, needs: rt.Needs, methods: rt.Methods, handler: s.sameSite(h), shape: rt.Problem})
	}
	return own
}

// shaped has errors answered in the shape of another protocol.
func shaped(shape func(error, int, string, string) any, next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		logged(w).shape = shape
		return next(w, r)
	}
}

// endpoint answers a request of these parameters, or returns why it could not and has
// then written nothing.
type endpoint func(w *response, r *http.Request, p *service.Params) error

// with returns the handler of an endpoint whose parameters are read so.
func with(params func(*http.Request) (*service.Params, error), e endpoint) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		began := time.Now()
		p, err := params(r)
		if err != nil {
			return err
		}
		logged(w).trace.Add(search.PartWait, time.Since(began))
		return e(logged(w), r, p)
	}
}

// asking returns the endpoint of a request that declares all of its parameters.
func asking[Request any](then func(w *response, r *http.Request, req *Request) error) endpoint {
	return func(w *response, r *http.Request, p *service.Params) error {
		var req Request
		p.Decode(&req)
		if err := accept(w, p); err != nil {
			return err
		}
		return then(w, r, &req)
	}
}

// reading is asking for a request that reads a commit.
func reading[Request any](s *server, then func(w *response, r *http.Request, req *Request) error) endpoint {
	return func(w *response, r *http.Request, p *service.Params) error {
		var req Request
		p.Decode(&req)
		if err := s.begin(w, p); err != nil {
			return err
		}
		return then(w, r, &req)
	}
}

// accept ends the decoding of a request, with what was wrong with its parameters.
func accept(w *response, p *service.Params) error {
	if err := p.Err(); err != nil {
		return err
	}
	w.domain, w.commit = p.Asked()
	return nil
}

// timely bounds the time of a search, that of embedding its text included.
func (s *server) timely(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SearchTimeout)
		defer cancel()
		return next(w, r.WithContext(ctx))
	}
}

// routes returns the router over the table. It is the only place that knows
// which router that is.
func (s *server) routes() http.Handler {
	mux := chi.NewRouter()
	table := s.table()
	for _, rt := range table {
		h := rt.handler
		if !rt.open {
			h = s.limited(s.private(rt.needs, h))
		}
		if rt.duplex {
			h = s.duplex(h)
		}
		if rt.shape != nil {
			h = shaped(rt.shape, h)
		}
		for _, m := range rt.methods {
			mux.Method(m, rt.path, s.handle(rt.path, h))
		}
	}
	mux.NotFound(s.handle(otherRoute, noRoute))
	// The router ends here too for a method it has never heard of, whatever
	// the path.
	mux.MethodNotAllowed(s.handle(otherRoute, func(w http.ResponseWriter, r *http.Request) error {
		i := slices.IndexFunc(table, func(rt route) bool { return rt.path == r.URL.Path })
		if i < 0 {
			return noRoute(w, r)
		}
		refuse := func(w http.ResponseWriter, _ *http.Request) error {
			var methods []string
			for _, rt := range table {
				if rt.path == table[i].path {
					methods = append(methods, rt.methods...)
				}
			}
			allow := strings.Join(methods, ", ")
			w.Header().Set("Allow", allow)
			return service.Failure(errMethod, "this path answers to %s", allow)
		}
		if table[i].open {
			return refuse(w, r)
		}
		logged(w).shape = table[i].shape
		return s.limited(s.private(service.Anything, refuse))(w, r)
	}))
	return s.paged(plainPath(mux))
}

const pagePath = "/ui/"

// paged has the page answer what is below /ui/, and leads there from / and /docs. Its own router
// knows the paths. A POST changes something; other methods of the page do not.
func (s *server) paged(next http.Handler) http.Handler {
	if s.cfg.Page == nil {
		return next
	}
	serve := handler(s.cfg.Page.Serve)
	get, post := s.handle(pagePath, s.limited(s.private(service.Read, serve))), s.handle(pagePath, s.limited(s.private(service.Push, s.sameSite(serve))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch read := r.Method == http.MethodGet || r.Method == http.MethodHead; {
		case read && (r.URL.Path == "/" || r.URL.Path == "/ui"):
			// Relative, so that it holds behind a prefix of the path; so are the next.
			w.Header().Set("Location", "./ui/")
			w.WriteHeader(http.StatusFound)
		case read && strings.TrimSuffix(r.URL.Path, "/") == "/docs":
			w.Header().Set("Location", strings.Repeat("../", strings.Count(r.URL.Path, "/")-1)+"ui/api")
			w.WriteHeader(http.StatusFound)
		case !strings.HasPrefix(r.URL.Path, pagePath):
			next.ServeHTTP(w, r)
		case read:
			get(w, r)
		default:
			post(w, r)
		}
	})
}

func noRoute(http.ResponseWriter, *http.Request) error {
	return service.Failure(errPath, "there is nothing at this path")
}

// plainPath takes one trailing slash off the path and routes on the decoded
// form, so that /search, /search/ and /%73earch are one path.
func plainPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.RawPath = ""
		if len(u.Path) > 1 {
			u.Path = strings.TrimSuffix(u.Path, "/")
		}
		r2 := *r
		r2.URL = &u
		next.ServeHTTP(w, &r2)
	})
}
