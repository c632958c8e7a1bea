package catalog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// DecisionsExt is the extension of the journals of decisions.
const DecisionsExt = "decisions"

const (
	// decisionsMagic begins every journal of decisions.
	decisionsMagic = "VLDC"
	// maxDecision bounds a decision's record, MaxDecided the id of a document that
	// one is about, MaxDecidedBy and MaxDecisionNote what people say with it.
	maxDecision     = 128 << 10
	MaxDecided      = 4096
	MaxDecidedBy    = 256
	MaxDecisionNote = 4096
)

// Verdict says what two documents are to each other.
type Verdict string

const (
	// DecidedSame: they are about one thing.
	DecidedSame Verdict = "same"
	// DecidedDifferent: they are not, however alike they are.
	DecidedDifferent Verdict = "different"
	// DecidedLater: somebody has looked, and has not decided.
	DecidedLater Verdict = "later"
	// DecidedOpen: what was decided is taken back, as if nothing had been.
	DecidedOpen Verdict = "open"
)

// Verdicts are all there are.
var Verdicts = []Verdict{DecidedSame, DecidedDifferent, DecidedLater, DecidedOpen}

// Decision is what somebody has said of two documents at a commit. The newest about
// a pair counts.
type Decision struct {
	N       uint64    `json:"n"` // from 1 on, in the order they were made
	A       string    `json:"a"` // the lower id
	B       string    `json:"b"`
	Verdict Verdict   `json:"decision"`
	By      string    `json:"by,omitempty"`
	Note    string    `json:"note,omitempty"`
	Commit  string    `json:"commit"`
	Branch  string    `json:"branch,omitempty"`  // of the commit
	Version uint64    `json:"version,omitempty"` // the commit's sequence number
	At      time.Time `json:"at"`
}

// Check orders the documents of a decision and reports what is wrong with it.
func (x *Decision) Check() error {
	if x.B < x.A {
		x.A, x.B = x.B, x.A
	}
	switch {
	case x.A == "" || x.B == "":
		return fmt.Errorf("%w: a decision is about two documents, a and b", contract.ErrInvalid)
	case x.A == x.B:
		return fmt.Errorf("%w: a and b are one document: %.200q", contract.ErrInvalid, x.A)
	case !slices.Contains(Verdicts, x.Verdict):
		return fmt.Errorf("%w: decision must be same, different, later or open", contract.ErrInvalid)
	case len(x.A) > MaxDecided || len(x.B) > MaxDecided || len(x.By) > MaxDecidedBy || len(x.Note) > MaxDecisionNote:
		return fmt.Errorf("%w: of a decision a and b have at most %d bytes, by %d, note %d", contract.ErrInvalid, MaxDecided, MaxDecidedBy, MaxDecisionNote)
	}
	for _, text := range []string{x.A, x.B, x.By, x.Note} {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%w: a decision has a text that is not UTF-8", contract.ErrInvalid)
		}
	}
	return nil
}

// DecisionsName returns the name of the journal of a domain's decisions.
func DecisionsName(domain string) string { return vfs.FileName(domain, "", DecisionsExt) }

// decisions is the journal of a domain's decisions as it was read, and written.
type decisions struct {
	mu   sync.Mutex // held while the file is read or written; guards file
	file *file      // nil: there is none, or it is to be written anew
	list atomic.Pointer[[]Decision]
}

// Decisions returns the decisions about documents of the domain, in the order they
// were made. The list is shared. It waits for no writer, unless it is the first to ask.
func (d *Domain) Decisions() ([]Decision, error) {
	if list := d.decided.list.Load(); list != nil && !d.c.cfg.ReadOnly {
		return *list, nil
	}
	d.decided.mu.Lock()
	defer d.decided.mu.Unlock()
	return d.readDecisions()
}

