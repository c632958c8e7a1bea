package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// domains answers GET /domains.
func (s *server) domains(w *response, r *http.Request, _ *struct{}) error {
	return sendJSON(w, s.ix.DomainInfos(service.CallerOf(r.Context()).Sees))
}

// document answers GET /document.
func (s *server) document(w *response, r *http.Request, req *search.DocumentRequest) error {
	doc, err := s.ix.Document(r.Context(), *req)
	if err != nil {
		return err
	}
	harmed(w, doc.Damaged)
	return answer(w, r, req.Ref, doc.Commit, doc)
}

// taskInfo is the wire form of a task in a list.
type taskInfo struct {
	ID         string            `json:"task_id"`
	Status     indexer.TaskState `json:"status"`
	Percentage float64           `json:"percentage"`
	Domain     string            `json:"domain"`
	Commit     string            `json:"commit"`
	Branch     string            `json:"branch"`
	Base       string            `json:"base,omitempty"`
	Documents  int               `json:"documents"`
	Indexed    int               `json:"indexed_documents"`
	Deleted    int               `json:"deleted"`
	Embedded   int               `json:"embedded"`
	Reused     int               `json:"reused"`
	Tokens     int               `json:"tokens"`
	Skipped    int               `json:"skipped_total"`
	Ignored    int               `json:"ignored_members,omitempty"`
	Error      string            `json:"error,omitempty"`
	Code       string            `json:"code,omitempty"`
	Created    time.Time         `json:"created"`
	Finished   time.Time         `json:"finished,omitzero"`
}

// tasksRequest asks for a page of tasks.
type tasksRequest struct {
	Domain string `param:"domain" kind:"domain"`
	Status string `param:"status" words:"pending,complete,failed"`
	Page   search.Page
}

// tasks answers GET /tasks with the tasks that are remembered, newest first.
func (s *server) tasks(w *response, r *http.Request, req *tasksRequest) error {
	found, err := s.ix.Tasks(req.Domain, indexer.TaskState(req.Status))
	if err != nil {
		return err
	}
	caller := service.CallerOf(r.Context())
	found = slices.DeleteFunc(found, func(t indexer.Task) bool { return !caller.Sees(t.Domain) })
	w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	found = found[min(req.Page.Start, len(found)):]
	list := make([]taskInfo, min(req.Page.Count, len(found)))
	for i := range list {
		t := found[i]
		list[i] = taskInfo{
			ID: t.ID, Status: t.State, Percentage: min(max(t.Percentage, 0), 100), Domain: t.Domain, Commit: t.Commit, Branch: t.Branch, Base: t.Base,
			Documents: t.Documents, Indexed: t.Indexed, Deleted: t.Deleted, Embedded: t.Embedded, Reused: t.Reused, Tokens: t.Tokens,
			Skipped: t.SkippedTotal, Ignored: t.Ignored, Error: t.Error, Code: t.ErrorCode, Created: t.Created, Finished: t.Finished,
		}
	}
	return sendJSON(w, list)
}
