package docdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// raw makes JSON documents of texts.
func raw(texts ...string) []json.RawMessage {
	var list []json.RawMessage
	for _, t := range texts {
		list = append(list, json.RawMessage(t))
	}
	return list
}

// logServer answers /_commits for the head and pages of a recorded log.
func logServer(log []json.RawMessage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_commits") {
			w.Write(log[0])
			return
		}
		start, _ := strconv.Atoi(r.URL.Query().Get("start"))
		count, _ := strconv.Atoi(r.URL.Query().Get("count"))
		start = min(start, len(log))
		json.NewEncoder(w).Encode(log[start:min(start+count, len(log))])
	})
}

// collect ranges over a pull's operations.
func collect(t *testing.T, p *contract.Pull) []contract.Op {
	t.Helper()
	var ops []contract.Op
	for op, err := range p.Ops {
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return ops
}

func none(string) bool { return false }

// load makes a database of the given steps and a client for it.
func load(t *testing.T, cfg minidb.Config, steps []minidb.Step, change ...func(*docdb.Config)) (*docdb.Client, map[string]string, *minidb.DB) {
	t.Helper()
	db := minidb.New(cfg)
	ids, err := db.Load(domain, minidb.Prefixes{Base: "terminusdb:///star-wars/", Schema: "terminusdb:///star-wars/schema#"}, steps)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, db, change...), ids, db
}

func starWarsSteps(t *testing.T) []minidb.Step {
	t.Helper()
	data, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	var steps []minidb.Step
	for _, c := range data.Commits {
		steps = append(steps, minidb.Step{Name: c.Name, From: c.From, Change: minidb.Change{
			Branch: c.Branch, Author: c.Author, Message: c.Message,
			Schema: c.Schema, Put: slices.Concat(c.Insert, c.Replace), Delete: c.Delete,
		}})
	}
	return steps
}

// TestPullStarWars pulls every commit of the demo's data set as the demo does,
// with the server's faults and without.
func TestPullStarWars(t *testing.T) {
	t.Parallel()
	for _, cfg := range []minidb.Config{{}, {UnquoteNumbers: true, PanicAtByte1000: true}} {
		steps := starWarsSteps(t)
		c, ids, _ := load(t, cfg, steps)
		documents := map[string]int{}
		for _, s := range steps {
			p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids[s.Name], Branch: s.Branch, Indexed: none})
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if p.Base != "" || !p.Complete || !p.OnBranch {
				t.Errorf("%s: base %q, complete %v, on branch %v", s.Name, p.Base, p.Complete, p.OnBranch)
			}
			ops := collect(t, p)
			if len(ops) != p.Total {
				t.Errorf("%s: %d operations, %d announced", s.Name, len(ops), p.Total)
			}
			documents[s.Name] = len(ops)
			for i, op := range ops {
				if op.Kind != contract.Upsert || op.Template == "" || !json.Valid(op.Data) || op.Err != nil {
					t.Fatalf("%s: operation %+v", s.Name, op)
				}
				if !strings.HasPrefix(op.ID, starwars.Base+op.Type+"/") {
					t.Errorf("%s: id %q of type %q", s.Name, op.ID, op.Type)
				}
				if i > 0 && ops[i-1].Type == op.Type && ops[i-1].ID >= op.ID {
					t.Errorf("%s: %q after %q", s.Name, op.ID, ops[i-1].ID)
				}
				var fields map[string]any
				if err := json.Unmarshal(op.Data, &fields); err != nil || fields["_id"] != nil {
					t.Errorf("%s: %s holds an id, or %v", s.Name, op.Data, err)
				}
			}
		}
		if documents["schema"] != 0 || documents["load"] < 200 || documents["delete"] >= documents["change"] {
			t.Errorf("documents per commit: %v", documents)
		}
	}
}

