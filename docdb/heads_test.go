package docdb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

func TestHeadsAndAncestry(t *testing.T) {
	at := time.Unix(1_795_220_186, 379_000_000)
	db := minidb.New(minidb.Config{Now: func() time.Time { at = at.Add(time.Minute); return at }})
	first, err := db.Create("a/b", minidb.Prefixes{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(db)
	defer srv.Close()
	c, err := docdb.NewClient(docdb.Config{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	if heads, err := c.Heads(t.Context(), "a/b"); err != nil || !maps.Equal(heads, map[string]string{"main": first}) {
		t.Errorf("of an empty database: %v, %v", heads, err)
	}
	var ids []string
	for i := range 3 {
		class := fmt.Sprintf(`{"@id":"Class%d","@type":"Class"}`, i)
		id, err := db.Commit("a/b", minidb.Change{Branch: "main", Author: "a", Message: "m", Schema: []json.RawMessage{json.RawMessage(class)}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := db.Branch("a/b", "fan", ids[1]); err != nil {
		t.Fatal(err)
	}
	if heads, err := c.Heads(t.Context(), "a/b"); err != nil || !maps.Equal(heads, map[string]string{"main": ids[2], "fan": ids[1]}) {
		t.Errorf("heads %v, %v", heads, err)
	}
	next := at
	n := 2
	for a, err := range c.Ancestry(t.Context(), "a/b", ids[2]) {
		if err != nil || a.Commit != ids[n] || a.Time.Sub(next).Abs() > time.Millisecond {
			t.Errorf("ancestor %d: %+v, %v, want %s of %v", n, a, err, ids[n], next)
		}
		next, n = next.Add(-time.Minute), n-1
	}
	if n != -1 {
		t.Errorf("%d ancestors are missing", n+1)
	}
	pull, err := c.Pull(t.Context(), contract.PullRequest{Domain: "a/b", Commit: ids[2], Branch: "main"})
	if err != nil || pull.About.Author != "a" || pull.About.Message != "m" || pull.About.Time.Sub(at).Abs() > time.Millisecond {
		t.Errorf("a pull says %+v, %v, want the time %v", pull.About, err, at)
	}
	for _, err := range c.Ancestry(t.Context(), "a/b", "0000") {
		if !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("an unknown commit: %v", err)
		}
	}
}
