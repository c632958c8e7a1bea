package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
)

// indexCmd has the server index a commit.
type indexCmd struct {
	ClientConfig
	Domain        string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Commit        string `required:"" placeholder:"ID" help:"Commit to index."`
	Branch        string `placeholder:"NAME" help:"Branch the commit lies on (default main)."`
	Previous      string `placeholder:"ID" help:"Indexed ancestor to build on; normally found by itself."`
	Wait          bool   `help:"Wait for the end, showing progress, and print a summary."`
	FailOnSkipped bool   `help:"With --wait: exit with 3 when documents were skipped."`
}

// Run runs the command.
func (c *indexCmd) Run(ctx context.Context, p *program) error {
	if c.FailOnSkipped && !c.Wait {
		return usage("--fail-on-skipped takes --wait")
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	start := time.Now()
	id, err := cl.index(ctx, c.Domain, c.Commit, c.Branch, c.Previous)
	if err != nil {
		return err
	}
	if !c.Wait {
		if p.json {
			return printJSON(p.stdout, map[string]string{"task_id": id})
		}
		fmt.Fprintln(p.stdout, id)
		return nil
	}
	bar := newProgress(p.stderr, plainText(c.Domain+"@"+c.Commit))
	st, err := cl.wait(ctx, id, patience, func(st taskState) { bar.update(st.Percentage, "") })
	bar.end(err == nil)
	return c.finish(ctx, p, id, st, time.Since(start), err)
}

// finish prints the end of a task.
func (c *indexCmd) finish(ctx context.Context, p *program, id string, st taskState, dur time.Duration, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: the server goes on with %s; the same command waits for it again", id)
	}
	summary := summary{TaskID: id, taskState: st, Seconds: dur.Seconds()}
	if err != nil {
		var failed *failedTask
		if p.json && errors.As(err, &failed) {
			summary.Status, summary.Error = "Failed", failed.text
			summary.Domain, summary.Commit, summary.Skipped = c.Domain, c.Commit, []indexer.Skipped{}
			if perr := printJSON(p.stdout, summary); perr != nil {
				return perr
			}
		}
		return err
	}
	if p.json {
		err = printJSON(p.stdout, summary)
	} else {
		summary.print(p)
	}
	if err == nil && c.FailOnSkipped && len(st.Skipped) > 0 {
		return as(errSkipped, fmt.Errorf("%s skipped", count(len(st.Skipped), "document")))
	}
	return err
}

// taskState is what /check says of a task.
type taskState struct {
	Status     string            `json:"status"` // Pending or Complete
	Percentage float64           `json:"percentage,omitzero"`
	Domain     string            `json:"domain"`
	Commit     string            `json:"commit"`
	Branch     string            `json:"branch,omitempty"`
	Base       string            `json:"base,omitempty"`
	Indexed    int               `json:"indexed_documents"`
	Documents  int               `json:"documents"`
	Deleted    int               `json:"deleted"`
	Embedded   int               `json:"embedded"`
	Reused     int               `json:"reused"`
	Tokens     int               `json:"tokens"`
	HeadMoved  bool              `json:"head_moved"`
	Skipped    []indexer.Skipped `json:"skipped"`
}

// summary is what index prints at the end.
type summary struct {
	TaskID string `json:"task_id"`
	taskState
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

func (s *summary) print(p *program) {
	fmt.Fprintf(p.stdout, "%s@%s is indexed: %s (%d new or changed, %d deleted)\n",
		plainText(s.Domain), plainText(s.Commit), count(s.Documents, "document"), s.Indexed, s.Deleted)
	fmt.Fprintf(p.stdout, "%s embedded (%s), %d reused, in %s\n",
		count(s.Embedded, "text"), count(s.Tokens, "token"), s.Reused, seconds(time.Duration(s.Seconds*float64(time.Second))))
	if !s.HeadMoved && s.Branch != "" {
		fmt.Fprintf(p.stdout, "the last indexed commit of %s is still another one\n", plainText(s.Branch))
	}
	if len(s.Skipped) == 0 {
		return
	}
	fmt.Fprintf(p.stdout, "%s skipped:\n", count(len(s.Skipped), "document"))
	for i, d := range s.Skipped {
		if i == maxShownSkipped {
			fmt.Fprintf(p.stdout, "  and %d more (--json lists all)\n", len(s.Skipped)-i)
			break
		}
		fmt.Fprintf(p.stdout, "  %s: %s\n", plainText(d.ID), clip(d.Message, 200))
	}
}

const maxShownSkipped = 20

// index has the server begin a task and returns its id.
func (c *client) index(ctx context.Context, domain, commit, branch, previous string) (string, error) {
	a, err := c.do(ctx, http.MethodPost, "/index",
		values("domain", domain, "commit", commit, "branch", branch, "previous", previous), nil)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(a.body))
	if !strings.HasPrefix(id, "task-") {
		return "", fmt.Errorf("%s did not answer as a vectorlink server does", c.server)
	}
	return id, nil
}

// The pauses between two looks at a task grow from pollMin to pollMax. A server
// that is being restarted goes on with its tasks, so it may be away for
// patience.
const (
	pollMin  = 20 * time.Millisecond
	pollMax  = 500 * time.Millisecond
	patience = 30 * time.Second
)

// failedTask is the end of a task that failed.
type failedTask struct{ text, code string }

func (e *failedTask) Error() string { return e.text }

// Unwrap tells failures behind the server from others.
func (e *failedTask) Unwrap() error {
	if isUpstream(e.code) {
		return errUpstream
	}
	return errors.New("task failed")
}

// wait waits for the end of a task; look is called with every state seen. An
// error is a *failedTask, the context's, or says that the server cannot be
// asked (which it may be unable to for the given patience).
func (c *client) wait(ctx context.Context, id string, patience time.Duration, look func(taskState)) (taskState, error) {
	pause := pollMin
	timer := time.NewTimer(0)
	defer timer.Stop()
	seen := time.Now()
	var last taskState
	for {
		select {
		case <-ctx.Done():
			return last, context.Cause(ctx)
		case <-timer.C:
		}
		var st taskState
		_, err := c.get(ctx, "/check", values("task_id", id), &st)
		var answer *refused
		var away *unreachable
		switch {
		case err == nil:
			seen, last = time.Now(), st
			look(st)
			if st.Status == "Complete" {
				return st, nil
			}
		case errors.As(err, &answer) && answer.task != "":
			return last, &failedTask{answer.text, answer.task}
		case errors.As(err, &away) && time.Since(seen) < patience:
		default:
			return last, err
		}
		timer.Reset(pause)
		pause = min(pause*3/2, pollMax)
	}
}
