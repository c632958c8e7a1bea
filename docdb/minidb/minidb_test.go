package minidb_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/docdb/minidb"
)

const schema = `[
 {"@type":"@context","@base":"terminusdb:///x/","@schema":"terminusdb:///x#"},
 {"@id":"Place","@type":"Class","label":"xsd:string"},
 {"@id":"Port","@type":"Class","@inherits":"Place","berths":{"@type":"Optional","@class":"xsd:integer"}},
 {"@id":"Spec","@type":"Class","@subdocument":[],"@key":{"@type":"Random"},"home":{"@type":"Optional","@class":"Place"}},
 {"@id":"Ship","@type":"Class","label":"xsd:string","built":"Place",
  "calls":{"@type":"Set","@class":"Place"},"best":{"@type":"Optional","@class":"Place"},"spec":{"@type":"Optional","@class":"Spec"},
  "ratio":{"@type":"Optional","@class":"xsd:decimal"}}
]`

const fleet = `[
 {"@type":"Place","@id":"Place/1","label":"Yard"},
 {"@type":"Place","@id":"Place/2","label":"Reef"},
 {"@type":"Port","@id":"Port/3","label":"Haven","berths":7},
 {"@type":"Ship","@id":"Ship/1","label":"Low Tide","built":"Place/1","calls":["Place/2","Port/3","Place/2"],"best":"Place/2","spec":{"@type":"Spec","home":"Place/2"}}
]`

