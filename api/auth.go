package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/vectorlink/vectorlink/service"
)

// byItsName reports whether the request is meant for this server. Without a
// secret a server is for its own machine alone, and a page in a browser there
// could reach it under a name of its own that it has made to lead here (DNS
// rebinding): only names that always mean this machine count.
func (s *server) byItsName(r *http.Request) bool {
	if !s.access.Open() || s.cfg.Insecure {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	// The unspecified address leads to this machine as well, and no page has it.
	return err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

// admit returns the key of a request: that of its credentials, or of the request from
// outside that it is made for.
func (s *server) admit(r *http.Request) (*service.Key, error) {
	if !s.cfg.Inside {
		return s.access.Admit(r)
	}
	if c := service.CallerOf(r.Context()); c != nil {
		return c.Key, nil
	}
	return nil, service.Failure(service.ErrCredentials, "nobody asks for this")
}

// private lets only requests through whose key has a scope that the route needs, before
// anything else about them is looked at. Refusals and deletions are told to those
// who audit the log.
func (s *server) private(needs service.Scope, next handler) handler {
	return func(rw http.ResponseWriter, r *http.Request) error {
		w := logged(rw)
		key, err := s.admit(r)
		if key != nil {
			w.key = key.ID
		}
		if err != nil {
			s.audit(w, r, "denied", "", err)
			return err
		}
		if !s.byItsName(r) {
			return service.Failure(errCrossSite, "without a secret this server answers only to 127.0.0.1, [::1] and localhost, not to %.100q", r.Host)
		}
		ctx, caller := service.Call(r.Context(), key, needs)
		if err = caller.Require(needs); err == nil {
			err = next(w, r.WithContext(ctx))
		}
		if domain, what := caller.Noted(); what != "" {
			s.audit(w, r, what, domain, err)
		}
		return err
	}
}

// GuardMetrics returns a handler that lets requests through to the metrics: all of them as
// long as there is no file of keys, then those by a key for metrics.
func GuardMetrics(cfg Config, metrics http.Handler) http.Handler {
	s := newServer(cfg, nil)
	guarded := s.observe(s.handle("/metrics", s.limited(s.private(service.Metrics|service.Whole, func(w http.ResponseWriter, r *http.Request) error {
		metrics.ServeHTTP(w, r)
		return nil
	}))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cfg.Keys.Exist() {
			guarded.ServeHTTP(w, r)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// audit writes a line for those who look for who did or tried what.
func (s *server) audit(w *response, r *http.Request, what, domain string, err error) {
	attrs := []slog.Attr{
		slog.Bool("audit", true), slog.String(keyRequest, w.id), slog.String(keyKey, w.key), slog.String(keyRemote, r.RemoteAddr),
		slog.String(keyMethod, r.Method), slog.String(keyPath, loggedPath(r)), slog.String(keyDomain, domain),
	}
	level := slog.LevelInfo
	if err != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.String(keyError, err.Error()))
	}
	s.log.LogAttrs(r.Context(), level, what, attrs...)
}

// sameSite refuses requests that a browser sends on behalf of another site. The
// routes behind it change something even by GET, and a browser that knows the
// credentials would add them to a link on any page.
func (s *server) sameSite(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		asPost := *r
		asPost.Method = http.MethodPost // GET would count as harmless
		if s.origins.Check(&asPost) != nil {
			return service.Failure(errCrossSite, "a page of another site may not do this")
		}
		return next(w, r)
	}
}
