package docdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// recorder counts the requests to a database, by what they ask.
type recorder struct {
	http.Handler
	mu   sync.Mutex
	seen map[string]int
	bad  strings.Builder // answers of GraphQL that hold errors
}

// complaints returns the answers of GraphQL that held errors.
func (r *recorder) complaints() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad.String()
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	kind := strings.Split(req.URL.Path, "/")[2]
	switch {
	case bytes.Contains(body, []byte("include_children: false")):
		kind = "listing"
	case bytes.Contains(body, []byte("_count")):
		kind = "count"
	case bytes.Contains(body, []byte("AddedTriple")):
		kind = "delta"
	case kind == "woql":
		kind = "referrers"
	}
	r.mu.Lock()
	r.seen[kind]++
	r.mu.Unlock()
	answer := httptest.NewRecorder()
	r.Handler.ServeHTTP(answer, req)
	if bytes.HasPrefix(answer.Body.Bytes(), []byte(`{"errors"`)) {
		r.mu.Lock()
		fmt.Fprintf(&r.bad, "%s: %s\n", body, answer.Body)
		r.mu.Unlock()
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// take returns what was asked since the last call, and how many requests.
func (r *recorder) take() (map[string]int, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, n := r.seen, 0
	for _, k := range seen {
		n += k
	}
	r.seen = map[string]int{}
	return seen, n
}

func record(h http.Handler) *recorder { return &recorder{Handler: h, seen: map[string]int{}} }

const notesSchema = `[
 {"@id":"Topic","@type":"Class","label":"xsd:string","hidden":{"@type":"Optional","@class":"xsd:string"},
  "@metadata":{"embedding":{"query":"query($id: ID){ Topic(id: $id) { label } }","template":"Topic {{label}}"}}},
 {"@id":"Person","@type":"Class","label":"xsd:string","home":{"@type":"Optional","@class":"Topic"},
  "@metadata":{"embedding":{"query":"query($id: ID){ Person(id: $id) { label } }","template":"Person {{label}}"}}},
 {"@id":"Note","@type":"Class","label":"xsd:string","author":"Person","topics":{"@type":"Set","@class":"Topic"},
  "@metadata":{"embedding":{"query":"query($id: ID){ Note(id: $id) { label author { label home { label } } topics { label } } }",
   "template":"Note {{label}} by {{author.label}}, {{author.home.label}}{{#each topics}} {{label}}{{/each}}"}}}]`

// note is document n of 9,000; every topic has 18 notes, every author 18.
func note(n int, label string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"@type":"Note","@id":"Note/%d","label":"%s %d","author":"Person/%d","topics":["Topic/%d","Topic/%d"]}`,
		n, label, n, n%500, n%500, (n*7+1)%500))
}

func person(n int, label string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"@type":"Person","@id":"Person/%d","label":"%s %d","home":"Topic/%d"}`, n, label, n, n%500))
}

