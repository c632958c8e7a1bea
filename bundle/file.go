package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

const (
	// format is the highest format of snapshot files that this program reads, and
	// the one that it writes.
	format = 1
	// manifestName names the first member, which says what the others are.
	manifestName = "manifest.json"
	// maxManifest bounds its length.
	maxManifest = 256 << 10
	// maxMembers bounds the number of members.
	maxMembers = 6
	// maxSpace bounds the member that says what the domain is as a space.
	maxSpace = 128 << 10
	// poolBytes is the memory for pages of vectors that Check takes.
	poolBytes = 16 << 20
)

// SpaceName returns the name of the member that says what the domain is as a space.
func SpaceName(domain string) string { return vfs.FileName(domain, "", "space") }

// Manifest says what a snapshot file holds.
type Manifest struct {
	Format    int       `json:"format"`
	Domain    string    `json:"domain"`
	Commit    string    `json:"commit"`
	Alias     string    `json:"alias,omitempty"` // another name of the commit
	Branch    string    `json:"branch"`
	Created   time.Time `json:"created"` // when the commit was indexed
	Documents int       `json:"documents"`
	Vectors   int       `json:"vectors"`         // those that the graph alone needs included
	Model     string    `json:"model,omitempty"` // what decides the vectors
	Dim       int       `json:"dim,omitempty"`
	Metric    string    `json:"metric,omitempty"`
	Settings  string    `json:"settings,omitempty"` // of the domain, as commit files carry them
}

// manifestOf returns the manifest of a commit and its vectors, but for the alias.
func manifestOf(h *snapshot.Header, cfg vecstore.Config, vectors int) Manifest {
	m := Manifest{
		Format: format, Domain: h.Domain, Commit: h.Commit, Branch: h.Branch, Created: time.Unix(h.Created, 0).UTC(),
		Documents: int(h.Documents), Vectors: vectors, Settings: h.Settings,
	}
	if vectors > 0 {
		m.Model, m.Dim, m.Metric = cfg.Fingerprint, cfg.Dim, cfg.Metric.String()
	}
	return m
}

// File is an open snapshot file, and a directory of its members that cannot be
// written. It may be used by many goroutines.
type File struct {
	manifest Manifest
	archive  *zip.Reader
	members  map[string]*io.SectionReader
}

var _ vfs.FS = (*File)(nil)

// unsound returns the [contract.ErrInvalid] of a file with that fault.
func unsound(fault string, args ...any) error {
	return fmt.Errorf("%w: the snapshot file %s", contract.ErrInvalid, fmt.Errorf(fault, args...))
}

// Open opens the snapshot file in the first size bytes of from, of which it reads
// the manifest and the list of members. What is no snapshot file, or not a whole one,
// is [contract.ErrInvalid]. What the members hold is not checked: see Check.
func Open(from io.ReaderAt, size int64) (*File, error) {
	archive, err := zip.NewReader(from, size)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) {
			return nil, unsound("is cut off, or is none: its end is not that of a ZIP archive")
		}
		return nil, unsound("cannot be read: %w", err)
	}
	if len(archive.File) > maxMembers {
		return nil, unsound("has %d members, the limit is %d", len(archive.File), maxMembers)
	}
	f := &File{archive: archive, members: make(map[string]*io.SectionReader)}
	for _, m := range archive.File {
		if m.Method != zip.Store || m.CompressedSize64 != m.UncompressedSize64 {
			return nil, unsound("has a member %.100q that is not stored as it is", m.Name)
		}
		at, err := m.DataOffset()
		if err != nil || at < 0 || m.UncompressedSize64 > uint64(size) || at > size-int64(m.UncompressedSize64) {
			return nil, unsound("has a member %.100q that lies outside of it", m.Name)
		}
		if f.members[m.Name] != nil {
			return nil, unsound("has the member %.100q twice", m.Name)
		}
		f.members[m.Name] = io.NewSectionReader(from, at, int64(m.UncompressedSize64))
	}
	if err := f.readManifest(); err != nil {
		return nil, err
	}
	allowed := append(f.commits(), vecstore.FileName(f.manifest.Domain, vecstore.Main), f.textName(), SpaceName(f.manifest.Domain), manifestName)
	for name := range f.members {
		if !slices.Contains(allowed, name) {
			return nil, unsound("has a member %.100q, which does not belong in it", name)
		}
	}
	for _, name := range f.commits() {
		if f.members[name] == nil {
			return nil, unsound("lacks its member %s", name)
		}
	}
	if m := f.members[SpaceName(f.manifest.Domain)]; m != nil && m.Size() > maxSpace {
		return nil, unsound("has a member %s of %d bytes, the limit is %d", SpaceName(f.manifest.Domain), m.Size(), maxSpace)
	}
	delete(f.members, manifestName)
	return f, nil
}

