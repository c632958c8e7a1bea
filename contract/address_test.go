package contract_test

import (
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
)

func TestParseAddress(t *testing.T) {
	for address, want := range map[string]string{
		"http://localhost:6363":     "http://localhost:6363",
		"https://host/":             "https://host",
		"https://host/a/b//":        "https://host/a/b",
		"https://host/a%2Fb/":       "https://host/a%2Fb",
		"http://[::1]:80/v1":        "http://[::1]:80/v1",
		"":                          "",
		"host:80":                   "",
		"localhost":                 "",
		"://":                       "",
		"http://":                   "",
		"ftp://canary":              "",
		"http://canary/\x7f":        "",
		"http://canary:%zz@host":    "",
		"http://user:canary@host":   "",
		"http://canary@host":        "",
		"http://host?key=canary":    "",
		"http://host?":              "",
		"http://host/#canary":       "",
		"http://host:canary/health": "",
	} {
		u, err := contract.ParseAddress(address)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken for %s", address, u)
		case want == "" && strings.Contains(err.Error(), "canary"):
			t.Errorf("%q: the error shows it: %v", address, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q: got %v, %v, want %s", address, u, err, want)
		}
	}
}
