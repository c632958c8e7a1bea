package main

import (
	"strings"
	"testing"
)

// TestHelp: help alone and help with a command are what --help is, and every command
// has one, in a group.
func TestHelp(t *testing.T) {
	for _, c := range commands {
		code, stdout, stderr := call(t.Context(), nil, "help", c.name)
		_, want, _ := call(t.Context(), nil, c.name, "--help")
		if code != exitDone || stderr != "" || stdout != want || !strings.Contains(stdout, "Usage: vectorlink "+c.name) {
			t.Errorf("help %s: exit %d\n%s%s", c.name, code, stdout, stderr)
		}
	}
	code, all, _ := call(t.Context(), nil, "help")
	for _, c := range commands {
		if code != exitDone || strings.Contains(all, "\n  "+c.name+" ") == c.hidden() {
			t.Errorf("help: exit %d, without %s\n%s", code, c.name, all)
		}
	}
	for _, title := range groups {
		if !strings.Contains(all, "\n"+title+"\n") {
			t.Errorf("help has no %q", title)
		}
	}
}
