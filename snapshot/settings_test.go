package snapshot_test

import (
	"errors"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSettingsAreInherited: whatever is written on a view has its settings.
func TestSettingsAreInherited(t *testing.T) {
	for _, settings := range []string{"", "metric=l2"} {
		mem := vfstest.NewMem()
		h := header(snapshot.Checkpoint, "c1", "", 1)
		h.Settings = settings
		write(t, mem, h, seq(doc("a", "Luke Skywalker", 0)), nil, nil)
		wrote(t)(view(t, mem, "c1").WriteDelta(mem, header(0, "c2", "", 2), snapshot.Contents{Changed: seq(doc("b", "Leia Organa", 1))}, ""))
		wrote(t)(view(t, mem, "c2").WriteAlias(mem, snapshot.Header{Commit: "c3", Seq: 3}))
		wrote(t)(merge(mem, view(t, mem, "c2"), []byte("graph")))
		infos, bad, err := snapshot.List(mem)
		if err != nil || len(bad) > 0 || len(infos) != 3 {
			t.Fatalf("List: %v, %v, %v", infos, bad, err)
		}
		for _, info := range infos {
			if info.Settings != settings {
				t.Errorf("%s has the settings %q, want %q", info.Commit, info.Settings, settings)
			}
			if err := snapshot.Verify(mem, info.Name()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestSettingsAreKept: settings do not change along a chain, nor in a file's
// place.
func TestSettingsAreKept(t *testing.T) {
	mem := vfstest.NewMem()
	h := header(snapshot.Checkpoint, "c1", "", 1)
	h.Settings = "metric=l2"
	write(t, mem, h, seq(doc("a", "Luke Skywalker", 0)), nil, nil)
	d := header(snapshot.Delta, "c2", "c1", 2)
	d.Documents, d.Chunks, d.SlotEnd = 2, 2, 2
	write(t, mem, d, seq(doc("b", "Leia Organa", 1)), nil, nil)
	if _, err := chain(mem, "c2"); !errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("a delta of other settings than its base: %v", err)
	}
	h.Settings = ""
	if _, err := snapshot.Write(mem, h, snapshot.Contents{Changed: seq(doc("a", "Luke Skywalker", 0))}); err == nil {
		t.Error("a merge that loses the settings is written")
	}
}
