package content_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/content"
)

const domain = "admin/star_wars"

// collect ranges over a pull's operations.
func collect(t *testing.T, p *contract.Pull) (ops []contract.Op) {
	t.Helper()
	for op, err := range p.Ops {
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return ops
}

func newContent(t *testing.T, h http.HandlerFunc, change ...func(*content.Config)) *content.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg := content.Config{URL: s.URL + "/content/", ForwardHeader: "X-User-Forward"}
	for _, f := range change {
		f(&cfg)
	}
	c, err := content.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContentPull(t *testing.T) {
	var asked string
	c := newContent(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String() + " as " + r.Header.Get("X-User-Forward")
		fmt.Fprint(w, `{"op":"Inserted","id":"A/1","string":"one"}`+"\n\n"+
			`{"string":"two","id":"A/2","op":"Changed","more":1}`+"\r\n"+
			`{"op":"Replaced","id":"A/3","string":""}`+"\n"+
			`{"op":"Deleted","id":"A/4"}`+"\n"+
			`{"op":"Error","id":"A/5","message":"no template"}`)
	})
	want := []contract.Op{
		{Kind: contract.Upsert, ID: "A/1", Text: "one"},
		{Kind: contract.Upsert, ID: "A/2", Text: "two"},
		{Kind: contract.Upsert, ID: "A/3"},
		{Kind: contract.Delete, ID: "A/4"},
		{Kind: contract.Failed, ID: "A/5"},
	}
	for _, k := range []struct {
		previous string
		indexed  bool
		asked    string
		base     string
		complete bool
	}{
		{"", true, "/content/admin/star_wars?commit_id=k%267 as admin", "", true},
		{"k6", true, "/content/admin/star_wars?commit_id=k%267&previous=k6 as admin", "k6", false},
		{"k6", false, "/content/admin/star_wars?commit_id=k%267 as admin", "", true},
	} {
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: "k&7", Branch: "main", Previous: k.previous,
			Indexed: func(string) bool { return k.indexed }})
		if err != nil {
			t.Fatal(err)
		}
		if p.Base != k.base || p.Complete != k.complete || !p.OnBranch || asked != k.asked {
			t.Errorf("pull %+v, asked %s; want %+v", p, asked, k)
		}
		got := collect(t, p)
		if len(got) != len(want) {
			t.Fatalf("got %+v", got)
		}
		for i, w := range want {
			g := got[i]
			if g.Kind != w.Kind || g.ID != w.ID || g.Text != w.Text || (g.Err != nil) != (w.Kind == contract.Failed) {
				t.Errorf("operation %d: %+v, want %+v", i, g, w)
			}
		}
		if err := got[4].Err; err == nil || !strings.Contains(err.Error(), "operation error: no template") {
			t.Errorf("error operation: %v", err)
		}
	}
}

// TestContentBroken: what cannot be read names the line and quotes nothing.
func TestContentBroken(t *testing.T) {
	const good = `{"op":"Deleted","id":"A/1"}` + "\n"
	for _, k := range []struct {
		name, body, says string
	}{
		{"no JSON", good + "canary", "line 2"},
		{"cut JSON", good + good + `{"op":"Inserted","id":"A/1","string":"cana`, "line 3"},
		{"not an object", "[]", "line 1"},
		{"unknown op", `{"op":"canary","id":"A/1"}`, "line 1"},
		{"abort", `{"op":"Abort"}`, "line 1"},
		{"no id", `{"op":"Inserted","string":"canary"}`, "line 1: id is missing"},
		{"no string", `{"op":"Inserted","id":"canary"}`, "line 1: string is missing"},
		{"null string", `{"op":"Inserted","id":"canary","string":null}`, "string is not a string"},
		{"number id", `{"op":"Deleted","id":7}`, "id is not a string"},
		{"id is missing", `{"op":"Deleted"}`, "id is missing"},
		{"not UTF-8", "{\"op\":\"Deleted\",\"id\":\"canary\xff\"}", "invalid UTF-8"},
		{"two on a line", strings.TrimSpace(good) + good, "line 1"},
	} {
		c := newContent(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, k.body) })
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: "k7"})
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range p.Ops {
			last = err
		}
		if !errors.Is(last, contract.ErrSource) || !strings.Contains(last.Error(), k.says) || strings.Contains(last.Error(), "canary") {
			t.Errorf("%s: %v, want one that says %q", k.name, last, k.says)
		}
	}
}

