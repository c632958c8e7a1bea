package space_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestMergeOfPending merges branches whose last writes are in no commit yet: of each key
// the later write counts, whichever branch is committed first.
func TestMergeOfPending(t *testing.T) {
	ctx := t.Context()
	w := open(t, vfstest.NewMem())
	defer w.shut()
	sp := w.make("s", space.Schema{Dims: 2})
	try := space.At{Branch: "try"}
	must(t, sp.Set(ctx, main_, item(str("a"), 1), item(str("b"), 1), item(space.IntKey(1), 1)))
	must(t, sp.MakeBranch(ctx, main_, "try"))
	must(t, sp.Set(ctx, main_, item(str("a"), 2)))
	must(t, sp.Set(ctx, try, item(str("a"), 3), item(str("b"), 3)))
	must(t, sp.Set(ctx, main_, item(str("b"), 4), item(str("1"), 4)))
	must(t, sp.Delete(ctx, try, space.IntKey(1)))
	_, conflicts, err := sp.Merge(ctx, main_, "try")
	must(t, err)
	if len(conflicts) != 2 || conflicts[0].Kept != "theirs" || conflicts[1].Kept != "ours" {
		t.Errorf("conflicts %+v", conflicts)
	}
	want := contents{str("a"): {3, -3}, str("b"): {4, -4}, str("1"): {4, -4}}
	if got := all(t, sp, main_); !equal(got, want) {
		t.Errorf("merged: %v, want %v", got, want)
	}
}
