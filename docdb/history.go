package docdb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/web"
)

// Pages of the log: a short one first, since the commit looked for is mostly
// near.
const (
	firstLogPage = 16
	logPage      = 256
)

// maxCommitID bounds a commit id in bytes; the server's own have 31.
const maxCommitID = 128

// Commit describes one commit.
type Commit struct {
	ID        string
	Parent    string // "" for the first of a history
	Author    string
	Message   string
	Timestamp string // seconds since 1970, a decimal of up to 20 digits
	// Instance and Schema name the stored layers of the documents and of the
	// schema. A commit that leaves one alone keeps its parent's; Instance is
	// "" while there are no documents.
	Instance string
	Schema   string
}

// UnmarshalJSON reads a commit as the commit graph and the log write it.
func (c *Commit) UnmarshalJSON(data []byte) error {
	var raw struct {
		Identifier string          `json:"identifier"`
		Parent     string          `json:"parent"`
		Author     string          `json:"author"`
		Message    string          `json:"message"`
		Timestamp  json.RawMessage `json:"timestamp"`
		Instance   string          `json:"instance"`
		Schema     string          `json:"schema"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	if raw.Identifier == "" {
		return errors.New("no commit")
	}
	*c = Commit{
		ID: raw.Identifier, Parent: afterSlash(raw.Parent), Author: raw.Author, Message: raw.Message,
		Timestamp: strings.Trim(string(raw.Timestamp), `"`), Instance: raw.Instance, Schema: raw.Schema,
	}
	return nil
}

// afterSlash cuts the class off an id of the commit graph: ValidCommit/k7 is k7.
func afterSlash(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// branches returns the heads of all branches of a domain, by name, with one
// request: "" for a branch without commits.
func (c *Client) branches(ctx context.Context, domain string) (map[string]string, error) {
	var list []struct{ Name, Head string }
	if _, err := c.get(ctx, "document", domain, []string{"_commits"}, url.Values{"type": {"Branch"}, "as_list": {"true"}}, &list); err != nil {
		return nil, err
	}
	heads := make(map[string]string, len(list))
	for _, b := range list {
		heads[b.Name] = afterSlash(b.Head)
	}
	return heads, nil
}

// Head returns the commit that a branch points at.
func (c *Client) Head(ctx context.Context, domain, branch string) (string, error) {
	if !web.IsSegment(branch) {
		return c.headFromList(ctx, domain, branch)
	}
	path, err := web.Resource("/api/document", domain, "local", "branch", branch)
	if err != nil {
		return "", err
	}
	// The header of an empty answer is the cheapest place to find it.
	a, err := c.wire.do(ctx, http.MethodHead, path, nil, nil)
	if err != nil {
		return "", err
	}
	if a.status == http.StatusOK {
		if head, ok := strings.CutPrefix(a.header.Get("TerminusDB-Data-Version"), "branch:"); ok && head != "" {
			return head, nil
		}
	}
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
		return "", c.wire.fault(a, domain)
	}
	// The answer to HEAD says nothing of what is wrong.
	return c.headFromList(ctx, domain, branch)
}

// headFromList finds a branch among all; ErrNotFound names the branch.
func (c *Client) headFromList(ctx context.Context, domain, branch string) (string, error) {
	branches, err := c.branches(ctx, domain)
	if err != nil {
		return "", err
	}
	if head, ok := branches[branch]; ok {
		return head, nil
	}
	return "", fmt.Errorf("%w: no branch %q in %s", contract.ErrNotFound, branch, domain)
}

// Commit looks a commit up. It asks the commit graph, because everything else
// answers 500 for a commit it does not know.
func (c *Client) Commit(ctx context.Context, domain, id string) (Commit, error) {
	notFound := fmt.Errorf("%w: no commit %q in %s", contract.ErrNotFound, id[:min(len(id), maxCommitID)], domain)
	if !isCommitID(id) {
		return Commit{}, notFound
	}
	// A database that nobody has written to has an InitialCommit for a head.
	for _, class := range []string{"ValidCommit/", "InitialCommit/"} {
		var commit Commit
		a, err := c.get(ctx, "document", domain, []string{"_commits"}, url.Values{"id": {class + id}}, &commit)
		switch {
		case a != nil && a.status == http.StatusNotFound && web.ErrorKind(a.body) == "DocumentNotFound":
			continue
		case err == nil && commit.ID != id:
			err = c.wire.garbage("asked for a commit, it answered another")
		}
		if err != nil {
			return Commit{}, err
		}
		return commit, nil
	}
	return Commit{}, notFound
}

