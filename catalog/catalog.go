package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

// Config says which data directory to open, and how.
type Config struct {
	// FS is the data directory. A writer holds its lock.
	FS vfs.FS
	// ReadOnly: nothing is written, and Refresh follows the process that writes.
	ReadOnly bool
	// Names are the files of FS, as [vfs.FS.List] returns them; nil: Open lists
	// them.
	Names []string
	// Check looks at a header that was read from a commit file; one it refuses is
	// treated as damaged. It may be nil.
	Check  func(snapshot.Info) error
	Logger *slog.Logger // nil: nothing is logged
}

// Catalog knows the domains of a data directory. All methods may be called
// concurrently.
type Catalog struct {
	cfg Config
	log *slog.Logger

	mu      sync.RWMutex // guards what follows
	domains map[string]*Domain
	// floor is no less than any sequence number of a forgotten domain: if one
	// comes back, its numbers go on, so that what was derived from an earlier
	// commit file is never taken for a later one's.
	floor uint64
	// unclean: a catalog file that was to be removed may still be there.
	unclean bool

	refreshing sync.Mutex // held by Refresh; guards listed
	listed     []string   // the directory as Refresh has last seen it, sorted
}

// readers is how many files are read at once.
const readers = 8

// Open opens the catalog of a data directory: it lists the directory once, reads
// the catalog files, and the headers of the commit files that these do not know.
// Unless it is opened for reading only, it brings the catalog files up to date and
// removes what unfinished writes left of them. A commit file whose header cannot
// be read is logged, and is not in the catalog; one of a newer program is an error that
// wraps [snapshot.ErrVersion].
func Open(cfg Config) (*Catalog, error) {
	c := &Catalog{cfg: cfg, log: cfg.Logger, domains: make(map[string]*Domain)}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	files, names, err := c.readAll()
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if cfg.ReadOnly {
		c.listed = names
	}
	byDomain, byStem := make(map[string]*loaded), make(map[string]*loaded)
	for i := range files {
		if l := &files[i]; l.err == nil {
			byDomain[l.file.domain] = l
			byStem[strings.TrimSuffix(l.name, "."+Ext)] = l
		}
	}
	unknown := make(map[string]struct{}) // commit files
	for _, name := range names {
		if !strings.HasSuffix(name, "."+snapshot.Ext) {
			continue
		}
		stem, commit, plain := vfs.PlainCommit(name, snapshot.Ext)
		if l := byStem[stem]; l == nil || !plain || !l.list(commit) {
			unknown[name] = struct{}{}
		}
	}
	for _, l := range byDomain {
		l.claim(unknown)
	}
	infos, damaged, _ := c.read(slices.Sorted(maps.Keys(unknown)))
	for _, dmg := range damaged {
		if errors.Is(dmg.Err, snapshot.ErrVersion) {
			return nil, fmt.Errorf("catalog: %w", dmg.Err)
		}
		c.log.Error("damaged commit file; `vectorlink verify` tells more, indexing the commit again repairs it", "file", dmg.Name, "err", dmg.Err)
	}
	for i := range infos {
		l := byDomain[infos[i].Domain]
		if l == nil {
			l = &loaded{records: make(map[string]*record)}
			byDomain[infos[i].Domain] = l
		}
		l.add(&infos[i])
	}
	for name, l := range byDomain {
		d := newDomain(c, name, newState(l.live()))
		if l.name != "" {
			d.file, d.intents = &l.file, l.intents
		}
		if d.State().Len() > 0 {
			c.domains[name] = d
		}
		l.domain = d
	}
	dropped := c.loadLists(names, len(damaged) > 0)
	if !cfg.ReadOnly {
		c.update(names, files, byDomain, dropped)
	}
	c.cfg.Names = nil
	return c, nil
}

// loadLists reads the lists of pruned commits. It returns those of domains without
// commits, unless keep says that a damaged file may hold one.
func (c *Catalog) loadLists(files []string, keep bool) (dropped []string) {
	for _, name := range files {
		if !strings.HasSuffix(name, "."+PrunedExt) {
			continue
		}
		l := c.loadPruned(name)
		if l.err != nil {
			c.log.Error("the list of pruned commits cannot be read: they are not known as pruned", "file", name, "err", l.err)
		}
		d := c.domains[l.domain]
		switch {
		case l.domain == "": // its header cannot be read
			for _, o := range c.domains {
				if PrunedName(o.name) == name {
					d = o
				}
			}
		case d == nil && keep:
			d = newDomain(c, l.domain, newState(nil))
			c.domains[l.domain] = d
		case d == nil:
			dropped = append(dropped, name)
		}
		if d != nil {
			d.openPruned(l)
		}
	}
	return dropped
}

