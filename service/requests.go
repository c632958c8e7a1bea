package service

import (
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
)

// What is asked of a Service beside the requests of packages search and indexer. Their
// fields declare parameters as [Params.Decode] says.
type (
	// DomainRequest asks about a domain.
	DomainRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
	}
	// AnyRequest asks about a domain, or about all where none is named.
	AnyRequest struct {
		Domain string `param:"domain" kind:"domain" help:"Show this database's commits and branches."`
	}
	// BranchRequest asks for a branch's last indexed commit.
	BranchRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Branch string `param:"branch" kind:"head"`
	}
	// CommitsRequest asks for the indexed commits of a domain.
	CommitsRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Branch string `param:"branch" kind:"branch" help:"Only commits of this branch."` // empty: of all
	}
	// IndexRequest asks to index a commit, or what that would cost.
	IndexRequest struct {
		indexer.IndexRequest
		DryRun bool `param:"dry_run" help:"Embed and store nothing: print what indexing would cost."`
	}
	// PushRequest asks to make a commit of operations. It is answered with progress by
	// lines (Stream), or at the end (Strict); else at once with a task.
	PushRequest struct {
		indexer.PushRequest
		Stream bool `param:"stream"`
		Strict bool `param:"strict"`
	}
	// TaskRequest asks for the state of a task.
	TaskRequest struct {
		ID string `param:"task_id" need:""`
	}
	// AssignRequest asks to have Target answer as Source does, and be the branch's last
	// indexed commit.
	AssignRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Branch string `param:"branch" kind:"head" help:"Branch whose last indexed commit the target becomes (default main)."`
		Source string `param:"source_commit" kind:"commit" need:"" help:"Indexed commit."`
		Target string `param:"target_commit" kind:"target" need:"" help:"Commit that is to answer as that one."`
	}
	// TagRequest asks to give a commit a name.
	TagRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Commit string `param:"commit" kind:"target" need:"" help:"Indexed commit to give a name to."`
		Name   string `param:"name" kind:"commit" need:"" help:"Its name."`
	}
	// UntagRequest asks to remove a name.
	UntagRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Name   string `param:"name" kind:"commit" need:""`
	}
	// DeleteRequest asks to forget a domain, and to remove its vectors.
	DeleteRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Purge  bool   `param:"purge" help:"Remove the vectors, too, which have been paid for."`
	}
	// DeleteBranchRequest asks to forget the commits of a branch.
	DeleteBranchRequest struct {
		Domain string `param:"domain" kind:"domain" need:""`
		Branch string `param:"branch" kind:"branch" need:"" help:"Forget the commits of this branch alone."`
	}
	// CompareRequest asks how near two texts are.
	CompareRequest struct {
		Method string `param:"method" need:""` // embedding
		Role   string `param:"role" words:"query,document,clustering,classification" help:"What the texts are to the model: query (the second is then a document; the default), document, clustering or classification."`
		search.CompareRequest
	}
	// NotifyRequest says that something may have happened to a branch, or to any for "".
	NotifyRequest struct {
		Domain string `param:"path,domain" kind:"domain" need:""`
		Branch string `param:"branch" kind:"branch"`
	}
)

// Complete sets what either text is to the model. It refuses methods that there are
// not in the words that the contract's suite looks for.
func (req *CompareRequest) Complete() error {
	if req.Method != "embedding" {
		return Failure(ErrParameter, "unsupported method %.40q: it must be embedding", req.Method)
	}
	req.SourceRole, req.TargetRole = contract.RoleQuery, contract.RoleDocument
	if role := contract.RoleNamed(req.Role); role != 0 && role != contract.RoleQuery {
		req.SourceRole, req.TargetRole = role, role
	}
	return nil
}
