package service

import (
	"context"
	"io"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
)

// Service is what doors talk to: the Reader answers what reads, the Matcher what is
// about pairs of documents, the Overview what is about all, and the Writer writes. Its
// methods may be called by many goroutines at once.
type Service struct {
	*search.Reader
	*pairs.Matcher
	*overview.Overview
	Writer
}

// Writer is what writes, a [indexer.Indexer]. Its methods may be called by many
// goroutines at once, and wrap the errors of package contract.
type Writer interface {
	// Index returns at once with the task that makes the commit's snapshot:
	// a new one, the running one, or a complete one where nothing is to do.
	Index(ctx context.Context, req indexer.IndexRequest) (indexer.Task, error)
	// Plan says what Index would cost, and does nothing.
	Plan(ctx context.Context, req indexer.IndexRequest) (indexer.Plan, error)
	// StartPush begins to make a commit of operations that are handed over
	// one by one.
	StartPush(ctx context.Context, req indexer.PushRequest) (*indexer.Push, error)
	// Task returns a task's state, and Tasks those of a domain, or of all for "",
	// in a state, or in any for "", newest first.
	Task(id string) (indexer.Task, error)
	Tasks(domain string, state indexer.TaskState) ([]indexer.Task, error)
	// Decide notes decisions about documents.
	Decide(ctx context.Context, req indexer.DecideRequest) ([]catalog.Decision, error)
	// Assign binds target to the snapshot of source and moves the branch's
	// last indexed commit to target.
	Assign(ctx context.Context, domain, branch, source, target string) error
	// DeleteDomain removes all commits of a domain, and its vectors too when
	// purge is set. DeleteBranchIndex removes those of a branch.
	DeleteDomain(ctx context.Context, domain string, purge bool) error
	DeleteBranchIndex(ctx context.Context, domain, branch string) error
	// Tag gives a commit a name; DeleteTag removes it.
	Tag(ctx context.Context, domain, commit, name string) error
	DeleteTag(ctx context.Context, domain, name string) error
	// Prune removes the commits that a request does not keep, or says which these
	// are.
	Prune(ctx context.Context, req indexer.PruneRequest) (indexer.Pruning, error)
	// Import takes in a snapshot file.
	Import(ctx context.Context, req indexer.ImportRequest, body io.Reader) (indexer.ImportResult, error)
	// Statistics counts one domain, or all for "".
	Statistics(domain string) (search.Statistics, error)
	// Ready reports whether indexing and searching are possible, from what
	// is known already: it asks nobody and does not block.
	Ready() search.Readiness
}

// New returns the Service of a Reader and of the Indexer that writes what it
// reads, nil for a Service that only reads. Who opened them closes them.
func New(reader *search.Reader, writer *indexer.Indexer) *Service {
	if writer == nil {
		return &Service{reader, pairs.New(reader), overview.New(reader), readOnly{reader}}
	}
	return &Service{reader, pairs.New(reader), overview.New(reader), writer}
}

// Statistics counts one domain, or all for "".
func (s *Service) Statistics(domain string) (search.Statistics, error) {
	return s.Writer.Statistics(domain)
}

// Ready reports what works.
func (s *Service) Ready() search.Readiness { return s.Writer.Ready() }

// readOnly is the Writer of a Service that only reads: it refuses to write, and knows
// no tasks.
type readOnly struct{ *search.Reader }

func (readOnly) Index(context.Context, indexer.IndexRequest) (indexer.Task, error) {
	return indexer.Task{}, contract.ErrReadOnly
}

func (readOnly) Plan(context.Context, indexer.IndexRequest) (indexer.Plan, error) {
	return indexer.Plan{}, contract.ErrReadOnly
}

func (readOnly) StartPush(context.Context, indexer.PushRequest) (*indexer.Push, error) {
	return nil, contract.ErrReadOnly
}

func (readOnly) Task(string) (indexer.Task, error) { return indexer.Task{}, contract.ErrReadOnly }

func (readOnly) Tasks(string, indexer.TaskState) ([]indexer.Task, error) {
	return nil, contract.ErrReadOnly
}

func (readOnly) Decide(context.Context, indexer.DecideRequest) ([]catalog.Decision, error) {
	return nil, contract.ErrReadOnly
}

func (readOnly) Assign(_ context.Context, _, _, _, _ string) error      { return contract.ErrReadOnly }
func (readOnly) DeleteDomain(context.Context, string, bool) error       { return contract.ErrReadOnly }
func (readOnly) DeleteBranchIndex(_ context.Context, _, _ string) error { return contract.ErrReadOnly }
func (readOnly) Tag(_ context.Context, _, _, _ string) error            { return contract.ErrReadOnly }
func (readOnly) DeleteTag(_ context.Context, _, _ string) error         { return contract.ErrReadOnly }

func (readOnly) Prune(context.Context, indexer.PruneRequest) (indexer.Pruning, error) {
	return indexer.Pruning{}, contract.ErrReadOnly
}

func (readOnly) Import(context.Context, indexer.ImportRequest, io.Reader) (indexer.ImportResult, error) {
	return indexer.ImportResult{}, contract.ErrReadOnly
}
