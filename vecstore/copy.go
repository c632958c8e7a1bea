package vecstore

import (
	"errors"
	"io"
)

// FileSize returns the size of a file of n vectors of that configuration.
func FileSize(cfg Config, n int) (int64, error) {
	if err := cfg.plain().validate(); err != nil {
		return 0, err
	}
	lay, _ := newLayout(cfg.Dim, choosePage(cfg.Dim))
	return lay.end(uint32(n)), nil
}

// Copy writes the bytes of a file that holds the vectors of these slots alone, with
// their keys, numbered from 0 on in the order given. A slot that is damaged here, or
// beyond the end, is damaged there too: its record is of zeros. It is for files that
// go elsewhere; equal vectors make equal files.
func (s *Store) Copy(out io.Writer, slots []uint32) error {
	lay, _ := newLayout(s.dim, choosePage(s.dim))
	h := header{cfg: s.cfg, pageSize: choosePage(s.dim)}
	to := newCodec(h, lay)
	if _, err := out.Write(h.encode()); err != nil {
		return err
	}
	at := int64(headerSize)
	var buf []byte
	for i, slot := range slots {
		place := uint32(i)
		buf = append(buf[:0], make([]byte, to.offset(place)-at)...) // to the start of the page
		var err error
		if buf, err = s.appendCopy(buf, to, place, slot); err != nil {
			return err
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
		at += int64(len(buf))
	}
	return nil
}

// appendCopy appends the record of a slot as it stands at another place.
func (s *Store) appendCopy(buf []byte, to codec, place, slot uint32) ([]byte, error) {
	if slot >= s.Len() {
		return append(buf, make([]byte, to.record)...), nil
	}
	p, i, err := s.pinSlot(slot)
	if err != nil {
		return nil, err
	}
	defer s.pool.release(p.f)
	if err := s.checkPinned(p, i, slot); errors.Is(err, ErrCorrupt) {
		return append(buf, make([]byte, to.record)...), nil
	}
	return to.appendRecord(buf, place, s.key(bytesOf(p.f.buf)[i*s.record:]), s.values(p, i)), nil
}
