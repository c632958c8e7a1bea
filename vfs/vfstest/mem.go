package vfstest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// sector is the number of bytes a disk writes in full or not at all.
	sector = 512
	// maxSize is the largest file: a test that asks for more is wrong.
	maxSize = 1 << 30
)

// Mem is a strict file system in memory. Strict means that nothing survives
// [Mem.CrashClone] for certain but what was synced: bytes and sizes by
// [vfs.File.Sync], names by [vfs.FS.SyncDir]. (Real systems keep more; code
// that passes here depends on none of it.)
type Mem struct {
	mu      sync.Mutex
	names   map[string]*node // as seen by programs
	durable map[string]*node // as on the disk
	pending []nameOp         // what SyncDir has not covered yet
	locked  map[string]bool
}

var _ vfs.FS = (*Mem)(nil)

// node is one file, whatever its names are. Mem.mu guards it.
type node struct {
	id      uint64
	data    []byte // as seen by programs
	durable []byte // as on the disk
	// dirty holds the sectors that the next Sync writes. A sector that differs
	// between data and durable without being dirty was lost by a failed Sync.
	dirty map[int]bool
}

// nameOp is a change of names: to now names node, and from, if set, nothing.
type nameOp struct {
	from, to string
	node     *node
}

// nodes numbers the files of all Mems.
var nodes atomic.Uint64

func newNode(data, durable []byte) *node {
	return &node{id: nodes.Add(1), data: data, durable: durable, dirty: map[int]bool{}}
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{names: map[string]*node{}, durable: map[string]*node{}, locked: map[string]bool{}}
}

// CrashClone returns the file system as a power cut at this moment could leave
// it. Everything synced is there; of the rest each 512-byte sector, each
// file's size and each creation, rename (atomic) and removal is kept with the
// probability keepShare, from 0 for nothing to 1 for all. A size that is not
// kept is the synced one or, sometimes, one in between; a sector that was not
// written reads as zeros beyond the synced size. Equal seeds give equal clones.
// The clone holds no locks; m goes on unharmed.
func (m *Mem) CrashClone(seed uint64, keepShare float64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 0))
	keep := func() bool { return rng.Float64() < keepShare }

	names := maps.Clone(m.durable)
	for _, op := range m.pending {
		if keep() {
			applyName(names, op)
		}
	}
	c := NewMem()
	clones := map[*node]*node{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if clones[n] == nil {
			clones[n] = n.crash(rng, keep, keepShare)
		}
		c.names[name] = clones[n]
	}
	c.durable = maps.Clone(c.names)
	return c
}

// applyName does op to names. The old name goes only if it still is that file.
func applyName(names map[string]*node, op nameOp) {
	if op.from != "" && names[op.from] == op.node {
		delete(names, op.from)
	}
	if op.to != "" {
		names[op.to] = op.node
	}
}

// crash returns n as a power cut could leave it.
func (n *node) crash(rng *rand.Rand, keep func() bool, keepShare float64) *node {
	size := len(n.durable)
	if len(n.data) != size && len(n.dirty) > 0 {
		switch {
		case keep():
			size = len(n.data)
		case keepShare > 0 && rng.IntN(2) == 0:
			low := min(size, len(n.data))
			size = low + rng.IntN(max(size, len(n.data))-low)
		}
	}
	data := make([]byte, size)
	copy(data, n.durable)
	for _, s := range slices.Sorted(maps.Keys(n.dirty)) {
		if at := s * sector; keep() && at < size {
			part := data[at:min(at+sector, size)]
			clear(part)
			if at < len(n.data) {
				copy(part, n.data[at:])
			}
		}
	}
	return newNode(data, slices.Clone(data))
}

// touch marks the bytes from..to as written since the last Sync.
func (n *node) touch(from, to int) {
	for s := from / sector; s*sector < to; s++ {
		n.dirty[s] = true
	}
}

// resize sets the size; what is cut off is zero when it comes back.
func (n *node) resize(size int) {
	old := len(n.data)
	switch {
	case size < old:
		n.touch(size, old)
		n.data = slices.Clone(n.data[:size])
	case size > old:
		n.touch(old, size)
		n.data = append(n.data, make([]byte, size-old)...)
	}
}

// sync makes the dirty sectors and the size durable.
func (n *node) sync() {
	if len(n.dirty) == 0 {
		return
	}
	durable := make([]byte, len(n.data))
	copy(durable, n.durable)
	for s := range n.dirty {
		if at := s * sector; at < len(durable) {
			copy(durable[at:min(at+sector, len(durable))], n.data[at:])
		}
	}
	n.durable = durable
	clear(n.dirty)
}

