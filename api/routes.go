package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/vectorlink/vectorlink/service"
)

// route is one path, its methods and its handler.
type route struct {
	path    string
	methods []string
	handler handler
	open    bool // answers without credentials
	duplex  bool // answers while the body still comes
}

// table lists every endpoint. HEAD goes where GET only reads: /index and
// /assign change something, which a HEAD request must never do.
func (s *server) table() []route {
	var (
		read   = []string{http.MethodGet, http.MethodHead}
		query  = []string{http.MethodGet, http.MethodHead, http.MethodPost}
		change = []string{http.MethodGet, http.MethodPost}
	)
	return []route{
		{path: "/health/live", methods: read, handler: s.live, open: true},
		{path: "/health/ready", methods: read, handler: s.ready, open: true},
		{path: "/openapi.yaml", methods: read, handler: s.openapi, open: true},
		{path: "/docs", methods: read, handler: s.docs, open: true},
		{path: "/index", methods: change, handler: s.sameSite(s.index)},
		{path: "/push", methods: []string{http.MethodPost}, handler: s.sameSite(s.push), duplex: true},
		{path: "/check", methods: read, handler: s.check},
		{path: "/assign", methods: change, handler: s.sameSite(s.assign)},
		{path: "/search", methods: query, handler: s.search},
		{path: "/search/diff", methods: read, handler: s.searchDiff},
		{path: "/diff", methods: read, handler: s.diff},
		{path: "/documents", methods: read, handler: s.documents},
		{path: "/similar", methods: query, handler: s.similar},
		{path: "/suggest", methods: read, handler: s.suggest},
		{path: "/duplicates", methods: read, handler: s.duplicates},
		{path: "/candidates", methods: []string{http.MethodPost}, handler: s.candidates},
		{path: "/clusters", methods: read, handler: s.clusters},
		{path: "/clusters/diff", methods: read, handler: s.clustersDiff},
		{path: "/map", methods: read, handler: s.mapOf},
		{path: "/compare", methods: []string{http.MethodPost}, handler: s.compare},
		{path: "/embeddings", methods: query, handler: s.embeddings},
		{path: "/notify", methods: []string{http.MethodPost}, handler: s.sameSite(s.notify)},
		{path: "/domain", methods: []string{http.MethodDelete}, handler: s.sameSite(s.deleteDomain)},
		{path: "/branch-index", methods: []string{http.MethodDelete}, handler: s.sameSite(s.deleteBranchIndex)},
		{path: "/tags", methods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete}, handler: s.sameSite(s.tags)},
		{path: "/prune", methods: []string{http.MethodPost}, handler: s.sameSite(s.prune)},
		{path: "/pruned", methods: read, handler: s.pruned},
		{path: "/last-indexed", methods: read, handler: s.lastIndexed},
		{path: "/statistics", methods: read, handler: s.statistics},
		{path: "/integrity", methods: read, handler: s.integrity},
		{path: "/commits", methods: read, handler: s.commits},
		{path: "/domains", methods: read, handler: s.domains},
		{path: "/tasks", methods: read, handler: s.tasks},
		{path: "/document", methods: read, handler: s.document},
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
			h = s.limited(s.private(h))
		}
		if rt.duplex {
			h = s.duplex(h)
		}
		for _, m := range rt.methods {
			mux.Method(m, rt.path, s.handle(h))
		}
	}
	mux.NotFound(s.handle(noRoute))
	// The router ends here too for a method it has never heard of, whatever
	// the path.
	mux.MethodNotAllowed(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		i := slices.IndexFunc(table, func(rt route) bool { return rt.path == r.URL.Path })
		if i < 0 {
			return noRoute(w, r)
		}
		refuse := func(w http.ResponseWriter, _ *http.Request) error {
			allow := strings.Join(table[i].methods, ", ")
			w.Header().Set("Allow", allow)
			return service.Failure(errMethod, "this path answers to %s", allow)
		}
		if table[i].open {
			return refuse(w, r)
		}
		return s.limited(s.private(refuse))(w, r)
	}))
	return plainPath(mux)
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