// Decide notes decisions, durably, and returns them with their numbers. Each names an
// indexed commit. Either all are noted or none.
func (d *Domain) Decide(made []Decision) ([]Decision, error) {
	if d.c.cfg.ReadOnly {
		return nil, ErrReadOnly
	}
	j := &d.decided
	j.mu.Lock()
	defer j.mu.Unlock()
	list, err := d.readDecisions()
	if err != nil {
		return nil, err
	}
	n := uint64(0)
	if len(list) > 0 {
		n = list[len(list)-1].N
	}
	state := d.State()
	for i := range made {
		x := &made[i]
		if err := x.Check(); err != nil {
			return nil, err
		}
		info, ok := state.Commit(x.Commit)
		if !ok {
			return nil, state.Missing(x.Commit)
		}
		n++
		x.N, x.Branch, x.Version = n, info.Branch, info.Seq
		x.At = x.At.UTC().Truncate(time.Millisecond)
	}
	if len(made) == 0 {
		return made, nil
	}
	if err := d.appendDecisions(list, made); err != nil {
		j.file = nil // what it says is known only to the disk: it is written anew
		return nil, fmt.Errorf("catalog: note decisions of %s: %w: %w", d.name, contract.ErrStore, err)
	}
	list = append(list, made...) // readers of the old one do not look behind its end
	j.list.Store(&list)
	return made, nil
}