// isCommitID reports whether id can be a commit's; no other is ever sent.
func isCommitID(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return id != "" && len(id) <= maxCommitID
}

// History yields a commit and its ancestors, newest first, by parent. An error
// ends it.
func (c *Client) History(ctx context.Context, domain, commit string) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		line, err := c.recent(ctx, domain, commit)
		if err != nil {
			yield(Commit{}, err)
			return
		}
		for i := 0; ; i++ {
			if i == len(line) {
				if line[i-1].Parent == "" {
					return
				}
				page, err := c.readLog(ctx, domain, commit, i, logPage)
				if err == nil {
					line, err = c.join(line, page)
				}
				if err != nil {
					yield(Commit{}, err)
					return
				}
			}
			if !yield(line[i], nil) {
				return
			}
		}
	}
}

// readLog returns a page of a commit's log, which starts with the commit itself.
func (c *Client) readLog(ctx context.Context, domain, commit string, start, count int) ([]Commit, error) {
	var page []Commit
	if _, err := c.get(ctx, "log", domain, []string{"commit", commit}, url.Values{"start": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}, &page); err != nil {
		return nil, err
	}
	return page, nil
}

// lineage returns a commit and its ancestors, newest first, down to the one to
// build on: previous where that is an indexed ancestor, else the nearest
// indexed one. Without either it is the commit alone.
func (c *Client) lineage(ctx context.Context, domain, commit, previous string, indexed func(string) bool) ([]Commit, error) {
	if indexed == nil {
		indexed = func(string) bool { return false }
	}
	if previous != "" && !indexed(previous) {
		previous = ""
	}
	var line []Commit
	nearest := 1
	for k, err := range c.History(ctx, domain, commit) {
		if err != nil {
			return nil, err
		}
		line = append(line, k)
		switch {
		case len(line) == 1:
		case k.ID == previous:
			return line, nil
		case nearest == 1 && indexed(k.ID):
			if nearest = len(line); previous == "" {
				return line, nil
			}
		}
	}
	return line[:nearest], nil
}

// recent returns a commit and its next ancestors, one at least where it has
// one, in one request where all is well.
func (c *Client) recent(ctx context.Context, domain, commit string) ([]Commit, error) {
	if isCommitID(commit) {
		if page, err := c.readLog(ctx, domain, commit, 0, firstLogPage); err == nil && len(page) > 0 && page[0].ID == commit {
			return c.join(page[:1], page[1:])
		}
	}
	// A commit that is not known, an initial one, or a fault: the commit
	// graph tells which.
	first, err := c.Commit(ctx, domain, commit)
	return []Commit{first}, err
}

// join appends a page of the log to a line of commits, and checks that it goes
// on from commit to parent.
func (c *Client) join(line, page []Commit) ([]Commit, error) {
	for _, next := range page {
		if next.ID != line[len(line)-1].Parent {
			return nil, c.wire.garbage("its log does not go from commit to parent")
		}
		line = append(line, next)
	}
	if len(page) == 0 && line[len(line)-1].Parent != "" {
		return nil, c.wire.garbage("its log ends before the history does")
	}
	return line, nil
}

// onBranch reports whether commit can be reached from the head of branch, and
// not only through last, the commit that the branch's index stands at: that one
// never moves back. A database without "main" is no error: nothing is on it.
func (c *Client) onBranch(ctx context.Context, domain, commit, branch, last string) (bool, error) {
	branch = cmp.Or(branch, contract.MainBranch)
	head, err := c.headFromList(ctx, domain, branch)
	if branch == contract.MainBranch && errors.Is(err, contract.ErrNotFound) || err == nil && head == "" {
		return false, nil
	}
	if err != nil || head == commit {
		return err == nil, err
	}
	for ancestor, err := range c.History(ctx, domain, head) {
		if err != nil || ancestor.ID == commit {
			return err == nil, err
		}
		if ancestor.ID == last {
			return false, nil
		}
	}
	return false, nil
}
