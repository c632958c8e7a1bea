package search

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

// Domain is what is known of one org/db: its commits, from the headers of their
// files, and its vectors.
type Domain struct {
	Name string
	*vectors

	users int // tasks and open snapshots at work on it; guarded by Registry.mu

	mu       sync.RWMutex // guards all below
	commits  map[string]snapshot.Info
	heads    map[string]Head
	seq      uint64 // highest sequence number given
	slotEnd  uint32 // 1 + highest slot that any commit references
	dim      uint32 // of the vectors that commits refer to; 0 while none does
	settings catalog.Settings
	suspects map[string]struct{} // files that were found damaged since they were looked over
}

func newDomain(name string, files vfs.FS, pages *vecstore.Pool) *Domain {
	return &Domain{
		Name:     name,
		vectors:  &vectors{domain: name, files: files, pages: pages},
		settings: catalog.DefaultSettings,
		commits:  make(map[string]snapshot.Info),
		heads:    make(map[string]Head),
		suspects: make(map[string]struct{}),
	}
}

// add makes a commit known.
func (d *Domain) Add(info snapshot.Info) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.know(info)
}

// suspect notes that a file was found damaged: its commit is looked over when it
// is indexed again.
func (d *Domain) suspect(file string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.suspects[file] = struct{}{}
}

// isSuspect reports whether a file was found damaged since clear.
func (d *Domain) IsSuspect(file string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.suspects[file]
	return ok
}

// clear notes that a file was looked over, or replaced.
func (d *Domain) Clear(file string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.suspects, file)
}

// know makes a commit known. Called with d.mu held.
func (d *Domain) know(info snapshot.Info) {
	d.commits[info.Commit] = info
	d.seq = max(d.seq, info.Seq)
	d.slotEnd = max(d.slotEnd, info.SlotEnd)
	d.dim = cmp.Or(info.Dim, d.dim)
	d.advance(info)
	d.settings = catalog.SettingsOf(info)
}

// advance moves a branch's head to the commit if it is the newest. Called with
// d.mu held.
func (d *Domain) advance(info snapshot.Info) {
	if info.Branch != "" && info.Seq >= d.heads[info.Branch].Version {
		h := Head{Branch: info.Branch, Commit: info.Commit, Version: info.Seq}
		if IsMark(info) {
			h.Commit = info.Base
		}
		d.heads[info.Branch] = h
	}
}

// nextSeq gives the next sequence number. Numbers of commits that were not
// finished are lost, which does no harm: only their order matters.
func (d *Domain) NextSeq() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	return d.seq
}

// commit returns the header of an indexed commit.
func (d *Domain) Commit(id string) (snapshot.Info, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	info, ok := d.commits[id]
	return info, ok
}

// empty reports whether nothing is indexed.
func (d *Domain) empty() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.commits) == 0
}

// real returns the commit whose file holds the entries that id is searched
// by: id itself, or the commit that an alias stands for.
func (d *Domain) Real(id string) (snapshot.Info, bool) {
	info, ok := d.Commit(id)
	if ok && info.Kind == snapshot.Alias {
		return d.Commit(info.Base)
	}
	return info, ok
}

// head returns the branch's last indexed commit; the zero commit if none.
func (d *Domain) Head(branch string) Head {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h := d.heads[branch]
	h.Branch = branch
	return h
}

// resolve chooses the commit to serve (wire contract §2.9, §2.10).
func (d *Domain) resolve(ref Ref) (string, error) {
	if ref.Commit == "" && ref.Branch == "" {
		return "", fmt.Errorf("%w: commit (or branch) is required", contract.ErrInvalid)
	}
	if ref.Commit == "" {
		if h := d.Head(ref.Branch); h.Commit != "" {
			return h.Commit, nil
		}
		return "", fmt.Errorf("%w: branch %s of %s has no indexed commit", contract.ErrNotFound, ref.Branch, d.Name)
	}
	for _, c := range append([]string{ref.Commit}, ref.Ancestors...) {
		if _, ok := d.Real(c); ok {
			return c, nil
		}
	}
	return "", fmt.Errorf("%w: commit %s of %s is not indexed", contract.ErrNotFound, ref.Commit, d.Name)
}

// list returns all commits, newest first.
func (d *Domain) List() []snapshot.Info {
	d.mu.RLock()
	defer d.mu.RUnlock()
	infos := make([]snapshot.Info, 0, len(d.commits))
	for _, info := range d.commits {
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b snapshot.Info) int { return cmp.Compare(b.Seq, a.Seq) })
	return infos
}

// branches returns the branch heads, by name.
func (d *Domain) Branches() []Head {
	d.mu.RLock()
	defer d.mu.RUnlock()
	heads := make([]Head, 0, len(d.heads))
	for name, h := range d.heads {
		h.Branch = name
		heads = append(heads, h)
	}
	slices.SortFunc(heads, func(a, b Head) int { return cmp.Compare(a.Branch, b.Branch) })
	return heads
}

// knows reports whether an indexed commit has a file of that name.
func (d *Domain) knows(name string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, info := range d.commits {
		if info.Name() == name {
			return true
		}
	}
	return false
}

// unbind makes the matching commits unknown and returns them.
func (d *Domain) Unbind(match func(snapshot.Info) bool) []snapshot.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	var gone []snapshot.Info
	clear(d.heads)
	for commit, info := range d.commits {
		if match(info) {
			gone = append(gone, info)
			delete(d.commits, commit)
		} else {
			d.advance(info)
		}
	}
	return gone
}

// firstOn returns the least number of the commits whose files stand on that of
// one, 0 if none does. Where that commit is not indexed itself, its file was
// lost.
func (d *Domain) FirstOn(commit string) uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	least := uint64(0)
	for _, info := range d.commits {
		if info.Base == commit && info.Kind != snapshot.Checkpoint && (least == 0 || info.Seq < least) {
			least = info.Seq
		}
	}
	return least
}

// headBefore returns the branch's last commit of a number below seq.
func (d *Domain) HeadBefore(branch string, seq uint64) string {
	for _, info := range d.List() { // newest first
		if info.Branch == branch && info.Seq < seq {
			if IsMark(info) {
				return info.Base
			}
			return info.Commit
		}
	}
	return ""
}

// freeSeq returns a number below seq that no commit has, for one whose file was
// lost: it had such a one, and must not become its branch's head by a newer. It
// is 0, for the next, if there is none.
func (d *Domain) FreeSeq(seq uint64) uint64 {
	taken := make(map[uint64]bool)
	for _, info := range d.List() {
		taken[info.Seq] = true
	}
	for seq > 0 {
		if seq--; !taken[seq] {
			return seq
		}
	}
	return 0
}

// recorded returns the settings that the domain's commits carry, and whether there
// are any.
func (d *Domain) Recorded() (s catalog.Settings, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.settings, len(d.commits) > 0
}

// forgetSlots notes that the domain has no vectors any more.
func (d *Domain) ForgetSlots() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slotEnd = 0
}

// end returns 1 + the highest slot that any commit references.
func (d *Domain) End() uint32 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.slotEnd
}

// markPrefix begins the name of a mark: the alias that says which indexed commit
// is a branch's last, where that is not the one indexed on it last. The newest of
// a branch counts. No commit of a database has such a name.
const MarkPrefix = ".-head/"

func IsMark(info snapshot.Info) bool {
	return info.Kind == snapshot.Alias && strings.HasPrefix(info.Commit, MarkPrefix)
}
