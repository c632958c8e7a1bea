package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestUnknownParameters checks that nothing a request asks for is ignored: an
// unknown parameter or member is refused, and the error names the nearest known one.
func TestUnknownParameters(t *testing.T) {
	e := newEnv(t)
	search := "/search?domain=a/b&commit=k7&q=squid"
	for _, tt := range []struct{ target, body, near string }{
		{search + "&filters=price<1", "", "filter"},
		{search + "&limit=3", "", "count"},
		{search + "&top_k=3", "", "count"},
		{search + "&Count=3", "", "count"},
		{search + "&docType=Ship", "", "doc_type"},
		{search + "&doc-type=Ship", "", "doc_type"},
		{search + "&output_field[]=name", "", "output_fields"},
		{search + "&offset=3", "", "start"},
		{search + "&zzzzzz=1", "", "ancestor, branch, commit, count"},
		{search, `{"filters":"price<1"}`, "filter"},
		{search, `{"limit":null}`, "count"},
		{search, `{"Q":"no"}`, "q"},
		{"/search?domain=a/b&commit=k7&query=squid", "", "q is required"},
		{"/search?domain=a/b&commit=k7&query=squid", "", "did you mean q?"},
		{"/similar?domain=a/b&commit=k7&id=x&radius=1", "", ""},
		{"/similar?domain=a/b&commit=k7&id=x&k=1", "", "count"},
		{"/similar", `{"domain":"a/b","commit":"k7","id":"x","top_k":3}`, "count"},
		{"/suggest?domain=a/b&commit=k7&q=s&size=3", "", "count"},
		{"/duplicates?domain=a/b&commit=k7&treshold=1", "", "threshold"},
		{"/duplicates?domain=a/b&commit=k7&radius=1", "", "threshold"},
		{"/duplicates?domain=a/b&commit=k7&from=k1", "", "start"},
		{"/candidates", `{"domain":"a/b","commit":"k7","threshold_set":1,"limit":3}`, "k?"},
		{"/compare?method=embedding", `{"source":"a","target":"b","roles":"query"}`, "role"},
		{"/embeddings?domain=a/b&commit=k7&fromat=npy", "", "format"},
		{"/embeddings", `{"domain":"a/b","commit":"k7","document":"x"}`, "doc_id"},
		{"/index?domain=a/b&commit=k7&dryrun=true", "", "dry_run"},
		{"/check?task_id=x&wait=1", "", "task_id"},
		{"/check?task=x", "", "task_id is required"},
		{"/assign?domain=a/b&source_commit=x&target_commit=y&force=1", "", ""},
		{"/last-indexed?domain=a/b&commit=x", "", "branch"},
		{"/statistics?database=a/b", "", "domain"},
		{"/commits?domain=a/b&limit=1", "", ""},
		{"/tags?domain=a/b&name=x", "", "domain"},
		{"/pruned?domain=a/b&x=1", "", "domain"},
	} {
		req := request{target: tt.target}
		if tt.body != "" {
			req.method, req.media, req.body = "POST", "application/json", tt.body
		}
		code := "unknown_parameter"
		if strings.Contains(tt.target, "query=") || strings.Contains(tt.target, "task=x") {
			code = "missing_parameter"
		}
		e.do(req).wantError(t, 400, code, tt.near)
	}
	for _, target := range []string{"/push?domain=a/b&target_commit=c&streams=true", "/prune?domain=a/b&keep-last=3", "/notify?path=a/b&x=1"} {
		e.do(request{method: "POST", target: target}).wantError(t, 400, "unknown_parameter")
	}
	for _, target := range []string{"/domain?domain=a/b&purged=true", "/branch-index?domain=a/b&branch=x&purge=true"} {
		e.do(request{method: "DELETE", target: target}).wantError(t, 400, "unknown_parameter")
	}
	e.do(request{method: "POST", target: "/embeddings", media: "application/x-ndjson",
		body: "{\"domain\":\"a/b\",\"commit\":\"k7\"}\n{\"doc_id\":\"x\",\"limit\":3}"}).wantError(t, 400, "bad_parameter", "line 2", "limit")
	for target, near := range map[string]string{
		"/push?domain=a/b&commit_id=c":                                "did you mean target_commit?",
		"/search?domain=a/b&commit=k7&q=squid&mode=fts&vector=[1,0]":  "vector_b64",
		"/similar?domain=a/b&commit=k7&vector=[1,0]":                  "vector_b64",
		"/search?domain=a/b&commit=k7&q=squid&mode=fts&ancestor_id=c": "did you mean ancestor?",
	} {
		req := request{target: target}
		if strings.HasPrefix(target, "/push") {
			req.method = "POST"
		}
		e.do(req).wantError(t, 400, "", near)
	}
	e.untouched(t)
}

