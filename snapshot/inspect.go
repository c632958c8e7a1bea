package snapshot

import (
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/vfs"
)

// Section describes one section of a commit file.
type Section struct {
	Name   string // "texts", "entries", "removed", "graph", "skipped"
	Offset int64  // in the file
	Length int64  // bytes in the file
	Raw    int64  // bytes before compression
	Blocks int    // of a block stream, else 0
	Error  string // what is wrong with it; empty if it is whole
}

// Description is what [Inspect] could decode of a commit file.
type Description struct {
	Name     string
	Size     int64
	Whole    bool    // nothing is wrong
	Header   *Header // nil: damaged
	Sections []Section
	Entries  []Entry  // nil where the section is damaged
	Removed  []string // likewise
	Skipped  []string // likewise
	Graph    []byte   // likewise
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
	h, rows, start, first := inspectHeader(vf, d.Size)
	if start == 0 {
		return d, at(name, "header", first)
	}
	d.Header = &h
	if first == nil {
		// Open is stricter: name, size and what ties the sections together.
		_, _, _, _, first = readHeader(vf, name)
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
	var textsEnd uint64
	for _, r := range rows {
		s := Section{Name: r.typ.String(), Offset: start, Length: int64(r.length), Raw: int64(r.raw), Blocks: int(r.blocks)}
		if uint64(d.Size-start) < r.length {
			s.Error = note(s.Name, badf("the file ends before it does"))
			d.Sections = append(d.Sections, s)
			break
		}
		s.Error = note(s.Name, d.section(vf, r, start, &textsEnd))
		d.Sections = append(d.Sections, s)
		start += int64(r.length)
	}
	if first == nil {
		first = Verify(fsys, name)
	}
	d.Whole = first == nil
	return d, first
}

// inspectHeader decodes the header as far as its own bytes go; start is 0 if
// they do not.
func inspectHeader(f vfs.File, size int64) (h Header, rows []row, start int64, err error) {
	p := make([]byte, min(size, maxHeader))
	if err := readFull(f, p, 0); err != nil {
		return h, nil, 0, err
	}
	n, err := prelude(p)
	if err != nil {
		return h, nil, 0, err
	}
	if n > len(p) {
		return h, nil, 0, badf("it ends early")
	}
	if h, rows, err = decodeHeader(p[:n]); err != nil {
		return h, nil, 0, err
	}
	return h, rows, int64(n), nil
}

// section decodes one section into d and returns what is wrong with it.
func (d *Description) section(f vfs.File, r row, start int64, textsEnd *uint64) error {
	switch r.typ {
	case textsSection:
		*textsEnd = r.raw
		stream, err := readTable(f, d.Header, r, start)
		if err == nil {
			_, err = stream.all(f)
		}
		return err
	case entriesSection:
		stream, err := readTable(f, d.Header, r, start)
		if err != nil {
			return err
		}
		raw, err := stream.all(f)
		if err != nil {
			return err
		}
		d.Entries, err = decodeEntries(raw, d.Header.Changed, d.Header.SlotEnd, *textsEnd)
		return err
	case removedSection:
		var err error
		d.Removed, err = readIDs(f, d.Header, r, start, d.Header.Removed)
		return err
	case skippedSection:
		var err error
		d.Skipped, err = readIDs(f, d.Header, r, start, d.Header.Skipped)
		return err
	default:
		p, err := readPlain(f, d.Header, r, start)
		if err == nil {
			d.Graph = p
		}
		return err
	}
}
