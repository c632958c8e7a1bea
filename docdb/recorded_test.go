package docdb_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/docdbtest"
)

const (
	transcripts   = "testdata/transcripts"
	domain        = "admin/star_wars"
	bulkCommit    = "anm7p83nwg86o1ecu6b4qpthhm9v2l0"
	headCommit    = "waocbby44r0rf4dwh76sd3yv8an5dpv"
	unknownCommit = "o2uq7k1mrun1vp4urktmw55962vlpto"
)

func newClient(t *testing.T, h http.Handler, change ...func(*docdb.Config)) *docdb.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg := docdb.Config{URL: s.URL, User: "admin", Password: contract.NewSecret("root")}
	for _, f := range change {
		f(&cfg)
	}
	c, err := docdb.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// player answers requests that were recorded as they were answered then; any
// other fails the test.
func player(t *testing.T, names ...string) http.Handler {
	t.Helper()
	var exchanges []docdbtest.Exchange
	for _, n := range names {
		exchanges = append(exchanges, docdbtest.One(t, transcripts, n))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "admin" || password != "root" {
			t.Errorf("%s %s came as user %q", r.Method, r.URL, user)
		}
		for _, e := range exchanges {
			if e.Method == r.Method && e.URL.EscapedPath() == r.URL.EscapedPath() && sameQuery(e.URL.Query(), r.URL.Query()) {
				e.Write(w)
				return
			}
		}
		t.Errorf("not recorded: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
	})
}

func sameQuery(a, b url.Values) bool {
	if a.Get("graph_type") == "instance" {
		a.Del("graph_type")
	}
	return a.Encode() == b.Encode()
}

func TestRecordedCommit(t *testing.T) {
	c := newClient(t, player(t, "31b"))
	got, err := c.Commit(t.Context(), domain, "iuoilw4bz934j5m3qo6lfieyn05co68")
	want := docdb.Commit{
		ID: "iuoilw4bz934j5m3qo6lfieyn05co68", Parent: bulkCommit, Author: "loader", Message: "change-3",
		Timestamp: "1795220185.77094240837696335079",
		Instance:  "layer_data:Layer_158ccc604e5750dbf2c9538d0362e56fffb0a8158ed3f51eeb07af4069a4fa03",
		Schema:    "layer_data:Layer_6763df13405ff22874e0f578a88bfd30d15665d9dfe57f5800852bc1836f2fb3",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestRecordedUnknownCommit(t *testing.T) {
	missing := docdbtest.One(t, transcripts, "35b")
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { missing.Write(w) }))
	_, err := c.Commit(t.Context(), domain, unknownCommit)
	if !errors.Is(err, contract.ErrNotFound) || !strings.Contains(err.Error(), unknownCommit) || errors.Is(err, contract.ErrSource) {
		t.Errorf("unknown commit: %v", err)
	}
	// What the database answers 500 for is told from a real fault.
	schema := docdbtest.One(t, transcripts, "34")
	c = newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_commits") {
			missing.Write(w)
		} else {
			schema.Write(w)
		}
	}))
	if _, err := c.Classes(t.Context(), domain, unknownCommit); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("classes of an unknown commit: %v", err)
	}
}

func TestRecordedBranches(t *testing.T) {
	c := newClient(t, player(t, "31", "21"))
	got, err := c.Heads(t.Context(), domain)
	want := map[string]string{"main": headCommit, "fan": "9uu8ey45ljsu969aj184820az6lenks"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	head, err := c.Head(t.Context(), domain, "fan")
	if err != nil || head != want["fan"] {
		t.Errorf("head of fan: %q, %v; want %q", head, err, want["fan"])
	}
}

// TestRecordedHistory walks the recorded log, handed out in pages as asked.
func TestRecordedHistory(t *testing.T) {
	var log []json.RawMessage
	if err := json.Unmarshal(docdbtest.One(t, transcripts, "30").Answer, &log); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, logServer(log))
	var names []string
	for commit, err := range c.History(t.Context(), domain, headCommit) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, commit.Message)
	}
	got, want := strings.Join(names, " "), "delete-person drop-references subdoc-and-label schema-template add-4 replace-1 delete-2 change-3 bulk-load schema"
	if got != want {
		t.Errorf("history\n got %s\nwant %s", got, want)
	}
}

