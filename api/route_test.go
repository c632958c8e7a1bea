package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/service"
)

// deadlines is a client whose connection notes the deadline of writing.
type deadlines struct {
	*httptest.ResponseRecorder
	write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.write = t
	return nil
}

// TestRoutes: a route of another protocol stands behind the API's rules; its errors
// have its shape and the API's status; one that streams may take any time.
func TestRoutes(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.RawQuery == "fail" {
			return contract.ErrBusy
		}
		_, err := w.Write([]byte("x"))
		return err
	}
	shape := func(err error, status int, code, text string) any {
		return []any{errors.Is(err, contract.ErrBusy), status, code, text}
	}
	h := api.New(api.Config{Routes: []service.Route{
		{Path: "/a", Methods: []string{"POST"}, Answer: answer, Problem: shape},
		{Path: "/b", Methods: []string{"POST"}, Answer: answer, Streams: true},
	}}, &fake{})
	for _, tt := range []struct {
		method, target string
		status         int
		body           string
		endless        bool
	}{
		{"POST", "/a", 200, "x", false},
		{"POST", "/b", 200, "x", true},
		{"POST", "/a?fail", 503, `[true,503,"busy","busy"]`, false},
		{"POST", "/b?fail", 503, `{"error":"busy","code":"busy"}`, true},
		{"GET", "/a", 405, `[false,405,"method_not_allowed","this path answers to POST"]`, false},
		{"GET", "/b", 405, `{"error":"this path answers to POST","code":"method_not_allowed"}`, false},
	} {
		r := httptest.NewRequest(tt.method, tt.target, nil)
		r.Host = "localhost"
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if w.Code != tt.status || w.Body.String() != tt.body || w.write.IsZero() != tt.endless {
			t.Errorf("%s %s: got %d %s, until %v", tt.method, tt.target, w.Code, w.Body, w.write)
		}
	}
}
