package docdb_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/docdbtest"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

// The tests called TestHazard… are about what TerminusDB does that one would
// not expect, in the order of docs/terminusdb.md.

// asked is one request as the database got it.
type asked struct {
	method  string
	path    string
	length  int64
	chunked bool
	body    []byte
}

// watched pulls the demo's history, each commit from the one before, and
// returns what was asked.
func watched(t *testing.T) []asked {
	t.Helper()
	steps := starWarsSteps(t)
	db := minidb.New(minidb.Config{UnquoteNumbers: true, PanicAtByte1000: true, UnstableSets: true})
	ids, err := db.Load(domain, minidb.Prefixes{Base: "terminusdb:///star-wars/", Schema: "terminusdb:///star-wars/schema#"}, steps)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var list []asked
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		list = append(list, asked{r.Method, r.URL.Path, r.ContentLength, len(r.TransferEncoding) > 0, body})
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		db.ServeHTTP(w, r)
	}))
	snapshots := map[string]texts{"": {}}
	for _, s := range steps {
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids[s.Name], Branch: s.Branch, Indexed: func(id string) bool { return snapshots[id] != nil }})
		if err != nil {
			t.Fatal(err)
		}
		snapshots[ids[s.Name]] = apply(t, snap{texts: snapshots[p.Base]}, p, nil).texts
	}
	return list
}

// TestHazard01FullIRIs: a short id finds nothing and a null one everything, so
// only lists of full IRIs are sent.
func TestHazard01FullIRIs(t *testing.T) {
	batches := 0
	for _, a := range watched(t) {
		if !strings.HasPrefix(a.path, "/api/graphql/") {
			continue
		}
		var q struct {
			Query     string
			Variables map[string]any
		}
		if err := json.Unmarshal(a.body, &q); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(q.Query, "id:") {
			t.Errorf("one id alone: %s", q.Query)
		}
		if !strings.Contains(q.Query, "$ids") {
			continue
		}
		batches++
		list, _ := q.Variables["ids"].([]any)
		if len(list) == 0 || len(q.Variables) != 1 {
			t.Errorf("%s with %v", q.Query, q.Variables)
		}
		for _, id := range list {
			if s, _ := id.(string); !strings.HasPrefix(s, "terminusdb:///star-wars/") {
				t.Errorf("id %v", id)
			}
		}
	}
	if batches < 10 {
		t.Errorf("%d batches", batches)
	}
}

// TestHazard02Numbers: strings that GraphQL takes the quotes off stay the text
// they were.
func TestHazard02Numbers(t *testing.T) {
	values := []string{"1.0", "007.5", "01.10", "12345678901234567890123", "1-2", "1e5", "+1", ".5", "0.50", "-0", "7", "1.2.3"}
	p := newPulls(t, func(http.Handler) http.Handler { return nil })
	p.db = minidb.New(minidb.Config{UnquoteNumbers: true})
	if _, err := p.db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	p.client = newClient(t, p.db)
	change := minidb.Change{Schema: raw(classA)}
	for i, v := range values {
		change.Put = append(change.Put, json.RawMessage(fmt.Sprintf(`{"@type":"A","@id":"A/%d","label":%q,"price":%q}`, i, v, v)))
	}
	head := p.commit(change)
	p.pull(head)
	for i, v := range values {
		_, data, _ := strings.Cut(p.snapshots[head][fmt.Sprintf("terminusdb:///data/A/%d", i)], "\x00")
		_, data, _ = strings.Cut(data, "\x00")
		d := json.NewDecoder(strings.NewReader(data))
		d.UseNumber()
		var fields map[string]any
		if err := d.Decode(&fields); err != nil || fmt.Sprint(fields["label"]) != v || fmt.Sprint(fields["price"]) != v {
			t.Errorf("%q became %s (%v)", v, data, err)
		}
	}
}

