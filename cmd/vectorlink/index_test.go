package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestCreationFlags: what is given of a database's settings goes to the server,
// and nothing else.
func TestCreationFlags(t *testing.T) {
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Encode()
		io.WriteString(w, "task-1")
	}))
	defer srv.Close()
	for _, tt := range []struct {
		flags []string
		want  string
	}{
		{nil, "commit=c&domain=a%2Fb"},
		{[]string{"--metric", "l2", "--normalize=false", "--language", "cjk", "--m", "8", "--ef-construction=50"},
			"commit=c&domain=a%2Fb&ef_construction=50&language=cjk&m=8&metric=l2&normalize=false"},
		{[]string{"--normalize"}, "commit=c&domain=a%2Fb&normalize=true"},
	} {
		args := append([]string{"index", "--domain", "a/b", "--commit", "c"}, tt.flags...)
		code, _, stderr := call(t.Context(), []string{"VECTORLINK_SERVER=" + srv.URL}, args...)
		if code != 0 || asked != tt.want {
			t.Errorf("%v: exit %d, asked for %s, want %s\n%s", tt.flags, code, asked, tt.want, stderr)
		}
	}
}
