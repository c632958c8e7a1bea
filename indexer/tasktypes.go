package indexer

import (
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/tasks"
)

// IndexRequest asks for the snapshot of a commit.
type IndexRequest struct {
	Domain   string // org/db
	Commit   string
	Branch   string // empty: main
	Previous string // proposed base, may be empty
	// Settings are those that the request names.
	Settings catalog.SettingsRequest
	// About is said of the commit; what it leaves empty the database says.
	About contract.About
	// CallerKey is the caller's provider key, used where the server has
	// none; kept in memory only.
	CallerKey contract.Secret
}

// A task is package tasks' own.
type (
	Task      = tasks.Task
	TaskState = tasks.State
	Skipped   = tasks.Skipped
)

const (
	TaskPending  = tasks.Pending
	TaskComplete = tasks.Complete
	TaskFailed   = tasks.Failed
)
