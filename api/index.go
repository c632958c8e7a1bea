package api

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/tasks"
)

// index answers GET and POST /index with the id of the task that makes the
// commit's snapshot, or with what that would cost.
func (s *server) index(w *response, r *http.Request, req *service.IndexRequest) error {
	if req.DryRun {
		plan, err := s.ix.Plan(r.Context(), req.IndexRequest)
		if err != nil {
			return err
		}
		return sendJSON(w, plan)
	}
	task, err := s.ix.Index(r.Context(), req.IndexRequest)
	if err != nil {
		return err
	}
	w.task = task.ID
	w.Header().Set("X-Task-Id", task.ID)
	return service.Send(w, http.StatusOK, mediaText, []byte(task.ID))
}

// errorCode is the header that names the kind of a failed task's error, as the
// member "code" of other errors does.
const errorCode = "X-Error-Code"

// pending is the wire form of a task that goes on.
type pending struct {
	Status     string  `json:"status"`
	Percentage float64 `json:"percentage"` // 0 to 100
	Domain     string  `json:"domain"`
	Commit     string  `json:"commit"`
	// Tokens have been embedded, of ToEmbed; both are 0 until the documents
	// have been read.
	Tokens  int `json:"tokens"`
	ToEmbed int `json:"tokens_to_embed"`
}

// Complete is the wire form of a task that is done.
type Complete struct {
	Status  string            `json:"status"`
	Indexed int               `json:"indexed_documents"`
	Skipped []indexer.Skipped `json:"skipped"`
	// The members from here on are ours. SkippedTotal counts all that were
	// skipped; Skipped lists the first.
	SkippedTotal int    `json:"skipped_total"`
	Ignored      int    `json:"ignored_members,omitempty"`
	Domain       string `json:"domain"`
	Commit       string `json:"commit"`
	Branch       string `json:"branch"`
	Base         string `json:"base,omitempty"`
	HeadMoved    bool   `json:"head_moved"`
	Documents    int    `json:"documents"`
	Deleted      int    `json:"deleted"`
	Embedded     int    `json:"embedded"`
	Reused       int    `json:"reused"`
	Tokens       int    `json:"tokens"`
	// Unreadable names the first documents that the model cannot read,
	// UnreadableTotal counts all.
	Unreadable      []string `json:"unreadable,omitempty"`
	UnreadableTotal int      `json:"unreadable_total,omitempty"`
	Warnings        []string `json:"warnings,omitempty"`
}

// check answers GET /check with the state of a task.
func (s *server) check(w *response, r *http.Request, req *service.TaskRequest) error {
	task, err := s.ix.Task(req.ID)
	if err != nil {
		return err
	}
	if service.CallerOf(r.Context()).Enter(task.Domain) != nil {
		return tasks.Unknown(req.ID)
	}
	w.domain, w.commit, w.task = task.Domain, task.Commit, task.ID
	switch task.State {
	case indexer.TaskFailed:
		// The one error that is not JSON: clients read the cause as text, and
		// its kind from a header.
		w.Header().Set(errorCode, cmp.Or(task.ErrorCode, "internal"))
		w.err = errors.New(task.Error)
		return service.Send(w, http.StatusInternalServerError, mediaText, []byte(task.Error))
	case indexer.TaskComplete:
		return sendJSON(w, Complete{
			Status: "Complete", Indexed: task.Indexed, Skipped: arrayOf(task.Skipped),
			SkippedTotal: task.SkippedTotal, Ignored: task.Ignored,
			Domain: task.Domain, Commit: task.Commit, Branch: task.Branch,
			Base: task.Base, HeadMoved: task.HeadMoved,
			Documents: task.Documents, Deleted: task.Deleted,
			Embedded: task.Embedded, Reused: task.Reused, Tokens: task.Tokens,
			Unreadable: task.Unreadable, UnreadableTotal: task.UnreadableTotal, Warnings: task.Warnings,
		})
	}
	return sendJSON(w, pending{
		Status: "Pending", Percentage: min(max(task.Percentage, 0), 100),
		Domain: task.Domain, Commit: task.Commit,
		Tokens: task.Tokens, ToEmbed: task.TokensToEmbed,
	})
}

// assign answers GET and POST /assign.
func (s *server) assign(w *response, r *http.Request, req *service.AssignRequest) error {
	return w.done(s.ix.Assign(r.Context(), req.Domain, req.Branch, req.Source, req.Target))
}
