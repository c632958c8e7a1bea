package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/vectorlink/vectorlink/vfs"
)

// Verify returns what is wrong with a catalog file, nil for nothing: its damage
// costs a start that reads the commit files instead. Of a list of pruned commits it
// does so too: commits that it does not name any more are not known as pruned. A server may be writing the
// file: only what is found twice in a file of one size counts. A file that is gone
// is no damage.
func Verify(fsys vfs.FS, name string) error {
	size, err := check(fsys, name)
	for err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		before := size
		if size, err = check(fsys, name); err != nil && size == before {
			return err
		}
	}
	return nil
}

// check reads a catalog file, or a list of pruned commits, whole, and returns its size.
func check(fsys vfs.FS, name string) (size int64, err error) {
	return checkEach(fsys, name, func(string) {}, func(change) {})
}

// checkEach is check, and hands over the domain and each record.
func checkEach(fsys vfs.FS, name string, begin func(domain string), take func(change)) (size int64, err error) {
	f, err := fsys.Open(name, vfs.Read)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if size, err = f.Size(); err != nil {
		return 0, err
	}
	first, nameOf := magic, FileName
	if strings.HasSuffix(name, "."+PrunedExt) {
		first, nameOf = prunedMagic, PrunedName
	}
	if strings.HasSuffix(name, "."+DecisionsExt) {
		first, nameOf = decisionsMagic, DecisionsName
	}
	c, err := readHead(f, first)
	if err != nil {
		return size, err
	}
	if nameOf(c.domain) != name {
		return size, fmt.Errorf("%w: it belongs to %s", errDamaged, c.domain)
	}
	begin(c.domain)
	return size, c.scan(f, take)
}
