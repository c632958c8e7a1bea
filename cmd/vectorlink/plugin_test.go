package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
)

// notified is a watcher that notes what it is told.
type notified struct {
	mu       sync.Mutex
	branches []string
}

func (n *notified) Notify(domain, branch string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.branches = append(n.branches, domain+":"+branch)
	return true
}

func (*notified) Lag(string) []indexer.BranchLag { return nil }

// TestPlugin loads the database's plugin into SWI-Prolog, with the two of
// TerminusDB's libraries that it uses stubbed, and commits.
func TestPlugin(t *testing.T) {
	swipl, err := exec.LookPath("swipl")
	if err != nil {
		t.Skip("swipl is not installed: the plugin in contrib/terminusdb is not tested")
	}
	plugin, err := filepath.Abs("../../contrib/terminusdb/vectorlink_notify.pl")
	if err != nil {
		t.Fatal(err)
	}
	core, err := filepath.Abs("testdata/plugin/core")
	if err != nil {
		t.Fatal(err)
	}
	told := &notified{}
	srv := httptest.NewServer(api.New(api.Config{User: "boss", Secret: contract.NewSecret("hush:hush"), Watcher: told}, &fakeIndexer{}))
	defer srv.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then its end is noticed
		<-r.Context().Done()
	}))
	defer silent.Close()
	// commit returns what the plugin says on standard error.
	commit := func(env ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, swipl, "-q", "-g", "main", "-t", "halt", "testdata/plugin/commit.pl", "--", plugin, core)
		cmd.Env = environ(env...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdout, err := cmd.Output()
		if err != nil || string(stdout) != "hooked\n" {
			t.Errorf("%v, %s%s", err, stdout, &stderr)
		}
		if strings.Contains(stderr.String(), "hush") {
			t.Errorf("a secret is logged: %s", &stderr)
		}
		return stderr.String()
	}
	url, secret := "VECTORLINK_NOTIFY_URL="+srv.URL+"/notify", "VECTORLINK_NOTIFY_SECRET=hush:hush"
	if text := commit(url, secret, "VECTORLINK_NOTIFY_USER=boss"); text != "" {
		t.Error(text)
	}
	slices.Sort(told.branches)
	if want := []string{"admin/star_wars:fan", "admin/star_wars:main"}; !slices.Equal(told.branches, want) {
		t.Errorf("told of %v, want %v", told.branches, want)
	}
	told.branches = nil
	if text := commit(); text != "" {
		t.Errorf("without a URL: %s", text)
	}
	const line = "vectorlink_notify: admin/star_wars/local/branch/main was not told of: "
	if text := commit(url, secret); !strings.Contains(text, line) || !strings.Contains(text, "401") {
		t.Errorf("the wrong user: %q", text)
	}
	if text := commit("VECTORLINK_NOTIFY_URL=" + silent.URL); !strings.Contains(text, line) || !strings.Contains(text, "timeout") {
		t.Errorf("no answer: %q", text)
	}
	if len(told.branches) > 0 {
		t.Errorf("told of %v", told.branches)
	}
}