func (f *File) readManifest() error {
	m := f.members[manifestName]
	if m == nil || m.Size() > maxManifest {
		return unsound("is none: it has no %s, or a long one", manifestName)
	}
	p := make([]byte, m.Size())
	if err := vfs.ReadFull(m, p, 0); err != nil {
		return unsound("cannot be read: %w", err)
	}
	var version struct{ Format int }
	if err := json.Unmarshal(p, &version); err != nil {
		return unsound("is none: its %s is no JSON object", manifestName)
	}
	if version.Format != format {
		return unsound("has format %d, this program reads %d", version.Format, format)
	}
	d := json.NewDecoder(bytes.NewReader(p))
	if err := d.Decode(&f.manifest); err != nil {
		return unsound("has an unreadable %s", manifestName)
	}
	if f.manifest.Domain == "" || f.manifest.Commit == "" || f.manifest.Alias == f.manifest.Commit {
		return unsound("does not say what commit it holds")
	}
	return nil
}

// commits returns the names of the commit files that the manifest asks for.
func (f *File) commits() []string {
	names := []string{snapshot.FileName(f.manifest.Domain, f.manifest.Commit)}
	if f.manifest.Alias != "" {
		names = append(names, snapshot.FileName(f.manifest.Domain, f.manifest.Alias))
	}
	return names
}

// textName returns the name of the member that is the full text, if there is one.
func (f *File) textName() string { return textindex.FileName(f.manifest.Domain, f.manifest.Commit) }

// Manifest returns what the file says of itself. After Check it is known to be so.
func (f *File) Manifest() Manifest { return f.manifest }

// Check reads all of the file. What does not fit together, or has a checksum that
// does not match, is a [contract.ErrInvalid] that names the member. Vectors that were
// damaged already when the file was written are no fault: damaged counts them.
func (f *File) Check() (damaged int, err error) {
	for _, m := range f.archive.File {
		r, err := m.Open()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			err = errors.Join(err, r.Close())
		}
		if err != nil {
			return 0, unsound("has a damaged member %s: %w", m.Name, err)
		}
	}
	for _, name := range f.commits() {
		if err := snapshot.Verify(f, name); err != nil {
			return 0, unsound("has an unsound member: %w", err)
		}
	}
	if f.manifest.Alias != "" {
		info, err := snapshot.ReadInfo(f, snapshot.FileName(f.manifest.Domain, f.manifest.Alias))
		if err != nil || info.Kind != snapshot.Alias || info.Base != f.manifest.Commit {
			return 0, unsound("has a member of %s that is no other name of its commit", f.manifest.Alias)
		}
	}
	// What is of another revision is made again, when it is asked for.
	if f.members[f.textName()] != nil {
		if _, err := textindex.Verify(f, f.textName()); err != nil && !errors.Is(err, textindex.ErrStale) {
			return 0, unsound("has an unsound full text: %w", err)
		}
	}
	view, err := f.View()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	h := view.Header()
	says := func(cfg vecstore.Config) error {
		m := manifestOf(&h, cfg, int(h.SlotEnd))
		if m.Alias = f.manifest.Alias; m != f.manifest {
			return unsound("has a manifest that says something else than its commit")
		}
		return nil
	}
	if h.SlotEnd == 0 {
		return 0, says(vecstore.Config{})
	}
	vecs, err := f.Vectors()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, vecs.Close()) }()
	if vecs.Len() != h.SlotEnd {
		return 0, unsound("has %d vectors, its commit asks for %d", vecs.Len(), h.SlotEnd)
	}
	if err := says(vecs.Config()); err != nil {
		return 0, err
	}
	if graph, err := view.Checkpoint().Graph(); err != nil {
		return 0, unsound("has an unsound graph: %w", err)
	} else if len(graph) > 0 {
		g, err := hnsw.Decode(graph)
		if err == nil && slices.ContainsFunc(g.Slots(), func(slot uint32) bool { return slot >= vecs.Len() }) {
			err = errors.New("a node has no vector")
		}
		if err != nil {
			return 0, unsound("has an unsound graph: %w", err)
		}
	}
	v := make([]float32, vecs.Dim())
	for slot := range vecs.Len() {
		if err := vecs.Read(slot, v); errors.Is(err, vecstore.ErrCorrupt) {
			damaged++
		} else if err != nil {
			return 0, unsound("cannot be read: %w", err)
		} else if err := vecs.Config().Check(v); err != nil {
			return 0, unsound("has an unsound vector in slot %d: %w", slot, err)
		}
	}
	return damaged, nil
}