// loaded is a catalog file as it was read.
type loaded struct {
	name    string
	file    file
	records map[string]*record
	order   []*record // those and others that have gone, as they came
	intents map[string]bool
	err     error // errDamaged or the disk's
	domain  *Domain
	// What the file does not say yet: commits that are gone, and that came.
	gone, came []change
}

// load reads the named catalog file.
func (c *Catalog) load(name string) (l loaded) {
	l = loaded{name: name, intents: make(map[string]bool)}
	f, err := c.cfg.FS.Open(name, vfs.Read)
	if err != nil {
		l.err = err
		return l
	}
	defer func() { l.err = errors.Join(l.err, f.Close()) }()
	if l.file, l.err = readHead(f, magic); l.err != nil {
		return l
	}
	if FileName(l.file.domain) != name {
		l.err = fmt.Errorf("%w: it belongs to %s", errDamaged, l.file.domain)
		return l
	}
	size, err := f.Size()
	if err != nil {
		l.err = err
		return l
	}
	l.records = make(map[string]*record, size/recordHint)
	l.order = make([]*record, 0, size/recordHint)
	l.err = l.file.scan(f, l.apply)
	return l
}

// recordHint is about the size of a put.
const recordHint = 192

// apply does what a record says.
func (l *loaded) apply(ch change) {
	switch ch.typ {
	case putRecord, replaceRecord:
		l.put(&ch.info)
		delete(l.intents, ch.commit)
	case intentRecord:
		l.intents[ch.commit] = true
	case removeRecord:
		delete(l.records, ch.commit)
		delete(l.intents, ch.commit)
	}
}

func (l *loaded) put(info *snapshot.Info) {
	r := newRecord(info, l.find)
	l.records[r.commit] = r
	l.order = append(l.order, r)
}

// live returns the records in the order they came in.
func (l *loaded) live() []*record {
	if len(l.order) == len(l.records) {
		return l.order
	}
	return slices.DeleteFunc(l.order, func(r *record) bool { return l.records[r.commit] != r })
}

// find returns the record of a commit, without a look at the map where it is the
// last one put, as a base mostly is.
func (l *loaded) find(commit string) *record {
	if n := len(l.order); n > 0 && l.order[n-1].commit == commit {
		return l.order[n-1]
	}
	return l.records[commit]
}

// list notes that the file of a commit is there, and reports whether the catalog
// file knows it.
func (l *loaded) list(commit string) bool {
	r := l.records[commit]
	if r == nil || l.intents[commit] {
		return false
	}
	r.listed = true
	return true
}

// claim takes the other commit files that the catalog file knows out of those whose
// headers are to be read, and drops the records that have no file or an intent.
func (l *loaded) claim(unknown map[string]struct{}) {
	for commit, r := range l.records {
		if l.intents[commit] {
			delete(l.records, commit)
			continue
		}
		if r.listed {
			continue
		}
		name := r.fileName()
		if _, ok := unknown[name]; !ok {
			delete(l.records, commit)
			l.gone = append(l.gone, change{typ: removeRecord, commit: commit})
			continue
		}
		delete(unknown, name)
	}
}

// add adds a commit that the catalog file does not know.
func (l *loaded) add(info *snapshot.Info) {
	t := putRecord
	if l.intents[info.Commit] {
		t = replaceRecord
	}
	l.put(info)
	l.came = append(l.came, change{typ: t, commit: info.Commit, info: *info})
}

// readAll lists the directory and reads its catalog files.
func (c *Catalog) readAll() (files []loaded, names []string, err error) {
	if c.cfg.ReadOnly {
		// First the files, then what is there: a commit that a catalog file says
		// is there and that has no file is gone, not yet to come.
		early, err := c.cfg.FS.List()
		if err != nil {
			return nil, nil, err
		}
		files = c.loadAll(early)
		names, err = c.cfg.FS.List()
		return files, names, err
	}
	if names = c.cfg.Names; names == nil {
		if names, err = c.cfg.FS.List(); err != nil {
			return nil, nil, err
		}
	}
	return c.loadAll(names), names, nil
}

func (c *Catalog) loadAll(names []string) []loaded {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasSuffix(name, "."+Ext) })
	files := make([]loaded, len(names))
	_ = parallel.Do(context.Background(), readers, len(names), func(_ context.Context, _, i int) error {
		files[i] = c.load(names[i])
		return nil
	})
	for i := range files {
		if l := &files[i]; l.err != nil && !errors.Is(l.err, fs.ErrNotExist) {
			c.log.Warn("catalog file is rebuilt from the commit files", "file", l.name, "err", l.err)
		}
	}
	return files
}

