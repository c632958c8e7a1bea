package api

import (
	"net/http"
	"net/http/pprof"

	"github.com/vectorlink/vectorlink/service"
)

// profiles returns the routes below /debug/pprof, where go tool pprof asks. The command
// line is not among them: it may hold secrets.
func profiles() []route {
	read := []string{http.MethodGet, http.MethodHead, http.MethodPost}
	var list []route
	for path, serve := range map[string]http.HandlerFunc{
		"/debug/pprof":         pprof.Index,
		"/debug/pprof/{name}":  pprof.Index,
		"/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol":  pprof.Symbol,
		"/debug/pprof/trace":   pprof.Trace,
	} {
		list = append(list, route{path: path, needs: service.Admin | service.Whole, methods: read, handler: func(w http.ResponseWriter, r *http.Request) error {
			serve(w, r)
			return nil
		}})
	}
	return list
}
