package indexer

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// removeText removes the full text of a commit that is going.
func (ix *Indexer) removeText(info snapshot.Info) error {
	err := ix.cfg.FS.Remove(textindex.FileName(info.Domain, info.Commit))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweepTexts removes those of the names that are full texts whose commits are
// gone: if a commit of that name came back, it could have the sequence number of
// the old one.
func (ix *Indexer) sweepTexts(names []string) error {
	there := make(map[string]struct{})
	for _, name := range names {
		if stem, ok := strings.CutSuffix(name, "."+snapshot.Ext); ok {
			there[stem] = struct{}{}
		}
	}
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, "."+textindex.Ext)
		if _, known := there[stem]; !ok || known {
			continue
		}
		if err := ix.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