const classA = `{"@id":"A","@type":"Class","label":"xsd:string","price":{"@type":"Optional","@class":"xsd:string"},"tags":{"@type":"Set","@class":"xsd:string"},"next":{"@type":"Optional","@class":"A"},
	"@metadata":{"embedding":{"query":"query($id: ID){ A(id: $id) { label price tags next { label } } }","template":"{{label}}"}}}`

func class(name, metadata string) string {
	return fmt.Sprintf(`{"@id":%q,"@type":"Class","label":"xsd:string","@metadata":%s}`, name, metadata)
}

func embedding(query, template string) string {
	b, err := json.Marshal(map[string]any{"embedding": map[string]any{"query": query, "template": template}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestPullData: the data of a document is what its query asks for, exactly.
func TestPullData(t *testing.T) {
	c, ids, _ := load(t, minidb.Config{UnquoteNumbers: true}, []minidb.Step{{Name: "all", Change: minidb.Change{
		Schema: raw(classA),
		Put:    raw(`{"@type":"A","@id":"A/1","label":"007.5","price":"1-2","tags":["1.50","x"],"next":"A/a b"}`, `{"@type":"A","@id":"A/a b","label":"é \"1.0\" <&>"}`),
	}}})
	p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids["all"], Branch: "main", Indexed: none})
	if err != nil {
		t.Fatal(err)
	}
	want := []contract.Op{
		{Kind: contract.Upsert, ID: "terminusdb:///star-wars/A/1", Type: "A", Template: "{{label}}",
			Data: []byte(`{"label":"007.5","price":"1-2","tags":["1.50","x"],"next":{"label":"é \"1.0\" <&>"}}`)},
		{Kind: contract.Upsert, ID: "terminusdb:///star-wars/A/a b", Type: "A", Template: "{{label}}",
			Data: []byte(`{"label":"é \"1.0\" <&>","price":null,"tags":[],"next":null}`)},
	}
	got := collect(t, p)
	if len(got) != len(want) {
		t.Fatalf("got %d operations, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Kind != w.Kind || g.ID != w.ID || g.Type != w.Type || g.Template != w.Template || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("operation %d\n got %+v %s\nwant %+v %s", i, g, g.Data, w, w.Data)
		}
	}
}

// TestPullBadClasses: a class that cannot be read is named, document by
// document, and the others are pulled.
func TestPullBadClasses(t *testing.T) {
	good := embedding("query($id: ID){ Good(id: $id) { label } }", "{{label}}")
	classes := []struct{ name, metadata, says string }{
		{"BadField", embedding("query($id: ID){ BadField(id: $id) { nosuch } }", "x"), `Unknown field "nosuch"`},
		{"Fragment", embedding("query($id: ID){ Fragment(id: $id) { ... on Fragment { label } } }", "x"), "fragment"},
		{"Mutation", embedding("mutation($id: ID){ Mutation(id: $id) { label } }", "x"), "mutation"},
		{"NoID", embedding("{ NoID { label } }", "x"), "no id argument"},
		{"NotObject", `{"embedding":"just a string"}`, "not an object"},
		{"NoQuery", `{"embedding":{"template":"x"}}`, "no query"},
		{"NumberQuery", `{"embedding":{"query":7,"template":"x"}}`, "query is not a string"},
		{"ListTemplate", `{"embedding":{"query":"{A{label}}","template":["x"]}}`, "template is not a string"},
		{"Syntax", embedding("query($id: ID){ Syntax(id: $id) { label ", "x"), "does not parse"},
		{"TextMetadata", `"x"`, "@metadata is not an object"},
	}
	change := minidb.Change{Schema: raw(class("Good", good), class("NoTemplate", `{"embedding":{"query":"query($id:ID){NoTemplate(id:$id){label}}"}}`),
		class("None", `{}`), class("Null", `{"embedding":null}`), `{"@id":"Heir","@type":"Class","@inherits":"Good"}`)}
	for _, name := range []string{"Good/1", "NoTemplate/1", "None/1", "Null/1", "Heir/1"} {
		change.Put = append(change.Put, document(name, "x"))
	}
	for _, k := range classes {
		change.Schema = append(change.Schema, json.RawMessage(class(k.name, k.metadata)))
		change.Put = append(change.Put, document(k.name+"/1", "x"), document(k.name+"/2", "y"))
	}
	c, ids, _ := load(t, minidb.Config{}, []minidb.Step{{Name: "all", Change: change}})
	for range 2 {
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids["all"], Branch: "main", Indexed: none})
		if err != nil {
			t.Fatal(err)
		}
		ops := map[string]contract.Op{}
		for _, op := range collect(t, p) {
			ops[strings.TrimPrefix(op.ID, "terminusdb:///star-wars/")] = op
		}
		if len(ops) != 2+2*len(classes) || p.Total != len(ops) || ops[""].Type != "NoTemplate" {
			t.Errorf("%d operations, %d announced, want %d", len(ops), p.Total, 2+2*len(classes))
		}
		if ops["Good/1"].Kind != contract.Upsert {
			t.Errorf("Good/1: %+v", ops["Good/1"])
		}
		for _, k := range classes {
			for _, id := range []string{k.name + "/1", k.name + "/2"} {
				op := ops[id]
				if op.Kind != contract.Failed || op.Type != k.name || op.Err == nil || !strings.Contains(op.Err.Error(), k.says) {
					t.Errorf("%s: %+v, want a failure that says %q", id, op, k.says)
				}
			}
		}
	}
}

