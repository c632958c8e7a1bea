package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
)

// fourCommits is a database whose main is c0, c1, c2, c3.
type fourCommits struct{}

func (fourCommits) Heads(context.Context, string) (map[string]string, error) {
	return map[string]string{"main": "c3"}, nil
}

func (fourCommits) Head(context.Context, string, string) (string, error) { return "c3", nil }

func (fourCommits) Ancestry(context.Context, string, string) iter.Seq2[contract.Ancestor, error] {
	return func(yield func(contract.Ancestor, error) bool) {
		for _, c := range []string{"c3", "c2", "c1", "c0"} {
			if !yield(contract.Ancestor{Commit: c}, nil) {
				return
			}
		}
	}
}

// TestWatchRetries checks that a commit that a server refuses for a reason
// which is not the commit's is asked for again, and one that it refuses for the
// commit's own sake passed over.
func TestWatchRetries(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		passed bool
	}{
		{http.StatusTooManyRequests, "rate_limited", false},
		{http.StatusUnauthorized, "unauthorized", false},
		{http.StatusGatewayTimeout, "timeout", false},
		{http.StatusServiceUnavailable, "busy", false},
		{http.StatusServiceUnavailable, "provider_down", false},
		{http.StatusInternalServerError, "internal", false},
		{http.StatusInternalServerError, "store_failed", false},
		{http.StatusBadGateway, "", false},
		{http.StatusBadRequest, "invalid_request", true},
		{http.StatusNotFound, "not_found", true},
		{http.StatusConflict, "conflict", true},
		{http.StatusInternalServerError, "damaged", true},
	} {
		t.Run(c.code, func(t *testing.T) {
			var mu sync.Mutex
			indexed := map[string]bool{"c0": true}
			refusals := 1
			mux := http.NewServeMux()
			mux.HandleFunc("/commits", func(w http.ResponseWriter, _ *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				var rows []map[string]string
				for c := range indexed {
					rows = append(rows, map[string]string{"commit": c})
				}
				_ = json.NewEncoder(w).Encode(rows)
			})
			mux.HandleFunc("/index", func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				commit := r.URL.Query().Get("commit")
				if commit == "c2" && refusals > 0 {
					refusals--
					if c.code != "" {
						w.Header().Set("Content-Type", "application/json")
					}
					w.WriteHeader(c.status)
					if c.code != "" {
						fmt.Fprintf(w, `{"error":"refused","code":%q}`, c.code)
					}
					return
				}
				indexed[commit] = true
				fmt.Fprint(w, "task-"+commit)
			})
			mux.HandleFunc("/check", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"status":"Complete","skipped":[]}`)
			})
			mux.HandleFunc("/assign", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
			srv := httptest.NewServer(mux)
			defer srv.Close()
			cl := newClient(srv.URL, "", contract.Secret{})
			defer cl.close()
			cl.patience = time.Minute
			w := indexer.NewWatcher(indexer.WatchConfig{
				Heads: fourCommits{}, Snapshots: remote{cl, &program{stdout: &output{Writer: io.Discard}, stderr: io.Discard}},
				Follow: []indexer.Followed{{Domain: "a/b"}},
			})
			for range 3 {
				_ = w.Once(t.Context()) // its error is the refusal
			}
			if indexed["c2"] == c.passed || !indexed["c3"] {
				t.Errorf("after %d %s: c2 indexed %v, c3 indexed %v", c.status, c.code, indexed["c2"], indexed["c3"])
			}
		})
	}
}
