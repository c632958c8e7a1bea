package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/vectorlink/vectorlink/service"
)

// admits reports whether the request carries the credentials: as Basic ones,
// where the user ends at the first colon, or the secret alone as a Bearer
// token.
func (s *server) admits(r *http.Request) bool {
	if s.access.Open() {
		return true
	}
	if user, secret, ok := r.BasicAuth(); ok {
		return s.access.AdmitsUser(user, secret)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && s.access.AdmitsToken(strings.TrimSpace(token))
}

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

// private lets only requests with credentials through, before anything else
// about them is looked at.
func (s *server) private(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.admits(r) {
			return service.Failure(errCredentials, "missing or wrong credentials")
		}
		if !s.byItsName(r) {
			return service.Failure(errCrossSite, "without a secret this server answers only to 127.0.0.1, [::1] and localhost, not to %.100q", r.Host)
		}
		return next(w, r)
	}
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
