package catalog_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// decided returns a decision about documents of a commit.
func decided(a, b string, verdict catalog.Verdict, commit string) catalog.Decision {
	return catalog.Decision{A: a, B: b, Verdict: verdict, By: "ann", Note: "two <houses>", Commit: commit, At: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)}
}

// decide notes decisions, each at a commit c1, and returns their numbers.
func decide(d *catalog.Domain, pairs ...string) error {
	var list []catalog.Decision
	for _, p := range pairs {
		list = append(list, decided(p, "z", catalog.DecidedSame, "c1"))
	}
	_, err := d.Decide(list)
	return err
}

// told returns the documents decided about, in order.
func told(fsys vfs.FS, readOnly bool) (list []string, err error) {
	c, err := catalog.Open(catalog.Config{FS: fsys, ReadOnly: readOnly})
	if err != nil {
		return nil, err
	}
	found, err := c.Create("a/b").Decisions()
	for i, x := range found {
		list = append(list, x.A)
		if x.N != uint64(i+1) || x.B != "z" || x.Commit != "c1" || x.By != "ann" {
			return nil, fmt.Errorf("decision %d is %+v", i+1, x)
		}
	}
	return list, err
}

// TestDecisions holds what is noted, numbered and read again.
func TestDecisions(t *testing.T) {
	mem := vfstest.NewMem()
	d := open(t, mem).Create("a/b")
	if list, err := d.Decisions(); len(list) > 0 || err != nil {
		t.Fatal(list, err)
	}
	must(t)(put(mem, d, "c1", ""))
	reader, err := catalog.Open(catalog.Config{FS: mem, ReadOnly: true})
	must(t)(err)
	got, err := d.Decide([]catalog.Decision{decided("y", "x", catalog.DecidedDifferent, "c1")})
	must(t)(err)
	early, err := d.Decisions()
	must(t)(err)
	want := decided("x", "y", catalog.DecidedDifferent, "c1")
	want.N, want.Branch, want.Version = 1, "main", 1
	if !reflect.DeepEqual(got, []catalog.Decision{want}) || !reflect.DeepEqual(early, got) {
		t.Fatalf("got %+v and %+v, want %+v", got, early, want)
	}
	follow := func() []catalog.Decision {
		t.Helper()
		must(t)(reader.Refresh())
		list, err := reader.Create("a/b").Decisions()
		must(t)(err)
		return list
	}
	if list := follow(); !reflect.DeepEqual(list, got) {
		t.Errorf("a reader sees %+v", list)
	}
	must(t)(decide(d, "a", "b"))
	if list, _ := d.Decisions(); len(list) != 3 || list[2].N != 3 || len(early) != 1 {
		t.Errorf("then %+v, and in the old list %+v", list, early)
	}
	if list := follow(); len(list) != 3 {
		t.Errorf("a reader sees %+v then", list)
	}
	if _, err := reader.Create("a/b").Decide(got); !errors.Is(err, contract.ErrReadOnly) {
		t.Errorf("read-only: %v", err)
	}
	for _, bad := range []catalog.Decision{
		{}, decided("a", "a", catalog.DecidedSame, "c1"), decided("a", "b", "maybe", "c1"), decided("a", "\xff", catalog.DecidedSame, "c1"),
		decided("a", strings.Repeat("b", catalog.MaxDecided+1), catalog.DecidedSame, "c1"),
	} {
		if _, err := d.Decide([]catalog.Decision{decided("g", "h", catalog.DecidedSame, "c1"), bad}); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := d.Decide([]catalog.Decision{decided("a", "b", catalog.DecidedSame, "none")}); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("at an unknown commit: %v", err)
	}
	// A domain that is deleted keeps them, unless they are forgotten too.
	must(t)(deleteAll(mem, open(t, mem)))
	if list, err := open(t, mem).Create("a/b").Decisions(); len(list) != 3 || err != nil {
		t.Errorf("after a deletion: %+v, %v", list, err)
	}
	c := open(t, mem)
	must(t)(c.Create("a/b").Update(func(tx *catalog.Tx) error { return tx.ForgetDecisions() }))
	if list := follow(); len(list) != 0 {
		t.Errorf("a reader sees %+v at last", list)
	}
	if list, err := c.Create("a/b").Decisions(); len(list) != 0 || err != nil {
		t.Errorf("at last: %+v, %v", list, err)
	}
}

