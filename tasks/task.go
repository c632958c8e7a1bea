package tasks

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"
)

// State is the state of a task.
type State string

const (
	Pending  State = "pending"
	Complete State = "complete"
	Failed   State = "failed"
)

// Task is the state of one indexing task.
type Task struct {
	ID     string `json:"id"` // "task-" and 32 hex digits
	Domain string `json:"domain"`
	Commit string `json:"commit"`
	Branch string `json:"branch"`
	State  State  `json:"state"`
	// Percentage is the share of the work done, 0 to 100; it never falls. Up
	// to 10 it counts documents read, then tokens embedded.
	Percentage float64 `json:"percentage"`
	// Documents is the number of documents in the finished snapshot.
	Documents int `json:"documents"`
	// Indexed is the number of documents inserted or changed by this task,
	// Deleted the number removed.
	Indexed int `json:"indexed"`
	Deleted int `json:"deleted"`
	// Embedded is the number of distinct texts (chunks) sent to the
	// embedder, Reused that of the snapshot's texts whose vectors were there
	// already (while the task runs: of those looked at so far). Tokens
	// counts the embedded texts' tokens, of TokensToEmbed, which is known
	// once all documents are read.
	Embedded      int `json:"embedded"`
	Reused        int `json:"reused"`
	Tokens        int `json:"tokens"`
	TokensToEmbed int `json:"tokens_to_embed"`
	// Base is the commit the snapshot was built on, or "".
	Base string `json:"base,omitempty"`
	// HeadMoved reports whether the branch's last indexed commit is now
	// this one.
	HeadMoved bool `json:"head_moved"`
	// Skipped names the first documents that could not be indexed, at most
	// MaxSkipped; of a commit that was indexed before, then. SkippedTotal
	// counts all of them. The list is shared and must not be modified: see
	// Skip.
	Skipped      []Skipped `json:"skipped"`
	SkippedTotal int       `json:"skipped_total"`
	// Unreadable names the first of the indexed documents of whose texts the model
	// knows next to nothing, at most MaxUnreadable; UnreadableTotal counts them all.
	Unreadable      []string `json:"unreadable,omitempty"`
	UnreadableTotal int      `json:"unreadable_total,omitempty"`
	// Warnings are sentences for people, without a document's text.
	Warnings []string `json:"warnings,omitempty"`
	// Ignored counts members of operations that mean nothing.
	Ignored int `json:"ignored_members,omitempty"`
	// Error is why the task failed, fit for the user; ErrorCode is its kind
	// for programs (see contract.Code).
	Error     string    `json:"error,omitempty"`
	ErrorCode string    `json:"error_code,omitempty"`
	Created   time.Time `json:"created"`
	Finished  time.Time `json:"finished,omitzero"`
}

// Skipped names a document that could not be indexed, and why.
type Skipped struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

// Bounds of what a task keeps. Rows of Skipped beyond either are counted only.
const (
	// MaxSkipped is the number of rows that Task.Skipped lists.
	MaxSkipped = 1000
	// MaxUnreadable is the number of documents that Task.Unreadable lists.
	MaxUnreadable = 100
	// maxSkippedBytes bounds the text of these rows.
	maxSkippedBytes = 512 << 10
	// maxError bounds the text of Task.Error.
	maxError = 4 << 10
)

// Skip adds documents that could not be indexed. Once one is left out of the
// list, all that follow are: the list holds the first ones.
func (t *Task) Skip(rows ...Skipped) {
	complete := len(t.Skipped) >= t.SkippedTotal
	t.SkippedTotal += len(rows)
	if !complete {
		return
	}
	size := t.skippedBytes()
	for _, row := range rows {
		size += len(row.ID) + len(row.Message)
		if len(t.Skipped) >= MaxSkipped || size > maxSkippedBytes {
			return
		}
		t.Skipped = append(t.Skipped, row)
	}
}

func (t *Task) skippedBytes() int {
	n := 0
	for _, row := range t.Skipped {
		n += len(row.ID) + len(row.Message)
	}
	return n
}

func length(list []string) (n int) {
	for _, s := range list {
		n += len(s)
	}
	return n
}

// size returns roughly the bytes of memory that the task takes.
func (t *Task) size() int {
	const fixed, row = 512, 32
	return fixed + len(t.Domain) + len(t.Commit) + len(t.Branch) + len(t.Base) + len(t.Error) +
		row*(len(t.Skipped)+len(t.Unreadable)+len(t.Warnings)) + t.skippedBytes() + length(t.Unreadable) + length(t.Warnings)
}

// IDPrefix begins every task id.
const IDPrefix = "task-"

const idDigits = 32

func newID() string {
	var id [idDigits / 2]byte
	rand.Read(id[:])
	return IDPrefix + hex.EncodeToString(id[:])
}

func isID(id string) bool {
	digits, ok := strings.CutPrefix(id, IDPrefix)
	return ok && len(digits) == idDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

// cut returns at most n bytes of s, up to the end of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// now returns the time without the monotonic clock, as a file gives it back.
func now() time.Time { return time.Now().UTC().Round(0) }
