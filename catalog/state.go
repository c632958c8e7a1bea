package catalog

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"unique"

	"github.com/tidwall/btree"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
)

// State is what is known of a domain at one moment. It is immutable and may be
// read by any number of goroutines. Unless said otherwise, a method takes
// O(log n) steps for n commits, and an iteration O(log n) and what it yields.
type State struct {
	ids      *tree // all, by commit
	seqs     *tree // all, by sequence number
	branches *tree // those with a branch, by branch and sequence number
	bases    *tree // those with a base, by base and sequence number
	others   *tree // those whose file stands on another commit than their base, by that
	marks    *tree // by branch and sequence number
	tags     *tree // by commit
	// taken holds the sequence numbers in use: the first of each unbroken range
	// leads to its last.
	taken *btree.Map[uint64, uint64]
	// pruned are the commits that were pruned and are not indexed again. It is
	// shared by the states: who changes it, copies it.
	pruned *prunedCommits

	seq     uint64
	slotEnd uint32
}

// Head is a branch's last indexed commit.
type Head struct {
	Branch  string `json:"branch"`
	Commit  string `json:"commit"`  // "" when nothing is indexed
	Version uint64 `json:"version"` // grows along a branch; 0 when nothing is indexed
}

// Ref asks for a commit: by its name, or as the head of a branch.
type Ref struct {
	Commit string
	Branch string
	// Ancestors are commits that may stand in for Commit while that one is
	// not indexed, nearest first.
	Ancestors []string
}

// tree is a sorted set of records. A Copy is O(1) and shares its nodes until
// either is written; reading one while its copy is written is no race.
type tree = btree.BTreeG[*record]

// newTree returns the tree of records that are in its order.
func newTree(compare func(a, b *record) int, records []*record) *tree {
	// While it is made, the tree need not look at any to find that the next one is
	// above all others.
	var next *record
	t := btree.NewBTreeGOptions(func(a, b *record) bool {
		if next != nil {
			return b == next
		}
		return compare(a, b) < 0
	}, btree.Options{NoLocks: true})
	for _, next = range records {
		t.Load(next)
	}
	next = nil
	return t
}

func byID(a, b *record) int { return cmp.Compare(a.commit, b.commit) }

func bySeq(a, b *record) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.commit, b.commit))
}

func byBranch(a, b *record) int {
	if a.shared == b.shared {
		return bySeq(a, b)
	}
	return cmp.Or(cmp.Compare(a.branch(), b.branch()), bySeq(a, b))
}

func byBase(a, b *record) int { return cmp.Or(cmp.Compare(a.base, b.base), bySeq(a, b)) }

func byOn(a, b *record) int { return cmp.Or(cmp.Compare(a.on, b.on), bySeq(a, b)) }

// newState returns the state of those commits, of which no two have one name. It
// reorders the slice.
func newState(records []*record) *State {
	s := &State{taken: new(btree.Map[uint64, uint64]), pruned: new(prunedCommits)}
	slices.SortFunc(records, bySeq) // mostly they are in this order
	for _, r := range records {
		s.take(r.seq)
		s.note(r)
	}
	for i, index := range [...]**tree{&s.ids, &s.seqs, &s.branches, &s.bases, &s.others, &s.marks, &s.tags} {
		*index = newTree(orders[i], sorted(records, i))
	}
	return s
}

// sorted returns those of the records, which are in the order of sequence numbers,
// that belong into an index, in its order.
func sorted(records []*record, index int) []*record {
	// Most comparisons are settled by the first bytes, without a look at the record.
	type keyed struct {
		key uint64
		r   *record
	}
	keys := make([]keyed, 0, len(records))
	for _, r := range records {
		if inIndex[index](r) {
			keys = append(keys, keyed{prefixes[index](r), r})
		}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return orders[index](a.r, b.r)
	})
	list := make([]*record, len(keys))
	for i, k := range keys {
		list[i] = k.r
	}
	return list
}

