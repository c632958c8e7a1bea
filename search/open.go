package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vector"
)

// openFile is a commit file in the pool, with its graph if it has one. All
// snapshots whose chains have the file share it.
type openFile struct {
	file  *snapshot.File
	graph *hnsw.Graph // nil: none, or damaged
	// serial is unique per opened file.
	serial uint64

	missed  sync.Once
	without []uint32 // see missing

	derivedMu sync.Mutex
	derived   []string // keys in the pool of what was made of it; guarded by derivedMu

	codesMu sync.Mutex
	walked  bool            // searched once, without codes
	codes   *vecstore.Codes // of the graph's slots, from the second search on
	coded   *vecstore.Store // whose they are
}

func (f *openFile) size() int64 {
	n := f.file.Bytes()
	if f.graph != nil {
		// Files of one domain share the codes of slots that they share; to
		// count them more than once keeps on the safe side of the limit.
		n += f.graph.Bytes() + int64(f.graph.Len()*(2*vector.PlaneLen(int(f.file.Header().Dim))+4))
	}
	return n
}

func (f *openFile) close() {
	_ = f.file.Close() // opened for reading: nothing to lose
	if f.codes != nil {
		f.codes.Release()
	}
}

// missing returns the slots that were live when the file was written and that its
// graph does not hold, since their vectors could not be read then. Ascending.
func (f *openFile) missing(v *snapshot.View) []uint32 {
	f.missed.Do(func() {
		has := make([]uint64, v.SlotEnd()/64+1)
		for _, slot := range f.graph.Slots() {
			if slot < v.SlotEnd() {
				has[slot/64] |= 1 << (slot % 64)
			}
		}
		for slot := range v.GraphSlots() {
			if has[slot/64]>>(slot%64)&1 == 0 {
				f.without = append(f.without, slot)
			}
		}
	})
	return f.without
}

// ungraphed returns the live slots that the graph does not hold. A graph holds
// more than what was live when it was written: what was dead then and lives again
// is not among them. Ascending.
func (s *Snapshot) ungraphed() []uint32 {
	if s.graphFile == nil {
		return slices.Collect(s.view.LiveSlots())
	}
	graph, without := s.graphFile.graph, s.graphFile.missing(s.view)
	tail := s.view.Tail()
	if graph.Len() > s.view.GraphLen()-len(without) {
		tail = slices.DeleteFunc(slices.Clone(tail), graph.Has)
	}
	if len(without) > 0 {
		live := slices.DeleteFunc(slices.Clone(without), func(slot uint32) bool { return !s.view.Live(slot) })
		tail = slices.Concat(tail, live)
		slices.Sort(tail)
	}
	return tail
}

// graphCodes returns the codes of the graph's slots. They are made by the second
// search of the graph, since to make them reads all of its vectors: the first goes
// by the vectors that it meets, unless another graph's codes are there, which are
// mostly the same. nil stands for none, also if the store has lost its end.
func (f *openFile) graphCodes(vecs *vecstore.Store) (*vecstore.Codes, error) {
	f.codesMu.Lock()
	defer f.codesMu.Unlock()
	if f.codes == nil {
		if !f.walked && !vecs.Coded() {
			f.walked = true
			return nil, nil
		}
		codes, err := vecs.Codes(f.graph.Slots())
		if errors.Is(err, vecstore.ErrInvalid) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		f.codes, f.coded = codes, vecs
	}
	if f.coded != vecs {
		return nil, nil // the domain was removed and came again meanwhile
	}
	return f.codes, nil
}

// Snapshot is one commit ready to be searched. It is immutable, but for the
// full text that is opened at need.
type Snapshot struct {
	r    *Reader
	d    *Domain
	real string // the commit whose file it is read from
	// serial is unique per loaded snapshot.
	serial   uint64
	settings catalog.Settings
	view     *snapshot.View
	// graphFile is the file whose graph searches walk; nil for none.
	graphFile *openFile
	vecs      *vecstore.Store // nil when no vector exists
	// scanned are the live slots that the graph does not hold: all of them
	// where there is no graph. Ascending.
	scanned []uint32
	// unreadable are the live slots of texts that the model cannot read. Ascending.
	unreadable []uint32
	files      []*lease // the commit's file first, its checkpoint last
	harm       harm

	lease *lease // what every holder of the snapshot has a share of

	textMu sync.Mutex // guards the two below, which come with the first use
	text   *textView
	texts  []*lease
}

func (s *Snapshot) size() int64 { return s.view.Bytes() + int64(len(s.scanned)+len(s.unreadable))*4 }

func (s *Snapshot) leased(l *lease) { s.lease = l }

// Release gives the snapshot back; it must not be used after it.
func (s *Snapshot) Release() { s.lease.release() }