func document(id, label string) json.RawMessage {
	class, _, _ := strings.Cut(id, "/")
	b, err := json.Marshal(map[string]string{"@type": class, "@id": id, "label": label})
	if err != nil {
		panic(err)
	}
	return b
}

// TestPullBaseAndBranch: the base is the nearest indexed ancestor or the
// previous one asked for, and the branch is checked by parents.
func TestPullBaseAndBranch(t *testing.T) {
	step := func(name, branch, from string) minidb.Step {
		return minidb.Step{Name: name, From: from, Change: minidb.Change{Branch: branch, Message: name, Put: []json.RawMessage{document("A/1", name)}}}
	}
	steps := []minidb.Step{{Name: "0", Change: minidb.Change{Schema: raw(classA)}}}
	for i := 1; i <= 40; i++ { // more than the first page of the log
		steps = append(steps, step(fmt.Sprint(i), "main", ""))
	}
	steps = append(steps, step("fan", "fan", "30"))
	c, ids, db := load(t, minidb.Config{}, steps)
	for _, k := range []struct {
		name, commit, branch, previous string
		indexed                        []string
		base                           string
		onBranch                       bool
	}{
		{"nothing indexed", "40", "main", "", nil, "", true},
		{"nearest", "40", "main", "", []string{"5", "39", "10"}, "39", true},
		{"far", "40", "", "", []string{"2"}, "2", true},
		{"itself is no ancestor", "40", "main", "", []string{"40"}, "", true},
		{"older commit", "7", "main", "", []string{"40", "3"}, "3", true},
		{"previous", "40", "main", "5", []string{"39", "5"}, "5", true},
		{"previous not indexed", "40", "main", "5", []string{"39"}, "39", true},
		{"previous is no ancestor", "40", "main", "fan", []string{"fan", "12"}, "12", true},
		{"previous is unknown", "40", "main", "zzz", []string{"zzz", "12"}, "12", true},
		{"other branch", "fan", "main", "", []string{"40", "30"}, "30", false},
		{"own branch", "fan", "fan", "", []string{"31"}, "", true},
		{"shared past", "30", "fan", "", nil, "", true},
		{"behind the fork", "31", "fan", "", nil, "", false},
		{"first", "0", "main", "", []string{"40"}, "", true},
	} {
		id := func(name string) string {
			if s, ok := ids[name]; ok {
				return s
			}
			return name
		}
		p, err := c.Pull(t.Context(), contract.PullRequest{
			Domain: domain, Commit: id(k.commit), Branch: k.branch, Previous: id(k.previous),
			Indexed: func(commit string) bool {
				return slices.ContainsFunc(k.indexed, func(name string) bool { return id(name) == commit })
			},
		})
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		if p.Base != "" != (k.base != "") || k.base != "" && p.Base != id(k.base) || p.OnBranch != k.onBranch {
			t.Errorf("%s: base %q, on branch %v; want %q, %v", k.name, p.Base, p.OnBranch, id(k.base), k.onBranch)
		}
	}
	for _, k := range []struct {
		commit, head string
		onBranch     bool
	}{
		{"7", "40", false}, // the head never moves back
		{"39", "40", false},
		{"40", "40", true},
		{"40", "7", true},
		{"31", "fan", true}, // the branch was reset away from its old head
	} {
		p, err := c.Pull(t.Context(), contract.PullRequest{
			Domain: domain, Commit: ids[k.commit], Branch: "main", Head: ids[k.head],
			Indexed: func(string) bool { return false },
		})
		if err != nil || p.OnBranch != k.onBranch {
			t.Errorf("commit %s with the head at %s: on branch %v, %v; want %v", k.commit, k.head, p.OnBranch, err, k.onBranch)
		}
	}
	for _, k := range []struct{ name, domain, commit, branch, says string }{
		{"unknown commit", domain, unknownCommit, "main", unknownCommit},
		{"no commit id", domain, "../../x", "main", "../../x"},
		{"empty commit", domain, "", "main", "no commit"},
		{"huge commit", domain, strings.Repeat("a", 1<<20), "main", "no commit"},
		{"unknown branch", domain, ids["1"], "nope", `"nope"`},
		{"unknown database", "admin/nope", ids["1"], "main", `"admin/nope"`},
	} {
		_, err := c.Pull(t.Context(), contract.PullRequest{Domain: k.domain, Commit: k.commit, Branch: k.branch, Indexed: none})
		if !errors.Is(err, contract.ErrNotFound) || !strings.Contains(err.Error(), k.says) || len(err.Error()) > 500 {
			t.Errorf("%s: %.200v", k.name, err)
		}
	}
	for _, bad := range []string{"", "admin", "admin/", "/x", "a/b/c", "../b", "a/..", "a/\x00"} {
		if _, err := c.Pull(t.Context(), contract.PullRequest{Domain: bad, Commit: ids["1"], Indexed: none}); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("domain %q: %v", bad, err)
		}
	}
	if head, err := c.Head(t.Context(), domain, "main"); err != nil || head != ids["40"] {
		t.Errorf("head of main: %q, %v", head, err)
	}
	for _, b := range []string{"nope", "a/b", "..", ""} {
		if _, err := c.Head(t.Context(), domain, b); !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("head of branch %q: %v", b, err)
		}
	}
	if first, err := db.Create("admin/empty", minidb.Prefixes{}); err != nil {
		t.Error(err)
	} else if p, err := c.Pull(t.Context(), contract.PullRequest{Domain: "admin/empty", Commit: first, Indexed: none}); err != nil || p.Total != 0 || !p.OnBranch {
		t.Errorf("a database nobody wrote to: %+v, %v", p, err)
	}
}

