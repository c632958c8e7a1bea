package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"github.com/tidwall/btree"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// PrunedExt is the extension of the lists of pruned commits.
const PrunedExt = "pruned"

// prunedMagic begins every list of pruned commits.
const prunedMagic = "VLPR"

// PrunedName returns the name of the file that lists a domain's pruned commits.
func PrunedName(domain string) string { return vfs.FileName(domain, "", PrunedExt) }

// prunedCommits are commits and what they were built on, "" for nothing. It is changed
// only as a copy that nobody else has.
type prunedCommits = btree.Map[string, string]

// unknownBase is what a commit was built on that an earlier version pruned: a name that
// no commit has.
const unknownBase = "\x00"

// prunedList is the file of a domain that says which of its commits were pruned.
// Nothing else does, so what it says is kept as long as it can be read.
type prunedList struct {
	file *file // nil: there is none
	// stale: it does not say what the domain's state does, and is rewritten
	// before anything else is said.
	stale bool
	// err is why it cannot be read, and is not to be written.
	err error
}

// loadedList is a list of pruned commits as it was read.
type loadedList struct {
	prunedList
	domain  string // "" where the file does not say
	commits *prunedCommits
}

// loadPruned reads the named list of pruned commits. What follows a record that
// cannot be read is lost.
func (c *Catalog) loadPruned(name string) loadedList {
	l := loadedList{commits: new(prunedCommits)}
	f, err := c.cfg.FS.Open(name, vfs.Read)
	if err != nil {
		l.err = err
		return l
	}
	head, err := readHead(f, prunedMagic)
	if err == nil && PrunedName(head.domain) != name {
		err = fmt.Errorf("%w: it belongs to %s", errDamaged, head.domain)
	}
	if err == nil {
		l.domain, l.file = head.domain, &head
		err = head.scan(f, l.apply)
	}
	if errors.Is(err, errDamaged) && !errors.Is(err, errVersion) {
		l.stale = true
		c.log.Warn("the list of pruned commits is damaged: those that it does not name any more are not known as pruned", "file", name, "err", err)
		err = nil
	}
	l.err = errors.Join(err, f.Close())
	return l
}

func (l *loadedList) apply(ch change) {
	if ch.typ == pruneRecord {
		l.commits.Set(ch.commit, ch.base)
	} else {
		l.commits.Delete(ch.commit)
	}
}

// without returns the commits of a list that the state does not hold, and whether
// it holds any: their files stand, whatever the list says.
func (s *State) without(list *prunedCommits) (left *prunedCommits, some bool) {
	left = list
	list.Scan(func(commit, _ string) bool {
		if s.Has(commit) {
			if !some {
				left, some = list.Copy(), true
			}
			left.Delete(commit)
		}
		return true
	})
	return left, some
}

// openPruned has the domain take over a list that was read at Open.
func (d *Domain) openPruned(l loadedList) {
	s := d.State().clone()
	left, some := s.without(l.commits)
	s.pruned = left
	d.set(s)
	d.pruned = l.prunedList
	d.pruned.stale = d.pruned.stale || some || l.file != nil && l.file.records > 2*left.Len()+minGarbage
}

// Prune makes commits unknown, as Remove does, and notes that they were pruned.
// Both are durable when it returns without an error. Commits that are unknown
// already are passed over.
func (tx *Tx) Prune(commits ...string) error {
	tx.publish()
	var there []string
	next := tx.d.State().clone()
	next.pruned = next.pruned.Copy()
	for _, commit := range commits {
		if r := next.find(commit); r != nil {
			there = append(there, commit)
			next.pruned.Set(r.commit, r.base)
		}
	}
	if len(there) == 0 {
		return nil
	}
	if err := tx.d.notePruned(pruneRecord, there, next.pruned); err != nil {
		return fmt.Errorf("catalog: note what is pruned of %s: %w: %w", tx.d.name, contract.ErrStore, err)
	}
	if err := tx.remove(next, there); err != nil {
		tx.d.pruned.stale = true // they are still there
		return err
	}
	return nil
}

// ForgetPruned forgets which commits were pruned, durably.
func (tx *Tx) ForgetPruned() error {
	tx.publish()
	next := tx.d.State().clone()
	if p := &tx.d.pruned; next.pruned.Len() == 0 && p.file == nil && p.err == nil && !p.stale {
		return nil
	}
	next.pruned = new(prunedCommits)
	if err := tx.d.writePruned(next.pruned); err != nil {
		return fmt.Errorf("catalog: forget what was pruned of %s: %w: %w", tx.d.name, contract.ErrStore, err)
	}
	tx.d.set(next)
	return nil
}

