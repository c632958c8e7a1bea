package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

// Refresh takes over what the process that writes the data directory has done
// since: it reads the ends of the catalog files, lists the directory, and reads
// the headers of commit files that are new to both. Readers see each domain swap
// once. In a catalog that is not for reading only there is nothing to do.
func (c *Catalog) Refresh() error {
	if !c.cfg.ReadOnly {
		return nil
	}
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	// The directory is listed after the files were read: a commit that they say
	// is there and that has no file then is gone again.
	domains := c.Domains()
	tails := make([][]change, len(domains))
	for i, d := range domains {
		var err error
		if tails[i], err = d.tail(); err != nil {
			return fmt.Errorf("catalog: refresh: %w", err)
		}
	}
	names, err := c.cfg.FS.List()
	if err != nil {
		return fmt.Errorf("catalog: refresh: %w", err)
	}
	came, gone := difference(c.listed, names)
	c.listed = names
	for i, d := range domains {
		d.follow(tails[i], func(name string, there bool) bool {
			_, listed := slices.BinarySearch(names, name)
			delete(gone, name)
			if there && listed {
				delete(came, name)
			}
			return listed
		})
		d.forgetList(names)
	}
	c.take(came)
	if len(gone) > 0 {
		for _, d := range domains {
			d.drop(gone)
		}
	}
	return nil
}

// difference returns the commit files that are in one sorted list of names and not
// in the other.
func difference(before, now []string) (came, gone map[string]bool) {
	came, gone = make(map[string]bool), make(map[string]bool)
	note := func(m map[string]bool, name string) {
		if strings.HasSuffix(name, "."+snapshot.Ext) {
			m[name] = true
		}
	}
	for len(before) > 0 || len(now) > 0 {
		switch {
		case len(before) == 0 || len(now) > 0 && now[0] < before[0]:
			note(came, now[0])
			now = now[1:]
		case len(now) == 0 || before[0] < now[0]:
			note(gone, before[0])
			before = before[1:]
		default:
			before, now = before[1:], now[1:]
		}
	}
	return came, gone
}

// tail returns what the domain's catalog file says that was not read yet: all, if
// it is another file than before.
func (d *Domain) tail() (changes []change, err error) {
	f, err := d.c.cfg.FS.Open(FileName(d.name), vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	now, err := readHead(f, magic)
	if errors.Is(err, errDamaged) {
		return nil, nil // it may be in the making
	}
	if err != nil {
		return nil, err
	}
	if now.domain != d.name {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil && d.file.generation == now.generation {
		now = *d.file
	}
	err = now.scan(f, func(ch change) { changes = append(changes, ch) })
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, err
	}
	d.file = &now // behind the last record that is whole; the next may be in the making
	return changes, nil
}

// follow applies changes that another process has made, and looks at the files
// that it is replacing. exists is called with the file of each commit concerned,
// whether it is to be there, and reports whether it is.
func (d *Domain) follow(changes []change, exists func(name string, there bool) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(changes) == 0 && len(d.intents) == 0 {
		return
	}
	next := d.State().clone()
	for i := range changes {
		ch := &changes[i]
		if ch.typ == intentRecord {
			d.intents[ch.commit] = true
			continue
		}
		delete(d.intents, ch.commit)
		name := snapshot.FileName(d.name, ch.commit)
		there := ch.typ != removeRecord
		if there = exists(name, there) && there; !there {
			next.remove(ch.commit)
			continue
		}
		next.follow(&ch.info)
	}
	for commit := range d.intents {
		name := snapshot.FileName(d.name, commit)
		if !exists(name, true) {
			next.remove(commit)
			continue // a file that has come since the listing would not be missed when it goes
		}
		infos, _, _ := d.c.read([]string{name})
		for i := range infos {
			next.follow(&infos[i])
		}
	}
	if slices.ContainsFunc(changes, func(ch change) bool { return ch.typ == removeRecord }) {
		d.followPruned(next)
	}
	d.set(next)
}

// follow puts a commit unless it is there and the same.
func (s *State) follow(info *snapshot.Info) {
	r := newRecord(info, s.find)
	if old := s.find(r.commit); old == nil || !reflect.DeepEqual(old.info(), r.info()) {
		s.put(r)
	}
}

// take reads the headers of commit files that no catalog file lists. Those that
// are gone again were never seen: they may come back before the next look.
func (c *Catalog) take(names map[string]bool) {
	if len(names) == 0 {
		return
	}
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	infos, damaged, _ := c.read(list)
	for _, dmg := range damaged {
		c.log.Warn("damaged commit file", "file", dmg.Name, "err", dmg.Err)
		delete(names, dmg.Name)
	}
	byDomain := make(map[string][]snapshot.Info)
	for _, info := range infos {
		delete(names, info.Name())
		byDomain[info.Domain] = append(byDomain[info.Domain], info)
	}
	c.listed = slices.DeleteFunc(c.listed, func(name string) bool { return names[name] })
	for name, infos := range byDomain {
		d := c.Create(name)
		d.mu.Lock()
		next := d.State().clone()
		for i := range infos {
			next.follow(&infos[i])
		}
		d.followPruned(next)
		d.set(next)
		d.mu.Unlock()
	}
}

// drop removes the commits whose files are gone without a word in the catalog
// file.
func (d *Domain) drop(gone map[string]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.State().clone()
	d.State().ids.Scan(func(r *record) bool {
		if gone[r.fileName()] {
			next.remove(r.commit)
		}
		return true
	})
	if next.Len() == d.State().Len() {
		return
	}
	d.followPruned(next)
	d.set(next)
}
