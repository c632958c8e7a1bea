package space

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

// Sync says when a write lasts that was answered.
type Sync string

const (
	// SyncAlways: before it is answered.
	SyncAlways Sync = "always"
	// SyncEverySecond: within a second.
	SyncEverySecond Sync = "everysec"
)

// Config is what New needs. FS and Service are required.
type Config struct {
	FS      vfs.FS
	Service *service.Service
	// ReadOnly has spaces show what is committed alone, and refuse writes.
	ReadOnly bool
	Sync     Sync // "": SyncAlways
	// CloseWait is how long Close goes on beginning commits; 0: 5 seconds.
	CloseWait time.Duration
	Logger    *slog.Logger // nil: nothing is logged
}

// When a commit is cut by itself: after so much quiet, or at so many writes or bytes.
// At maxPending times as many, writes wait for the commit.
const (
	quiet      = time.Second
	cutWrites  = 5_000
	cutBytes   = 64 << 20
	maxPending = 4
	tick       = 200 * time.Millisecond
	// lockWait bounds how long a commit waits for another of its branch.
	lockWait = 10 * time.Second
)

// Spaces are the spaces of a data directory. Its methods may be called by many
// goroutines at once.
type Spaces struct {
	cfg Config
	log *slog.Logger

	mu    sync.Mutex // guards open, dirty and gone
	open  map[string]*Space
	dirty map[*Space]struct{} // with writes that are in no commit, or not synced
	wake  chan struct{}

	gone map[string]bool // being deleted

	stop    chan struct{}
	running sync.WaitGroup
}

// New returns the Spaces of a data directory, and begins to commit what is written to
// them. Close must be called before the Service is closed.
func New(cfg Config) *Spaces {
	s := &Spaces{
		cfg: cfg, log: cfg.Logger, open: make(map[string]*Space), dirty: make(map[*Space]struct{}),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), gone: make(map[string]bool),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Sync == "" {
		s.cfg.Sync = SyncAlways
	}
	s.running.Go(s.run)
	if s.cfg.Sync == SyncEverySecond {
		s.running.Go(s.syncs)
	}
	return s
}

// Close commits what is pending, and closes the journals. No call may be running. What
// cannot be committed, in [Config].CloseWait, stays in its journal, for the next New.
func (s *Spaces) Close() error {
	close(s.stop)
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	start, left := time.Now(), 0
	for _, sp := range s.open {
		for _, h := range sp.pendingHeads() {
			if time.Since(start) > cmp.Or(s.cfg.CloseWait, 5*time.Second) {
				left++
				continue
			}
			if _, err := h.cut(context.Background(), contract.About{}); err != nil {
				s.log.Warn("writes stay in the journal of a space", "space", sp.name, "branch", h.branch, "err", err)
			}
		}
		errs = append(errs, sp.close())
	}
	if left > 0 {
		s.log.Info("writes stay in the journals of spaces, for the next start", "branches", left)
	}
	return errors.Join(errs...)
}

// stopped reports whether Close was called.
func (s *Spaces) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// syncs has every write last within a second, until Close. It waits for no commit.
func (s *Spaces) syncs() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.stop:
			return
		}
		for _, sp := range s.written() {
			if err := sp.syncAll(); err != nil {
				s.log.Error("the journal of a space cannot be synced", "space", sp.name, "err", err)
			}
		}
	}
}

// run commits what has been quiet or has become much, until Close.
func (s *Spaces) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if s.idle() {
			select {
			case <-s.wake:
			case <-s.stop:
				return
			}
		}
		select {
		case <-ticker.C:
		case <-s.wake:
		case <-s.stop:
			return
		}
		now := time.Now()
		for _, sp := range s.written() {
			if s.stopped() {
				return // of many spaces a round takes long
			}
			pending := false
			for _, h := range sp.pendingHeads() {
				pending = true
				if h.due(now) {
					if err := h.tryCut(context.Background()); err != nil {
						s.log.Warn("writes to a space are not committed yet", "space", sp.name, "branch", h.branch, "err", err)
						h.later(now)
					}
				}
			}
			if !pending && sp.isSynced() {
				s.mu.Lock()
				if len(sp.pendingHeads()) == 0 && sp.isSynced() {
					delete(s.dirty, sp)
				}
				s.mu.Unlock()
			}
		}
	}
}