// decisionSteps change a journal; then is what it says after each.
var decisionSteps = []struct {
	do   func(fsys vfs.FS, c *catalog.Catalog) error
	then string
}{
	{func(fsys vfs.FS, c *catalog.Catalog) error { return ensure(fsys, c, "c1") }, ""},
	{func(_ vfs.FS, c *catalog.Catalog) error { return decide(c.Create("a/b"), "a", "b") }, "a b"},
	{func(_ vfs.FS, c *catalog.Catalog) error { return decide(c.Create("a/b"), "c") }, "a b c"},
	{func(_ vfs.FS, c *catalog.Catalog) error {
		return decide(c.Create("a/b"), "d", strings.Repeat("e", 3000))
	}, "a b c d " + strings.Repeat("e", 3000)},
	{func(_ vfs.FS, c *catalog.Catalog) error {
		return c.Create("a/b").Update(func(tx *catalog.Tx) error { return tx.ForgetDecisions() })
	}, ""},
	{func(_ vfs.FS, c *catalog.Catalog) error { return decide(c.Create("a/b"), "f") }, "f"},
}

// survive holds what a crash has left against what was before a step, and after it: a
// beginning of the one that has all of the other.
func survive(disk *vfstest.Mem, before, after string) error {
	for _, readOnly := range []bool{true, false, false} {
		list, err := told(disk, readOnly)
		if err != nil {
			return err
		}
		got := strings.Join(list, " ")
		if got != before && got != after && !(strings.HasPrefix(after, got) && strings.HasPrefix(got, before)) {
			return fmt.Errorf("it says %.80q; it said %.80q, and is to say %.80q", got, before, after)
		}
	}
	if _, err := disk.ReadFile(catalog.DecisionsName("a/b")); err == nil {
		return catalog.Verify(disk, catalog.DecisionsName("a/b")) // what was torn has been cut
	}
	return nil
}

// TestDecisionsCrashAnywhere cuts the power before every operation.
func TestDecisionsCrashAnywhere(t *testing.T) {
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	c, err := catalog.Open(catalog.Config{FS: fault})
	must(t)(err)
	before, after := "", ""
	fault.OnOp(func(n int, op vfstest.Op) {
		for _, share := range []float64{0, 0.5, 1} {
			for seed := range uint64(6) {
				if err := survive(mem.CrashClone(seed, share), before, after); err != nil {
					t.Fatalf("before operation %d (%s), seed %d, %g: %v", n, op, seed, share, err)
				}
			}
		}
	})
	for i, step := range decisionSteps {
		after = step.then
		must(t)(step.do(fault, c))
		before = after
		for seed := range uint64(6) {
			if err := survive(mem.CrashClone(seed, .5), before, after); err != nil {
				t.Fatalf("after step %d: %v", i, err)
			}
		}
	}
}

// TestDecisionsFaultAnywhere fails every operation in turn: what was said to be noted
// is, and what failed can be done again.
func TestDecisionsFaultAnywhere(t *testing.T) {
	for _, short := range []bool{false, true} {
		for n, hit := 0, true; hit; n++ {
			mem := vfstest.NewMem()
			fault := vfstest.NewFault(mem)
			fault.Set(vfstest.Plan{At: n, Err: syscall.EIO, Short: short})
			c, err := catalog.Open(catalog.Config{FS: fault})
			if err != nil {
				continue
			}
			before := ""
			for i, step := range decisionSteps {
				err := step.do(fault, c)
				least := step.then
				if err != nil {
					least = before
				}
				for seed, share := range []float64{0, 0.5, 1} {
					if err := survive(mem.CrashClone(uint64(seed), share), least, step.then); err != nil {
						t.Fatalf("operation %d (short: %v), step %d: %v", n, short, i, err)
					}
				}
				if err != nil {
					if err := step.do(fault, c); err != nil && !errors.Is(err, os.ErrExist) {
						t.Fatalf("operation %d, step %d, again: %v", n, i, err)
					}
				}
				before = step.then
			}
			hit = fault.Hits() > 0
		}
	}
}