func (s *Snapshot) close() {
	if s.view != nil {
		_ = s.view.Close() // files opened for reading lose nothing
	}
	for _, l := range s.files {
		l.release()
	}
	if s.vecs != nil {
		s.vecs.Release()
	}
}

// fileKey names a commit file in the pool. The file's ID is part of it: a commit
// that was deleted may come again under its name, as another file.
func fileKey(info snapshot.Info) string { return fmt.Sprint("file\x00", info.Name(), "\x00", info.ID) }

func snapshotKey(domain, commit string) string { return "snapshot\x00" + domain + "\x00" + commit }

// Open leases the snapshot of an indexed commit. It must be released.
func (r *Reader) Open(ctx context.Context, d *Domain, commit string) (*Snapshot, error) {
	info, ok := d.State().Real(commit)
	if !ok {
		return nil, d.State().Missing(commit)
	}
	defer timed(ctx, PartOpen)()
	l, err := r.pool.acquire(ctx, snapshotKey(d.Name(), info.Commit), func() (resource, error) {
		s, err := r.loadCurrent(d, info)
		if err != nil {
			return nil, fmt.Errorf("open commit %s of %s: %w", info.Commit, d.Name(), catalog.StoreError(err))
		}
		if r.cfg.Opened != nil {
			r.cfg.Opened(s)
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return l.res.(*Snapshot), nil
}

// loadCurrent loads the snapshot of a commit, again if its file was replaced
// meanwhile: files below an old one may have been removed since.
func (r *Reader) loadCurrent(d *Domain, info snapshot.Info) (*Snapshot, error) {
	for again := true; ; {
		before := d.State()
		s, err := r.loadSnapshot(d, info.Commit)
		now, ok := d.State().Commit(info.Commit)
		if ok && now.Same(info) {
			if errors.Is(err, contract.ErrCorrupt) && again && d.State() != before {
				again = false
				continue // a file below was replaced, and then what it stood on removed
			}
			return s, err
		}
		if err == nil {
			s.close()
		}
		if !ok {
			return nil, d.State().Missing(info.Commit)
		}
		info = now
	}
}

func (r *Reader) loadSnapshot(d *Domain, commit string) (_ *Snapshot, err error) {
	s := &Snapshot{r: r, d: d, real: commit, serial: r.serials.Add(1)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	files, err := r.loadChain(d, commit, s)
	if err != nil {
		return nil, err
	}
	if s.view, err = r.makeView(d, files); err != nil {
		return nil, err
	}
	if s.settings, err = catalog.ParseSettings(s.view.Header().Settings); err != nil {
		return nil, fmt.Errorf("%w: commit %s carries %w", contract.ErrCorrupt, commit, err)
	}
	if s.vecs, err = d.acquire(s.view.SlotEnd()); errors.Is(err, contract.ErrCorrupt) {
		return nil, fmt.Errorf("%w; index commit %s again to mend it", err, commit)
	} else if err != nil {
		return nil, err
	}
	if s.view.SlotEnd() > 0 && s.vecs == nil {
		return nil, fmt.Errorf("%w: %s is missing; index the commit again", contract.ErrCorrupt, d.VecsName())
	}
	if h := s.view.Header(); h.SlotEnd > 0 {
		if have := s.vecs.Config(); have.Fingerprint != h.Fingerprint || have.Dim != int(h.Dim) ||
			have.Metric != s.settings.Metric.Stored() || have.Normalized != s.settings.Normalize {
			return nil, fmt.Errorf("%w: %s holds vectors of %s (%d dimensions, %v), the commit refers to those of %s (%d, %s)",
				contract.ErrCorrupt, d.VecsName(), have.Fingerprint, have.Dim, have.Metric, h.Fingerprint, h.Dim, s.settings.Metric)
		}
	}
	for _, f := range files {
		if f.file == s.view.GraphFile() && f.graph != nil {
			s.graphFile = f
		}
	}
	s.scanned, s.unreadable = s.ungraphed(), s.view.UnreadableSlots()
	return s, nil
}

// loadChain leases the files of the commit's chain, into s, and returns them, the
// checkpoint first. The files say what is below them: a merge may put a
// checkpoint in a delta's place at any time, which only ends the chain sooner.
func (r *Reader) loadChain(d *Domain, commit string, s *Snapshot) ([]*openFile, error) {
	var files []*openFile
	for limit := d.State().Len(); ; {
		info, ok := d.State().Real(commit)
		if !ok {
			return nil, fmt.Errorf("%w: the file of commit %s, on which it stands, is missing or damaged; index or push that commit again", contract.ErrCorrupt, commit)
		}
		l, err := r.pool.acquire(context.Background(), fileKey(info), func() (resource, error) { return r.loadFile(d, info) })
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, l)
		f := l.res.(*openFile)
		files = append(files, f)
		h := f.file.Header()
		if h.Kind == snapshot.Checkpoint {
			slices.Reverse(files)
			return files, nil
		}
		if len(files) > limit {
			return nil, fmt.Errorf("%w: the bases of commit %s lead round in a circle", contract.ErrCorrupt, commit)
		}
		commit = h.On
	}
}

// makeView makes the view of a chain. Where the base's view is at hand, it is
// extended by the last file alone, so that a commit costs what it changes.
func (r *Reader) makeView(d *Domain, files []*openFile) (*snapshot.View, error) {
	chain := make([]*snapshot.File, len(files))
	for i, f := range files {
		chain[i] = f.file
	}
	below, last := chain[:len(chain)-1], chain[len(chain)-1]
	if len(below) > 0 {
		if l := r.pool.peek(snapshotKey(d.Name(), last.Header().Base)); l != nil {
			defer l.release()
			// The file may say again what the last ones of the base do. After a
			// merge of the base, or where files were opened again, its view may
			// stand on others than the chain just read. And the base need not be
			// there any more: a commit made since may have its name.
			base := l.res.(*Snapshot).view
			h, top := last.Header(), base.Header()
			if top.Seq > h.Seq || top.Created > h.Created {
				return snapshot.NewView(chain[0], chain[1:]...)
			}
			if files := slices.Collect(base.Files()); len(files) >= len(below) && slices.Equal(files[:len(below)], below) {
				return base.Extend(last)
			}
		}
	}
	return snapshot.NewView(chain[0], chain[1:]...)
}

func (r *Reader) loadFile(d *Domain, info snapshot.Info) (*openFile, error) {
	file, err := snapshot.Open(r.cfg.FS, info.Name())
	if err != nil {
		return nil, err
	}
	f := &openFile{file: file, serial: r.serials.Add(1)}
	b, err := file.Graph()
	if err == nil && len(b) > 0 {
		f.graph, err = hnsw.Decode(b)
	}
	if err != nil {
		// The entries and vectors are whole, so exact search takes the
		// graph's place until a merge writes a new one.
		r.log.Error("damaged graph: searching exactly until it is rebuilt", "domain", d.Name(), "commit", info.Commit, "err", err)
		f.graph = nil
	}
	return f, nil
}

// ForgetFile takes a commit's file that was replaced or removed out of the
// pool. The file goes first: a snapshot loaded in between would take the old
// one.
func (r *Reader) ForgetFile(d *Domain, info snapshot.Info) {
	if l := r.pool.peek(fileKey(info)); l != nil {
		r.forgetDerived(l.res.(*openFile))
		l.release()
	}
	r.pool.remove(fileKey(info))
	r.pool.remove(snapshotKey(d.Name(), info.Commit))
	r.pool.remove(textKey(info))
}

// ForgetDerived takes all out of the pool that was derived from the domain's
// snapshots: one of them was mended, and later ones may go by it.
func (r *Reader) ForgetDerived(d *Domain) {
	r.pool.removeIf(func(key string) bool { return strings.HasPrefix(key, derivedPrefix(d.Name())) })
}

// ForgetSnapshots takes the domain's open snapshots out of the pool: a file of
// their chains was replaced by other contents.
func (r *Reader) ForgetSnapshots(d *Domain) {
	prefix := snapshotKey(d.Name(), "")
	r.pool.removeIf(func(key string) bool { return strings.HasPrefix(key, prefix) })
}

// Own returns the commit's own file, whose graph, if it has one, is the
// snapshot's.
func (s *Snapshot) Own() *snapshot.File { return s.files[0].res.(*openFile).file }

// Commit returns the commit whose file the snapshot is read from: not that of an
// alias.
func (s *Snapshot) Commit() string { return s.real }

// Domain returns the snapshot's domain.
func (s *Snapshot) Domain() *Domain { return s.d }

// View returns the snapshot's entries.
func (s *Snapshot) View() *snapshot.View { return s.view }

// Store returns the file of the domain's vectors; nil where none exist.
func (s *Snapshot) Store() *vecstore.Store { return s.vecs }

// Settings returns the domain's settings.
func (s *Snapshot) Settings() catalog.Settings { return s.settings }

// Graph returns the graph that searches walk; nil for none.
func (s *Snapshot) Graph() *hnsw.Graph {
	if s.graphFile == nil {
		return nil
	}
	return s.graphFile.graph
}

// Scanned returns the live slots that the graph does not hold, ascending.
func (s *Snapshot) Scanned() []uint32 { return s.scanned }
