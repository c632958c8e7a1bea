package indexer

import (
	"errors"
	"io/fs"
	"slices"
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

// sweepTexts removes those of the names, in order, that are full texts whose commits are
// gone: if a commit of that name came back, it could have the sequence number of
// the old one.
func (ix *Indexer) sweepTexts(names []string) error {
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, "."+textindex.Ext)
		if !ok {
			continue
		}
		if _, known := slices.BinarySearch(names, stem+"."+snapshot.Ext); known {
			continue
		}
		if err := ix.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
