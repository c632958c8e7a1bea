package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

var (
	// ErrReadOnly is returned by what would change a catalog that was opened for
	// reading.
	ErrReadOnly = fmt.Errorf("%w: the data directory was opened for reading", contract.ErrReadOnly)
	// ErrForgotten is returned by Update of a domain that was forgotten: ask the
	// catalog for it again.
	ErrForgotten = fmt.Errorf("%w: the domain was forgotten meanwhile", contract.ErrBusy)
)

// minGarbage is how many records of a catalog file may say nothing any more,
// however few commits there are. Only tests change it.
var minGarbage = 64

// Domain keeps the State of one org/db, and its catalog file. All methods may be
// called concurrently.
type Domain struct {
	name  string
	c     *Catalog
	state atomic.Pointer[State]
	seq   atomic.Uint64 // highest sequence number given

	mu        sync.Mutex // held by the one writer; guards what follows
	forgotten bool
	// file is the catalog file; nil where there is none.
	file *file
	// broken: a file is there that may say what is not true any more. It must
	// be removed before anything changes.
	broken bool
	// compactAt is the number of records from which on the file is rewritten,
	// where that failed before.
	compactAt int
	// intents are the commits whose replacement has begun and was not ended: what
	// their file says now may not be what it says after a crash.
	intents map[string]bool
	pruned  prunedList

	decided decisions
}

func newDomain(c *Catalog, name string, state *State) *Domain {
	d := &Domain{name: name, c: c, intents: make(map[string]bool)}
	d.set(state)
	return d
}

// Name returns the domain's name.
func (d *Domain) Name() string { return d.name }

// State returns what is known of the domain now.
func (d *Domain) State() *State { return d.state.Load() }

func (d *Domain) set(s *State) {
	d.state.Store(s)
	d.raise(s.seq)
}

// raise sees to it that sequence numbers go on above seq.
func (d *Domain) raise(seq uint64) {
	for {
		now := d.seq.Load()
		if now >= seq || d.seq.CompareAndSwap(now, seq) {
			return
		}
	}
}

// NextSeq returns the next sequence number, which no other call returns. Numbers
// of commits that were not finished are lost, which does no harm: only their order
// matters.
func (d *Domain) NextSeq() uint64 { return d.seq.Add(1) }