// prefix returns the first eight bytes of a string: an order of them contradicts
// none of the strings.
func prefix(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// orders, prefixes and inIndex are, for each of indexes, its order, a number that
// never falls in it, and what it holds.
var (
	orders   = [...]func(a, b *record) int{byID, bySeq, byBranch, byBase, byOn, byBranch, byID}
	prefixes = [...]func(*record) uint64{
		func(r *record) uint64 { return prefix(r.commit) },
		func(r *record) uint64 { return r.seq },
		func(r *record) uint64 { return prefix(r.branch()) },
		func(r *record) uint64 { return prefix(r.base) },
		func(r *record) uint64 { return prefix(r.on) },
		func(r *record) uint64 { return prefix(r.branch()) },
		func(r *record) uint64 { return prefix(r.commit) },
	}
	inIndex = [...]func(*record) bool{
		func(*record) bool { return true },
		func(*record) bool { return true },
		func(r *record) bool { return r.branch() != "" },
		func(r *record) bool { return r.base != "" },
		func(r *record) bool { return r.on != "" && r.on != r.base },
		(*record).mark,
		func(r *record) bool { return r.tag },
	}
)

func (s *State) indexes() [len(orders)]*tree {
	return [...]*tree{s.ids, s.seqs, s.branches, s.bases, s.others, s.marks, s.tags}
}

// clone returns a state that may be changed, and leaves s as it is. Only one
// goroutine may clone a state at a time; others may read it.
func (s *State) clone() *State {
	c := *s
	c.ids, c.seqs, c.branches = s.ids.Copy(), s.seqs.Copy(), s.branches.Copy()
	c.bases, c.others, c.marks = s.bases.Copy(), s.others.Copy(), s.marks.Copy()
	c.tags = s.tags.Copy()
	c.taken = s.taken.Copy()
	return &c
}

// put adds a commit, in the place of the one of its name if there is one.
func (s *State) put(r *record) {
	s.remove(r.commit)
	for i, index := range s.indexes() {
		if inIndex[i](r) {
			index.Set(r)
		}
	}
	s.take(r.seq)
	s.note(r)
	if s.wasPruned(r.commit) {
		s.pruned = s.pruned.Copy()
		s.pruned.Delete(r.commit)
	}
}

// note raises what only ever grows.
func (s *State) note(r *record) {
	s.seq = max(s.seq, r.seq)
	s.slotEnd = max(s.slotEnd, r.slotEnd)
}

// remove removes a commit and reports whether it was there.
func (s *State) remove(commit string) bool {
	r := s.find(commit)
	if r == nil {
		return false
	}
	for i, index := range s.indexes() {
		if inIndex[i](r) {
			index.Delete(r)
		}
	}
	if first(s.seqs, &record{seq: r.seq}, func(o *record) bool { return o.seq == r.seq }) == nil {
		s.free(r.seq)
	}
	return true
}

// rangeOf returns the range of taken sequence numbers that begins last at or
// before seq.
func (s *State) rangeOf(seq uint64) (from, to uint64, ok bool) {
	s.taken.Descend(seq, func(f, t uint64) bool {
		from, to, ok = f, t, true
		return false
	})
	return from, to, ok
}

// take notes that a sequence number is in use.
func (s *State) take(seq uint64) {
	from, to, ok := s.rangeOf(seq)
	if ok && seq <= to {
		return
	}
	if !ok || to+1 != seq {
		from = seq
	}
	end := seq
	if next, found := s.taken.Get(seq + 1); found && seq+1 > seq {
		s.taken.Delete(seq + 1)
		end = next
	}
	s.taken.Set(from, end)
}

// free notes that a sequence number is in use no longer.
func (s *State) free(seq uint64) {
	from, to, ok := s.rangeOf(seq)
	if !ok || seq > to {
		return
	}
	s.taken.Delete(from)
	if from < seq {
		s.taken.Set(from, seq-1)
	}
	if seq < to {
		s.taken.Set(seq+1, to)
	}
}

// first returns the first record from pivot on, nil unless it meets the
// condition; last the last one up to pivot.
func first(t *tree, pivot *record, meets func(*record) bool) (found *record) {
	t.Ascend(pivot, func(r *record) bool {
		if meets(r) {
			found = r
		}
		return false
	})
	return found
}

func last(t *tree, pivot *record, meets func(*record) bool) (found *record) {
	t.Descend(pivot, func(r *record) bool {
		if meets(r) {
			found = r
		}
		return false
	})
	return found
}

// onBranch returns what a record to search for one on a branch shares with it.
func onBranch(branch string) unique.Handle[shared] { return unique.Make(shared{branch: branch}) }

func (s *State) find(commit string) *record {
	r, _ := s.ids.Get(&record{commit: commit})
	return r
}

// Len returns the number of commits, marks and other aliases included.
func (s *State) Len() int { return s.ids.Len() }

// Seq returns the highest sequence number that any commit has had since the
// catalog was opened.
func (s *State) Seq() uint64 { return s.seq }

// SlotEnd returns 1 + the highest slot that any commit has referred to since the
// catalog was opened, or since [Tx.ForgetSlots]; 0 for none.
func (s *State) SlotEnd() uint32 { return s.slotEnd }

// Settings returns the settings that the newest commit carries; "" where there is
// none.
func (s *State) Settings() string {
	if r, ok := s.seqs.Max(); ok {
		return r.shared.Value().settings
	}
	return ""
}

// Commit returns an indexed commit.
func (s *State) Commit(id string) (snapshot.Info, bool) {
	if r := s.find(id); r != nil {
		return r.info(), true
	}
	return snapshot.Info{}, false
}

// Has reports whether a commit is indexed, as [State.Commit] does.
func (s *State) Has(id string) bool { return s.find(id) != nil }

// Real returns the commit whose file holds the entries that id is searched by: id
// itself, or the commit that an alias stands for.
func (s *State) Real(id string) (snapshot.Info, bool) {
	if r := s.real(id); r != nil {
		return r.info(), true
	}
	return snapshot.Info{}, false
}

func (s *State) real(id string) *record {
	r := s.find(id)
	if r != nil && r.kind == snapshot.Alias {
		return s.find(r.base)
	}
	return r
}

// Head returns the branch's last indexed commit; one of no name where there is
// none.
func (s *State) Head(branch string) Head {
	// Nothing lies between a string and itself with a zero byte.
	r := last(s.branches, &record{shared: onBranch(branch + "\x00")}, func(r *record) bool { return r.branch() == branch })
	if r == nil {
		return Head{Branch: branch}
	}
	return r.head()
}

// Heads returns the heads of all branches, by the branch's name, in O(log n) steps
// for each.
func (s *State) Heads() []Head {
	var heads []Head
	r, _ := s.branches.Max()
	for r != nil {
		heads = append(heads, r.head())
		r = last(s.branches, &record{shared: onBranch(r.branch())}, func(*record) bool { return true })
	}
	slices.Reverse(heads)
	return heads
}

// HeadBefore returns what the head of a branch was before the number seq was
// given: the commit of the highest number below it. It is "" where there is none.
func (s *State) HeadBefore(branch string, seq uint64) string {
	r := last(s.branches, &record{shared: onBranch(branch), seq: seq}, func(r *record) bool { return r.branch() == branch })
	if r == nil {
		return ""
	}
	return r.head().Commit
}

// Newest yields all commits, the highest sequence number first.
func (s *State) Newest() iter.Seq[snapshot.Info] {
	return infos(s.seqs.Reverse)
}

// Oldest yields all commits, the lowest sequence number first.
func (s *State) Oldest() iter.Seq[snapshot.Info] {
	return infos(s.seqs.Scan)
}

// NewestOn yields the commits that were indexed on a branch, its marks included,
// the highest sequence number first.
func (s *State) NewestOn(branch string) iter.Seq[snapshot.Info] {
	return infos(func(yield func(*record) bool) {
		s.branches.Descend(&record{shared: onBranch(branch + "\x00")}, func(r *record) bool {
			return r.branch() == branch && yield(r)
		})
	})
}

// Marks yields the marks of a branch, the lowest sequence number first.
func (s *State) Marks(branch string) iter.Seq[snapshot.Info] {
	return infos(func(yield func(*record) bool) {
		s.marks.Ascend(&record{shared: onBranch(branch)}, func(r *record) bool {
			return r.branch() == branch && yield(r)
		})
	})
}

// Tags yields the aliases that are tags, by their names.
func (s *State) Tags() iter.Seq[snapshot.Info] { return infos(s.tags.Scan) }

// Children yields the commits that were built on one, and then those whose file
// stands on its file for another reason; either in the order of sequence numbers.
// The commit itself need not be indexed.
func (s *State) Children(commit string) iter.Seq[snapshot.Info] {
	return infos(func(yield func(*record) bool) {
		more := true
		s.bases.Ascend(&record{base: commit}, func(r *record) bool {
			if r.base != commit {
				return false
			}
			more = yield(r)
			return more
		})
		if !more {
			return
		}
		s.others.Ascend(&record{on: commit}, func(r *record) bool { return r.on == commit && yield(r) })
	})
}

func infos(scan func(yield func(*record) bool)) iter.Seq[snapshot.Info] {
	return func(yield func(snapshot.Info) bool) {
		scan(func(r *record) bool { return yield(r.info()) })
	}
}

// FirstOn returns the lowest sequence number of the branch's commits that were
// built on the commit, 0 for none. The commit itself need not be there: where it
// is not, its file was lost or deleted.
func (s *State) FirstOn(commit, branch string) uint64 {
	seq := uint64(0)
	s.bases.Ascend(&record{base: commit}, func(r *record) bool {
		if r.base != commit {
			return false
		}
		if r.branch() == branch {
			seq = r.seq
		}
		return seq == 0
	})
	return seq
}

// FreeSeq returns the highest sequence number below the given one that no commit
// has; 0 if there is none.
func (s *State) FreeSeq(below uint64) uint64 {
	if below == 0 {
		return 0
	}
	seq := below - 1
	if from, to, ok := s.rangeOf(seq); ok && seq <= to {
		if from == 0 {
			return 0
		}
		seq = from - 1
	}
	return seq
}

// Resolve chooses the commit to serve: the one named, else the nearest of its
// ancestors that is indexed; or the head of the branch where no commit is named.
// It is [contract.ErrNotFound] where there is none, [contract.ErrPruned] where the
// one named was pruned.
func (s *State) Resolve(ref Ref) (string, error) {
	if ref.Commit == "" && ref.Branch == "" {
		return "", fmt.Errorf("%w: commit (or branch) is required", contract.ErrInvalid)
	}
	if ref.Commit == "" {
		if h := s.Head(ref.Branch); h.Commit != "" {
			return h.Commit, nil
		}
		return "", fmt.Errorf("%w: branch %s has no indexed commit", contract.ErrNotFound, ref.Branch)
	}
	if s.real(ref.Commit) != nil {
		return ref.Commit, nil
	}
	for _, c := range ref.Ancestors {
		if s.real(c) != nil {
			return c, nil
		}
	}
	return "", s.Missing(ref.Commit)
}
