package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/vectorlink/vectorlink/service"
)

// limited refuses requests beyond the client's rate, before their credentials
// are looked at: guessing those is limited too. What proxies say in headers of who
// the client is does not count: anybody can say it.
func (s *server) limited(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if wait := s.limiter.Take(service.Client(r.RemoteAddr)); wait > 0 {
			seconds := int64((wait + time.Second - 1) / time.Second)
			w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
			return service.Failure(errRate, "too many requests from this address: try again in %d s", seconds)
		}
		return next(w, r)
	}
}
