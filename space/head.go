package space

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
)

// Space is a domain with live heads. Its methods may be called by many goroutines at
// once.
type Space struct {
	s        *Spaces
	name     string
	schema   Schema
	settings catalog.Settings // of its domain
	journal  *journal         // nil in spaces that only read; its file is guarded by mu

	mu      sync.RWMutex // guards below, and the writes and numbers of heads
	heads   map[string]*head
	seq     uint64 // of the last write
	live    int64  // bytes of writes that are in no commit
	frozen  bool
	retired error // why it is not to be used any more
}

// head is a branch with the writes that are in no commit yet.
type head struct {
	sp     *Space
	branch string

	// cutting is held while a commit of the branch is made.
	cutting chan struct{}

	// Guarded by sp.mu.
	tail  *tail
	bytes int64
	last  time.Time // of the last write
	wait  time.Time // not to be cut before
	doing *record   // the intent of the commit in the making
}

// usable reports whether the space may go on: no write to its journal has failed.
func (sp *Space) usable() bool {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return sp.retired == nil
}

// retire puts the space out of use: its journal was removed.
func (sp *Space) retire() {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.fail(noSpace(sp.name))
}

// fail puts the space out of use: what its journal holds is known only to the disk, and
// is read again. Called with sp.mu held.
func (sp *Space) fail(err error) {
	if sp.retired == nil {
		sp.retired = err
		if sp.journal != nil {
			_ = sp.journal.close() // a failure says nothing new
		}
	}
}

func (sp *Space) close() error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.journal == nil || sp.retired != nil {
		return nil
	}
	sp.retired = contract.ErrClosed
	return sp.journal.close()
}

// head returns a branch's, made if need be. Called with sp.mu held.
func (sp *Space) head(branch string) *head {
	h := sp.heads[branch]
	if h == nil {
		h = &head{sp: sp, branch: branch, tail: newTail(), cutting: make(chan struct{}, 1)}
		sp.heads[branch] = h
	}
	return h
}