// TestDecisionsDamage damages a journal at every byte: the other decisions count, no
// number is given again, and verify finds it.
func TestDecisionsDamage(t *testing.T) {
	mem := vfstest.NewMem()
	d := open(t, mem).Create("a/b")
	must(t)(put(mem, d, "c1", ""))
	must(t)(decide(d, "a", "b", "c"))
	name := catalog.DecisionsName("a/b")
	data, err := mem.ReadFile(name)
	must(t)(err)
	head := len(catalog.EncodeDecisions(nil))
	for i := range data {
		disk := mem.CrashClone(0, 1)
		bad := bytes.Clone(data)
		bad[i] ^= 0x40
		disk.WriteFile(name, bad)
		if catalog.Verify(disk, name) == nil {
			t.Fatalf("byte %d: no damage is found", i)
		}
		if j, err := catalog.InspectDecisions(disk, name); !errors.Is(err, contract.ErrCorrupt) || i >= head && len(j.Decisions) != 2 {
			t.Fatalf("byte %d: inspect shows %+v, %v", i, j, err)
		}
		d := open(t, disk).Create("a/b")
		list, err := d.Decisions()
		if i < head {
			if !errors.Is(err, contract.ErrCorrupt) || !errors.Is(decide(d, "d"), contract.ErrCorrupt) {
				t.Fatalf("byte %d of the header: %v, %v", i, list, err)
			}
			continue
		}
		if err != nil || len(list) != 2 {
			t.Fatalf("byte %d: %+v, %v", i, list, err)
		}
		must(t)(decide(d, "d"))
		if again, err := open(t, disk).Create("a/b").Decisions(); err != nil || len(again) != 3 || again[2].N != list[1].N+1 {
			t.Fatalf("byte %d: then %+v, %v", i, again, err)
		}
	}
}