// TestPublishedClients sends what clients of both earlier servers send (wire contract
// §2.4, §8 and §11), some of which means nothing here.
func TestPublishedClients(t *testing.T) {
	e := newEnv(t)
	e.fake.more.Commit, e.fake.vecs.Commit = "k7", "k7"
	for _, req := range []request{
		{target: "/statistics?domain=a/b&commit=k7&ancestor=k6&ancestor=k5"},
		{target: "/integrity?domain=a/b&commit=k7&ancestor[]=k6"},
		{target: "/last-indexed?domain=a/b&branch=main"},
		{target: "/index?domain=a/b&commit=k7&previous=k6"},
		{target: "/assign?domain=a/b&source_commit=x&target_commit=y"},
		{method: "POST", target: "/search?domain=a/b&commit=k7&count=3", body: "squid"},
		{method: "POST", target: "/search?domain=x&commit=y&q=z", media: "application/json", body: `{"domain":"a/b","commit":"k7","q":"squid","mode":"fts","start":0,"count":3,"doc_type":["T"],"doc_id":["x"],"ancestors":["k6"],"snippet":true}`},
		{target: "/suggest?domain=a/b&commit=k7&q=s&count=3&doc_type=T&doc_id=x&ancestor=k6&branch=main"},
		{method: "POST", target: "/similar?domain=a/b&commit=k7&id=x&count=3", media: "application/json", body: `{"text":"x","id":"","ancestors":["k6"]}`},
		{target: "/duplicates?domain=a/b&commit=k7&threshold=0.1&doc_type=A&target_doc_type=B&doc_id=x&target_doc_id=y&snippet=true&start=0&count=5&ancestor=k6"},
		{method: "POST", target: "/candidates", media: "application/json", body: `{"domain":"a/b","commit":"k7","set_doc_types":["A"],"set_doc_ids":[],"target_doc_types":["B"],"target_doc_ids":[],"threshold_set":0.1,"threshold_target":0.2,"k":3,"include":"embeddings,content","ancestors":["k6"]}`},
		{target: "/embeddings?domain=a/b&commit=k7&doc_ids=x,y&doc_types=T&ancestors=k6&branch=main"},
		{method: "POST", target: "/embeddings", media: "application/json", body: `{"domain":"a/b","commit":"k7","branch":"main","doc_ids":["x"],"doc_types":["T"],"ancestors":["k6"],"stream":false}`},
		{method: "POST", target: "/embeddings", media: "application/x-ndjson", body: `{"domain":"a/b","commit":"k7","doc_id":"x","doc_types":["T"],"ancestors":["k6"]}` + "\n" + `{"domain":"a/b","commit":"k7","doc_id":"y"}`},
		{method: "POST", target: "/compare?method=embedding&role=query&domain=a/b&commit=k7&ancestor=k6", media: "application/json", body: `{"source":"a","target":"b"}`},
		{target: "/check?task_id=x"},
		{method: "DELETE", target: "/domain?domain=a/b"},
		{method: "DELETE", target: "/branch-index?domain=a/b&branch=main"},
	} {
		if got := e.do(req); got.status >= 400 {
			t.Errorf("%s %s %s: %d %s", req.method, req.target, req.body, got.status, got.body)
		}
		e.fake.calls = nil
	}
}