// TestHazard04DiffLosesChanges: of a large Set with one member taken from its
// middle the diff endpoint says nothing. It is not asked, and the change is
// found.
func TestHazard04DiffLosesChanges(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	p := newPulls(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			paths = append(paths, r.URL.Path)
			mu.Unlock()
			h.ServeHTTP(w, r)
		})
	})
	document := func(skip int) []json.RawMessage {
		var tags []string
		for i := range 40 {
			if i != skip {
				tags = append(tags, fmt.Sprintf("tag %d", i))
			}
		}
		b, err := json.Marshal(map[string]any{"@type": "A", "@id": "A/1", "label": "x", "tags": tags})
		if err != nil {
			t.Fatal(err)
		}
		return []json.RawMessage{b}
	}
	p.pull(p.commit(minidb.Change{Schema: raw(classA), Put: document(-1)}))
	p.expect("one of 40 taken", minidb.Change{Put: document(20)}, "+A/1")
	for _, path := range paths {
		if strings.HasPrefix(path, "/api/diff") || strings.HasPrefix(path, "/api/index") || strings.HasPrefix(path, "/api/history") {
			t.Errorf("asked %s", path)
		}
	}
}

// TestHazard06IndexEndpoint: what the database's own indexing endpoint gets
// wrong comes out right: every referrer, template edits, no HTML escapes,
// numbers, and a bad class that leaves the others alone.
func TestHazard06IndexEndpoint(t *testing.T) {
	p := newPulls(t, plain)
	pair := func(template string) string {
		return `"@metadata":` + embedding("query($id: ID){ People(id: $id) { label age homeworld { label } } }", template)
	}
	people := func(metadata string) string {
		return `{"@id":"People","@type":"Class","label":"xsd:string","age":{"@type":"Optional","@class":"xsd:decimal"},"homeworld":{"@type":"Optional","@class":"Planet"},` + metadata + `}`
	}
	head := p.commit(minidb.Change{
		Schema: raw(class("Planet", "{}"), people(pair("a")), class("Bad", embedding("query($id: ID){ Bad(id: $id) { nosuch } }", "x"))),
		Put: raw(`{"@type":"Planet","@id":"Planet/10","label":"Kamino"}`, `{"@type":"Bad","@id":"Bad/1","label":"x"}`,
			`[{"@type":"People","@id":"People/22","label":"Boba & <Fett>","age":12.5,"homeworld":"Planet/10"},{"@type":"People","@id":"People/72","label":"Lama Su","homeworld":"Planet/10"},{"@type":"People","@id":"People/73","label":"Taun We","homeworld":"Planet/10"}]`)})
	p.pull(head)
	if got, want := p.snapshots[head]["terminusdb:///star-wars/People/22"], "People\x00a\x00"+`{"label":"Boba & <Fett>","age":12.5,"homeworld":{"label":"Kamino"}}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.expect("every referrer", minidb.Change{Put: raw(`{"@type":"Planet","@id":"Planet/10","label":"Kamino (ocean world)"}`)}, "! +People/22 +People/72 +People/73")
	p.expect("a template edit", minidb.Change{Schema: raw(people(pair("b")))}, "! +People/22 +People/72 +People/73")
	p.expect("a bad class", minidb.Change{Put: []json.RawMessage{document("Bad/1", "y"), document("People/72", "y")}}, "!Bad/1 +People/72")
}

// TestHazard08ContentLength: GraphQL takes no chunked request and no GET.
func TestHazard08ContentLength(t *testing.T) {
	posts := 0
	for _, a := range watched(t) {
		if len(a.body) > 0 {
			posts++
			if a.chunked || a.length != int64(len(a.body)) {
				t.Errorf("%s: %d bytes with Content-Length %d", a.path, len(a.body), a.length)
			}
		}
	}
	if posts < 20 {
		t.Errorf("%d requests with a body", posts)
	}
}

// TestHazard09UnknownCommit: the 500 for a commit that the database does not
// know is told from a fault of its own.
func TestHazard09UnknownCommit(t *testing.T) {
	fault, missing := docdbtest.One(t, transcripts, "30e"), docdbtest.One(t, transcripts, "35b")
	for _, known := range []bool{false, true} {
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.HasSuffix(r.URL.Path, "/_commits"):
				fault.Write(w)
			case known:
				fmt.Fprintf(w, `{"@id":"ValidCommit/%s","identifier":%q,"parent":"ValidCommit/x"}`, unknownCommit, unknownCommit)
			default:
				missing.Write(w)
			}
		}))
		_, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: unknownCommit, Indexed: none})
		if errors.Is(err, contract.ErrNotFound) == known || errors.Is(err, contract.ErrSource) != known {
			t.Errorf("known %v: %v", known, err)
		}
	}
}

// TestHazard10DeletionNullsReferences: a deletion changes the documents that
// referred to it, and theirs are other texts.
func TestHazard10DeletionNullsReferences(t *testing.T) {
	p := newPulls(t, plain)
	p.pull(p.commit(minidb.Change{
		Schema: raw(class("Species", "{}"), `{"@id":"People","@type":"Class","label":"xsd:string","species":{"@type":"Optional","@class":"Species"},"knows":{"@type":"Set","@class":"Species"},
			"@metadata":`+embedding("query($id: ID){ People(id: $id) { species { label } knows { label } } }", "x")+`}`),
		Put: raw(`[{"@type":"Species","@id":"Species/8","label":"Mon Calamari"},{"@type":"Species","@id":"Species/9","label":"Ewok"}]`,
			`[{"@type":"People","@id":"People/27","label":"Ackbar","species":"Species/8"},{"@type":"People","@id":"People/28","label":"Wicket","species":"Species/9","knows":["Species/8"]},{"@type":"People","@id":"People/29","label":"Teebo","species":"Species/9"}]`)}))
	p.expect("a species deleted", minidb.Change{Delete: []string{"Species/8"}}, "+People/27 +People/28")
	var all []string
	for _, snapshot := range p.snapshots {
		for id, text := range snapshot {
			all = append(all, id+text)
		}
	}
	if slices.Sort(all); !strings.Contains(strings.Join(all, "\n"), `"species":null`) {
		t.Errorf("texts %q", all)
	}
}

// TestLeastRights: nothing is asked that a user with the Consumer Role on the
// database was not seen to be answered, and nothing is written.
func TestLeastRights(t *testing.T) {
	kinds := map[string]bool{}
	for _, a := range watched(t) {
		rest, ok := strings.CutPrefix(a.path, "/api/")
		endpoint, resource, _ := strings.Cut(rest, "/")
		kind := a.method + " " + endpoint
		kinds[kind] = true
		if !ok || !strings.HasPrefix(resource, domain+"/local/commit/") && resource != domain+"/local/_commits" {
			t.Errorf("%s %s", a.method, a.path)
		}
	}
	if got := strings.Join(slices.Sorted(maps.Keys(kinds)), ", "); got != "GET document, GET log, POST graphql, POST woql" {
		t.Errorf("asked %s", got)
	}
	answered := map[string]bool{}
	for _, name := range []string{"75b", "75c", "75d", "75f", "75g", "75j", "75l"} {
		e := docdbtest.One(t, transcripts, name)
		if e.Header.Get("Authorization") == docdbtest.One(t, transcripts, "70").Header.Get("Authorization") {
			t.Errorf("%s was asked by the administrator", e.Name)
		}
		if e.Status == http.StatusOK {
			endpoint, _, _ := strings.Cut(strings.TrimPrefix(e.URL.Path, "/api/"), "/")
			answered[e.Method+" "+endpoint] = true
		}
	}
	kinds["HEAD document"] = true // of a watcher
	if !maps.Equal(kinds, answered) {
		t.Errorf("asked %v, seen to be answered %v", kinds, answered)
	}
}
