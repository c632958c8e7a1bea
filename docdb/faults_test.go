package docdb_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

// TestHazard03Byte1000 shifts the documents under byte 1000 of the answer.
func TestHazard03Byte1000(t *testing.T) {
	for _, char := range []string{"é", "漢", "😀"} {
		steps := []minidb.Step{{Name: "0", Change: minidb.Change{Schema: raw(classA)}}}
		for pad := range 5 {
			steps = append(steps, minidb.Step{Name: fmt.Sprint(pad), Change: minidb.Change{
				Put: []json.RawMessage{document("A/1", strings.Repeat("x", pad)+strings.Repeat(char, 600))},
			}})
		}
		panics := 0
		db := minidb.New(minidb.Config{PanicAtByte1000: true})
		ids, err := db.Load(domain, minidb.Prefixes{}, steps)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := &statusWriter{ResponseWriter: w}
			db.ServeHTTP(s, r)
			if s.status == http.StatusInternalServerError {
				panics++
			}
		}))
		for _, s := range steps[1:] {
			p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: ids[s.Name], Indexed: none})
			if err != nil {
				t.Fatal(err)
			}
			ops := collect(t, p)
			if len(ops) != 1 || ops[0].Kind != contract.Upsert || !bytes.Contains(ops[0].Data, []byte(strings.Repeat(char, 600))) {
				t.Errorf("%s after %s x: %+v", char, s.Name, ops)
			}
		}
		if panics == 0 {
			t.Errorf("%s never straddled byte 1000", char)
		}
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// many returns a database of n documents, the ids of its commits, and a client
// that meets it through a handler.
func many(t *testing.T, n int, wrap func(http.Handler) http.Handler, change ...func(*docdb.Config)) (*docdb.Client, string) {
	t.Helper()
	step := minidb.Step{Name: "all", Change: minidb.Change{Schema: raw(classA)}}
	for i := range n {
		step.Put = append(step.Put, document(fmt.Sprintf("A/%04d", i), fmt.Sprintf("label %d", i)))
	}
	db := minidb.New(minidb.Config{})
	ids, err := db.Load(domain, minidb.Prefixes{}, []minidb.Step{step})
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, wrap(db), change...), ids["all"]
}

// onBatch calls f for batch requests, with their ids; when f answers true the
// database is not asked.
func onBatch(f func(w http.ResponseWriter, ids []string) bool) func(http.Handler) http.Handler {
	return func(db http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/graphql/") {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				var q struct{ Variables struct{ IDs []string } }
				if json.Unmarshal(body, &q) == nil && q.Variables.IDs != nil && f(w, q.Variables.IDs) {
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			db.ServeHTTP(w, r)
		})
	}
}

// TestPullPoison: documents that the database cannot answer are found and
// named; the others come through.
func TestPullPoison(t *testing.T) {
	poison := []string{"terminusdb:///data/A/0007", "terminusdb:///data/A/0150"}
	for name, answer := range map[string]func(http.ResponseWriter){
		"panic": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"errors":[{"message":"Unexpected error in graphql: error(rust_error(panic(\"slice index over `+"`secret text`"+`\")),_1)"}]}`)
		},
		"resolver": func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"data":null,"errors":[{"message":"No such document","locations":[{"line":1,"column":3}],"path":["A",0]}]}`)
		},
		"huge": func(w http.ResponseWriter) { w.Write(bytes.Repeat([]byte(" "), 1<<20)) },
	} {
		batches := 0
		c, commit := many(t, 250, onBatch(func(w http.ResponseWriter, ids []string) bool {
			batches++
			if !slices.ContainsFunc(poison, func(p string) bool { return slices.Contains(ids, p) }) {
				return false
			}
			answer(w)
			return true
		}), func(cfg *docdb.Config) { cfg.MaxAnswer = 1<<20 - 1 })
		p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: commit, Indexed: none})
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		ops := collect(t, p)
		for _, op := range ops {
			if op.Kind == contract.Failed {
				failed = append(failed, op.ID)
				if strings.Contains(op.Err.Error(), "secret") {
					t.Errorf("%s: %v", name, op.Err)
				}
			}
		}
		if len(ops) != 250 || !slices.Equal(failed, poison) || batches > 40 {
			t.Errorf("%s: %d operations, failed %v, %d batches", name, len(ops), failed, batches)
		}
	}
	// A class that always fails is given up, not asked document by document.
	batches := 0
	c, commit := many(t, 2000, onBatch(func(w http.ResponseWriter, ids []string) bool {
		batches++
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"errors":[{"message":"Unexpected error in graphql: error(rust_error(panic(\"no\")),_1)"}]}`)
		return true
	}))
	p, err := c.Pull(t.Context(), contract.PullRequest{Domain: domain, Commit: commit, Indexed: none})
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range collect(t, p) {
		if op.Kind != contract.Failed {
			t.Fatalf("%+v", op)
		}
	}
	if batches > 200 {
		t.Errorf("%d requests for a class that always fails", batches)
	}
}
