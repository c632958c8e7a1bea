package docdb_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

// rewritten lets edit change the answers to requests that it accepts.
func rewritten(h http.Handler, accepts func(r *http.Request, body []byte) bool, edit func(answer []byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		out := answer.Body.Bytes()
		if accepts(r, body) {
			out = edit(out)
		}
		w.WriteHeader(answer.Code)
		w.Write(out)
	})
}

// TestUnansweredIsNotDeleted: a changed document that its class's query does
// not answer, but that exists, is reported and keeps its text.
func TestUnansweredIsNotDeleted(t *testing.T) {
	var hidden atomic.Bool
	p := newPulls(t, func(h http.Handler) http.Handler {
		return rewritten(h, func(r *http.Request, body []byte) bool {
			return hidden.Load() && strings.HasPrefix(r.URL.Path, "/api/graphql/") && bytes.Contains(body, []byte("label"))
		}, func(answer []byte) []byte {
			var a struct {
				Data map[string][]map[string]any `json:"data"`
			}
			if err := json.Unmarshal(answer, &a); err != nil {
				t.Errorf("%v: %s", err, answer)
			}
			for key, rows := range a.Data {
				a.Data[key] = slices.DeleteFunc(rows, func(row map[string]any) bool {
					id, _ := row["_id"].(string)
					return strings.HasSuffix(id, "A/1")
				})
			}
			out, err := json.Marshal(a)
			if err != nil {
				t.Error(err)
			}
			return out
		})
	})
	pair := embedding("query($id: ID){ A(id: $id) { label } }", "x")
	p.pull(p.commit(minidb.Change{Schema: raw(class("A", pair)), Put: []json.RawMessage{document("A/1", "x"), document("A/2", "x"), document("A/3", "x")}}))
	hidden.Store(true)
	p.expect("one that is not answered", minidb.Change{Put: []json.RawMessage{document("A/1", "y"), document("A/2", "y")}}, "!A/1 +A/2")
	p.expect("one that is gone", minidb.Change{Delete: []string{"A/1", "A/3"}}, "-A/1 -A/3")
}

// TestDistantReferrers: a text that quotes a document over many links is read
// again when that changes, however deep its class's query goes.
func TestDistantReferrers(t *testing.T) {
	const deep = 6
	p := newPulls(t, plain)
	query := strings.Repeat("next { ", deep) + "label" + strings.Repeat(" }", deep)
	// Each node of a chain links to the next.
	node := func(n int, label string) json.RawMessage {
		next := ""
		if n <= deep {
			next = fmt.Sprintf(`,"next":"Node/%d"`, n+1)
		}
		return json.RawMessage(fmt.Sprintf(`{"@type":"Node","@id":"Node/%d","label":%q%s}`, n, label, next))
	}
	var nodes []json.RawMessage
	for n := range deep + 2 {
		nodes = append(nodes, node(n, "x"))
	}
	p.pull(p.commit(minidb.Change{
		Schema: raw(fmt.Sprintf(`{"@id":"Node","@type":"Class","label":"xsd:string","next":{"@type":"Optional","@class":"Node"},"@metadata":%s}`,
			embedding("query($id: ID){ Node(id: $id) { "+query+" } }", "x"))),
		Put: nodes}))
	for n := range deep {
		p.expect(fmt.Sprintf("%d, which no text reaches", n), minidb.Change{Put: []json.RawMessage{node(n, "y")}}, fmt.Sprintf("+Node/%d", n))
	}
	p.expect("the last but one", minidb.Change{Put: []json.RawMessage{node(deep, "y")}}, fmt.Sprintf("+Node/0 +Node/%d", deep))
	p.expect("the last", minidb.Change{Put: []json.RawMessage{node(deep+1, "y")}}, fmt.Sprintf("+Node/1 +Node/%d", deep+1))
}

// TestLogWithGaps: a log that leaves out a commit, on its first page or a later
// one, is refused: what that commit changed would never be read.
func TestLogWithGaps(t *testing.T) {
	const commits = 40
	var log []json.RawMessage
	for n := range commits {
		log = append(log, json.RawMessage(fmt.Sprintf(`{"identifier":"k%d","parent":"ValidCommit/k%d","schema":"s","instance":"i%d"}`, n, n+1, n)))
	}
	log[commits-1] = raw(`{"identifier":"k39","parent":"","schema":"s","instance":"i39"}`)[0]
	for _, gap := range []int{0, 1, 5, 15, 16, 17, commits - 1} {
		with := slices.Clone(log)
		if gap > 0 {
			with = slices.Delete(with, gap, gap+1)
		}
		seen, failed := 0, error(nil)
		for commit, err := range newClient(t, logServer(with)).History(t.Context(), domain, "k0") {
			if failed = err; err == nil {
				if want := fmt.Sprintf("k%d", seen); commit.ID != want {
					t.Errorf("without %d: %s comes for %s", gap, commit.ID, want)
				}
				seen++
			}
		}
		if gap == 0 && (failed != nil || seen != commits) {
			t.Errorf("whole: %d commits, %v", seen, failed)
		}
		if gap > 0 && (!errors.Is(failed, contract.ErrSource) || seen > gap) {
			t.Errorf("without %d: %d commits, then %v", gap, seen, failed)
		}
	}
}

// TestClassChange: a document that is given another class, in which it reads
// the same, is written again under that class.
func TestClassChange(t *testing.T) {
	s := newSidecar(t)
	if _, err := s.db.Create(domain, minidb.Prefixes{}); err != nil {
		t.Fatal(err)
	}
	colour := func(class string) string {
		return fmt.Sprintf(`{"@id":%q,"@type":"Class","@base":"Colour/","label":"xsd:string","@metadata":%s}`,
			class, embedding("query($id: ID){ "+class+"(id: $id) { label } }", "x"))
	}
	dot := func(class string) []json.RawMessage {
		return raw(fmt.Sprintf(`{"@type":%q,"@id":"Colour/1","label":"dot"}`, class))
	}
	s.commit(minidb.Change{Schema: raw(colour("Red"), colour("Blue")), Put: dot("Red")})
	task, _, _, embedded := s.commit(minidb.Change{Put: dot("Blue")})
	if task.Documents != 1 || task.Indexed != 1 || task.Deleted != 0 || len(embedded) != 0 {
		t.Errorf("%d documents, %d indexed, %d deleted, embedded %q; want the one document written again and nothing embedded",
			task.Documents, task.Indexed, task.Deleted, embedded)
	}
}