func (s *Spaces) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dirty) == 0
}

func (s *Spaces) written() []*Space {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Space, 0, len(s.dirty))
	for sp := range s.dirty {
		all = append(all, sp)
	}
	return all
}

// note has run look at a space.
func (s *Spaces) note(sp *Space, now bool) {
	s.mu.Lock()
	_, known := s.dirty[sp]
	s.dirty[sp] = struct{}{}
	s.mu.Unlock()
	if !known || now {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Info describes a branch of a space.
type Info struct {
	Name string `json:"name"`
	Schema
	Keys    int    `json:"keys"`
	Branch  string `json:"branch"`
	Head    string `json:"head,omitempty"` // the last commit
	Pending int    `json:"pending"`        // writes that are in no commit yet
	Frozen  bool   `json:"frozen"`
	Sync    Sync   `json:"sync"` // when a write lasts
}

// Create makes a space, or returns the one there is with made false if that has the
// same schema; another schema is ErrConflict. It lasts when it returns.
func (s *Spaces) Create(ctx context.Context, name string, schema Schema) (info Info, made bool, err error) {
	if err := checkName(name); err != nil {
		return Info{}, false, err
	}
	if err := service.CallerOf(ctx).Enter(name); err != nil {
		return Info{}, false, err
	}
	if err := schema.complete(); err != nil {
		return Info{}, false, err
	}
	if s.cfg.ReadOnly {
		return Info{}, false, contract.ErrReadOnly
	}
	s.mu.Lock()
	sp, err := s.find(name)
	if err != nil && s.gone[name] {
		err = fmt.Errorf("%w: space %s is being deleted", contract.ErrBusy, name)
	} else if errors.Is(err, contract.ErrNotFound) {
		sp, err = s.create(name, schema)
		made = err == nil
	}
	s.mu.Unlock()
	if err != nil {
		return Info{}, false, err
	}
	if !made && !sp.schema.equal(schema) {
		have, _ := json.Marshal(sp.schema)
		return Info{}, false, fmt.Errorf("%w: space %s is there with another schema: %s", contract.ErrConflict, name, have)
	}
	info, err = sp.Info(ctx, At{Branch: contract.MainBranch})
	return info, made, err
}

func checkName(name string) error {
	switch {
	case name == "" || len(name) > MaxNameBytes || !utf8.ValidString(name):
		return invalid("the name of a space is UTF-8 of 1 to %d bytes", MaxNameBytes)
	case strings.Contains(name, "@"):
		return invalid("the name of a space has no @: NAME@REF names its past")
	case strings.ContainsFunc(name, unicode.IsControl):
		return invalid("the name of a space has no control characters")
	}
	return nil
}

// create is called with s.mu held, as is find.
func (s *Spaces) create(name string, schema Schema) (*Space, error) {
	if _, err := s.cfg.Service.Domains().Domain(name); err == nil {
		return nil, fmt.Errorf("%w: %s is a database whose vectors a model makes; a space needs a name of its own", contract.ErrConflict, name)
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	sp := s.make(name, schema)
	sp.journal = &journal{files: s.cfg.FS, name: FileName(name)}
	if err := sp.journal.rewrite(name, text, nil); err != nil {
		return nil, fmt.Errorf("create space %s: %w: %w", name, contract.ErrStore, err)
	}
	s.open[name] = sp
	return sp, nil
}

func (s *Spaces) make(name string, schema Schema) *Space {
	return &Space{s: s, name: name, schema: schema, settings: schema.settings(), heads: make(map[string]*head)}
}

// find returns a space by its exact name. Its journal is read at the first time.
func (s *Spaces) find(name string) (*Space, error) {
	if sp := s.open[name]; sp != nil && sp.usable() {
		return sp, nil
	}
	if checkName(name) != nil || s.gone[name] {
		return nil, noSpace(name)
	}
	mode := vfs.ReadWrite
	if s.cfg.ReadOnly {
		mode = vfs.Read
	}
	j, schema, err := openJournal(s.cfg.FS, name, mode)
	if errors.Is(err, fs.ErrNotExist) {
		d, err := s.cfg.Service.Domains().Domain(name)
		if err != nil {
			return nil, noSpace(name)
		}
		settings, ok := d.Recorded()
		if !ok || settings.Dim == 0 {
			return nil, noSpace(name)
		}
		// Vectors that were pushed, or a space whose journal is lost.
		sp := s.make(name, schemaOf(settings))
		sp.settings = settings
		if s.cfg.ReadOnly {
			return sp, nil
		}
		text, _ := json.Marshal(sp.schema)
		sp.journal = &journal{files: s.cfg.FS, name: FileName(name)}
		if err := sp.journal.rewrite(name, text, nil); err != nil {
			return nil, fmt.Errorf("open space %s: %w: %w", name, contract.ErrStore, err)
		}
		s.open[name] = sp
		return sp, nil
	}
	if err != nil {
		return nil, catalog.StoreError(err)
	}
	sp := s.make(name, schema)
	if d, err := s.cfg.Service.Domains().Domain(name); err == nil {
		if recorded, ok := d.Recorded(); ok {
			sp.settings = recorded
		}
	}
	sp.journal = j
	if s.cfg.ReadOnly {
		return sp, j.file.Close() // nothing of it is kept: another process writes it
	}
	if err := sp.replay(); err != nil {
		return nil, errors.Join(catalog.StoreError(err), j.file.Close())
	}
	s.open[name] = sp
	if len(sp.pendingHeads()) > 0 {
		s.dirty[sp] = struct{}{}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return sp, nil
}

func noSpace(name string) error {
	return fmt.Errorf("%w: there is no space %.200q", contract.ErrNotFound, name)
}

// At is where a space is read or written: at a branch, of which reads see every
// acknowledged write, or at a commit, which is not written.
type At struct {
	Branch, Commit string
	Said           contract.About // of the commit that a write makes
}

// spaceOf returns the name of the space in NAME or NAME@REF.
func spaceOf(name string) string {
	name, _, _ = strings.Cut(name, "@") // which names do not have
	return name
}

// Find returns a space and the place that a name leads to: NAME, or NAME@REF, where REF
// is a commit, a tag, a branch, or one of those and ~N, its N-th ancestor.
func (s *Spaces) Find(ctx context.Context, name string) (*Space, At, error) {
	if service.CallerOf(ctx).Enter(spaceOf(name)) != nil {
		return nil, At{}, noSpace(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp, err := s.find(name)
	if err == nil {
		return sp, At{Branch: contract.MainBranch}, nil
	}
	i := strings.LastIndexByte(name, '@')
	if i < 0 || !errors.Is(err, contract.ErrNotFound) {
		return nil, At{}, err
	}
	if sp, err = s.find(name[:i]); err != nil {
		return nil, At{}, err
	}
	at, err := sp.Resolve(name[i+1:])
	return sp, at, err
}

// List returns the spaces of the directory, by name.
func (s *Spaces) List(ctx context.Context) ([]Info, error) {
	names, err := s.cfg.FS.List()
	if err != nil {
		return nil, catalog.StoreError(err)
	}
	found := make(map[string]bool)
	for _, file := range names {
		if !strings.HasSuffix(file, "."+Ext) {
			continue
		}
		f, err := s.cfg.FS.Open(file, vfs.Read)
		if err != nil {
			continue // removed meanwhile
		}
		name, _, _, _, err := readHeader(f)
		_ = f.Close() // opened for reading
		if err != nil {
			s.log.Error("the journal of a space is damaged", "file", file, "err", err)
			continue
		}
		found[name] = true
	}
	for _, d := range s.cfg.Service.Domains().List("") {
		if settings, ok := d.Recorded(); ok && settings.Dim > 0 {
			found[d.Name()] = true
		}
	}
	infos := make([]Info, 0, len(found))
	for name := range found {
		if !service.CallerOf(ctx).Sees(name) {
			continue
		}
		sp, at, err := s.Find(ctx, name)
		if errors.Is(err, contract.ErrNotFound) {
			continue
		}
		if errors.Is(err, contract.ErrCorrupt) {
			s.log.Error("the journal of a space is damaged", "space", name, "err", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := sp.Info(ctx, at)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// Delete removes a space with all its commits, also one whose journal is damaged.
func (s *Spaces) Delete(ctx context.Context, name string) error {
	if s.cfg.ReadOnly {
		return contract.ErrReadOnly
	}
	sp, at, err := s.Find(ctx, name)
	if err != nil && (!errors.Is(err, contract.ErrCorrupt) || checkName(name) != nil) {
		return err
	}
	if err == nil && sp.name != name {
		return invalid("only a whole space is deleted, %s names a part of one (%s%s)", name, at.Branch, at.Commit)
	}
	err = s.Forget(name, func() error {
		if _, err := s.cfg.Service.Domains().Domain(name); errors.Is(err, contract.ErrNotFound) {
			return nil // nothing of it was committed
		}
		return s.cfg.Service.DeleteDomain(ctx, name, true)
	})
	if err == nil {
		service.CallerOf(ctx).Deleted(name)
	}
	return err
}

// Forget removes the journal of a space, with the writes that are in no commit, and then
// calls remove, which removes the commits. The space is not there meanwhile. A domain
// without a journal is none that has one.
func (s *Spaces) Forget(name string, remove func() error) error {
	if s.cfg.ReadOnly {
		return contract.ErrReadOnly
	}
	s.mu.Lock()
	if s.gone[name] {
		s.mu.Unlock()
		return fmt.Errorf("%w: space %s is being deleted", contract.ErrBusy, name)
	}
	s.gone[name] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.gone, name)
	}()
	if err := s.removeJournal(name); err != nil {
		return err
	}
	return remove()
}

func (s *Spaces) removeJournal(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.open[name]; sp != nil {
		sp.retire()
		delete(s.open, name)
		delete(s.dirty, sp)
	}
	err := s.cfg.FS.Remove(FileName(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = s.cfg.FS.SyncDir()
	}
	if err != nil {
		return fmt.Errorf("remove the journal of space %s: %w: %w", name, contract.ErrStore, err)
	}
	return nil
}

// Resolve returns the place that a reference names.
func (sp *Space) Resolve(ref string) (At, error) {
	name, back := ref, 0
	if i := strings.LastIndexByte(ref, '~'); i >= 0 {
		if n, err := strconv.Atoi(ref[i+1:]); err == nil && n >= 0 && n <= 1<<20 {
			name, back = ref[:i], n
		}
	}
	state := sp.state()
	commit, isBranch := "", false
	if state != nil {
		if info, ok := state.Commit(name); ok {
			commit = info.Commit
		} else if h := state.Head(name); h.Commit != "" {
			commit, isBranch = h.Commit, true
		} else if state.Pruned(name) {
			return At{}, state.Missing(name)
		}
	}
	if commit == "" && name == contract.MainBranch && back == 0 {
		return At{Branch: name}, nil
	}
	if commit == "" {
		return At{}, fmt.Errorf("%w: space %s has no commit, tag or branch %.200q", contract.ErrNotFound, sp.name, name)
	}
	if isBranch && back == 0 {
		return At{Branch: name}, nil
	}
	for range back {
		info, ok := state.Commit(commit)
		for ok && info.Kind == snapshot.Alias {
			info, ok = state.Commit(info.Base) // another name of it
		}
		if !ok || info.Base == "" {
			return At{}, fmt.Errorf("%w: %.200q has not that many ancestors", contract.ErrNotFound, ref)
		}
		commit = info.Base
	}
	return At{Commit: commit}, nil
}

// domain returns the space's domain, nil before its first commit.
func (sp *Space) domain() *search.Domain {
	d, err := sp.s.cfg.Service.Domains().Domain(sp.name)
	if err != nil {
		return nil
	}
	return d
}

func (sp *Space) state() *catalog.State {
	if d := sp.domain(); d != nil {
		return d.State()
	}
	return nil
}