// Open opens a file; see [vfs.FS].
func (m *Mem) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if err := vfs.CheckName(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[name]
	switch {
	case n == nil && mode != vfs.Create:
		return nil, missing("open", name)
	case n == nil:
		n = newNode(nil, nil)
		m.change(nameOp{to: name, node: n})
	case mode == vfs.Create:
		n.resize(0)
	}
	return &memFile{m: m, n: n, name: name, writable: mode != vfs.Read}, nil
}

func missing(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// change does op now, and on the disk by the next SyncDir.
func (m *Mem) change(op nameOp) {
	applyName(m.names, op)
	m.pending = append(m.pending, op)
}

// Rename renames a file; see [vfs.FS].
func (m *Mem) Rename(oldName, newName string) error {
	if err := errors.Join(vfs.CheckName(oldName), vfs.CheckName(newName)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[oldName]
	if n == nil {
		return missing("rename", oldName)
	}
	if oldName != newName {
		m.change(nameOp{from: oldName, to: newName, node: n})
	}
	return nil
}

// Remove removes a name; see [vfs.FS].
func (m *Mem) Remove(name string) error {
	if err := vfs.CheckName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[name]
	if n == nil {
		return missing("remove", name)
	}
	m.change(nameOp{from: name, node: n})
	return nil
}

// List returns the names, sorted; see [vfs.FS].
func (m *Mem) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names)), nil
}

// SyncDir makes names durable; see [vfs.FS].
func (m *Mem) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable, m.pending = maps.Clone(m.names), nil
	return nil
}

// Lock takes a lock file; see [vfs.FS].
func (m *Mem) Lock(name string) (io.Closer, error) {
	if err := vfs.CheckName(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[name] {
		return nil, vfs.ErrLocked
	}
	if m.names[name] == nil {
		m.change(nameOp{to: name, node: newNode(nil, nil)})
	}
	m.locked[name] = true
	return &memLock{m: m, name: name}, nil
}

type memLock struct {
	m      *Mem
	name   string
	closed bool
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed {
		return fs.ErrClosed
	}
	l.closed = true
	delete(l.m.locked, l.name)
	return nil
}

// memFile is an open file of a Mem.
type memFile struct {
	m        *Mem
	n        *node
	name     string
	writable bool
	closed   bool
}

// begin locks the file system for an operation at off, or says why not.
func (f *memFile) begin(op string, write bool, off int64) error {
	f.m.mu.Lock()
	var err error
	switch {
	case f.closed:
		err = fs.ErrClosed
	case write && !f.writable:
		err = fs.ErrPermission
	case off < 0, write && off > maxSize:
		err = fs.ErrInvalid
	default:
		return nil
	}
	f.m.mu.Unlock()
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin("read", false, off); err != nil {
		return 0, err
	}
	defer f.m.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.begin("write", true, off); err != nil {
		return 0, err
	}
	defer f.m.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	end := int(off) + len(p)
	if end > len(f.n.data) {
		f.n.resize(end)
	}
	copy(f.n.data[off:], p)
	f.n.touch(int(off), end)
	return len(p), nil
}

func (f *memFile) Sync() error {
	if err := f.begin("sync", false, 0); err != nil {
		return err
	}
	defer f.m.mu.Unlock()
	f.n.sync()
	return nil
}

// loseDirty does what a system does when a Sync fails: the bytes stay visible,
// are not on the disk, and the next Sync does not know about them.
func (f *memFile) loseDirty() {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	clear(f.n.dirty)
}

func (f *memFile) Truncate(size int64) error {
	if err := f.begin("truncate", true, size); err != nil {
		return err
	}
	defer f.m.mu.Unlock()
	f.n.resize(int(size))
	return nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.begin("stat", false, 0); err != nil {
		return 0, err
	}
	defer f.m.mu.Unlock()
	return int64(len(f.n.data)), nil
}

// ID returns the file's number.
func (f *memFile) ID() (vfs.FileID, error) { return vfs.FileID{Inode: f.n.id}, nil }

func (f *memFile) Close() error {
	if err := f.begin("close", false, 0); err != nil {
		return err
	}
	defer f.m.mu.Unlock()
	f.closed = true
	return nil
}

// WriteFile puts a file of that name and content on the disk, durably: a test
// that damages files writes the damaged bytes with it.
func (m *Mem) WriteFile(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := newNode(slices.Clone(data), slices.Clone(data))
	m.names[name], m.durable[name] = n, n
}

// ReadFile returns a copy of a file's bytes.
func (m *Mem) ReadFile(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] == nil {
		return nil, fmt.Errorf("vfstest: %w", missing("read", name))
	}
	return slices.Clone(m.names[name].data), nil
}