// View opens the entries of the commit. Close it.
func (f *File) View() (*snapshot.View, error) {
	file, err := snapshot.Open(f, snapshot.FileName(f.manifest.Domain, f.manifest.Commit))
	if err != nil {
		return nil, unsound("has an unsound member: %w", err)
	}
	defer file.Close() // the view holds it
	h := file.Header()
	if h.Kind != snapshot.Checkpoint || h.Domain != f.manifest.Domain || h.Commit != f.manifest.Commit {
		return nil, unsound("holds another commit than it says")
	}
	for _, o := range h.Others {
		if o.SlotEnd > h.SlotEnd || o.SlotEnd > 0 && o.Vecs != h.Vecs {
			return nil, unsound("lists the vectors %.100q, which it does not hold", o.Name)
		}
	}
	view, err := snapshot.NewView(file)
	if err != nil {
		return nil, unsound("has an unsound member: %w", err)
	}
	return view, nil
}

// Vectors opens the vectors of a commit that has any, for reading. Close them.
func (f *File) Vectors() (*vecstore.Store, error) {
	info, err := snapshot.ReadInfo(f, snapshot.FileName(f.manifest.Domain, f.manifest.Commit))
	if err != nil {
		return nil, unsound("has an unsound member: %w", err)
	}
	vecs, err := vecstore.Open(f, vecstore.FileName(f.manifest.Domain, vecstore.Main), vecstore.Config{
		Domain: info.Domain, Fingerprint: info.Fingerprint, Dim: int(info.Dim),
	}, vecstore.NewPool(poolBytes))
	if err != nil {
		return nil, unsound("has no sound vectors: %w", err)
	}
	return vecs, nil
}

// Open opens a member for reading.
func (f *File) Open(name string, mode vfs.Mode) (vfs.File, error) {
	m := f.members[name]
	switch {
	case mode != vfs.Read:
		return nil, errReadOnly
	case m == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return member{m}, nil
}

// List returns the names of the members but for the manifest.
func (f *File) List() ([]string, error) {
	names := make([]string, 0, len(f.members))
	for name := range f.members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

var errReadOnly = fmt.Errorf("bundle: a snapshot file cannot be written: %w", fs.ErrPermission)

// Rename, Remove, SyncDir and Lock refuse: see [File].
func (*File) Rename(string, string) error { return errReadOnly }

// Remove refuses.
func (*File) Remove(string) error { return errReadOnly }

// SyncDir refuses.
func (*File) SyncDir() error { return errReadOnly }

// Lock refuses.
func (*File) Lock(string) (io.Closer, error) { return nil, errReadOnly }

// member is a member as a file.
type member struct{ *io.SectionReader }

func (member) WriteAt([]byte, int64) (int, error) { return 0, errReadOnly }
func (member) Truncate(int64) error               { return errReadOnly }
func (member) Sync() error                        { return errReadOnly }
func (member) Close() error                       { return nil }
func (m member) Size() (int64, error)             { return m.SectionReader.Size(), nil }
