package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

// TestIntegrity checks the wire form of an examination.
func TestIntegrity(t *testing.T) {
	e := newEnv(t)
	e.err = contract.ErrNotFound
	e.get("/integrity?domain=a/b/local/branch/dev").wantBody(t, `{"domain":"a/b","branches":[],"tagged_versions":0,`+
		`"on_disk_index_dirs":[],"referenced_index_uuids":[],"stale_index_dirs":[],"dangling_index_refs":[],`+
		`"on_disk_data_files":0,"on_disk_manifests":0,"rebuild_branches":[],"orphaned_tags":[],"stale_rebuild_branches":[],`+
		`"ok":true,"warnings":["dataset does not exist on disk"]}`)
	if got := e.last(t); got != integrityCall("a/b") {
		t.Errorf("asked for %v", got)
	}
	e.err = nil
	e.whole = search.Integrity{
		Branches: []search.Head{{Branch: "main", Commit: "k7", Version: 12}}, Commits: 9, CommitFiles: 8, VectorFiles: 1,
		TextFiles: []string{"t1", "t2"}, UsedTexts: []string{"t1"}, StaleTexts: []string{"t2"},
		MissingFiles: []string{"f"}, LostCommits: []string{"k3"}, Warnings: []string{"w"},
	}
	e.get("/integrity?domain=a/b").wantBody(t, `{"domain":"a/b","branches":[{"name":"main","version":12}],"tagged_versions":9,`+
		`"on_disk_index_dirs":["t1","t2"],"referenced_index_uuids":["t1"],"stale_index_dirs":["t2"],"dangling_index_refs":["f"],`+
		`"on_disk_data_files":1,"on_disk_manifests":8,"rebuild_branches":[],"orphaned_tags":["k3"],"stale_rebuild_branches":[],`+
		`"ok":false,"warnings":["w"]}`)
	e.last(t)
	e.whole = search.Integrity{Scrubbed: time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC), Findings: []search.Finding{{File: "f", Reason: "r", Commits: []string{"c"}}}}
	if got := e.get("/integrity?domain=a/b"); !strings.Contains(got.body, `"ok":false,"scrubbed":"2026-11-29T03:00:00Z","damage":[{"file":"f","reason":"r","commits":["c"]}]`) {
		t.Errorf("after a scrub: %s", got.body)
	}
	e.last(t)
	e.able = search.Readiness{Index: true, Damaged: 2}
	e.get("/health/ready").wantBody(t, `{"ready":true,"index":true,"search":false,"damaged":2}`)
	e.get("/integrity").wantError(t, 400, "missing_parameter", "domain")
	e.get("/integrity?domain=a").wantError(t, 400, "bad_parameter", "domain")
	e.untouched(t)
	e.err = contract.ErrCorrupt
	e.get("/integrity?domain=a/b").wantError(t, 500, "damaged")

	l := pushed(t)
	if got := l.get("/integrity?domain=a/b"); !strings.Contains(got.body, `"ok":true,"warnings":[]}`) || !strings.Contains(got.body, `"tagged_versions":1,`) {
		t.Errorf("a healthy domain: %s", got.body)
	}
}
