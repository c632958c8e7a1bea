package service

import (
	"context"
	"io"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
)

// Service is what doors talk to: the Reader answers what reads, and the writer,
// where there is one, what writes. Its methods may be called by many goroutines at
// once; without a writer those that write return [contract.ErrReadOnly].
type Service struct {
	*search.Reader
	writer *indexer.Indexer // nil: there is none
}

// New returns the Service of a Reader and of the Indexer that writes what it
// reads, nil for a Service that only reads. Who opened them closes them.
func New(reader *search.Reader, writer *indexer.Indexer) *Service {
	return &Service{reader, writer}
}

// Index returns at once with the task that makes the commit's snapshot.
func (s *Service) Index(ctx context.Context, req indexer.IndexRequest) (indexer.Task, error) {
	if s.writer == nil {
		return indexer.Task{}, contract.ErrReadOnly
	}
	return s.writer.Index(ctx, req)
}

// Plan returns what Index would cost, and does nothing.
func (s *Service) Plan(ctx context.Context, req indexer.IndexRequest) (indexer.Plan, error) {
	if s.writer == nil {
		return indexer.Plan{}, contract.ErrReadOnly
	}
	return s.writer.Plan(ctx, req)
}

// StartPush begins a commit of operations that are handed over one by one.
func (s *Service) StartPush(ctx context.Context, req indexer.PushRequest) (*indexer.Push, error) {
	if s.writer == nil {
		return nil, contract.ErrReadOnly
	}
	return s.writer.StartPush(ctx, req)
}

// Task returns a task's state. Tasks are the writer's.
func (s *Service) Task(id string) (indexer.Task, error) {
	if s.writer == nil {
		return indexer.Task{}, contract.ErrReadOnly
	}
	return s.writer.Task(id)
}

// Tasks returns the writer's tasks of a domain, of all for "", that are in that state,
// in any for "": newest first.
func (s *Service) Tasks(domain string, state indexer.TaskState) ([]indexer.Task, error) {
	if s.writer == nil {
		return nil, contract.ErrReadOnly
	}
	return s.writer.Tasks(domain, state)
}

// Decide notes decisions about documents.
func (s *Service) Decide(ctx context.Context, req search.DecideRequest) ([]catalog.Decision, error) {
	if s.writer == nil {
		return nil, contract.ErrReadOnly
	}
	return s.writer.Decide(ctx, req)
}

// Assign binds target to the snapshot of source and moves the branch's last
// indexed commit to target.
func (s *Service) Assign(ctx context.Context, domain, branch, source, target string) error {
	if s.writer == nil {
		return contract.ErrReadOnly
	}
	return s.writer.Assign(ctx, domain, branch, source, target)
}

// DeleteDomain removes all commits of a domain, and its vectors too when purge is
// set.
func (s *Service) DeleteDomain(ctx context.Context, domain string, purge bool) error {
	if s.writer == nil {
		return contract.ErrReadOnly
	}
	return s.writer.DeleteDomain(ctx, domain, purge)
}

// DeleteBranchIndex removes the commits of a branch.
func (s *Service) DeleteBranchIndex(ctx context.Context, domain, branch string) error {
	if s.writer == nil {
		return contract.ErrReadOnly
	}
	return s.writer.DeleteBranchIndex(ctx, domain, branch)
}

// Statistics counts one domain, or all for "".
func (s *Service) Statistics(domain string) (search.Statistics, error) {
	if s.writer == nil {
		return s.Reader.Statistics(domain)
	}
	return s.writer.Statistics(domain)
}

// Ready reports what works. It asks nobody and does not block.
func (s *Service) Ready() search.Readiness {
	if s.writer == nil {
		return s.Reader.Ready()
	}
	return s.writer.Ready()
}

// Tag gives an indexed commit a name.
func (s *Service) Tag(ctx context.Context, domain, commit, name string) error {
	if s.writer == nil {
		return contract.ErrReadOnly
	}
	return s.writer.Tag(ctx, domain, commit, name)
}

// DeleteTag takes a commit's name away.
func (s *Service) DeleteTag(ctx context.Context, domain, name string) error {
	if s.writer == nil {
		return contract.ErrReadOnly
	}
	return s.writer.DeleteTag(ctx, domain, name)
}

// Prune removes the commits that the request does not keep, or tells which those
// are.
func (s *Service) Prune(ctx context.Context, req indexer.PruneRequest) (indexer.Pruning, error) {
	if s.writer == nil {
		return indexer.Pruning{}, contract.ErrReadOnly
	}
	return s.writer.Prune(ctx, req)
}

// Import takes in a snapshot file.
func (s *Service) Import(ctx context.Context, req indexer.ImportRequest, body io.Reader) (indexer.ImportResult, error) {
	if s.writer == nil {
		return indexer.ImportResult{}, contract.ErrReadOnly
	}
	return s.writer.Import(ctx, req, body)
}
