package docdb_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
)

// notebook is a document database of one branch: a list of commits, oldest
// first, each with all its documents by id.
type notebook struct {
	domain  string
	names   []string
	commits []map[string]string
}

// Pull implements contract.Source.
func (n *notebook) Pull(_ context.Context, req contract.PullRequest) (*contract.Pull, error) {
	at := slices.Index(n.names, req.Commit)
	if at < 0 || req.Domain != n.domain {
		return nil, fmt.Errorf("%w: no commit %q in %s", contract.ErrNotFound, req.Commit, req.Domain)
	}
	pull := &contract.Pull{OnBranch: !slices.Contains(n.names[at+1:], req.Head)}
	base := map[string]string{}
	for i := at - 1; i >= 0; i-- {
		if req.Indexed(n.names[i]) {
			pull.Base, base = n.names[i], n.commits[i]
			break
		}
	}
	var again []string
	if pull.Base != "" && req.Again != nil {
		again = req.Again(pull.Base)
	}
	pull.Ops = func(yield func(contract.Op, error) bool) {
		for id, text := range n.commits[at] {
			if old, ok := base[id]; ok && old == text && !slices.Contains(again, id) {
				continue
			}
			if !yield(contract.Op{Kind: contract.Upsert, ID: id, Type: "Note", Text: text}, nil) {
				return
			}
		}
		for id := range base {
			if _, ok := n.commits[at][id]; !ok && !yield(contract.Op{Kind: contract.Delete, ID: id}, nil) {
				return
			}
		}
	}
	return pull, nil
}

// A whole document source, of a database that has one branch.
func Example() {
	var source contract.Source = &notebook{
		domain: "me/notes", names: []string{"monday", "tuesday"},
		commits: []map[string]string{
			{"note/1": "rain", "note/2": "tea"},
			{"note/1": "sun", "note/2": "tea"},
		},
	}
	pull, err := source.Pull(context.Background(), contract.PullRequest{
		Domain: "me/notes", Commit: "tuesday", Indexed: func(commit string) bool { return commit == "monday" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("on", pull.Base)
	for op, err := range pull.Ops {
		fmt.Println(op.ID, op.Text, err)
	}
	// Output:
	// on monday
	// note/1 sun <nil>
}
