package catalog_test

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// info returns a commit's header as a file could have it.
func info(domain, commit, base, branch string, seq uint64) snapshot.Info {
	h := snapshot.Header{Kind: snapshot.Checkpoint, Domain: domain, Commit: commit, Base: base, Branch: branch, Seq: seq,
		Created: 1700000000 + int64(seq), Documents: 3, Changed: 3, Indexed: 1, Embedded: 1, Tokens: 17,
		Vectors: snapshot.Vectors{Fingerprint: "minilm", Dim: 384, Vecs: "d.vecs", Metric: "cosine", Normalized: true, SlotEnd: uint32(seq) + 1, Chunks: 3}}
	if base == commit {
		h.Base = "another"
	}
	return snapshot.Info{Header: h, Size: 1000 + int64(seq), ID: 77 + seq}
}

// model is what a State should answer, by looking at everything.
type model map[string]snapshot.Info

func (m model) newest() []snapshot.Info {
	return slices.SortedFunc(maps.Values(m), func(a, b snapshot.Info) int {
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(b.Commit, a.Commit))
	})
}

func (m model) headBefore(branch string, seq uint64) (string, uint64) {
	for _, info := range m.newest() {
		if info.Branch == branch && info.Seq < seq {
			if catalog.IsMark(info) {
				return info.Base, info.Seq
			}
			return info.Commit, info.Seq
		}
	}
	return "", 0
}

func (m model) freeSeq(seq uint64) uint64 {
	for seq > 0 {
		if seq--; !slices.ContainsFunc(m.newest(), func(i snapshot.Info) bool { return i.Seq == seq }) {
			return seq
		}
	}
	return 0
}

func (m model) children(commit string) []snapshot.Info {
	list := m.newest()
	slices.Reverse(list)
	built := slices.DeleteFunc(slices.Clone(list), func(i snapshot.Info) bool { return i.Base != commit })
	stand := slices.DeleteFunc(list, func(i snapshot.Info) bool { return i.On != commit || i.Base == commit })
	return append(built, stand...)
}

// check compares a state with the model.
func check(t *testing.T, s *catalog.State, m model, rng *rand.Rand) {
	t.Helper()
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) && fmt.Sprint(got) != fmt.Sprint(want) { // nil is as good as empty
			t.Errorf("%s:\n got %v\nwant %v", what, got, want)
		}
	}
	list := func(seq iter.Seq[snapshot.Info]) []snapshot.Info { return slices.Collect(seq) }
	newest := m.newest()
	same("Len", s.Len(), len(m))
	same("Newest", list(s.Newest()), newest)
	settings, top := "", uint64(0)
	if len(newest) > 0 {
		settings, top = newest[0].Settings, newest[0].Seq
	}
	same("Settings", s.Settings(), settings)
	oldest := slices.Clone(newest)
	slices.Reverse(oldest)
	same("Oldest", list(s.Oldest()), oldest)
	if s.Seq() < top {
		t.Errorf("Seq %d, a commit has %d", s.Seq(), top)
	}
	var heads []catalog.Head
	for _, branch := range branchNames {
		commit, version := m.headBefore(branch, 1<<63)
		same("Head of "+branch, s.Head(branch), catalog.Head{Branch: branch, Commit: commit, Version: version})
		if commit != "" {
			heads = append(heads, s.Head(branch))
		}
		seq := rng.Uint64N(top + 3)
		before, _ := m.headBefore(branch, seq)
		same(fmt.Sprintf("HeadBefore(%s, %d)", branch, seq), s.HeadBefore(branch, seq), before)
		on := func(i snapshot.Info) bool { return i.Branch != branch }
		same("NewestOn", list(s.NewestOn(branch)), slices.DeleteFunc(slices.Clone(newest), on))
		same("Marks", list(s.Marks(branch)), slices.DeleteFunc(slices.DeleteFunc(slices.Clone(oldest), on),
			func(i snapshot.Info) bool { return !catalog.IsMark(i) }))
	}
	same("Heads", s.Heads(), heads)
	tags := slices.DeleteFunc(slices.Clone(newest), func(i snapshot.Info) bool { return !i.Tag })
	slices.SortFunc(tags, func(a, b snapshot.Info) int { return strings.Compare(a.Commit, b.Commit) })
	same("Tags", list(s.Tags()), tags)
	for range 4 {
		seq := rng.Uint64N(top + 3)
		same(fmt.Sprintf("FreeSeq(%d)", seq), s.FreeSeq(seq), m.freeSeq(seq))
		c := fmt.Sprint("c", rng.IntN(len(m)+5))
		want, ok := m[c]
		got, found := s.Commit(c)
		same("Commit", []any{got, found, s.Has(c)}, []any{want, ok, ok})
		if ok && want.Kind == snapshot.Alias {
			want, ok = m[want.Base]
		}
		got, found = s.Real(c)
		same("Real", []any{got, found}, []any{want, ok})
		same("Children", list(s.Children(c)), m.children(c))
		firsts := map[string]uint64{"no branch of that name": 0}
		for _, ch := range m.children(c) {
			if ch.Base == c && (firsts[ch.Branch] == 0 || ch.Seq < firsts[ch.Branch]) {
				firsts[ch.Branch] = ch.Seq
			}
		}
		for branch, first := range firsts {
			same("FirstOn", s.FirstOn(c, branch), first)
		}
	}
}

// branchNames are close to each other in order.
var branchNames = []string{"a", "ab", "b", "main", "main\x00"}

