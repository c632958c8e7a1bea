package snapshot

import (
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/vfs"
)

// Section describes one section of a commit file.
type Section struct {
	Name     string // "texts", "entries", "removed" and so on
	Version  int    // of the section; 0 in files of before version 3
	Required bool   // a reader that does not know it must refuse the file
	Offset   int64  // in the file
	Length   int64  // bytes in the file
	Raw      int64  // bytes before compression
	Blocks   int    // of a block stream, else 0
	Error    string // what is wrong with it; empty if it is whole
}

// Description is what [Inspect] could decode of a commit file.
type Description struct {
	Name     string
	Size     int64
	Whole    bool    // nothing is wrong
	Version  int     // 3, or 2 for the formats before
	Header   *Header // nil: damaged
	Sections []Section
	Entries  []Entry // nil where the section is damaged
	Removed  []Key   // likewise
	Skipped  []Key   // likewise
	Graph    []byte  // over the main vectors; likewise
}

// Inspect decodes as much of the named file as can be decoded, and returns what
// is wrong with it beside that: the first thing, in the file's order. The whole
// file is in memory meanwhile.
func Inspect(fsys vfs.FS, name string) (d Description, err error) {
	d.Name = name
	vf, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return d, fmt.Errorf("snapshot: inspect %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, vf.Close()) }()
	if d.Size, err = vf.Size(); err != nil {
		return d, fmt.Errorf("snapshot: inspect %s: %w", name, err)
	}
	l, first := readLayout(vf, name, smallFile)
	if l.header.Domain == "" {
		return d, at(name, "header", first)
	}
	d.Header, d.Version = &l.header, version
	if l.legacy {
		d.Version = 2
	}
	if first != nil {
		first = at(name, "header", first)
	}
	note := func(section string, err error) string {
		if err == nil {
			return ""
		}
		err = at(name, section, err)
		if first == nil {
			first = err
		}
		return err.Error()
	}
	t := newTable(&l.header)
	for _, r := range l.rows {
		s := Section{
			Name: r.name(&l.header), Version: int(r.version), Required: r.flags&requiredFlag != 0,
			Offset: r.offset, Length: int64(r.length), Raw: int64(r.raw), Blocks: int(r.blocks()),
		}
		s.Error = note(s.Name, d.section(&l, t, r))
		d.Sections = append(d.Sections, s)
	}
	d.Entries, d.Removed, d.Skipped = t.entries, t.removed, t.skipped
	if first == nil {
		first = Verify(fsys, name)
	}
	d.Whole = first == nil
	return d, first
}

// section decodes one section into t and returns what is wrong with it.
func (d *Description) section(l *layout, t *table, r row) error {
	if !r.known() && !l.legacy {
		return nil
	}
	if r.typ == chunksSection && t.entries == nil {
		return badf("its entries are damaged")
	}
	if err := l.read(t, r); err != nil {
		return err
	}
	switch r.typ {
	case textsSection:
		_, err := t.texts.all(l.src)
		return err
	case graphSection:
		p, err := readPlain(l.src, &l.header, r)
		if err == nil && r.space == 0 {
			d.Graph = p
		}
		return err
	}
	return nil
}