// replay reads the journal, and what of it is in no commit.
func (sp *Space) replay() error {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	size, err := sp.journal.file.Size()
	if err != nil {
		return err
	}
	state := sp.state()
	settled := make(map[string]uint64)
	lost, err := sp.journal.scan(size, func(r record) error {
		switch r.kind {
		case recWrites:
			h := sp.head(r.branch)
			for _, w := range r.writes {
				h.put(w)
				sp.seq = max(sp.seq, w.seq)
			}
		case recIntent:
			// The commit may have been made without this being noted.
			if state != nil && state.Has(r.commit) {
				settled[r.branch] = max(settled[r.branch], r.through)
			}
		case recSettled:
			settled[r.branch] = max(settled[r.branch], r.through)
		case recFrozen:
			sp.frozen = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if lost > 0 {
		// An end that is torn was not acknowledged, and what follows would be.
		if err := sp.journal.file.Truncate(sp.journal.end); err != nil {
			return err
		}
		sp.s.log.Warn("the end of a space's journal was not written whole; it was not acknowledged", "space", sp.name, "bytes", lost)
	}
	// What is read lasts from now on, whether it did or not.
	if err := sp.journal.file.Sync(); err != nil {
		return err
	}
	for branch, through := range settled {
		h := sp.head(branch)
		h.settle(through, h.tail.Items())
	}
	return nil
}

// put adds a write. Called with sp.mu held, as is settle.
func (h *head) put(w *write) {
	if old, ok := h.tail.Set(w); ok {
		h.bytes -= old.size()
		h.sp.live -= old.size()
	}
	h.bytes += w.size()
	h.sp.live += w.size()
	h.last = time.Now()
}

// settle takes those writes of a list away that are numbered up to through, and that no
// other has taken the place of.
func (h *head) settle(through uint64, list []*write) {
	for _, w := range list {
		if w.seq <= through && written(h.tail, w.key) == w {
			h.tail.Delete(w)
			h.bytes -= w.size()
			h.sp.live -= w.size()
		}
	}
}

// pendingHeads returns the heads that have writes.
func (sp *Space) pendingHeads() (heads []*head) {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if sp.retired != nil {
		return nil
	}
	for _, h := range sp.heads {
		if h.tail.Len() > 0 {
			heads = append(heads, h)
		}
	}
	return heads
}

// due reports whether the head is to be committed.
func (h *head) due(now time.Time) bool {
	h.sp.mu.RLock()
	defer h.sp.mu.RUnlock()
	if now.Before(h.wait) {
		return false
	}
	return now.Sub(h.last) >= quiet || h.full(1)
}

// later has a head rest that could not be committed.
func (h *head) later(now time.Time) {
	h.sp.mu.Lock()
	defer h.sp.mu.Unlock()
	h.wait = now.Add(10 * quiet)
}

func (h *head) full(times int) bool {
	return h.tail.Len() >= times*cutWrites || h.bytes >= int64(times)*cutBytes
}

// isSynced reports whether all that is written lasts.
func (sp *Space) isSynced() bool {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	j := sp.journal
	if j == nil || sp.retired != nil {
		return true
	}
	return j.synced.Load() >= j.written
}

// syncAll syncs what is written.
func (sp *Space) syncAll() error {
	sp.mu.RLock()
	j := sp.journal
	if j == nil || sp.retired != nil {
		sp.mu.RUnlock()
		return nil
	}
	n := j.written
	sp.mu.RUnlock()
	return sp.synced(n)
}

// synced returns when the first n bytes of the journal last. A sync that fails puts the
// space out of use.
func (sp *Space) synced(n int64) error {
	err := sp.journal.sync(n, func() (int64, syncer) {
		sp.mu.RLock()
		defer sp.mu.RUnlock()
		return sp.journal.written, sp.journal.file
	})
	if err == nil {
		return nil
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.retired != nil {
		return sp.retired // which closed the file
	}
	err = fmt.Errorf("write to space %s: %w: %w", sp.name, contract.ErrStore, err)
	sp.fail(err)
	return err
}

// errFrozen answers writes to a frozen space.
func (sp *Space) errFrozen() error {
	return fmt.Errorf("%w: space %s is frozen", contract.ErrFrozen, sp.name)
}

// writable returns the branch that is written at a place.
func (sp *Space) writable(at At) error {
	switch {
	case sp.s.cfg.ReadOnly:
		return contract.ErrReadOnly
	case at.Branch == "":
		return fmt.Errorf("%w: commit %s of space %s is the past; write to a branch", contract.ErrImmutable, at.Commit, sp.name)
	}
	return nil
}

// write notes writes in the journal and in the tail, and returns when they last.
func (sp *Space) write(ctx context.Context, at At, writes []*write) error {
	if err := sp.writable(at); err != nil {
		return err
	}
	if len(writes) == 0 {
		return nil
	}
	if err := sp.room(ctx, at.Branch); err != nil {
		return err
	}
	sp.mu.Lock()
	n, err := sp.note(at.Branch, writes)
	full := err == nil && sp.heads[at.Branch].full(1)
	sp.mu.Unlock()
	if err != nil {
		return err
	}
	sp.s.note(sp, full)
	if sp.s.cfg.Sync == SyncEverySecond {
		return nil
	}
	return sp.synced(n)
}

// note appends writes to the journal and the tail. Called with sp.mu held.
func (sp *Space) note(branch string, writes []*write) (n int64, err error) {
	switch {
	case sp.retired != nil:
		return 0, sp.retired
	case sp.frozen:
		return 0, sp.errFrozen()
	}
	for _, w := range writes {
		sp.seq++
		w.seq = sp.seq
	}
	if err := sp.append(record{kind: recWrites, branch: branch, writes: writes}); err != nil {
		return 0, err
	}
	h := sp.head(branch)
	for _, w := range writes {
		h.put(w)
	}
	return sp.journal.written, nil
}

// append writes a record. One that cannot be written puts the space out of use, unless
// it is refused. Called with sp.mu held.
func (sp *Space) append(r record) error {
	err := sp.journal.append(r)
	if err == nil || contract.Code(err) == contract.Code(contract.ErrInvalid) {
		return err
	}
	err = fmt.Errorf("write to space %s: %w: %w", sp.name, contract.ErrStore, err)
	sp.fail(err)
	return err
}

// room waits while too much is in no commit yet.
func (sp *Space) room(ctx context.Context, branch string) error {
	for {
		sp.mu.RLock()
		h := sp.heads[branch]
		full := h != nil && h.full(maxPending)
		sp.mu.RUnlock()
		if !full {
			return nil
		}
		if err := h.lock(ctx); err != nil {
			return err
		}
		_, err := h.cutLocked(ctx, contract.About{})
		h.unlock()
		if err != nil {
			return err
		}
	}
}

// lock takes the branch for a commit. It waits for one in the making, but not for ever:
// that may be a stream whose sender is slow.
func (h *head) lock(ctx context.Context) error {
	timer := time.NewTimer(lockWait)
	defer timer.Stop()
	select {
	case h.cutting <- struct{}{}:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: another commit to branch %s of space %s is under way", contract.ErrBusy, h.branch, h.sp.name)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tryCut is cut unless a commit of the branch is in the making.
func (h *head) tryCut(ctx context.Context) error {
	select {
	case h.cutting <- struct{}{}:
	default:
		return nil
	}
	defer h.unlock()
	_, err := h.cutLocked(ctx, contract.About{})
	return err
}

func (h *head) unlock() { <-h.cutting }

// cut makes a commit of what is pending, of which that is said, and returns the branch's
// last commit.
func (h *head) cut(ctx context.Context, said contract.About) (string, error) {
	if err := h.lock(ctx); err != nil {
		return "", err
	}
	defer h.unlock()
	return h.cutLocked(ctx, said)
}

// cutLocked is cut with h.cutting held.
func (h *head) cutLocked(ctx context.Context, said contract.About) (string, error) {
	sp := h.sp
	sp.mu.RLock()
	list := h.tail.Items()
	through := sp.seq
	sp.mu.RUnlock()
	if len(list) == 0 {
		return sp.last(h.branch), nil
	}
	b, err := h.begin(ctx, said, list, through)
	if err != nil {
		return "", err
	}
	for _, w := range list {
		if err := b.put(w); err != nil {
			b.abort(err)
			return "", err
		}
	}
	return b.finish()
}

// last returns a branch's last commit, "" for none.
func (sp *Space) last(branch string) string {
	if state := sp.state(); state != nil {
		return state.Head(branch).Commit
	}
	return ""
}

// making is a commit in the making; its head's cutting is held.
type making struct {
	h       *head
	push    *indexer.Push
	commit  string
	list    []*write // of the tail, that it settles
	through uint64
	sets    int
	deletes int
}

// begin begins a commit. That it will settle writes of the tail is noted before, since
// the process may end between the commit and a note of it.
func (h *head) begin(ctx context.Context, said contract.About, list []*write, through uint64) (*making, error) {
	sp := h.sp
	m := &making{h: h, list: list, through: through}
	sp.mu.Lock()
	err := sp.retired
	var n int64
	if err == nil {
		m.commit = sp.commitID(h.branch)
		if len(list) > 0 {
			h.doing = &record{kind: recIntent, branch: h.branch, commit: m.commit, through: through}
			err = sp.append(*h.doing)
			n = sp.journal.written
		}
	}
	sp.mu.Unlock()
	if err == nil && len(list) > 0 {
		err = sp.synced(n)
	}
	if err != nil {
		return nil, err
	}
	m.push, err = sp.s.cfg.Service.StartPush(ctx, indexer.PushRequest{
		Domain: sp.name, Commit: m.commit, Branch: h.branch, Settings: sp.request(), About: said,
	})
	return m, err
}

// request returns the settings of pushes: those that the domain has.
func (sp *Space) request() catalog.SettingsRequest {
	r := sp.schema.request()
	r.Metric, r.Normalize = sp.settings.Metric, &sp.settings.Normalize
	return r
}

// commitID returns the id of the branch's next commit: a hash of what it follows.
// Called with sp.mu held.
func (sp *Space) commitID(branch string) string {
	b := binary.LittleEndian.AppendUint64(nil, sp.journal.generation)
	b = binary.LittleEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	b = binary.LittleEndian.AppendUint64(b, sp.seq)
	sum := sha256.Sum256(fmt.Appendf(b, "%q %q %q", sp.name, branch, sp.last(branch)))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// put adds a write to the commit.
func (m *making) put(w *write) error {
	op := contract.Op{Kind: contract.Delete, ID: w.key.ID, Int: w.key.Int}
	if w.deleted {
		m.deletes++
	} else {
		m.sets++
		op.Kind, op.Vector, op.Fields, op.NoText = contract.Upsert, w.vector, w.fields, w.text == nil
		if w.bare {
			op.Vector = []float32{}
		}
		if w.text != nil {
			op.Text = *w.text
		}
	}
	return m.push.Apply(op)
}

// abort gives the commit up.
func (m *making) abort(err error) { m.push.Abort(err) }

// finish makes the commit.
func (m *making) finish() (string, error) {
	m.h.sp.mu.RLock()
	retired := m.h.sp.retired
	m.h.sp.mu.RUnlock()
	if retired != nil { // what is written now is that of another Space
		m.abort(retired)
		return "", retired
	}
	m.push.Finish()
	<-m.push.Done()
	if err := m.push.Err(); err != nil {
		return "", err
	}
	sp := m.h.sp
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if len(m.list) == 0 || sp.retired != nil {
		return m.commit, nil
	}
	m.h.settle(m.through, m.list)
	m.h.doing = nil
	if err := sp.append(record{kind: recSettled, branch: m.h.branch, through: m.through}); err != nil {
		return m.commit, nil // the commit is there, and the intent tells of it
	}
	if sp.journal.end > 2*sp.live+slack {
		if err := sp.compact(); err != nil {
			sp.s.log.Error("the journal of a space was not written anew", "space", sp.name, "err", err)
		}
	}
	return m.commit, nil
}

// compact writes the journal anew, with what is in no commit. Called with sp.mu held.
func (sp *Space) compact() error {
	text, err := json.Marshal(sp.schema)
	if err != nil {
		return err
	}
	var records []record
	if sp.frozen {
		records = append(records, record{kind: recFrozen})
	}
	for _, h := range sp.heads {
		if h.doing != nil && h.tail.Len() > 0 {
			records = append(records, *h.doing)
		}
		list := h.tail.Items()
		slices.SortFunc(list, func(a, b *write) int { return cmp.Compare(a.seq, b.seq) })
		for len(list) > 0 {
			n, size := 0, int64(0)
			for n < len(list) && (n == 0 || size+list[n].size() < maxRecord/2) {
				size += list[n].size()
				n++
			}
			records = append(records, record{kind: recWrites, branch: h.branch, writes: list[:n]})
			list = list[n:]
		}
	}
	if err := sp.journal.rewrite(sp.name, text, records); err != nil {
		sp.fail(fmt.Errorf("write to space %s: %w: %w", sp.name, contract.ErrStore, err))
		return err
	}
	return nil
}
