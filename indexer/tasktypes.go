package indexer

import (
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/tasks"
)

// IndexRequest asks for the snapshot of a commit.
type IndexRequest struct {
	Domain string `param:"domain" kind:"domain" need:""` // org/db
	Branch string `param:"branch" kind:"head" help:"Branch the commit lies on (default main)."`
	Commit string `param:"commit" kind:"target" need:"" help:"Commit to index."`
	// Previous is the proposed base, may be empty.
	Previous string `param:"previous" kind:"commit" placeholder:"ID" help:"Indexed ancestor to build on; normally found by itself."`
	// Settings are those that the request names.
	Settings catalog.SettingsRequest
	// About is said of the commit; what it leaves empty the database says.
	About contract.About
	// CallerKey is the caller's provider key, used where the server has
	// none; kept in memory only.
	CallerKey contract.Secret
}

// Complete refuses what cannot be said of a commit.
func (req *IndexRequest) Complete() error { return req.About.Check() }

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