// read reads the headers of the named commit files.
func (c *Catalog) read(names []string) (infos []snapshot.Info, damaged []snapshot.Damage, err error) {
	infos, damaged, err = snapshot.List(only{c.cfg.FS, names})
	if c.cfg.Check == nil {
		return infos, damaged, err
	}
	infos = slices.DeleteFunc(infos, func(info snapshot.Info) bool {
		err := c.cfg.Check(info)
		if err != nil {
			damaged = append(damaged, snapshot.Damage{Name: info.Name(), Err: err})
		}
		return err != nil
	})
	return infos, damaged, err
}

// only is a directory of which only some files are of interest.
type only struct {
	vfs.FS
	names []string
}

func (o only) List() ([]string, error) { return slices.Clone(o.names), nil }

// update brings the catalog files up to date after they were read. What fails is
// logged, and the domain concerned has then no file.
func (c *Catalog) update(names []string, files []loaded, byDomain map[string]*loaded, dropped []string) {
	var removed []string
	remove := func(name string) {
		removed = append(removed, name)
		if err := c.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.log.Warn("remove a catalog file", "file", name, "err", err)
			c.unclean = true
		}
	}
	for _, name := range names {
		if vfs.IsTemp(name) && (strings.HasSuffix(name, vfs.TempName("."+Ext)) || strings.HasSuffix(name, vfs.TempName("."+PrunedExt))) {
			remove(name)
		}
	}
	for i := range files {
		if l := &files[i]; l.err != nil || l.domain.State().Len() == 0 {
			remove(l.name)
		}
	}
	for _, name := range dropped {
		remove(name)
	}
	if len(removed) > 0 {
		if err := c.cfg.FS.SyncDir(); err != nil {
			c.log.Warn("remove catalog files", "err", err)
			c.unclean = true
		}
	}
	for _, l := range byDomain {
		d := l.domain
		if c.domains[d.name] != d {
			continue
		}
		d.mu.Lock()
		d.repairPruned()
		clear(d.intents) // their files were read
		d.broken = d.file == nil && c.unclean
		if changes := slices.Concat(l.gone, l.came); len(changes) > 0 || d.file == nil || d.file.records > 2*d.State().Len()+minGarbage {
			// A commit that has no file may come again with other contents.
			if err := d.write(changes, d.State(), len(l.gone) > 0); err != nil {
				c.log.Warn("write a catalog file", "domain", d.name, "err", err)
			}
		}
		d.mu.Unlock()
	}
}

// Domain returns the named domain, or contract.ErrNotFound where nothing is
// indexed.
func (c *Catalog) Domain(name string) (*Domain, error) {
	c.mu.RLock()
	d := c.domains[name]
	c.mu.RUnlock()
	if d == nil || d.State().Len() == 0 {
		return nil, fmt.Errorf("%w: nothing is indexed of %s", contract.ErrNotFound, name)
	}
	return d, nil
}

// Domains returns all domains by their names, also those that were created and of
// which nothing is indexed yet.
func (c *Catalog) Domains() []*Domain {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.SortedFunc(maps.Values(c.domains), func(a, b *Domain) int { return strings.Compare(a.name, b.name) })
}

// Create returns the named domain, a new one if there is none. Only what is about
// to write calls it; it leaves nothing on the disk.
func (c *Catalog) Create(name string) *Domain {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.domains[name]
	if d == nil {
		d = newDomain(c, name, newState(nil))
		d.raise(c.floor)
		d.broken, d.pruned.stale = c.unclean, c.unclean
		c.domains[name] = d
	}
	return d
}

// Forget forgets a domain of which nothing is indexed, and reports whether it did.
// Any Update of it fails from then on: the caller knows that it is not in use.
func (c *Catalog) Forget(d *Domain) bool {
	if !d.mu.TryLock() {
		return false
	}
	defer d.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.domains[d.name] != d || d.State().Len() > 0 {
		return false
	}
	d.forgotten = true
	delete(c.domains, d.name)
	c.floor = max(c.floor, d.NextSeq())
	if d.file != nil {
		// It says that all commits are gone, so it may come back after a crash;
		// but it must not be begun again in its place.
		if err := c.cfg.FS.Remove(FileName(d.name)); err != nil {
			c.log.Warn("remove a catalog file", "domain", d.name, "err", err)
			c.unclean = true
		}
	}
	if d.pruned.file != nil {
		if err := c.cfg.FS.Remove(PrunedName(d.name)); err != nil {
			c.log.Warn("remove a list of pruned commits", "domain", d.name, "err", err)
			c.unclean = true
		}
	}
	return true
}
