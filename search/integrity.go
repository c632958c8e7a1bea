package search

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs"
)

// Finding is one thing wrong with a file.
type Finding struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
	// Commits are those to be indexed or pushed again to mend it.
	Commits []string `json:"commits,omitempty"`
}

// Scrub is what scrubs have done since the start, and what the last one has found.
type Scrub struct {
	Files, Bytes int64 // read since the start
	Mended       int64
	Finished     time.Time // the last; zero for none
	Findings     []Finding // that are not mended
	More         int       // beyond those
}

// Integrity says whether the files of a domain fit together, from what is
// known in memory and the list of files: contents are a scrub's matter.
type Integrity struct {
	Branches    []Head // by name
	Commits     int
	CommitFiles int // of them, those whose file is there
	VectorFiles int
	// TextFiles are the full texts on disk, UsedTexts those that belong to an
	// indexed commit, StaleTexts the others, which do no harm.
	TextFiles, UsedTexts, StaleTexts []string
	// MissingFiles are those that indexed commits need and that are not there.
	MissingFiles []string
	// LostCommits are indexed but cannot be read: their file, or one on which
	// it stands, is missing.
	LostCommits []string
	// StrayFiles look like commit files of the domain and belong to none: they
	// are damaged.
	StrayFiles []string
	Warnings   []string
	// Scrubbed is when the contents of all files were last verified, zero for never,
	// and Findings what is wrong with them.
	Scrubbed time.Time
	Findings []Finding
}

// OK reports whether every indexed commit can be read.
func (i *Integrity) OK() bool {
	return len(i.MissingFiles) == 0 && len(i.LostCommits) == 0 && len(i.StrayFiles) == 0 && len(i.Findings) == 0
}

// Integrity examines a domain. It changes nothing. A domain of which nothing
// is indexed is ErrNotFound.
func (r *Reader) Integrity(domainName string) (Integrity, error) {
	d, err := r.domains.Domain(domainName)
	if err != nil {
		return Integrity{}, err
	}
	// Files are listed before commits: one that is being written is then at
	// worst not listed, and asked for again below.
	names, err := r.cfg.FS.List()
	if err != nil {
		return Integrity{}, fmt.Errorf("list the data directory: %w", err)
	}
	var found Integrity
	commits := slices.Collect(d.State().Newest())
	found.Commits = len(commits)
	found.Branches = d.State().Heads()
	known, texts := make(map[string]bool), make(map[string]bool)
	vectors := false
	for _, info := range commits {
		known[info.Name()] = true
		texts[textindex.FileName(info.Domain, info.Commit)] = true
		vectors = vectors || info.SlotEnd > 0
	}
	var stray []string
	there := make(map[string]bool)
	// Long names cannot be read back: they count only where they are known.
	own := strings.TrimSuffix(vfs.FileName(domainName, "", snapshot.Ext), "."+snapshot.Ext) + "@"
	for _, name := range names {
		there[name] = true
		mine := strings.HasPrefix(name, own) && !vfs.IsTemp(name)
		switch {
		case name == d.VecsName():
			found.VectorFiles++
		case texts[name]:
			found.TextFiles, found.UsedTexts = append(found.TextFiles, name), append(found.UsedTexts, name)
		case mine && strings.HasSuffix(name, "."+textindex.Ext):
			found.TextFiles, found.StaleTexts = append(found.TextFiles, name), append(found.StaleTexts, name)
		case mine && strings.HasSuffix(name, "."+snapshot.Ext) && !known[name]:
			stray = append(stray, name)
		}
	}
	if len(stray) > 0 {
		for info := range d.State().Newest() {
			known[info.Name()] = true // it may have come meanwhile
		}
	}
	for _, name := range stray {
		if !known[name] {
			found.StrayFiles = append(found.StrayFiles, name)
			found.Warnings = append(found.Warnings, name+" is damaged; index its commit again")
		}
	}
	for _, info := range commits {
		// A commit that came after the list is there as well.
		name := info.Name()
		if there[name] = there[name] || r.exists(name); there[name] {
			found.CommitFiles++
		} else {
			found.MissingFiles = append(found.MissingFiles, name)
			found.Warnings = append(found.Warnings, name+" is missing; index its commit again")
		}
	}
	if vectors && found.VectorFiles == 0 {
		found.MissingFiles = append(found.MissingFiles, d.VecsName())
		found.Warnings = append(found.Warnings, d.VecsName()+" is missing: nothing can be searched")
	}
	if found.LostCommits = lost(commits, there); len(found.LostCommits) > 0 {
		found.Warnings = append(found.Warnings, fmt.Sprintf("%d commits cannot be read", len(found.LostCommits)))
	}
	return found, nil
}

func (r *Reader) exists(name string) bool {
	f, err := r.cfg.FS.Open(name, vfs.Read)
	if err != nil {
		return false
	}
	_ = f.Close() // opened for reading: nothing to lose
	return true
}

// lost returns the commits that cannot be read: whose file, or one below it on
// the way to its checkpoint, is not there.
func lost(commits []snapshot.Info, there map[string]bool) []string {
	by := make(map[string]snapshot.Info, len(commits))
	for _, info := range commits {
		by[info.Commit] = info
	}
	stands := make(map[string]bool, len(commits)) // false also while on the way
	var ids []string
	for _, info := range commits {
		var way []string
		ok := false
		for c, found := info, true; ; c, found = by[c.On], by[c.On].Commit != "" {
			if !found || !there[c.Name()] {
				break
			}
			known, met := stands[c.Commit]
			if met {
				ok = known
				break
			}
			stands[c.Commit] = false
			way = append(way, c.Commit)
			if c.Kind == snapshot.Checkpoint {
				ok = true
				break
			}
		}
		for _, id := range way {
			stands[id] = ok
		}
		if !ok {
			ids = append(ids, info.Commit)
		}
	}
	return ids
}