// readDecisions reads what the journal says, or says more. Called with the lock held,
// as are those below.
func (d *Domain) readDecisions() (list []Decision, err error) {
	j := &d.decided
	if known := j.list.Load(); known != nil {
		if list = *known; !d.c.cfg.ReadOnly {
			return list, nil
		}
	}
	mode := vfs.ReadWrite
	if d.c.cfg.ReadOnly {
		mode = vfs.Read
	}
	f, err := d.c.cfg.FS.Open(DecisionsName(d.name), mode)
	if errors.Is(err, fs.ErrNotExist) {
		j.file, list = nil, nil
		j.list.Store(&list)
		return nil, nil
	}
	if err != nil {
		return nil, StoreError(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	now, err := readHead(f, decisionsMagic)
	if err == nil && now.domain != d.name {
		err = fmt.Errorf("%w: it belongs to %s", errDamaged, now.domain)
	}
	if errors.Is(err, errDamaged) {
		return nil, fmt.Errorf("%w: the decisions about %s: %w", contract.ErrCorrupt, d.name, err)
	}
	if err != nil {
		return nil, StoreError(err)
	}
	if j.file != nil && j.file.generation == now.generation {
		now = *j.file
	} else {
		list = nil
	}
	lost, err := now.decisions(f, &list)
	if err != nil {
		return nil, StoreError(err)
	}
	if lost > 0 {
		d.c.log.Error("the journal of decisions is damaged: those that can be read count", "domain", d.name, "bytes", lost)
	}
	if !d.c.cfg.ReadOnly {
		// An end that is torn was not promised to last. What is whole has been read,
		// and lasts from now on, promised or not.
		size, err := f.Size()
		if err == nil && size > now.end {
			err = f.Truncate(now.end)
		}
		if err == nil {
			err = f.Sync()
		}
		if err == nil {
			err = d.c.cfg.FS.SyncDir()
		}
		if err != nil {
			return nil, StoreError(err)
		}
	}
	j.file = &now
	j.list.Store(&list)
	return list, nil
}

// decisions reads the decisions of a journal from c.end on and appends them to a list.
// It returns how many bytes before the last one cannot be read. c stands behind that
// one then.
func (c *file) decisions(f vfs.File, list *[]Decision) (lost int64, err error) {
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	for {
		err := c.scan(f, func(ch change) { *list = append(*list, *ch.decision) })
		if !errors.Is(err, errDamaged) {
			return lost, err
		}
		at, err := c.sound(f, size)
		if err != nil || at == 0 {
			return lost, err
		}
		lost += at - c.end
		c.end = at
	}
}

// sound returns where the next record begins that is whole, 0 for nowhere.
func (c *file) sound(f vfs.File, size int64) (int64, error) {
	const step = 256 << 10
	for from := c.end + 1; from+frameSize < size; from += step {
		window := make([]byte, min(size-from, step+frameSize+maxDecision))
		if err := vfs.ReadFull(f, window, from); errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, nil // cut meanwhile
		} else if err != nil {
			return 0, err
		}
		for i := range min(len(window)-frameSize, step) {
			p := window[i:]
			n := int64(binary.LittleEndian.Uint32(p))
			if n == 0 || n > maxDecision || n > int64(len(p)-frameSize) {
				continue
			}
			if body := p[frameSize : frameSize+n]; recordSum(c.generation, from+int64(i), body) == binary.LittleEndian.Uint32(p[4:]) {
				return from + int64(i), nil
			}
		}
	}
	return 0, nil
}

// appendDecisions writes decisions at the end of the journal of those in the list,
// which is written anew if there is none or it is not known what it says.
func (d *Domain) appendDecisions(list, made []Decision) error {
	j := &d.decided
	name := DecisionsName(d.name)
	c, b := j.file, []byte(nil)
	if c == nil {
		c = &file{magic: decisionsMagic, domain: d.name, generation: rand.Uint64()}
		b = appendHead(nil, decisionsMagic, d.name, c.generation)
		made = slices.Concat(list, made)
	}
	for i := range made {
		b = c.append(b, change{typ: decisionRecord, decision: &made[i]})
	}
	if j.file == nil {
		err := vfs.WriteFile(d.c.cfg.FS, name, func(w io.Writer) error { _, err := w.Write(b); return err })
		if err == nil {
			err = d.c.cfg.FS.SyncDir()
		}
		if err != nil {
			return err
		}
	} else if err := d.c.appendTo(name, c.end, b, true); err != nil {
		return err
	}
	c.end += int64(len(b))
	c.records += len(made)
	j.file = c
	return nil
}

// ForgetDecisions forgets all decisions about documents of the domain, durably. Its
// commits must have been removed before.
func (tx *Tx) ForgetDecisions() error {
	d := tx.d
	d.decided.mu.Lock()
	defer d.decided.mu.Unlock()
	err := d.c.cfg.FS.Remove(DecisionsName(d.name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = d.c.cfg.FS.SyncDir()
	}
	if err != nil {
		return fmt.Errorf("catalog: forget the decisions about %s: %w: %w", d.name, contract.ErrStore, err)
	}
	d.decided.file = nil
	d.decided.list.Store(nil)
	return nil
}

// Lineage returns a function that reports whether a decision was made at a commit or
// at one of those it was built on, pruned or not. Where it is not known what a pruned one
// was built on, the older commits of the branch stand for that.
func (s *State) Lineage(commit string) func(*Decision) bool {
	line := make(map[string]bool)
	var oldest *record // that is there
	base := commit
	for base != "" && !line[base] {
		if r := s.find(base); r != nil {
			line[base], oldest, base = true, r, r.base
			continue
		}
		below, ok := s.pruned.Get(base)
		if !ok || below == unknownBase {
			break
		}
		line[base], base = true, below
	}
	gap := oldest != nil && base != "" && !line[base]
	return func(x *Decision) bool {
		return line[x.Commit] || gap && (x.Commit == base || x.Branch == oldest.branch() && x.Version < oldest.seq)
	}
}

// appendDecision appends a decision as its record has it.
func appendDecision(b []byte, x *Decision) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		panic(err) // texts, numbers and a time of this era encode
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// parseDecision parses a decision, which has one encoding.
func parseDecision(p []byte) (*Decision, error) {
	x := new(Decision)
	if len(p) >= maxDecision {
		return nil, badRecord("it is too long")
	}
	if err := json.Unmarshal(p, x); err != nil {
		return nil, badRecord("it is no decision")
	}
	if x.N == 0 || x.At.Year() < 0 || x.At.Year() > 9999 || x.B < x.A || x.Check() != nil || !bytes.Equal(appendDecision(nil, x), p) {
		return nil, badRecord("it is no decision as it was written")
	}
	return x, nil
}

// DecisionsJournal is what a journal of decisions says.
type DecisionsJournal struct {
	Domain    string // "" where its header is damaged
	Decisions []Decision
	Size      int64
	Lost      int64 // bytes that cannot be read
}

// InspectDecisions reads the named journal of decisions. Damage is
// [contract.ErrCorrupt].
func InspectDecisions(fsys vfs.FS, name string) (j DecisionsJournal, err error) {
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return j, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if j.Size, err = f.Size(); err != nil {
		return j, err
	}
	c, err := readHead(f, decisionsMagic)
	if err == nil {
		j.Domain = c.domain
		j.Lost, err = c.decisions(f, &j.Decisions)
	}
	if err == nil {
		if j.Lost += max(j.Size-c.end, 0); j.Lost > 0 {
			err = fmt.Errorf("%w: %d bytes of it are no decision", errDamaged, j.Lost)
		}
	}
	if errors.Is(err, errDamaged) {
		err = fmt.Errorf("%w: %w", contract.ErrCorrupt, err)
	}
	return j, err
}
