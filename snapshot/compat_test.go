package snapshot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// compat copies files into mem that programs of the versions before wrote. They
// are never written again: whatever comes later must read them. c1 to c3 are of
// version 1 (see three), k1 to k4 of version 2: a checkpoint with settings, a
// graph and skipped ids, two deltas and an alias.
func compat(t testing.TB, mem *vfstest.Mem) {
	t.Helper()
	paths, err := filepath.Glob("testdata/compat/*.hnsw")
	if err != nil || len(paths) != 7 {
		t.Fatalf("%d files of before, %v", len(paths), err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mem.WriteFile(filepath.Base(path), b)
	}
}

func TestCompatibility(t *testing.T) {
	mem := vfstest.NewMem()
	compat(t, mem)
	infos, bad, err := snapshot.List(mem)
	if err != nil || len(bad) > 0 || len(infos) != 7 {
		t.Fatalf("List: %v, %v, %v", infos, bad, err)
	}
	for _, info := range infos {
		if err := snapshot.Verify(mem, info.Name()); err != nil {
			t.Error(err)
		}
		if want := info.Base; info.Kind != snapshot.Checkpoint && info.On != want || info.Kind == snapshot.Checkpoint && info.On != "" {
			t.Errorf("%s stands on %q", info.Commit, info.On)
		}
		again, err := snapshot.ParseHeader(snapshot.AppendHeader(nil, &info.Header), &info.Header)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(info.Header) {
			t.Errorf("%s: header %+v, from its record %+v, %v", info.Commit, info.Header, again, err)
		}
	}
	long := strings.Repeat("many words in a row, ", 40)
	want := map[string]string{
		"c1": "map[a:Luke Skywalker b:Leia Organa c:Luke Skywalker]",
		"c2": "map[b:General Leia Organa c:Luke Skywalker d:Yoda]",
		"c3": "map[b:General Leia Organa c:Luke Skywalker d:Yoda]",
		"k1": "map[a:Luke Skywalker b:Leia Organa c:Luke Skywalker fields:has fields long:" + long + " none: supplied:came with a vector]",
		"k2": "map[b:General Leia Organa c:Luke Skywalker d:Yoda fields:has fields long:" + long + " none: supplied:came with a vector]",
		"k3": "map[a:Luke, once more b:General Leia Organa c:Luke Skywalker fields:has fields none: supplied:came with a vector]",
		"k4": "map[a:Luke, once more b:General Leia Organa c:Luke Skywalker fields:has fields none: supplied:came with a vector]",
	}
	for commit, want := range want {
		v := view(t, mem, commit)
		m, err := contents(v)
		if got := fmt.Sprint(m); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", commit, got, err, want)
		}
		if commit[0] != 'k' {
			continue
		}
		if h := v.Header(); h.Settings != "metric=l2 language=de" || v.SlotEnd() < 9 {
			t.Errorf("%s: header %+v", commit, h)
		}
		if g, err := v.GraphFile().Graph(); string(g) != "graph of k1" || err != nil {
			t.Errorf("%s: graph %q, %v", commit, g, err)
		}
		if e, ok := v.Lookup("fields"); !ok || e.Fields != `{"n":1,"tags":["a","b"]}` {
			t.Errorf("%s: entry %+v", commit, e)
		}
		if e, ok := v.Lookup("supplied"); !ok || !e.Supplied() {
			t.Errorf("%s: entry %+v", commit, e)
		}
	}
	if got := view(t, mem, "k1").Skipped(); fmt.Sprint(got) != "[{lost false} {missing false}]" {
		t.Errorf("skipped %v", got)
	}
}

// TestCompatibilityOn writes deltas of today on files of before: they stand on
// them, absorb them, and take their place.
func TestCompatibilityOn(t *testing.T) {
	mem := vfstest.NewMem()
	compat(t, mem)
	model, err := contents(view(t, mem, "k4"))
	if err != nil {
		t.Fatal(err)
	}
	base, ons := "k4", map[string]string{}
	for i := range 12 {
		v := view(t, mem, base)
		commit := fmt.Sprintf("n%02d", i)
		d := doc(fmt.Sprintf("new%d", i%5), fmt.Sprint("text ", i), uint32(20+i))
		c := snapshot.Contents{Changed: seq(d), Count: 1}
		model[d.ID] = d.Text
		if i == 6 {
			c.Removed = keys("c")
			delete(model, "c")
		}
		h := wrote(t)(v.WriteDelta(mem, header(0, commit, "", uint64(20+i)), c, ""))
		ons[commit] = h.On
		x := must(t)(v.Extend(open(t, mem, commit)))
		for _, v := range []*snapshot.View{x, view(t, mem, commit)} {
			if got, err := contents(v); fmt.Sprint(got) != fmt.Sprint(model) || err != nil {
				t.Fatalf("%s: %v, %v, want %v", commit, got, err, model)
			}
			if v.GraphFile() == nil || v.GraphFile().Header().Commit != "k1" {
				t.Fatalf("%s: graph in %v", commit, v.GraphFile())
			}
		}
		_ = x.Close()
		base = commit
	}
	if ons["n00"] != "k3" || ons["n01"] != "k1" {
		t.Errorf("deltas stand on %v", ons)
	}
	// The rest of the chain of before, merged.
	for _, full := range []bool{false, true} {
		p, err := view(t, mem, "k3").PrepareMerge(mem, full, []byte("new graph"))
		if err != nil {
			t.Fatal(err)
		}
		wrote(t)(p.Commit())
		v := view(t, mem, "k4")
		if g, err := v.GraphFile().Graph(); string(g) != "new graph" || err != nil || v.GraphFile().Header().Commit != "k3" {
			t.Errorf("graph %q, %v", g, err)
		}
	}
}
