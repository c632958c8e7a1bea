package search_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/search"
)

// TestComplete checks the mode of a search that names none, and which syntax
// goes with a mode.
func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		req  search.SearchRequest
		want search.Mode // "": refused
	}{
		{search.SearchRequest{Text: "x"}, search.ModeHybrid},
		{search.SearchRequest{Text: "x", Vector: []float32{1}}, search.ModeHybrid},
		{search.SearchRequest{Vector: []float32{1}}, search.ModeVector},
		{search.SearchRequest{Text: "x", Mode: search.ModeText, Syntax: search.SyntaxQuery}, search.ModeText},
		{search.SearchRequest{Text: "x", Syntax: search.SyntaxQuery}, search.ModeHybrid},
		{search.SearchRequest{Text: "x", Mode: search.ModeVector, Syntax: search.SyntaxQuery}, ""},
	} {
		req := tt.req
		if err := req.Complete(); (err != nil) != (tt.want == "") || err == nil && req.Mode != tt.want {
			t.Errorf("%+v: mode %q, %v, want %q", tt.req, req.Mode, err, tt.want)
		}
	}
}