func topic(n int, label string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"@type":"Topic","@id":"Topic/%d","label":"%s %d"}`, n, label, n))
}

// sidecar is an indexer over a database, with an embedder that remembers what
// it embedded.
type sidecar struct {
	t        *testing.T
	db       *minidb.DB
	requests *recorder
	embedder *indexertest.Embedder
	indexer  *indexer.Indexer
}

// verbatim renders a template over data as the two, one after the other.
type verbatim struct{}

func (verbatim) Render(_ context.Context, template string, data []byte) (string, error) {
	return template + " " + string(data), nil
}

func newSidecar(t *testing.T) *sidecar {
	t.Helper()
	s := &sidecar{t: t, db: minidb.New(minidb.Config{PanicAtByte1000: true}), embedder: &indexertest.Embedder{BatchSize: 256}}
	s.requests = record(s.db)
	var err error
	s.indexer, err = indexer.Open(indexer.Config{
		FS: vfstest.NewMem(), Source: newClient(t, s.requests), Embedder: s.embedder, Renderer: verbatim{},
		Graph: indexer.Graph{MinVectors: 1 << 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.indexer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// commit changes the database and indexes the new head; it returns what was
// asked and the texts that were embedded.
func (s *sidecar) commit(c minidb.Change) (task indexer.Task, seen map[string]int, requests int, embedded []string) {
	s.t.Helper()
	head, err := s.db.Commit(domain, c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.requests.take()
	s.embedder.Reset()
	task, err = s.indexer.IndexNow(s.t.Context(), indexer.IndexRequest{Domain: domain, Commit: head})
	if err != nil || task.State != indexer.TaskComplete {
		s.t.Fatalf("%+v, %v", task, err)
	}
	seen, requests = s.requests.take()
	return task, seen, requests, s.embedder.Texts()
}

// TestCosts: in a database of 10,000 documents a commit of 100 changed ones
// costs at most ten requests and no listing, and only texts that changed are
// embedded, those that quote a changed document among them.
func TestCosts(t *testing.T) {
	t.Parallel()
	s := newSidecar(t)
	if _, err := s.db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	all := minidb.Change{Schema: raw(notesSchema)}
	for n := range 500 {
		all.Put = append(all.Put, topic(n, "topic"), person(n, "person"))
	}
	for n := range 9000 {
		all.Put = append(all.Put, note(n, "note"))
	}
	task, _, requests, embedded := s.commit(all)
	if task.Documents != 10_000 || len(embedded) != 10_000 {
		t.Fatalf("%d documents, %d embedded", task.Documents, len(embedded))
	}
	t.Logf("everything: %d requests", requests)

	var mixed, added, gone minidb.Change
	for n := range 34 {
		mixed.Put = append(mixed.Put, note(n, "changed"))
	}
	for n := range 33 {
		mixed.Put = append(mixed.Put, topic(100+n, "renamed"), person(200+n, "renamed"))
	}
	for n := range 100 {
		added.Put = append(added.Put, note(20_000+n, "added"))
		gone.Delete = append(gone.Delete, fmt.Sprintf("Note/%d", 4000+n))
	}
	// Who quotes the renamed topics and people.
	quoting := map[int]bool{}
	in := func(n, from, count int) bool { return n >= from && n < from+count }
	for n := range 9000 {
		if n < 34 || in(n%500, 100, 33) || in((n*7+1)%500, 100, 33) || in(n%500, 200, 33) {
			quoting[n] = true
		}
	}
	renamed := 0
	for n := range 9000 {
		if n%500 == 400 || (n*7+1)%500 == 400 {
			renamed++
		}
	}
	for _, c := range []struct {
		name                       string
		change                     minidb.Change
		embedded, indexed, deleted int
		requests, referrers        int
	}{
		{"100 of three classes", mixed, len(quoting) + 66, len(quoting) + 66, 0, 10, 2},
		{"34 and nobody quotes them", minidb.Change{Put: mixed.Put[:34]}, 0, 0, 0, 0, 0}, // no change: no commit
		{"100 added", added, 100, 100, 0, 6, 0},
		{"100 deleted", gone, 0, 0, 100, 6, 0},
		{"one topic renamed", minidb.Change{Put: raw(string(topic(400, "renamed")))}, renamed + 1, renamed + 1, 0, 9, 2},
		{"a field that no query reads", minidb.Change{Put: raw(`{"@type":"Topic","@id":"Topic/401","label":"topic 401","hidden":"x"}`)}, 0, 0, 0, 6, 0},
		{"the schema, but no pair", minidb.Change{Schema: raw(`{"@id":"More","@type":"Class"}`)}, 0, 0, 0, 5, 0},
	} {
		task, seen, requests, embedded := s.commit(c.change)
		t.Logf("%s: %d requests %v, %d embedded", c.name, requests, seen, len(embedded))
		if len(embedded) != c.embedded || c.requests > 0 && (task.Indexed != c.indexed || task.Deleted != c.deleted) {
			t.Errorf("%s: %d embedded, %d indexed, %d deleted; want %d, %d, %d", c.name, len(embedded), task.Indexed, task.Deleted, c.embedded, c.indexed, c.deleted)
		}
		if requests > c.requests || seen["listing"] > 0 || seen["referrers"] != c.referrers {
			t.Errorf("%s: %d requests %v, want at most %d and %d for referrers", c.name, requests, seen, c.requests, c.referrers)
		}
		if slices.Sort(embedded); len(slices.Compact(embedded)) != len(embedded) {
			t.Errorf("%s: texts embedded twice", c.name)
		}
	}
}

// history is a database whose commits are pulled as the indexer would.
type pulls struct {
	t         *testing.T
	db        *minidb.DB
	client    *docdb.Client
	snapshots map[string]texts
}

func newPulls(t *testing.T, h func(http.Handler) http.Handler, change ...func(*docdb.Config)) *pulls {
	t.Helper()
	p := &pulls{t: t, db: minidb.New(minidb.Config{}), snapshots: map[string]texts{}}
	if _, err := p.db.Create(domain, minidb.Prefixes{Base: "terminusdb:///star-wars/", Schema: "terminusdb:///star-wars/schema#"}); err != nil {
		t.Fatal(err)
	}
	p.client = newClient(t, h(p.db), change...)
	return p
}

func plain(h http.Handler) http.Handler { return h }

func (p *pulls) commit(c minidb.Change) string {
	p.t.Helper()
	head, err := p.db.Commit(domain, c)
	if err != nil {
		p.t.Fatal(err)
	}
	return head
}

// pull returns a pull's operations, printed shortly and sorted, and checks what
// becomes of the snapshot against listing everything.
func (p *pulls) pull(commit string) (*contract.Pull, string) {
	p.t.Helper()
	req := contract.PullRequest{Domain: domain, Commit: commit, Indexed: func(id string) bool { return p.snapshots[id] != nil }}
	got, err := p.client.Pull(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	var lines []string
	ops := got.Ops
	got.Ops = func(yield func(contract.Op, error) bool) {
		for op, err := range ops {
			sign := map[contract.OpKind]string{contract.Upsert: "+", contract.Delete: "-", contract.Failed: "!"}[op.Kind]
			lines = append(lines, sign+strings.TrimPrefix(op.ID, "terminusdb:///star-wars/"))
			if !yield(op, err) {
				return
			}
		}
	}
	base := p.snapshots[got.Base]
	if base == nil {
		base = texts{}
	}
	p.snapshots[commit] = apply(p.t, snap{texts: base}, got, nil).texts
	if len(lines) != got.Total {
		p.t.Errorf("%d operations, %d announced", len(lines), got.Total)
	}
	req.Indexed = none
	full, err := p.client.Pull(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	if d := differences(p.snapshots[commit], apply(p.t, snap{texts: base}, full, nil).texts); d != "" {
		p.t.Errorf("otherwise than listing everything:\n%s", d)
	}
	slices.Sort(lines)
	return got, strings.Join(lines, " ")
}

// expect commits, pulls and compares the operations.
func (p *pulls) expect(name string, c minidb.Change, want string) {
	p.t.Helper()
	got, ops := p.pull(p.commit(c))
	if ops != want || got.Complete {
		p.t.Errorf("%s: %s (complete: %v), want %s", name, ops, got.Complete, want)
	}
}

const (
	planetClass = `{"@id":"Planet","@type":"Class","label":"xsd:string","climate":{"@type":"Optional","@class":"xsd:string"}%s}`
	planetPair  = `,"@metadata":{"embedding":{"query":"query($id: ID){ Planet(id: $id) { label } }","template":"%s"}}`
	peopleClass = `{"@id":"People","@type":"Class","label":"xsd:string","homeworld":{"@type":"Optional","@class":"Planet"},"teachers":{"@type":"Set","@class":"People"},"path":{"@type":"List","@class":"Planet"}%s}`
	peoplePair  = `,"@metadata":{"embedding":{"query":"query($id: ID){ People(id: $id) { label homeworld { label } teachers { homeworld { label } } path { label } } }","template":"%s"}}`
)

// TestReferrers: whoever quotes a changed document is read again, along links,
// sets and lists, to the depth of the query, and nobody else.
func TestReferrers(t *testing.T) {
	p := newPulls(t, plain)
	p.pull(p.commit(minidb.Change{
		Schema: raw(fmt.Sprintf(planetClass, ""), fmt.Sprintf(peopleClass, fmt.Sprintf(peoplePair, "x"))),
		Put: raw(`[{"@type":"Planet","@id":"Planet/1","label":"Tatooine"},{"@type":"Planet","@id":"Planet/2","label":"Naboo"},{"@type":"Planet","@id":"Planet/3","label":"Hoth"}]`,
			`[{"@type":"People","@id":"People/luke","label":"Luke","homeworld":"Planet/1","teachers":["People/obi","People/yoda"]},
			  {"@type":"People","@id":"People/rey","label":"Rey","teachers":["People/luke"]},
			  {"@type":"People","@id":"People/obi","label":"Obi-Wan","homeworld":"Planet/2"},
			  {"@type":"People","@id":"People/yoda","label":"Yoda"},
			  {"@type":"People","@id":"People/han","label":"Han","path":["Planet/3","Planet/2","Planet/1"]}]`)}))
	rename := func(id, label string) minidb.Change {
		return minidb.Change{Put: raw(fmt.Sprintf(`{"@type":"Planet","@id":%q,"label":%q}`, id, label))}
	}
	p.expect("one level, two levels, a list", rename("Planet/1", "Sands"), "+People/han +People/luke +People/rey")
	p.expect("through a set", rename("Planet/2", "Lakes"), "+People/han +People/luke +People/obi")
	p.expect("a list alone", rename("Planet/3", "Ice"), "+People/han")
	p.expect("what no query reads", minidb.Change{Put: raw(`{"@type":"Planet","@id":"Planet/3","label":"Ice","climate":"frozen"}`)}, "")
	p.expect("one quoted for something else", minidb.Change{Put: raw(`{"@type":"People","@id":"People/luke","label":"Luke S.","homeworld":"Planet/1","teachers":["People/obi","People/yoda"]}`)}, "+People/luke")
	p.expect("a link set", minidb.Change{Put: raw(`{"@type":"People","@id":"People/yoda","label":"Yoda","homeworld":"Planet/3"}`)}, "+People/luke +People/yoda")
	p.expect("a link's target deleted", minidb.Change{Put: raw(`{"@type":"People","@id":"People/han","label":"Han"}`), Delete: []string{"Planet/3"}}, "+People/han +People/luke +People/yoda")
	p.expect("a set's member deleted", minidb.Change{Delete: []string{"People/obi"}}, "+People/luke -People/obi")
	p.expect("added and deleted", minidb.Change{Put: raw(`{"@type":"People","@id":"People/new","label":"New","homeworld":"Planet/1"}`), Delete: []string{"People/han"}}, "+People/new -People/han")

	// Several commits at once, and one that undoes another.
	p.commit(rename("Planet/2", "x"))
	p.commit(minidb.Change{Delete: []string{"People/new"}})
	p.commit(rename("Planet/1", "y"))
	p.expect("four commits", rename("Planet/1", "Sands"), "+People/luke +People/rey -People/new")
}

// TestTemplateEdits: an edit of a class's query or template, or of the
// properties it reads, has all its documents read again and no other's.
func TestTemplateEdits(t *testing.T) {
	p := newPulls(t, plain)
	planet := func(template string) string {
		return fmt.Sprintf(planetClass, fmt.Sprintf(planetPair, template))
	}
	people := func(template string) string {
		return fmt.Sprintf(peopleClass, fmt.Sprintf(peoplePair, template))
	}
	p.pull(p.commit(minidb.Change{Schema: raw(planet("a"), people("a"), class("Note", "{}")),
		Put: raw(`{"@type":"Planet","@id":"Planet/1","label":"Tatooine"}`, `{"@type":"Planet","@id":"Planet/2","label":"Hoth"}`,
			`{"@type":"People","@id":"People/1","label":"Luke","homeworld":"Planet/1"}`, `{"@type":"Note","@id":"Note/1","label":"n"}`)}))
	schema := func(classes ...string) minidb.Change { return minidb.Change{Schema: raw(classes...)} }
	p.expect("a template", schema(planet("b")), "+Planet/1 +Planet/2")
	p.expect("a pair gained", schema(class("Note", embedding("query($id: ID){ Note(id: $id) { label } }", "x"))), "+Note/1")
	p.expect("a pair lost", schema(fmt.Sprintf(planetClass, "")), "-Planet/1 -Planet/2")
	p.expect("of a class not indexed", minidb.Change{Delete: []string{"Planet/2"}}, "")
	p.expect("a template lost", schema(class("Note", `{"embedding":{"query":"query($id: ID){ Note(id: $id) { label } }"}}`)), "! -Note/1")
	p.expect("a property read", schema(strings.Replace(people("a"), `"homeworld":{"@type":"Optional"`, `"homeworld":{"@type":"Set"`, 1)), "! +People/1")
	p.expect("a query that cannot be used", schema(class("Note", embedding("mutation { x }", "x"))), "!Note/1")
	p.expect("that again", minidb.Change{Put: []json.RawMessage{document("Note/1", "m")}}, "!Note/1")
	p.expect("and others changed", minidb.Change{Put: []json.RawMessage{document("People/2", "m")}}, "! +People/2")
	p.expect("and its documents deleted", minidb.Change{Delete: []string{"Note/1"}}, "-Note/1")
	p.expect("a class removed", minidb.Change{FullSchema: true, Schema: raw(fmt.Sprintf(planetClass, ""), people("a"))}, "+People/1 +People/2")

	// Another prefix gives every document another id.
	p.commit(minidb.Change{Schema: raw(`{"@type":"@context","@base":"terminusdb:///other/","@schema":"terminusdb:///star-wars/schema#"}`)})
	if got, _ := p.pull(p.commit(minidb.Change{Put: []json.RawMessage{document("People/3", "m")}})); !got.Complete || got.Base == "" {
		t.Errorf("after a change of prefixes: %+v", got)
	}
}

// TestSubclasses: an instance is found by its own class, also where its pair's
// query asks for the class above, and by links to that.
func TestSubclasses(t *testing.T) {
	p := newPulls(t, plain)
	pair := embedding("query($id: ID){ Place(id: $id) { label } }", "x")
	p.pull(p.commit(minidb.Change{
		Schema: raw(class("Place", pair), `{"@id":"Port","@type":"Class","@inherits":"Place","@metadata":`+pair+`}`, `{"@id":"Inn","@type":"Class","@inherits":"Place"}`,
			`{"@id":"Ship","@type":"Class","at":{"@type":"Optional","@class":"Place"},"@metadata":`+embedding("query($id: ID){ Ship(id: $id) { at { label } } }", "x")+`}`),
		Put: raw(`[{"@type":"Port","@id":"Port/1","label":"Haven"},{"@type":"Inn","@id":"Inn/1","label":"Inn"},{"@type":"Place","@id":"Place/1","label":"Reef"}]`,
			`[{"@type":"Ship","@id":"Ship/1","at":"Port/1"},{"@type":"Ship","@id":"Ship/2","at":"Inn/1"}]`)}))
	for commit, snapshot := range p.snapshots {
		got := strings.Join(slices.Sorted(maps.Keys(snapshot)), " ")
		if want := "terminusdb:///star-wars/Place/1 terminusdb:///star-wars/Port/1 terminusdb:///star-wars/Ship/1 terminusdb:///star-wars/Ship/2"; got != want {
			t.Errorf("%s: %s", commit, got)
		}
	}
	p.expect("a subclass", minidb.Change{Put: []json.RawMessage{document("Port/1", "x")}}, "+Port/1 +Ship/1")
	p.expect("one without a pair", minidb.Change{Put: []json.RawMessage{document("Inn/1", "x")}}, "+Ship/2")
}

// TestHazard05NoCommonAncestor: a history that does not go back to an indexed commit is listed
// whole; so is one that a reset took to an older commit's child, from there.
func TestHazard05NoCommonAncestor(t *testing.T) {
	p := newPulls(t, plain)
	first := p.commit(minidb.Change{Schema: raw(class("A", embedding("query($id: ID){ A(id: $id) { label } }", "x"))), Put: []json.RawMessage{document("A/1", "x"), document("A/2", "x")}})
	p.pull(first)
	second := p.commit(minidb.Change{Delete: []string{"A/1"}})
	p.pull(second)
	squash, err := p.db.Squash(domain, second)
	if err != nil {
		t.Fatal(err)
	}
	if got, ops := p.pull(squash); got.Base != "" || !got.Complete || ops != "+A/2" {
		t.Errorf("squash: %+v %s", got, ops)
	}
	if err := p.db.Reset(domain, "main", first); err != nil {
		t.Fatal(err)
	}
	third := p.commit(minidb.Change{Put: []json.RawMessage{document("A/3", "x")}})
	if got, ops := p.pull(third); got.Base != first || got.Complete || ops != "+A/3" {
		t.Errorf("after a reset: %+v %s", got, ops)
	}
}

// TestFallback: where the triple queries are refused or answered badly, or the
// delta is too long, everything is listed, and the log says so.
func TestFallback(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		says   string
	}{
		"forbidden": {http.StatusForbidden, `{"action":"'@schema':'Action/instance_read_access'","api:status":"api:forbidden"}`, "instance_read_access"},
		"missing":   {http.StatusNotFound, `{"api:message":"Path not found","api:path":"/api/woql","api:status":"api:not_found"}`, "404"},
		"broken":    {http.StatusInternalServerError, "{}", "500"},
		"nonsense":  {http.StatusOK, "[]", "bindings"},
		"failure":   {http.StatusOK, `{"api:status":"api:failure","bindings":[]}`, "bindings"},
		"too long":  {http.StatusOK, strings.Repeat(" ", 1<<20), "too long"},
	} {
		var log bytes.Buffer
		p := newPulls(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.URL.Path, "/api/woql/") {
					h.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
		}, func(cfg *docdb.Config) {
			cfg.MaxAnswer = 1<<20 - 1
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		base := p.commit(minidb.Change{Schema: raw(class("A", embedding("query($id: ID){ A(id: $id) { label } }", "x"))), Put: []json.RawMessage{document("A/1", "x"), document("A/2", "x")}})
		p.pull(base)
		got, ops := p.pull(p.commit(minidb.Change{Delete: []string{"A/1"}, Put: []json.RawMessage{document("A/3", "x")}}))
		if !got.Complete || got.Base != base || ops != "+A/2 +A/3" {
			t.Errorf("%s: %+v %s", name, got, ops)
		}
		if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "WARN") || !strings.Contains(line, c.says) || !strings.Contains(line, base) {
			t.Errorf("%s: log %q does not say %q", name, line, c.says)
		}
	}
}

// TestNoLayers: a history that does not name its commits' layers cannot tell
// that nothing changed.
func TestNoLayers(t *testing.T) {
	p := newPulls(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			body := answer.Body.Bytes()
			if strings.HasPrefix(r.URL.Path, "/api/log/") {
				body = regexp.MustCompile(`"(schema|instance)":`).ReplaceAll(body, []byte(`"old_$1":`))
			}
			w.WriteHeader(answer.Code)
			w.Write(body)
		})
	})
	p.pull(p.commit(minidb.Change{Schema: raw(classA), Put: []json.RawMessage{document("A/1", "x")}}))
	if got, ops := p.pull(p.commit(minidb.Change{Put: []json.RawMessage{document("A/2", "x")}})); !got.Complete || ops != "+A/1 +A/2" {
		t.Errorf("%+v %s", got, ops)
	}
}

// TestWorth: nearly everything changed, or too many commits to walk: then
// everything is listed.
func TestWorth(t *testing.T) {
	t.Parallel()
	requests := (*recorder)(nil)
	p := newPulls(t, func(h http.Handler) http.Handler { requests = record(h); return requests })
	documents := func(from, n int, label string) []json.RawMessage {
		var list []json.RawMessage
		for i := range n {
			list = append(list, document(fmt.Sprintf("A/%d", from+i), label))
		}
		return list
	}
	indexed := p.commit(minidb.Change{Schema: raw(class("A", embedding("query($id: ID){ A(id: $id) { label } }", "x"))), Put: documents(0, 4500, "x")})
	for _, c := range []struct {
		name     string
		changed  int
		commits  int
		complete bool
	}{
		{"few documents are not counted", 1900, 1, false},
		{"less than half", 2100, 1, false},
		{"more than half", 2400, 1, true},
		{"commits within reason", 1, 17, false},
		{"too many commits", 1, 46, true},
	} {
		head := ""
		for i := range c.commits {
			head = p.commit(minidb.Change{Put: documents(0, c.changed, fmt.Sprint(c.name, i))})
		}
		requests.take()
		got, err := p.client.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: head, Indexed: func(id string) bool { return id == indexed }})
		if err != nil {
			t.Fatal(err)
		}
		seen, _ := requests.take()
		if got.Complete != c.complete || got.Base != indexed || seen["count"] > 0 != (c.changed > 2000 || c.commits > 16) {
			t.Errorf("%s: complete %v from %q, asked %v", c.name, got.Complete, got.Base, seen)
		}
		if !c.complete && seen["delta"] != c.commits || c.commits > 17 && seen["delta"] > 0 {
			t.Errorf("%s: %d deltas", c.name, seen["delta"])
		}
		indexed = head
	}
}