func newFleet(t testing.TB) (*minidb.DB, string) {
	t.Helper()
	n := 0
	db := minidb.New(minidb.Config{Now: func() time.Time { n++; return time.Unix(1_700_000_000, int64(n)*1000) }})
	ids, err := db.Load("admin/x", minidb.Prefixes{}, []minidb.Step{
		{Name: "schema", Change: minidb.Change{Schema: raw(schema)}},
		{Name: "fleet", Change: minidb.Change{Author: "a", Message: "m", Put: raw(fleet)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, ids["fleet"]
}

func raw(texts ...string) []json.RawMessage {
	var list []json.RawMessage
	for _, t := range texts {
		list = append(list, json.RawMessage(t))
	}
	return list
}

// call sends a request and returns the status and the body.
func call(db *minidb.DB, method, target, body string, header ...string) (int, string, http.Header) {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	db.ServeHTTP(w, req)
	return w.Code, strings.TrimSpace(w.Body.String()), w.Header()
}

func graphql(t *testing.T, db *minidb.DB, query string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	status, answer, _ := call(db, "POST", "/api/graphql/admin/x", string(body))
	if status != http.StatusOK {
		t.Errorf("%s: status %d: %s", query, status, answer)
	}
	return answer
}

func TestDelete(t *testing.T) {
	db, _ := newFleet(t)
	// A required reference holds its target.
	if _, err := db.Commit("admin/x", minidb.Change{Delete: []string{"Place/1"}}); err == nil || !strings.Contains(err.Error(), "Schema check failure") {
		t.Errorf("deleting a required target: %v", err)
	}
	// Others go with it, in subdocuments too.
	if _, err := db.Commit("admin/x", minidb.Change{Delete: []string{"terminusdb:///x/Place/2"}}); err != nil {
		t.Fatal(err)
	}
	got := graphql(t, db, "{ Ship { calls { label } best { label } spec { home { label } } built { label } } }")
	want := `{"data":{"Ship":[{"calls":[{"label":"Haven"}],"best":null,"spec":{"home":null},"built":{"label":"Yard"}}]}}`
	if got != want {
		t.Errorf("after the deletion\n got %s\nwant %s", got, want)
	}
	// Together with what requires it, it may go.
	if _, err := db.Commit("admin/x", minidb.Change{Delete: []string{"Place/1", "Ship/1"}}); err != nil {
		t.Error(err)
	}
}

func TestGraphQL(t *testing.T) {
	db, _ := newFleet(t)
	for _, c := range []struct{ query, want string }{
		{`{ Place { _type label } }`, `{"data":{"Place":[{"_type":"Place","label":"Yard"},{"_type":"Place","label":"Reef"},{"_type":"Port","label":"Haven"}]}}`},
		{`{ Place(include_children: false, offset: 1, limit: 5) { _id } }`, `{"data":{"Place":[{"_id":"terminusdb:///x/Place/2"}]}}`},
		{`{ Place(orderBy: {label: DESC}, limit: 2) { label } }`, `{"data":{"Place":[{"label":"Yard"},{"label":"Reef"}]}}`},
		{`{ Port(filter: {berths: {eq: 7}}) { berths } }`, `{"data":{"Port":[{"berths":7}]}}`},
		{`{ Port(filter: {berths: {ne: 7}}) { berths } }`, `{"data":{"Port":[]}}`},
		{`{ Ship(filter: {best: {label: {eq: "Reef"}}}) { n: label } }`, `{"data":{"Ship":[{"n":"Low Tide"}]}}`},
		{`{ Ship(filter: {calls: {someHave: {label: {eq: "Haven"}}}}) { calls(orderBy: {label: ASC}) { label } } }`, `{"data":{"Ship":[{"calls":[{"label":"Haven"},{"label":"Reef"}]}]}}`},
		{`query($i: ID = "terminusdb:///x/Place/1") { Place(id: $i) { label } }`, `{"data":{"Place":[{"label":"Yard"}]}}`},
		{`{ Ship { built } }`, `{"errors":[{"locations":[{"column":10,"line":1}],"message":"Field \"built\" of type \"Place\" must have a selection of subfields. Did you mean \"built { ... }\"?"}]}`},
		{`{ Ship { label { x } } }`, `{"errors":[{"locations":[{"column":10,"line":1}],"message":"Field \"label\" must not have a selection since it has no subfields"}]}`},
	} {
		got := graphql(t, db, c.query)
		var g, w any
		if json.Unmarshal([]byte(got), &g) != nil || json.Unmarshal([]byte(c.want), &w) != nil || fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	db, head := newFleet(t)
	for name, c := range map[string]minidb.Change{
		"unknown class":     {Put: raw(`{"@type":"Nope","@id":"Nope/1"}`)},
		"subdocument alone": {Put: raw(`{"@type":"Spec"}`)},
		"unknown field":     {Put: raw(`{"@type":"Place","@id":"Place/9","label":"x","more":1}`)},
		"missing field":     {Put: raw(`{"@type":"Place","@id":"Place/9"}`)},
		"wrong type":        {Put: raw(`{"@type":"Place","@id":"Place/9","label":7}`)},
		"no number":         {Put: raw(`{"@type":"Port","@id":"Port/9","label":"x","berths":"\"7\""}`)},
		"null number":       {Put: raw(`{"@type":"Port","@id":"Port/9","label":"x","berths":"null"}`)},
		"dangling link":     {Put: raw(`{"@type":"Ship","@id":"Ship/9","label":"x","built":"Place/99"}`)},
		"link to its class": {Put: raw(`{"@type":"Ship","@id":"Ship/9","label":"x","built":"Ship/1"}`)},
		"absent, to delete": {Delete: []string{"Place/9"}},
		"other base":        {Put: raw(`{"@type":"Place","@id":"http://y/1","label":"x"}`)},
		"no JSON":           {Put: raw(`{"@type":`)},
		"text":              {Put: raw(`"x"`)},
		"two values":        {Put: raw(`{} {}`)},
		"schema: class out": {Schema: raw(`[]`), FullSchema: true},
		"schema: required":  {Schema: raw(`{"@id":"Place","@type":"Class","label":"xsd:string","more":"xsd:string"}`)},
		"no branch":         {Branch: "nope", Delete: []string{"Place/1"}},
	} {
		if id, err := db.Commit("admin/x", c); err == nil {
			t.Errorf("%s: committed %s", name, id)
		}
	}
	if _, _, h := call(db, "HEAD", "/api/document/admin/x", ""); h.Get("TerminusDB-Data-Version") != "branch:"+head {
		t.Errorf("a refused change moved the head from %s: %v", head, h)
	}
	if _, err := db.Create("admin/x", minidb.Prefixes{}); err == nil {
		t.Error("created twice")
	}
	for _, name := range []string{"", "x", "a/b/c", "/", "a/"} {
		if _, err := db.Create(name, minidb.Prefixes{}); err == nil {
			t.Errorf("created %q", name)
		}
	}
	if err := db.Branch("admin/x", "b", "nope"); err == nil {
		t.Error("branched from an unknown commit")
	}
}

func TestHistory(t *testing.T) {
	db, head := newFleet(t)
	again, _ := newFleet(t)
	if _, _, h := call(again, "HEAD", "/api/document/admin/x", ""); h.Get("TerminusDB-Data-Version") != "branch:"+head {
		t.Errorf("the same history has the heads %s and %v", head, h)
	}
	if len(head) != 31 || strings.Trim(head, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("commit id %q", head)
	}
	// The same document again makes no commit.
	if id, err := db.Commit("admin/x", minidb.Change{Put: raw(`{"label":"Yard","@type":"Place","@id":"Place/1"}`)}); err != nil || id != head {
		t.Errorf("no change: %s, %v; head %s", id, err, head)
	}
	if err := db.Branch("admin/x", "fan", head); err != nil {
		t.Fatal(err)
	}
	fan, err := db.Commit("admin/x", minidb.Change{Branch: "fan", Put: raw(`{"@type":"Place","@id":"Place/1","label":"Dock"}`)})
	if err != nil {
		t.Fatal(err)
	}
	status, body, _ := call(db, "GET", "/api/log/admin/x/local/branch/fan?count=2", "")
	var log []struct{ Identifier, Parent, Instance, Schema string }
	if err := json.Unmarshal([]byte(body), &log); err != nil || status != 200 || len(log) != 2 {
		t.Fatalf("log: %d %s", status, body)
	}
	if log[0].Identifier != fan || log[0].Parent != "ValidCommit/"+head || log[0].Instance == log[1].Instance || log[0].Schema != log[1].Schema {
		t.Errorf("log %+v", log)
	}
	// The past and the other branch stay as they were.
	for path, want := range map[string]string{
		"local/branch/main": "Yard", "local/branch/fan": "Dock", "local/commit/" + head: "Yard", "local/commit/" + fan: "Dock",
	} {
		if status, body, _ := call(db, "GET", "/api/document/admin/x/"+path+"?id=Place/1", ""); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestDocumentOptions(t *testing.T) {
	db, head := newFleet(t)
	for _, c := range []struct{ method, target, body, want string }{
		{"GET", "?type=Place&as_list=true&id=Place/2", "", `[ {"@id":"Place/2","@type":"Place","label":"Reef"} ]`},
		{"GET", "?type=Port", "", `{"@id":"Port/3","@type":"Port","berths":7,"label":"Haven"}`},
	} {
		status, body, _ := call(db, c.method, "/api/document/admin/x/local/commit/"+head+c.target, c.body)
		if got := strings.Join(strings.Fields(body), " "); status != 200 || got != c.want {
			t.Errorf("%s %s: %d\n got %s\nwant %s", c.target, c.body, status, got, c.want)
		}
	}
	if status, _, _ := call(db, "GET", "/api/log/admin/x?count=x", ""); status != 400 {
		t.Errorf("bad count: %d", status)
	}
	if status, _, _ := call(db, "PUT", "/api/document/admin/x?author=a&message=m", "{}"); status != 404 {
		t.Errorf("a write over HTTP: %d", status)
	}
}

func TestParallel(t *testing.T) {
	db, _ := newFleet(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				if _, err := db.Commit("admin/x", minidb.Change{Put: raw(fmt.Sprintf(`{"@type":"Place","@id":"Place/%d-%d","label":"x"}`, i, j))}); err != nil {
					t.Error(err)
				}
				call(db, "POST", "/api/graphql/admin/x", `{"query":"{ Ship { calls { label } } }"}`)
				call(db, "GET", "/api/document/admin/x?as_list=true", "")
				call(db, "GET", "/api/log/admin/x", "")
			}
		})
	}
	wg.Wait()
	if _, body, _ := call(db, "GET", "/api/document/admin/x?type=Place&as_list=true", ""); strings.Count(body, `"@id"`) != 83 {
		t.Errorf("%d places", strings.Count(body, `"@id"`))
	}
}

// FuzzGraphQL: any query has an answer that is JSON.
func FuzzGraphQL(f *testing.F) {
	for _, q := range []string{
		`{ Ship { _id _type _json calls(ids: ["x"], limit: 1) { label } spec { home { label } } } }`,
		`query A($i: [ID!] = ["a"]) { p: Place(ids: $i, filter: {_ids: ["b"], label: {ne: "x"}}, orderBy: {berths: DESC}) { label } }`,
		`mutation { x }`, `{`, `{ Place(id: 1, ids: [2]) { label } }`, `{ Place(offset: -1, limit: -2) { label } }`,
	} {
		f.Add(q)
	}
	db, _ := newFleet(f)
	f.Fuzz(func(t *testing.T, query string) {
		body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"id": nil, "i": []any{1, "x"}}})
		if err != nil {
			return
		}
		if status, answer, _ := call(db, "POST", "/api/graphql/admin/x", string(body)); !json.Valid([]byte(answer)) {
			t.Errorf("%q: %d %q", query, status, answer)
		}
	})
}

// FuzzDocuments: any documents are stored or refused, and what is stored can be
// read.
func FuzzDocuments(f *testing.F) {
	f.Add(fleet, "[]", "")
	f.Add("[]", schema, "")
	f.Add(`{"@type":"Port","@id":"Port/7","label":"x","berths":"1e5"}`, "[]", "Ship/1")
	f.Fuzz(func(t *testing.T, documents, schema, gone string) {
		db, _ := newFleet(t)
		change := minidb.Change{Schema: raw(schema), Put: raw(documents)}
		if gone != "" {
			change.Delete = []string{gone}
		}
		_, err := db.Commit("admin/x", change)
		if status, answer, _ := call(db, "GET", "/api/document/admin/x?as_list=true", ""); status != 200 || !json.Valid([]byte(answer)) {
			t.Errorf("after %q, %q, %q (%v): %d %q", schema, documents, gone, err, status, answer)
		}
	})
}
