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
	known := make(map[string]bool)
	for _, d := range ix.Domains().List("") {
		for _, info := range d.List() {
			known[textindex.FileName(d.Name, info.Commit)] = true
		}
	}
	for _, name := range names {
		if strings.HasSuffix(name, "."+textindex.Ext) && !known[name] {
			if err := ix.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
