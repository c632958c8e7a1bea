package vecstore

import (
	"errors"
	"io"

	"github.com/vectorlink/vectorlink/vfs"
)

// RepairHeader rewrites the header of a file whose header alone is damaged ([Open]
// returns [ErrCorrupt]). cfg is what the file was created with. A record's
// checksum covers the header's identity, so the first record that passes its check
// proves cfg. If no record passes, RepairHeader returns ErrCorrupt and leaves the
// file as it is. A file without records gets the header of cfg unproven. The file
// must not be open elsewhere.
func RepairHeader(fsys vfs.FS, name string, cfg Config) (err error) {
	cfg = cfg.plain()
	if err := cfg.validate(); err != nil {
		return err
	}
	f, err := fsys.Open(name, vfs.ReadWrite)
	if err != nil {
		return wrap(name, "repair the header", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return wrap(name, "size", err)
	}
	h := header{cfg: cfg, pageSize: choosePage(cfg.Dim)}
	lay, _ := newLayout(cfg.Dim, h.pageSize)
	c := newCodec(h, lay)
	n, ok := lay.records(max(size, headerSize))
	if !ok {
		return &CorruptError{File: name, Slot: NoSlot, Reason: "more records than slot numbers"}
	}
	rec, proven := make([]byte, lay.record), n == 0
	for slot := uint32(0); slot < n && !proven; slot++ {
		if _, err := f.ReadAt(rec, lay.offset(slot)); err != nil && !errors.Is(err, io.EOF) {
			return wrap(name, "repair the header", err)
		}
		proven = c.check(slot, rec) == ""
	}
	if !proven {
		return &CorruptError{File: name, Slot: NoSlot, Reason: "no record is one of such a file"}
	}
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return wrap(name, "repair the header", err)
	}
	if err := f.Sync(); err != nil {
		return wrap(name, "repair the header", err)
	}
	return nil
}
