package space

import (
	"fmt"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// Journal is what the file of a space holds.
type Journal struct {
	Name    string
	Schema  Schema
	Size    int64
	Records int
	Writes  int // in records, whether they are in a commit or not
	Frozen  bool
	Torn    int64 // bytes of an end that was not written whole, or is damaged
	// Generation and Turns, the records that are no writes, are the same for as long as no
	// commit has begun or ended and the file was not written anew.
	Generation uint64
	Turns      int
}

// Inspect reads the file of a space in a data directory; a server may be writing it.
// What it returns was read before the error, which is [contract.ErrCorrupt] if something
// is damaged that lasted.
func Inspect(files vfs.FS, file string) (seen Journal, err error) {
	f, err := files.Open(file, vfs.Read)
	if err != nil {
		return seen, err
	}
	defer f.Close()                            // opened for reading
	if seen.Size, err = f.Size(); err != nil { // first: it may grow
		return seen, err
	}
	j := &journal{file: f}
	seen.Name, seen.Schema, j.generation, j.end, err = readHeader(f)
	seen.Generation = j.generation
	if err == nil && FileName(seen.Name) != file {
		err = fmt.Errorf("%w: %w: it is that of the space %.100q", contract.ErrCorrupt, errJournal, seen.Name)
	}
	if err != nil {
		return seen, err
	}
	seen.Torn, err = j.scan(seen.Size, func(r record) error {
		seen.Records++
		if r.kind != recWrites {
			seen.Turns++
		}
		seen.Writes += len(r.writes)
		seen.Frozen = seen.Frozen || r.kind == recFrozen
		return nil
	})
	return seen, err
}