// TestUselessParameters compares the table of docs/wire.md with the program's.
func TestUselessParameters(t *testing.T) {
	source, err := os.ReadFile("params.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows, told []string
	for _, m := range regexp.MustCompile(`\n\t"(/[a-z-]+)": +\{(.*)\},`).FindAllStringSubmatch(string(source), -1) {
		rows = append(rows, m[1]+": "+strings.ReplaceAll(m[2], `"`, ""))
	}
	for _, m := range regexp.MustCompile(`\n\| (/[a-z-]+) \| (.*) \| ignored(?: where .*)? \|`).FindAllStringSubmatch(string(doc), -1) {
		told = append(told, m[1]+": "+m[2])
	}
	slices.Sort(rows)
	slices.Sort(told)
	if len(rows) < 3 || !slices.Equal(rows, told) {
		t.Errorf("docs/wire.md has %q, the program %q", told, rows)
	}
}

// TestOneNameForOneThing asks by the names that all endpoints have and by older ones.
func TestOneNameForOneThing(t *testing.T) {
	e := newEnv(t)
	e.fake.more.Commit, e.fake.vecs.Commit = "k7", "k7"
	set := search.Filter{Types: []string{"A", "B"}, IDs: []string{"x", "y"}}
	target := search.Filter{Types: []string{"C"}, IDs: []string{"z"}}
	filterOf := func(call any) (search.Filter, search.Filter) {
		switch c := call.(type) {
		case search.SearchRequest:
			return c.Filter, target
		case search.SimilarRequest:
			return c.Filter, target
		case search.SuggestRequest:
			return c.Filter, target
		case search.EmbeddingsRequest:
			return c.Filter, target
		case pairs.DuplicatesRequest:
			return c.Set, c.Target
		case pairs.CandidatesRequest:
			return c.Set, c.Target
		}
		return search.Filter{}, search.Filter{}
	}
	check := func(what string) {
		t.Helper()
		if got, to := filterOf(e.fake.last(t)); fmt.Sprint(got, to) != fmt.Sprint(set, target) {
			t.Errorf("%s: %v, %v", what, got, to)
		}
	}
	for _, path := range []string{"/search?q=s&", "/similar?id=i&", "/suggest?q=s&", "/embeddings?", "/duplicates?target_doc_type=C&target_doc_id=z&"} {
		for _, query := range []string{"doc_type=A&doc_type=B&doc_id=x&doc_id=y", "doc_types=A,B&doc_ids=x,y", "doc_types=A&doc_type=B&doc_ids=x&doc_id[]=y"} {
			e.get(path + "domain=a/b&commit=k7&" + query)
			check(path + query)
		}
	}
	for _, body := range []string{
		`"doc_type":["A","B"],"doc_id":["x","y"],"target_doc_type":["C"],"target_doc_id":["z"],"threshold":0.5`,
		`"set_doc_types":["A","B"],"set_doc_ids":["x","y"],"target_doc_types":["C"],"target_doc_ids":["z"],"threshold_set":0.5`,
	} {
		e.do(request{method: "POST", target: "/candidates", media: "application/json", body: `{"domain":"a/b","commit":"k7",` + body + `}`})
		check(body)
	}
	e.do(request{method: "POST", target: "/search", media: "application/json", body: `{"domain":"a/b","commit":"k7","q":"s","doc_type":["A"],"doc_types":["B"]}`}).
		wantError(t, 400, "bad_parameter", "doc_type", "doc_types")
	e.get("/assign?domain=a/b&source_commit=x&commit=y&target_commit=z").wantError(t, 400, "bad_parameter", "target_commit")
}

// TestIgnoredMembers checks that a task counts the members of operations that mean
// nothing.
func TestIgnoredMembers(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	body := `{"op":"Inserted","id":"d/A/1","string":"one","feilds":{"x":1},"extra":null}
{"op":"Deleted","id":"d/A/2","string":"two"}
{"op":"Changed","id":"d/A/3","string":"three","fields":null,"vector":null}
{"op":"Error","message":"x"}
`
	_, lines := l.stream("c1", body)
	if got := lines[len(lines)-1]["ignored_members"]; got != 3.0 {
		t.Errorf("%v are ignored, want 3", got)
	}
	got, _ := l.push("c2", body)
	if state := l.line(l.get("/check?task_id=" + got.body).body); state["ignored_members"] != 3.0 {
		t.Errorf("%v", state)
	}
	if _, lines = l.stream("c3", inserted("d/A/4", "four")); lines[len(lines)-1]["ignored_members"] != nil {
		t.Errorf("%v", lines)
	}
}

// TestCommitsOfBranch checks that the list of commits keeps to a branch.
func TestCommitsOfBranch(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted("d/A/1", "one"))
	l.mustPush("f1", inserted("d/A/2", "two"), "branch", "dev", "parent_commit", "c1")
	for query, want := range map[string]string{
		"domain=org/db": "f1 c1", "domain=org/db&branch=dev": "f1", "domain=org/db&branch=main": "c1", "domain=org/db/local/branch/dev": "f1",
	} {
		var list []search.CommitInfo
		if err := json.Unmarshal([]byte(l.get("/commits?"+query).body), &list); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range list {
			ids = append(ids, c.Commit)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	l.get("/commits?domain=org/db&branch=none").wantError(t, 404, "not_found", "none")
}