// notePruned makes the list say that commits were pruned, or are back, durably;
// list is what it says then. Called with d.mu held, as are those below.
func (d *Domain) notePruned(t recordType, commits []string, list *prunedCommits) error {
	p := &d.pruned
	if p.err != nil {
		return p.err
	}
	if p.file == nil || p.stale || p.file.records+len(commits) > 2*list.Len()+minGarbage {
		return d.writePruned(list)
	}
	var b []byte
	for _, commit := range commits {
		base, _ := list.Get(commit)
		b = p.file.append(b, change{typ: t, commit: commit, base: base})
	}
	if err := d.c.appendTo(PrunedName(d.name), p.file.end, b, true); err != nil {
		p.stale = true
		return err
	}
	p.file.end += int64(len(b))
	p.file.records += len(commits)
	return nil
}

// writePruned puts a file that says what list does in the place of the domain's,
// durably: none where it is empty.
func (d *Domain) writePruned(list *prunedCommits) (err error) {
	p := &d.pruned
	if p.err != nil && list.Len() > 0 {
		return p.err
	}
	name := PrunedName(d.name)
	p.stale = true // until it is done
	if list.Len() == 0 {
		err = d.c.cfg.FS.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else {
		temp := vfs.TempName(name)
		p.file, err = d.writeList(temp, list)
		if err == nil {
			err = d.c.cfg.FS.Rename(temp, name)
		}
		if err != nil {
			_ = d.c.cfg.FS.Remove(temp) // Open finds what this leaves
		}
	}
	if err == nil {
		err = d.c.cfg.FS.SyncDir()
	}
	if err != nil {
		return err
	}
	if list.Len() == 0 {
		p.file = nil
	}
	p.stale, p.err = false, nil
	return nil
}

func (d *Domain) writeList(name string, list *prunedCommits) (*file, error) {
	f, err := d.c.cfg.FS.Open(name, vfs.Create)
	if err != nil {
		return nil, err
	}
	c := &file{magic: prunedMagic, domain: d.name, generation: rand.Uint64()}
	b := appendHead(nil, prunedMagic, d.name, c.generation)
	list.Scan(func(commit, base string) bool {
		b = c.append(b, change{typ: pruneRecord, commit: commit, base: base})
		c.records++
		return true
	})
	_, err = f.WriteAt(b, 0)
	c.end = int64(len(b))
	if err == nil {
		err = f.Sync()
	}
	return c, errors.Join(err, f.Close())
}

// repairPruned rewrites a list that does not say what the state does. Where that
// fails it is tried again: until then a restart may take for pruned what was
// deleted.
func (d *Domain) repairPruned() {
	if !d.pruned.stale || d.pruned.err != nil {
		return
	}
	if err := d.writePruned(d.State().pruned); err != nil {
		d.c.log.Warn("the list of pruned commits cannot be rewritten", "domain", d.name, "err", err)
	}
}

// followPruned has next take over what the list of the process that writes says.
// It is read after the catalog file: a commit that this says is pruned is in it.
func (d *Domain) followPruned(next *State) {
	l := d.c.loadPruned(PrunedName(d.name))
	if l.err != nil && !errors.Is(l.err, fs.ErrNotExist) {
		d.c.log.Warn("the list of pruned commits cannot be read; what was seen of it is served", "domain", d.name, "err", l.err)
		return
	}
	next.pruned, _ = next.without(l.commits)
}

// forgetList forgets what the process that writes has forgotten, with the file.
func (d *Domain) forgetList(names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.State().pruned.Len() == 0 {
		return
	}
	if _, listed := slices.BinarySearch(names, PrunedName(d.name)); !listed {
		next := d.State().clone()
		d.followPruned(next)
		d.set(next)
	}
}

// Pruned reports whether a commit was pruned, and is not indexed again.
func (s *State) Pruned(commit string) bool { return s.wasPruned(commit) && !s.Has(commit) }

func (s *State) wasPruned(commit string) bool {
	_, ok := s.pruned.Get(commit)
	return ok
}

// PrunedCommits returns the commits that were pruned and are not indexed again, by
// their names.
func (s *State) PrunedCommits() []string { return s.pruned.Keys() }

// Missing returns the error for a commit that is not indexed:
// [contract.ErrPruned] where it was pruned, else [contract.ErrNotFound].
func (s *State) Missing(commit string) error {
	if s.Pruned(commit) {
		return fmt.Errorf("%w: commit %s was removed to save space; index or push it to have it again", contract.ErrPruned, commit)
	}
	return fmt.Errorf("%w: commit %s is not indexed", contract.ErrNotFound, commit)
}

// PrunedList is what a list of pruned commits says, up to its damage.
type PrunedList struct {
	Domain  string // "" where its header is damaged
	Commits []string
	Size    int64
}

// InspectPruned reads the named list of pruned commits. Damage is
// [contract.ErrCorrupt].
func InspectPruned(fsys vfs.FS, name string) (PrunedList, error) {
	l := loadedList{commits: new(prunedCommits)}
	size, err := checkEach(fsys, name, func(domain string) { l.domain = domain }, l.apply)
	if errors.Is(err, errDamaged) {
		err = fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
	}
	return PrunedList{Domain: l.domain, Commits: l.commits.Keys(), Size: size}, err
}
