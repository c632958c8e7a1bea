package vecstore

import (
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/vfs"
)

// Damage is a damaged record.
type Damage struct {
	Slot   uint32 // or NoSlot
	Reason string
}

// inspectPool is the buffer pool of an Inspect, in bytes.
const inspectPool = 4 << 20

// maxDamages bounds the damaged records that a Description names.
const maxDamages = 1000

// Description is what [Inspect] could decode of a file of vectors.
type Description struct {
	Name           string
	Size           int64
	Config         *Config // nil: the header is damaged
	PageSize       int     // bytes
	RecordSize     int     // bytes
	RecordsPerPage int
	Vectors        uint32   // records, damaged and freed ones included
	Freed          int      // of them
	Damaged        int      // of them, and other findings
	Damages        []Damage // the first thousand
}

// Inspect decodes as much of the named file as can be decoded, and returns what
// is wrong with it beside that.
func Inspect(fsys vfs.FS, name string) (d Description, err error) {
	d.Name = name
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return d, wrap(name, "inspect", err)
	}
	d.Size, err = f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return d, wrap(name, "inspect", err)
	}
	s, err := Open(fsys, name, Config{}, NewPool(inspectPool))
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	cfg := s.Config()
	d.Config, d.PageSize, d.RecordSize, d.RecordsPerPage, d.Vectors = &cfg, s.pageSize, s.record, s.perPage, s.Len()
	err = s.Verify(func(slot uint32, err error) {
		d.Damaged++
		if len(d.Damages) < maxDamages {
			reason := err.Error()
			if bad, ok := errors.AsType[*CorruptError](err); ok {
				reason = bad.Reason
			}
			d.Damages = append(d.Damages, Damage{slot, reason})
		}
	})
	d.Freed = s.Freed()
	if errors.Is(err, ErrCorrupt) {
		err = &CorruptError{File: name, Slot: d.Damages[0].Slot, Reason: fmt.Sprintf("%s (%d in all)", d.Damages[0].Reason, d.Damaged)}
	}
	return d, err
}
