package docdb

import (
	"context"
	"iter"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

var _ contract.Heads = (*Client)(nil)

// Heads returns the heads of all branches of a domain that have a commit, by
// name, with one request.
func (c *Client) Heads(ctx context.Context, domain string) (map[string]string, error) {
	heads, err := c.branches(ctx, domain)
	maps.DeleteFunc(heads, func(_, head string) bool { return head == "" })
	return heads, err
}

// Ancestry yields a commit and its ancestors with what is known of them, newest first. An
// error ends it.
func (c *Client) Ancestry(ctx context.Context, domain, commit string) iter.Seq2[contract.Ancestor, error] {
	return func(yield func(contract.Ancestor, error) bool) {
		for commit, err := range c.History(ctx, domain, commit) {
			if !yield(contract.Ancestor{Commit: commit.ID, About: commit.about()}, err) || err != nil {
				return
			}
		}
	}
}

// about returns what the database says of the commit.
func (c *Commit) about() contract.About {
	return contract.About{Author: c.Author, Message: c.Message, Time: c.time()}
}

// time returns the time of the commit, or the zero time where it has none that
// makes sense.
func (c *Commit) time() time.Time {
	s, err := strconv.ParseFloat(c.Timestamp, 64)
	if err != nil || !(s > 0 && s < 1<<40) {
		return time.Time{}
	}
	whole, part := math.Modf(s)
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}