// TestPullWithoutMain: a database may have lost its main branch.
func TestPullWithoutMain(t *testing.T) {
	steps := []minidb.Step{{Name: "0", Change: minidb.Change{Schema: raw(classA)}}}
	db := minidb.New(minidb.Config{})
	ids, err := db.Load(domain, minidb.Prefixes{}, steps)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("type") == "Branch" {
			fmt.Fprint(w, `[{"@type":"Branch","name":"other"}]`)
			return
		}
		db.ServeHTTP(w, r)
	}))
	for _, branch := range []string{"", "main", "other"} {
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids["0"], Branch: branch, Indexed: none})
		if err != nil || p.OnBranch {
			t.Errorf("branch %q: %+v, %v", branch, p, err)
		}
	}
}

// TestPullMissing: a listed document that the query does not answer is named, and
// none of ours when the class's own filter leaves it out.
func TestPullMissing(t *testing.T) {
	c, commit := many(t, 2, onBatch(func(w http.ResponseWriter, ids []string) bool {
		// Answered out of order, twice, and with one too many.
		fmt.Fprint(w, `{"data":{"A":[{"_id":"terminusdb:///data/A/0000","label":"0"},{"_id":"terminusdb:///data/A/9999","label":"0"},{"_id":"terminusdb:///data/A/0000","label":"1"}]}}`)
		return true
	}))
	p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: commit, Indexed: none})
	if err != nil {
		t.Fatal(err)
	}
	ops := collect(t, p)
	if len(ops) != 2 || string(ops[0].Data) != `{"label":"0"}` || ops[1].Kind != contract.Failed || !strings.HasSuffix(ops[1].ID, "A/0001") {
		t.Errorf("%+v", ops)
	}

	c, ids, _ := load(t, minidb.Config{}, []minidb.Step{{Name: "all", Change: minidb.Change{
		Schema: raw(class("A", embedding(`query($id: ID){ A(id: $id, filter: {label: {eq: "x"}}) { label } }`, "x"))),
		Put:    []json.RawMessage{document("A/1", "x"), document("A/2", "y")},
	}}})
	if p, err = c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids["all"], Indexed: none}); err != nil {
		t.Fatal(err)
	}
	if ops := collect(t, p); len(ops) != 1 || ops[0].Kind != contract.Upsert || !strings.HasSuffix(ops[0].ID, "A/1") {
		t.Errorf("filtered: %+v", ops)
	}
}

