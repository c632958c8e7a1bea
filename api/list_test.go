package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestDomains checks the list of databases, their heads, counts and sizes.
func TestDomains(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.get("/domains").wantBody(t, "[]")
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"))
	l.mustPush("f1", inserted("d/A/3", "three"), "branch", "dev", "parent_commit", "c1")
	l.mustPush("x1", inserted("d/A/1", "one"), "domain", "a/other")
	var list []search.DomainInfo
	if err := json.Unmarshal([]byte(l.get("/domains").body), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	if list[0].Domain != "a/other" || list[0].Documents != 1 || list[0].VectorBytes != 32*4 {
		t.Errorf("%+v", list[0])
	}
	d := list[1]
	if d.Domain != "org/db" || fmt.Sprint(d.Heads) != "[{dev f1 2} {main c1 1}]" || d.Commits != 2 || d.Documents != 5 || d.Chunks != 5 || d.CommitBytes == 0 || d.VectorBytes != 3*32*4 {
		t.Errorf("%+v", d)
	}
	l.get("/domains?limit=1").wantError(t, 400, "unknown_parameter", "limit")
}

// TestTasks checks that tasks are listed newest first, by domain and state, in pages.
func TestTasks(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	for i := range 3 {
		l.mustPush(fmt.Sprint("c", i), inserted("d/A/1", fmt.Sprint("text ", i)))
	}
	l.push("bad", "rubbish")
	l.mustPush("x1", inserted("d/A/1", "one"), "domain", "a/other")
	for query, want := range map[string]string{
		"": "x1 bad c2 c1 c0", "domain=org/db": "bad c2 c1 c0", "status=failed": "bad", "status=complete&domain=org/db&count=2": "c2 c1",
		"start=3&count=1": "c1", "start=9": "", "status=pending": "", "domain=none/here": "", "domain=org/db/local/branch/x&status=complete": "c2 c1 c0",
	} {
		got := l.get("/tasks?" + query)
		var list []struct {
			ID     string `json:"task_id"`
			Commit string
			Status string
			Error  string
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil {
			t.Fatalf("%s: %v", got.body, err)
		}
		var commits []string
		for _, task := range list {
			commits = append(commits, task.Commit)
			if failed := task.Commit == "bad"; failed != (task.Status == "failed") || failed != strings.Contains(task.Error, "malformed line 1") || !strings.HasPrefix(task.ID, "task-") {
				t.Errorf("%+v", task)
			}
		}
		if got := strings.Join(commits, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if query == "start=3&count=1" && got.header.Get("X-Total-Count") != "5" {
			t.Errorf("%v", got.header)
		}
	}
	l.get("/tasks?status=done").wantError(t, 400, "bad_parameter", "status", "pending, complete or failed")
	l.get("/tasks?domain=org").wantError(t, 400, "bad_parameter", "domain")
	l.get("/tasks?count=1001").wantError(t, 400, "bad_parameter", "count")
}

// TestDocument checks that a document is answered as it stands at the commit.
func TestDocument(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", `{"op":"Inserted","id":"d/A/1","string":"oné","fields":{"b":[1,"x"],"a":true}}
{"op":"Inserted","id":"d/A/2","string":""}`)
	l.mustPush("c2", `{"op":"Changed","id":"d/A/1","string":"two"}`+"\n"+`{"op":"Deleted","id":"d/A/2"}`)
	get := func(query string) reply { return l.get("/document?domain=org/db&" + query) }
	got := get("commit=c1&id=d/A/1")
	got.wantBody(t, `{"id":"d/A/1","type":"A","text":"oné","doc_token_len":1,"fields":{"a":true,"b":[1,"x"]},"chunks":[{"index":0,"start":0,"end":4,"token_start":0,"token_len":1}]}`)
	if got.header.Get("ETag") == "" || got.header.Get("TerminusDB-Data-Version") != "commit:c1" {
		t.Errorf("%v", got.header)
	}
	for query, want := range map[string]string{
		"branch=main&id=d/A/1": `"text":"two","doc_token_len":1,"fields":{},`, "commit=c3&ancestor=c1&id=d/A/1": `"text":"oné"`, "commit=c1&id=d/A/2": `"text":""`,
	} {
		if got := get(query); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %s", query, got.status, got.body, want)
		}
	}
	get("commit=c2&id=d/A/2").wantError(t, 404, "not_found", "no such document")
	get("commit=c9&id=d/A/1").wantError(t, 404, "not_found")
	get("commit=c1").wantError(t, 400, "missing_parameter", "id")
	get("id=d/A/1").wantError(t, 400, "missing_parameter", "commit")
	get("commit=c1&id=d/A/1&doc_id=x").wantError(t, 400, "unknown_parameter", "doc_id", "id")
	l.get("/document?domain=no/db&commit=c1&id=x").wantError(t, 404, "not_found")
	l.mustPush("v1", `{"op":"Inserted","id":"d/V/1","string":"x","vector":[1,0]}`, "domain", "a/v", "dim", "2")
	if got := l.get("/document?domain=a/v&commit=v1&id=d/V/1"); !strings.Contains(got.body, `"text":"x","doc_token_len":0`) {
		t.Errorf("%s", got.body)
	}
}