// TestDecisionsGolden holds the bytes of a journal.
func TestDecisionsGolden(t *testing.T) {
	const name = "testdata/decisions.golden"
	x := decided("Product/1", "Product/2", catalog.DecidedDifferent, "c1")
	x.N, x.Branch, x.Version = 1, "main", 7
	y := catalog.Decision{N: 2, A: "a", B: "b\n", Verdict: catalog.DecidedLater, Commit: "c2", At: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	data := catalog.EncodeDecisions([]catalog.Decision{x, y})
	if *update {
		must(t)(os.WriteFile(name, []byte(hex.Dump(data)), 0o600))
	}
	want, err := os.ReadFile(name)
	must(t)(err)
	if got := hex.Dump(data); got != string(want) {
		t.Errorf("the bytes have changed; bump the version:\n%s", got)
	}
	mem := vfstest.NewMem()
	mem.WriteFile(catalog.DecisionsName("a/b"), data)
	if j, err := catalog.InspectDecisions(mem, catalog.DecisionsName("a/b")); err != nil || !reflect.DeepEqual(j.Decisions, []catalog.Decision{x, y}) {
		t.Errorf("it says %+v, %v", j, err)
	}
}

// FuzzDecision gives bytes a sound checksum: what can be read encodes to the same
// bytes again.
func FuzzDecision(f *testing.F) {
	f.Add([]byte(`{"n":1,"a":"a","b":"b","decision":"same","commit":"c1","at":"2026-01-02T03:04:05.006Z"}`))
	f.Add([]byte(`{"n":1,"a":"b","b":"a","decision":"same","commit":"c1","at":"2026-01-02T03:04:05+01:00"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		mem := vfstest.NewMem()
		data := catalog.SealDecision(body)
		mem.WriteFile(catalog.DecisionsName("a/b"), data)
		j, err := catalog.InspectDecisions(mem, catalog.DecisionsName("a/b"))
		if (err == nil) != (len(j.Decisions) == 1) || err == nil && !bytes.Equal(catalog.EncodeDecisions(j.Decisions), data) {
			t.Fatalf("%+v, %v", j, err)
		}
	})
}

// TestLineage holds which decisions count at a commit: those made on its ancestry, of
// whatever branch, pruned or not.
func TestLineage(t *testing.T) {
	list := []snapshot.Info{
		info("a/b", "m1", "", "main", 1), info("a/b", "m2", "m1", "main", 2), info("a/b", "f1", "m2", "feature", 3),
		info("a/b", "m3", "m2", "main", 4), info("a/b", "f2", "f1", "feature", 5),
	}
	s := catalog.NewState(list)
	at := func(s *catalog.State, commit string) (seen []string) {
		counts := s.Lineage(commit)
		for _, i := range list {
			if counts(&catalog.Decision{Commit: i.Commit, Branch: i.Branch, Version: i.Seq}) {
				seen = append(seen, i.Commit)
			}
		}
		return seen
	}
	for commit, want := range map[string][]string{
		"m1": {"m1"}, "m2": {"m1", "m2"}, "m3": {"m1", "m2", "m3"}, "f1": {"m1", "m2", "f1"}, "f2": {"m1", "m2", "f1", "f2"}, "none": nil,
	} {
		if got := at(s, commit); !slices.Equal(got, want) {
			t.Errorf("at %s: %v, want %v", commit, got, want)
		}
	}
	pruned := s.Without("m2").Without("f1")
	for commit, want := range map[string][]string{"m3": {"m1", "m2", "m3"}, "f2": {"f1", "f2"}} {
		if got := at(pruned, commit); !slices.Equal(got, want) {
			t.Errorf("with others pruned, at %s: %v, want %v", commit, got, want)
		}
	}
}

// TestLineageOfPruned: decisions count that were made at pruned commits of other
// branches, at any distance, also after a restart; and none that a list of an earlier
// version does not tell of.
func TestLineageOfPruned(t *testing.T) {
	mem := vfstest.NewMem()
	d := open(t, mem).Create("a/b")
	branches := map[string]string{"m1": "main", "f1": "feature", "f2": "feature", "x1": "x", "m3": "main", "m4": "main"}
	for _, c := range [][2]string{{"m1", ""}, {"f1", "m1"}, {"f2", "f1"}, {"x1", "f1"}, {"m3", "f2"}, {"m4", "m3"}} {
		must(t)(put(mem, d, c[0], c[1]))
	}
	must(t)(prune(mem, d, "f1", "f2", "m1", "m3", "x1"))
	check := func(want ...string) {
		t.Helper()
		counts := d.State().Lineage("m4")
		var got []string
		for _, at := range slices.Sorted(maps.Keys(branches)) {
			if counts(&catalog.Decision{Commit: at, Branch: branches[at], Version: 1}) {
				got = append(got, at)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("at m4: %v, want %v", got, want)
		}
	}
	check("f1", "f2", "m1", "m3", "m4")
	d = open(t, mem).Create("a/b")
	check("f1", "f2", "m1", "m3", "m4")

	// Such a list names the commits alone.
	mem.WriteFile(catalog.PrunedName("a/b"), catalog.ListOfNames("a/b", "f1", "f2", "m1", "m3", "x1"))
	d = open(t, mem).Create("a/b")
	if got := len(d.State().PrunedCommits()); got != 5 {
		t.Errorf("%d commits are pruned", got)
	}
	check("m1", "m3", "m4")
}

// TestDecisionsFailedLeaveNothing: what a failed write has left of several decisions is
// not found behind one that takes the place of the first.
func TestDecisionsFailedLeaveNothing(t *testing.T) {
	mem := vfstest.NewMem()
	fault := vfstest.NewFault(mem)
	d := open(t, fault).Create("a/b")
	must(t)(put(fault, d, "c1", ""))
	must(t)(decide(d, "a"))
	fault.Set(vfstest.Plan{At: 2, Err: syscall.EIO}) // the file is open and written
	if err := decide(d, "b", "c"); !errors.Is(err, contract.ErrStore) || fault.Hits() != 1 {
		t.Fatalf("a sync that fails: %v", err)
	}
	must(t)(decide(d, "x"))
	if list, err := told(mem.CrashClone(0, 1), false); err != nil || strings.Join(list, " ") != "a x" {
		t.Errorf("it says %v, %v", list, err)
	}
}