func TestContentRefused(t *testing.T) {
	for status, want := range map[int]error{404: contract.ErrNotFound, 400: contract.ErrSource, 401: contract.ErrSource, 500: contract.ErrSource, 302: contract.ErrSource, 204: contract.ErrSource} {
		c := newContent(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		if _, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: "k7"}); !errors.Is(err, want) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	c := newContent(t, func(w http.ResponseWriter, r *http.Request) {})
	if _, err := c.Pull(t.Context(), contract.PullRequest{Domain: "admin", Commit: "k7"}); !errors.Is(err, contract.ErrInvalid) {
		t.Errorf("bad domain: %v", err)
	}
	for _, cfg := range []content.Config{{}, {URL: "x"}, {URL: "http://x", ForwardHeader: "a b"}, {URL: "http://x", Timeout: -1}} {
		if _, err := content.NewClient(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

// TestContentCut: a stream that breaks off, falls silent or is cancelled is an
// error, after what came before.
func TestContentCut(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	start := func(w http.ResponseWriter) {
		fmt.Fprint(w, `{"op":"Deleted","id":"A/1"}`+"\n"+`{"op":"Del`)
		w.(http.Flusher).Flush()
	}
	for _, k := range []struct {
		name string
		h    http.HandlerFunc
		want error
		says string
	}{
		{"cut", func(w http.ResponseWriter, r *http.Request) { start(w); panic(http.ErrAbortHandler) }, contract.ErrSource, "closed"},
		{"silence", func(w http.ResponseWriter, r *http.Request) { start(w); <-release }, contract.ErrSource, "no answer within"},
		{"cancelled", func(w http.ResponseWriter, r *http.Request) { start(w); <-release }, context.Canceled, "canceled"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		c := newContent(t, k.h, func(cfg *content.Config) {
			if k.name == "silence" {
				cfg.Timeout = 100 * time.Millisecond
			}
		})
		p, err := c.Pull(ctx, contract.PullRequest{Domain: domain, Commit: "k7"})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		var last error
		for op, err := range p.Ops {
			if last = err; err == nil {
				ids = append(ids, op.ID)
				if k.name == "cancelled" {
					cancel()
				}
			}
		}
		if len(ids) != 1 || !errors.Is(last, k.want) || !strings.Contains(last.Error(), k.says) {
			t.Errorf("%s: %v, %v", k.name, ids, last)
		}
		cancel()
	}
}

// TestContentLines checks that the endpoint's lines are those of a push: with fields,
// after a byte order mark, with every text whole; and counts what nobody reads.
func TestContentLines(t *testing.T) {
	for _, k := range []struct {
		body string
		want contract.Op
		says string
	}{
		{body: `{"op":"Inserted","id":"a","string":"b","fields":{"y":2.0,"x":null}}`, want: contract.Op{Kind: contract.Upsert, ID: "a", Text: "b", Fields: `{"y":2}`}},
		{body: "\ufeff" + `{"op":"Deleted","id":"a","more":1}`, want: contract.Op{Kind: contract.Delete, ID: "a", Ignored: 1}},
		{body: `{"op":"Changed","id":"a","string":"b","vector":[1]}`, want: contract.Op{Kind: contract.Upsert, ID: "a", Text: "b", Ignored: 1}},
		{body: `{"op":"Inserted","id":"a","string":"b","fields":{"y":{}}}`, says: "line 1: fields"},
		{body: `{"op":"Inserted","id":"a\ud800","string":"b"}`, says: "surrogate"},
	} {
		c := newContent(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, k.body) })
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: "k7"})
		if err != nil {
			t.Fatal(err)
		}
		for op, err := range p.Ops {
			if (err != nil) != (k.says != "") || err != nil && !strings.Contains(err.Error(), k.says) || err == nil && !reflect.DeepEqual(op, k.want) {
				t.Errorf("%s: %+v, %v", k.body, op, err)
			}
		}
	}
}
