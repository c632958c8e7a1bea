package main

import (
	"strings"
	"testing"
)

// TestWatchNeedsHeads: a server that is to watch a source without branches says
// so at its start.
func TestWatchNeedsHeads(t *testing.T) {
	env := []string{"TERMINUSDB_CONTENT_ENDPOINT=http://127.0.0.1:1", "VECTORLINK_DATA_DIR=" + t.TempDir()}
	code, _, stderr := call(t.Context(), env, "serve", "--listen", "127.0.0.1:0", "--watch", "admin/star_wars")
	if code != exitUsage || !strings.Contains(stderr, "watch: the configured document database has no branches") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