// TestPullBatches: documents are asked for in batches of the size set.
func TestPullBatches(t *testing.T) {
	var mu sync.Mutex
	var sizes []int
	c, commit := many(t, 25, onBatch(func(w http.ResponseWriter, ids []string) bool {
		mu.Lock()
		defer mu.Unlock()
		sizes = append(sizes, len(ids))
		return false
	}), func(cfg *docdb.Config) { cfg.BatchSize = 10 })
	p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: commit, Indexed: none})
	if err != nil {
		t.Fatal(err)
	}
	if ops := collect(t, p); len(ops) != 25 || !slices.Equal(sizes, []int{10, 10, 5}) {
		t.Errorf("%d operations in batches of %v", len(ops), sizes)
	}
	// Stopping early asks no more.
	sizes = nil
	if p, err = c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: commit, Indexed: none}); err != nil {
		t.Fatal(err)
	}
	for range p.Ops {
		break
	}
	if !slices.Equal(sizes, []int{10}) {
		t.Errorf("batches of %v after stopping at the first document", sizes)
	}
}

// TestPullCancelled: a cancelled pull ends with the context's error.
func TestPullCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hang := make(chan struct{})
	c, commit := many(t, 25, onBatch(func(http.ResponseWriter, []string) bool {
		cancel()
		<-hang
		return true
	}))
	defer close(hang)
	p, err := c.Pull(ctx, contract.PullRequest{Domain: domain, Commit: commit, Indexed: none})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for op, err := range p.Ops {
		n++
		if !errors.Is(err, context.Canceled) || errors.Is(err, contract.ErrSource) {
			t.Errorf("%+v, %v", op, err)
		}
	}
	if n != 1 {
		t.Errorf("yielded %d times", n)
	}
}

// TestPullParallel: one client serves many pulls at once.
func TestPullParallel(t *testing.T) {
	c, commit := many(t, 120, func(h http.Handler) http.Handler { return h })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: commit, Indexed: none})
			if err != nil {
				t.Error(err)
				return
			}
			n := 0
			for _, err := range p.Ops {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			if n != 120 {
				t.Errorf("%d operations", n)
			}
		})
	}
	wg.Wait()
}
