package catalog

import (
	"fmt"
	"strings"

	"github.com/vectorlink/vectorlink/snapshot"
)

// markPrefix begins the name of a mark. No commit of a database has such a name.
const markPrefix = ".-head/"

// IsMark reports whether a commit is a mark: the alias that says which indexed
// commit is the head of its branch, where that is not the one indexed on it last.
// The newest of a branch counts.
func IsMark(info snapshot.Info) bool { return isMark(info.Kind, info.Commit) }

func isMark(kind snapshot.Kind, commit string) bool {
	return kind == snapshot.Alias && IsMarkName(commit)
}

// IsMarkName reports whether a mark could have that name, and no commit of a
// database.
func IsMarkName(commit string) bool { return strings.HasPrefix(commit, markPrefix) }

// MarkName returns the name of the mark of a branch with that sequence number.
func MarkName(branch string, seq uint64) string {
	return fmt.Sprintf("%s%s/%d", markPrefix, branch, seq)
}