// Update has change alter the domain, while no other Update of it runs: readers
// see the State from before until it is swapped. Whatever change has noted by Put
// and Replace has happened on the disk, so it is kept even if change fails. Update
// returns the error of change, or the disk's where the catalog file could neither
// be written nor removed before change began.
//
// Failing to note in the file what has happened is no error: the file is then
// removed, and rebuilt by a later Update or the next Open.
func (d *Domain) Update(change func(*Tx) error) error {
	if d.c.cfg.ReadOnly {
		return ErrReadOnly
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forgotten {
		return ErrForgotten
	}
	if err := d.repair(); err != nil {
		return err
	}
	d.repairPruned()
	tx := &Tx{d: d, begun: make(map[string]bool)}
	defer tx.end()
	return change(tx)
}

// Rewrite writes the catalog file anew from what is known of the domain, durably, in the
// place of one that was found damaged.
func (d *Domain) Rewrite() error {
	if d.c.cfg.ReadOnly {
		return ErrReadOnly
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forgotten {
		return ErrForgotten
	}
	if d.file == nil {
		d.file = &file{magic: magic, domain: d.name} // whatever it is, it goes
	}
	return d.compact(d.State())
}

// Tx is what one Update changes. It is of no use after that.
type Tx struct {
	d       *Domain
	next    *State // with what was noted since the last swap; nil where nothing was
	changes []change
	begun   map[string]bool // the replacements of this Update that have not ended
	back    []string        // of changes, the commits that were pruned
}

// State returns the domain's state with what this Update has changed. It is
// valid until the next change.
func (tx *Tx) State() *State {
	if tx.next != nil {
		return tx.next
	}
	return tx.d.State()
}

// change returns the state that may be changed.
func (tx *Tx) change() *State {
	if tx.next == nil {
		tx.next = tx.d.State().clone()
	}
	return tx.next
}

// Put notes a commit whose file stands under its name. Where the commit is known
// already, it is an error: see Replace.
func (tx *Tx) Put(info snapshot.Info) error {
	if tx.State().Has(info.Commit) {
		return fmt.Errorf("catalog: put: commit %s of %s is there: it is to be replaced", info.Commit, tx.d.name)
	}
	return tx.note(putRecord, info)
}

// BeginReplace must be called before another file takes the place of a commit's,
// so that a crash in between is seen. An Update that ends before Replace is called
// looks at what the file says.
func (tx *Tx) BeginReplace(commit string) error {
	if !tx.State().Has(commit) {
		return fmt.Errorf("catalog: replace: %w: commit %s of %s is not indexed", contract.ErrNotFound, commit, tx.d.name)
	}
	tx.publish()
	tx.d.intents[commit] = true
	if err := tx.d.write([]change{{typ: intentRecord, commit: commit}}, tx.d.State(), true); err != nil {
		return err
	}
	tx.begun[commit] = true
	return nil
}

// Replace notes that a file with this header has taken the place of the commit's.
// BeginReplace must have been called before.
func (tx *Tx) Replace(info snapshot.Info) error {
	if !tx.begun[info.Commit] {
		return fmt.Errorf("catalog: replace: nothing was said of commit %s of %s before", info.Commit, tx.d.name)
	}
	delete(tx.begun, info.Commit)
	return tx.note(replaceRecord, info)
}

func (tx *Tx) note(t recordType, info snapshot.Info) error {
	if info.Domain != tx.d.name {
		return fmt.Errorf("catalog: commit %s is of %s, not of %s", info.Commit, info.Domain, tx.d.name)
	}
	s := tx.change()
	if s.wasPruned(info.Commit) {
		tx.back = append(tx.back, info.Commit)
	}
	s.put(newRecord(&info, s.find))
	delete(tx.d.intents, info.Commit)
	tx.changes = append(tx.changes, change{typ: t, commit: info.Commit, info: info})
	return nil
}

// Remove makes commits unknown; those that are so already are passed over. When
// it returns without an error, readers do not see them any more, and the catalog
// file says so, durably: now their files can be removed. One whose file stays is
// found at the next Open, or may be Put.
func (tx *Tx) Remove(commits ...string) error {
	tx.publish()
	return tx.remove(tx.d.State().clone(), commits)
}

// remove makes commits unknown that next, which is swapped in, still holds.
func (tx *Tx) remove(next *State, commits []string) error {
	var gone []change
	for _, commit := range commits {
		if next.remove(commit) {
			delete(tx.d.intents, commit)
			gone = append(gone, change{typ: removeRecord, commit: commit})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	// Synced, for a commit of that name may come again with other contents.
	if err := tx.d.write(gone, next, true); err != nil {
		return err
	}
	tx.d.set(next)
	return nil
}

// ForgetSlots notes that the domain's vectors are gone: slots begin at 0 again.
func (tx *Tx) ForgetSlots() { tx.change().slotEnd = 0 }

// publish writes what was noted into the file and swaps the state.
func (tx *Tx) publish() {
	if tx.next == nil {
		return
	}
	if len(tx.changes) > 0 {
		_ = tx.d.write(tx.changes, tx.next, false) // logged; the next Update sees to it
	}
	if len(tx.back) > 0 {
		// Before any of them can be deleted: it would be pruned again.
		if err := tx.d.notePruned(returnRecord, tx.back, tx.next.pruned); err != nil {
			tx.d.c.log.Warn("the list of pruned commits does not say yet that some are back", "domain", tx.d.name, "err", err)
		}
	}
	tx.d.set(tx.next)
	tx.next, tx.changes, tx.back = nil, nil, nil
}

// end publishes what was noted. If a replacement was not ended, it is not known
// which file is there, and its header is read. The intent stands in the catalog file,
// since a rename that was seen need not be durable.
func (tx *Tx) end() {
	for commit := range tx.begun {
		r := tx.State().find(commit)
		if r == nil {
			continue
		}
		if infos, _, _ := tx.d.c.read([]string{r.fileName()}); len(infos) == 1 {
			s := tx.change()
			s.put(newRecord(&infos[0], s.find))
		}
	}
	tx.publish()
}

// write makes the domain's file say the changes that lead to next. With sync it
// is durable when it returns. A file that cannot be written is removed, which is
// as good: what is not in one is read from the commit files. An error means that
// this failed too. Called with d.mu held, as are those below.
func (d *Domain) write(changes []change, next *State, sync bool) error {
	if err := d.repair(); err != nil {
		return err
	}
	if d.file == nil {
		f, err := d.writeAll(FileName(d.name), next, sync)
		if err != nil {
			return d.giveUp(err)
		}
		d.file, d.compactAt = f, 0
		return nil
	}
	var b []byte
	for _, ch := range changes {
		b = d.file.append(b, ch)
	}
	if err := d.c.appendTo(FileName(d.name), d.file.end, b, sync); err != nil {
		return d.giveUp(err)
	}
	d.file.end += int64(len(b))
	d.file.records += len(changes)
	if d.file.records > max(2*next.Len()+minGarbage, d.compactAt) {
		return d.compact(next)
	}
	return nil
}

// appendTo writes b at that end of the named file.
func (c *Catalog) appendTo(name string, end int64, b []byte, sync bool) error {
	f, err := c.cfg.FS.Open(name, vfs.ReadWrite)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, end)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// writeAll writes a catalog file of that name that says what the state does, and
// which replacements have not ended.
func (d *Domain) writeAll(name string, s *State, sync bool) (*file, error) {
	f, err := d.c.cfg.FS.Open(name, vfs.Create)
	if err != nil {
		return nil, err
	}
	c := &file{magic: magic, domain: d.name, generation: rand.Uint64()}
	b := appendHead(nil, magic, d.name, c.generation)
	add := func(ch change) {
		b = c.append(b, ch)
		c.records++
		if len(b) >= readSize && err == nil {
			_, err = f.WriteAt(b, c.end)
			c.end += int64(len(b))
			b = b[:0]
		}
	}
	for info := range s.Oldest() {
		if add(change{typ: putRecord, info: info}); err != nil {
			break
		}
	}
	for commit := range d.intents {
		add(change{typ: intentRecord, commit: commit})
	}
	if err == nil {
		_, err = f.WriteAt(b, c.end)
		c.end += int64(len(b))
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return c, nil
}

// compact puts a file without garbage in the place of the domain's, durably: if
// the old one came back after a crash, it would lack the intents that the new one
// has.
func (d *Domain) compact(s *State) error {
	name := FileName(d.name)
	temp := vfs.TempName(name)
	f, err := d.writeAll(temp, s, true)
	if err != nil {
		// The old file is as good as before.
		d.c.log.Warn("catalog file was not compacted", "domain", d.name, "err", err)
		_ = d.c.cfg.FS.Remove(temp) // Open finds what this leaves
		d.compactAt = d.file.records + s.Len() + minGarbage
		return nil
	}
	err = d.c.cfg.FS.Rename(temp, name)
	if err == nil {
		err = d.c.cfg.FS.SyncDir()
	}
	if err != nil {
		_ = d.c.cfg.FS.Remove(temp)
		return d.giveUp(err)
	}
	d.file, d.compactAt = f, 0
	return nil
}

// giveUp removes a file that could not be written, durably.
func (d *Domain) giveUp(cause error) error {
	d.c.log.Warn("catalog file cannot be written and is removed; it is rebuilt from the commit files", "domain", d.name, "err", cause)
	d.file, d.broken = nil, true
	return d.repair()
}

// repair removes a broken file. Without an error the domain has a sound file or
// none.
func (d *Domain) repair() error {
	if !d.broken {
		return nil
	}
	err := d.c.cfg.FS.Remove(FileName(d.name))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = d.c.cfg.FS.SyncDir()
	}
	if err != nil {
		return fmt.Errorf("catalog: remove the broken file of %s: %w: %w", d.name, contract.ErrStore, err)
	}
	d.broken = false
	return nil
}
