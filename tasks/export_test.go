package tasks

import (
	"encoding/binary"

	"github.com/vectorlink/vectorlink/vfs"
)

// Header returns how a journal begins.
func Header() []byte { return header() }

// Seal returns a record of that body, with its checksums.
func Seal(body []byte) []byte {
	b := append([]byte(recordMagic), make([]byte, recordHead-len(recordMagic))...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[8:], vfs.Checksum(0, body))
	binary.LittleEndian.PutUint32(b[12:], vfs.Checksum(0, b[:12]))
	return append(b, body...)
}

// All returns every task by its id.
func (r *Registry) All() map[string]Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]Task)
	for id, j := range r.tasks {
		all[id] = j.snapshot()
	}
	return all
}