// step does something to a state and its model.
func step(s *catalog.State, m model, rng *rand.Rand, n int) *catalog.State {
	any := func() string { return fmt.Sprint("c", rng.IntN(len(m)+3)) }
	switch k := rng.IntN(10); {
	case k < 2:
		c := any()
		delete(m, c)
		return s.Without(c)
	case k < 3:
		// Of a low number, as for a lost file.
		i := info("a/b", fmt.Sprint("c", n), any(), "", s.FreeSeq(rng.Uint64N(s.Seq()+2)))
		m[i.Commit] = i
		return s.With(i)
	case k < 4:
		c := any()
		i, ok := m[c]
		if !ok {
			return s
		}
		i.Size++
		i.Base = any()
		m[c] = i
		return s.With(i)
	default:
		i := info("a/b", fmt.Sprint("c", n), any(), "", s.Seq()+1+rng.Uint64N(2))
		if rng.IntN(4) > 0 {
			i.Branch = branchNames[rng.IntN(len(branchNames))]
		}
		i.Settings = fmt.Sprint(rng.IntN(2))
		switch rng.IntN(7) {
		case 0:
			i.Kind, i.On = snapshot.Alias, i.Base
		case 3:
			i.Kind, i.On, i.Tag = snapshot.Alias, i.Base, true
		case 4:
			i.Kind, i.On = snapshot.Delta, any()
			i.Others = []snapshot.NamedVectors{{Name: "clusters", Vectors: snapshot.Vectors{SlotEnd: uint32(n)}}}
		case 1:
			i.Kind, i.On = snapshot.Alias, i.Base
			i.Commit = catalog.MarkName(i.Branch, i.Seq)
		case 2:
			i.Kind, i.On = snapshot.Delta, i.Base
		}
		m[i.Commit] = i
		return s.With(i)
	}
}

// TestModel holds a state against a map through random histories, and old states
// against what they were.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 4 { // of any seeds: every run goes on with others
		s, m := catalog.NewState(nil), model{}
		var old *catalog.State
		var oldModel model
		for n := range 400 {
			s = step(s, m, rng, n)
			if n%7 == 0 {
				check(t, s, m, rng)
			}
			if n == 150 {
				old, oldModel = s, maps.Clone(m)
			}
		}
		check(t, s, m, rng)
		check(t, old, oldModel, rng)
		check(t, catalog.NewState(slices.Collect(maps.Values(m))), m, rng)
	}
}

// TestReadersOfOldStates has readers walk states while their copies are changed.
func TestReadersOfOldStates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	s, m := catalog.NewState(nil), model{}
	for n := range 500 {
		s = step(s, m, rng, n)
	}
	var wg sync.WaitGroup
	for round := range 6 {
		for reader := range 3 {
			s, m := s, maps.Clone(m)
			wg.Go(func() { check(t, s, m, rand.New(rand.NewPCG(uint64(round), uint64(reader)))) })
		}
		for n := range 50 {
			s = step(s, m, rng, 1000+50*round+n)
		}
	}
	wg.Wait()
}

func TestResolve(t *testing.T) {
	alias := info("a/b", "alias", "c1", "", 3)
	alias.Kind = snapshot.Alias
	lost := info("a/b", "lost", "gone", "", 4)
	lost.Kind = snapshot.Alias
	s := catalog.NewState([]snapshot.Info{info("a/b", "c1", "", "main", 1), info("a/b", "c2", "c1", "dev", 2), alias, lost})
	for _, test := range []struct {
		ref  catalog.Ref
		want string
		err  error
	}{
		{catalog.Ref{Commit: "c1"}, "c1", nil},
		{catalog.Ref{Commit: "alias"}, "alias", nil},
		{catalog.Ref{Commit: "lost"}, "", contract.ErrNotFound},
		{catalog.Ref{Commit: "c9", Ancestors: []string{"c8", "lost", "c2", "c1"}}, "c2", nil},
		{catalog.Ref{Branch: "dev"}, "c2", nil},
		{catalog.Ref{Branch: "none"}, "", contract.ErrNotFound},
		{catalog.Ref{Commit: "c9", Branch: "dev"}, "", contract.ErrNotFound},
		{catalog.Ref{}, "", contract.ErrInvalid},
	} {
		got, err := s.Resolve(test.ref)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%+v: %q, %v; want %q, %v", test.ref, got, err, test.want, test.err)
		}
	}
}

func TestFreeSeqAtTheEdges(t *testing.T) {
	s := catalog.NewState(nil)
	for _, seq := range []uint64{1, 2, 3, 0, 1<<64 - 1, 1<<64 - 2} {
		s = s.With(info("a/b", fmt.Sprint("c", seq), "", "", seq))
	}
	for below, want := range map[uint64]uint64{0: 0, 1: 0, 4: 0, 5: 4, 1<<64 - 1: 1<<64 - 3} {
		if got := s.FreeSeq(below); got != want {
			t.Errorf("FreeSeq(%d) = %d, want %d", below, got, want)
		}
	}
	if got := s.Without("c2").FreeSeq(4); got != 2 {
		t.Errorf("FreeSeq(4) without c2 = %d", got)
	}
}

func TestMarkNames(t *testing.T) {
	name := catalog.MarkName("main", 7)
	if !catalog.IsMarkName(name) || catalog.IsMarkName("main") || !strings.HasSuffix(name, "main/7") {
		t.Errorf("mark %q", name)
	}
}
