package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
)

// access knows the credentials, as hashes: hashes have one length, so that
// comparing them takes the same time whatever is offered.
type access struct {
	open         bool // no secret: everybody is let in
	insecure     bool // … by whatever name they call this server
	user, secret [sha256.Size]byte
}

func newAccess(user string, secret contract.Secret, insecure bool) *access {
	return &access{
		open:     secret.IsZero(),
		insecure: insecure,
		user:     sha256.Sum256([]byte(user)),
		secret:   sha256.Sum256([]byte(secret.Reveal())),
	}
}

// admits reports whether the request carries the credentials: as Basic ones,
// where the user ends at the first colon, or the secret alone as a Bearer
// token.
func (a *access) admits(r *http.Request) bool {
	if a.open {
		return true
	}
	if user, secret, ok := r.BasicAuth(); ok {
		// Both are compared before either counts.
		return equal(user, a.user)&equal(secret, a.secret) == 1
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && equal(strings.TrimSpace(token), a.secret) == 1
}

// byItsName reports whether the request is meant for this server. Without a
// secret a server is for its own machine alone, and a page in a browser there
// could reach it under a name of its own that it has made to lead here (DNS
// rebinding): only names that always mean this machine count.
func (a *access) byItsName(r *http.Request) bool {
	if !a.open || a.insecure {
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
	return err == nil && ip.Unmap().IsLoopback()
}

func equal(offered string, want [sha256.Size]byte) int {
	sum := sha256.Sum256([]byte(offered))
	return subtle.ConstantTimeCompare(sum[:], want[:])
}

// private lets only requests with credentials through, before anything else
// about them is looked at.
func (s *server) private(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.access.admits(r) {
			return failure(errCredentials, "missing or wrong credentials")
		}
		if !s.access.byItsName(r) {
			return failure(errCrossSite, "without a secret this server answers only to 127.0.0.1, [::1] and localhost, not to %.100q", r.Host)
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
			return failure(errCrossSite, "a page of another site may not do this")
		}
		return next(w, r)
	}
}
