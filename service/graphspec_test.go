package service_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/vectorlink/vectorlink/service"
)

func TestParseGraphSpec(t *testing.T) {
	long := strings.Repeat("x", 128)
	tests := []struct {
		text string
		want service.GraphSpec
		ok   bool
	}{
		{"admin/star_wars", service.GraphSpec{Org: "admin", DB: "star_wars", Repo: "local"}, true},
		{"admin/star_wars/origin", service.GraphSpec{Org: "admin", DB: "star_wars", Repo: "origin"}, true},
		{"a/b/local/branch/dev", service.GraphSpec{Org: "a", DB: "b", Repo: "local", Branch: "dev"}, true},
		{"a/b/local/commit/k7", service.GraphSpec{Org: "a", DB: "b", Repo: "local", Commit: "k7"}, true},
		{"a%2Fb/c d", service.GraphSpec{Org: "a%2Fb", DB: "c d", Repo: "local"}, true}, // literal
		{"ä/…", service.GraphSpec{Org: "ä", DB: "…", Repo: "local"}, true},
		{long + "/" + long, service.GraphSpec{Org: long, DB: long, Repo: "local"}, true},
		{text: ""},
		{text: "a"},
		{text: "/"},
		{text: "a/"},
		{text: "/b"},
		{text: "a/b/"},
		{text: "a//b"},
		{text: "a/b/c/branch"},
		{text: "a/b/c/branch/"},
		{text: "a/b/c/tag/x"},
		{text: "a/b/c/Branch/x"},
		{text: "a/b/c/branch/x/y"},
		{text: "a/b/c/branch/x/y/z"},
		{text: "../b"},
		{text: "a/.."},
		{text: "a/."},
		{text: "a/b/../branch/x"},
		{text: "a/b/c/commit/.."},
		{text: "a/b\x00"},
		{text: "a/b\n"},
		{text: "a/\u0085b"},
		{text: "a/\xff"},
		{text: "a/b/local/branch/.-compact_rebuild_x"},
		{text: "a/x" + long},
	}
	for _, tt := range tests {
		got, err := service.ParseGraphSpec(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("ParseGraphSpec(%q) = %+v, %v; want %+v, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

// FuzzGraphSpec checks that whatever parses is safe.
func FuzzGraphSpec(f *testing.F) {
	for _, seed := range []string{
		"admin/star_wars", "a/b/local", "a/b/c/branch/main", "a/b/c/commit/k7", "a/b/c/tag/x",
		"../..", "a//b", "a/b/local/branch/.-x", "a/\x00", "a/\xff", "a/b/c/d/e/f/g", "%2e%2e/b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := service.ParseGraphSpec(text)
		if err != nil {
			return
		}
		for _, s := range []string{spec.Org, spec.DB, spec.Repo} {
			if s == "" || s == "." || s == ".." || strings.Contains(s, "/") || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%q parsed to the segment %q", text, s)
			}
		}
		if n := strings.Count(text, "/"); n != 4 && (spec.Branch != "" || spec.Commit != "") {
			t.Errorf("%q has %d slashes and names a branch or commit: %+v", text, n, spec)
		}
	})
}