// TestRecordedSquash: a squashed history has no parents, and its Sets come in
// another order, which the texts do not show.
func TestRecordedSquash(t *testing.T) {
	var log []json.RawMessage
	if err := json.Unmarshal(docdbtest.One(t, transcripts, "81b").Answer, &log); err != nil {
		t.Fatal(err)
	}
	squashed := "b7qq743as03maf324q36xztm4eo6o2m"
	n := 0
	for commit, err := range newClient(t, logServer(log)).History(t.Context(), domain, squashed) {
		if n++; err != nil || commit.ID != squashed || commit.Parent != "" {
			t.Errorf("commit %+v, %v", commit, err)
		}
	}
	if n != 1 {
		t.Errorf("%d commits, want 1", n)
	}
	schema := docdbtest.One(t, transcripts, "20").Answer
	var texts []string
	for _, name := range []string{"85", "85e"} {
		var doc struct {
			Label string   `json:"label"`
			Desc  []string `json:"desc"`
		}
		if err := json.Unmarshal(docdbtest.One(t, transcripts, name).Answer, &doc); err != nil {
			t.Fatal(err)
		}
		row, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		text, err := docdb.Arrange(schema, "People", "query($id: ID){ People(id: $id) { label desc } }", row)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if want := `{"label":"Order","desc":["1 first","Apple","Mango","Zebra"]}`; texts[0] != want || texts[1] != want {
		t.Errorf("texts %q, want %s twice", texts, want)
	}
}

func TestRecordedClasses(t *testing.T) {
	c := newClient(t, player(t, "20"))
	got, err := c.Classes(t.Context(), domain, bulkCommit)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, class := range got {
		if class.Err != nil {
			t.Errorf("%s: %v", class.Name, class.Err)
		}
		names = append(names, class.Name)
		switch class.Name {
		case "People":
			if class.Query != peopleQuery || !strings.HasPrefix(class.Template, "The person's name is {{label}}.{{#if desc}}") {
				t.Errorf("People: %q, %q", class.Query, class.Template)
			}
		case "Film":
			if class.Query == "" || class.Template != "" {
				t.Errorf("Film: %q, %q", class.Query, class.Template)
			}
		}
	}
	if got, want := strings.Join(names, " "), "Film People Planet Species Starship"; got != want && got != want+" Vehicle" {
		t.Errorf("classes %s, want %s", got, want)
	}
}

// TestRecordedBatch: the rewritten query is the one that was recorded, and its
// answer is understood.
func TestRecordedBatch(t *testing.T) {
	e := docdbtest.One(t, transcripts, "59e")
	var sent struct {
		Query     string
		Variables struct{ IDs []string }
	}
	if err := json.Unmarshal(e.Body, &sent); err != nil {
		t.Fatal(err)
	}
	text, variable, idKey, err := docdb.Rewrite("People", peopleQuery)
	if err != nil {
		t.Fatal(err)
	}
	strip := strings.NewReplacer(" ", "", ",", "", "\n", "").Replace
	if strip(text) != strip(sent.Query) {
		t.Errorf("rewritten\n%s\nrecorded\n%s", text, sent.Query)
	}
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength <= 0 {
			t.Error("request without Content-Length")
		}
		e.Write(w)
	}))
	rows, err := c.Ask(t.Context(), domain, bulkCommit, "People", func(string) string { return text }, map[string]any{variable: sent.Variables.IDs})
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows {
		id, data, err := docdb.SplitID(row, idKey, false)
		if err != nil || id != sent.Variables.IDs[i] || !strings.HasPrefix(string(data), `{"birth_year":`) {
			t.Errorf("row %d: %q, %.40s, %v", i, id, data, err)
		}
	}
}

// TestRecordedFaults: every recorded refusal becomes an error that says what is
// wrong and holds no document text.
func TestRecordedFaults(t *testing.T) {
	const ask = "graphql"
	for _, c := range []struct {
		name, via string
		want      error
		says      string
	}{
		{"70b", "", contract.ErrSource, "VECTORLINK_TERMINUSDB_PASSWORD"},
		{"70c", "", contract.ErrSource, "VECTORLINK_TERMINUSDB_USER"},
		{"70d", "", contract.ErrSource, "403"},
		{"70j", "", contract.ErrSource, "VECTORLINK_TERMINUSDB_USER"},
		{"74c", "", contract.ErrSource, `user "admin" lacks the right instance_read_access on "admin/star_wars"`},
		{"74d", ask, contract.ErrSource, `lacks the right instance_read_access on "admin/star_wars"`},
		{"71", "", contract.ErrNotFound, `no database "admin/star_wars"`},
		{"71b", "", contract.ErrSource, "404"},
		{"71e", "", contract.ErrSource, "InvalidResourcePath"},
		{"34", "", contract.ErrSource, "InternalServerError"},
		{"55g", "", contract.ErrSource, "500"},
		{"70e", ask, contract.ErrSource, "403"},
		{"70f", ask, contract.ErrSource, "401"},
		{"34b", ask, contract.ErrNotFound, "commit is gone"},
		{"34c", ask, contract.ErrSource, "403"},
		{"55d", ask, contract.ErrSource, "500"},
		{"55h", ask, contract.ErrSource, "500"},
		{"55", ask, nil, `Unknown field "nosuch" on type "People"`},
		{"55c", ask, nil, "Unexpected end of input"},
		{"55e", ask, nil, "got invalid value"},
		{"51c", ask, nil, "panics on it: You must not specify 'id' and 'ids' simultaneously"},
		{"57b", ask, nil, "byte 1000"},
		{"58h", ask, nil, "panics"},
		{"59b", ask, nil, "mutation"},
	} {
		e := docdbtest.One(t, transcripts, c.name)
		client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.Write(w) }))
		var err error
		if c.via == ask {
			_, err = client.Ask(t.Context(), domain, bulkCommit, "A", func(string) string { return "{A{_id}}" }, nil)
		} else {
			_, err = client.Heads(t.Context(), domain)
		}
		switch {
		case err == nil:
			t.Errorf("%s: no error", e.Name)
		case c.want != nil && !errors.Is(err, c.want), c.want == nil && errors.Is(err, contract.ErrSource):
			t.Errorf("%s: %v wraps the wrong error", e.Name, err)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %q does not say %q", e.Name, err, c.says)
		case strings.Contains(err.Error(), "xxxx") || strings.Contains(err.Error(), "root"):
			t.Errorf("%s: %q says too much", e.Name, err)
		}
	}
}
