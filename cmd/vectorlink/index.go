package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/service"
)

var _ = add(command{ofWriting, "index", "Have the server index a commit.", func() any {
	return &indexCmd{request: asks(tags{"dry_run": `xor:"how"`, "dim": "-"}, &service.IndexRequest{})}
}, nil})

// indexCmd has the server index a commit.
type indexCmd struct {
	ClientConfig
	Report
	request
	Wait          bool `xor:"how" help:"Wait for the end, showing progress, and print a summary."`
	FailOnSkipped bool `help:"Exit with 3 when documents were skipped, or with --dry-run would be."`
}

// Run runs the command.
func (c *indexCmd) Run(ctx context.Context, p *program) error {
	asked := c.values()
	dryRun := asked["dry_run"] == true
	if !c.Wait && !dryRun && (c.FailOnSkipped || c.given()) {
		return usage("--fail-on-skipped, --summary and --summary-to take --wait or --dry-run")
	}
	if err := c.choose(p); err != nil {
		return err
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	if dryRun {
		return c.dryRun(ctx, p, cl)
	}
	start := time.Now()
	id, err := cl.index(ctx, query(asked))
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
	bar := newProgress(p.stderr, plainText(c.text("domain")+"@"+c.text("commit")))
	st, err := cl.wait(ctx, id, patience, func(st taskState) { bar.update(st.Percentage, st.note()) })
	bar.end(err == nil)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted: the server goes on with %s; the same command waits for it again", id)
	}
	sum := summary{TaskID: id, taskState: st, Seconds: time.Since(start).Seconds()}
	var failed *failedTask
	return c.finish(p, &sum, c.text("domain"), c.text("commit"), errors.As(err, &failed), c.FailOnSkipped, err)
}

// finish prints the end of a task, which may have failed by the error, and returns
// the command's. An error that is of no task has no summary.
func (r *Report) finish(p *program, sum *summary, domain, commit string, ofTask, failOnSkipped bool, err error) error {
	switch {
	case err != nil && !ofTask:
		return err
	case err != nil:
		sum.Status, sum.Error, sum.Code = "Failed", err.Error(), errorCode(err)
		sum.Domain, sum.Commit, sum.Skipped = domain, commit, []indexer.Skipped{}
	}
	sum.strict = failOnSkipped
	if perr := r.print(p, sum); perr != nil {
		return errors.Join(err, perr)
	}
	if err == nil && failOnSkipped {
		return skippedError(sum.SkippedTotal)
	}
	return err
}

// skippedError returns the error of documents that were skipped, if any were.
func skippedError(total int) error {
	if total == 0 {
		return nil
	}
	return as(errSkipped, fmt.Errorf("%s skipped", count(total, "document")))
}

// taskState is what /check says of a task.
type taskState struct {
	api.Complete
	Percentage float64 `json:"percentage,omitzero"`
	ToEmbed    int     `json:"tokens_to_embed,omitzero"` // while it is pending
}

// note tells how many tokens have been embedded.
func (st *taskState) note() string {
	if st.ToEmbed == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %s", st.Tokens, count(st.ToEmbed, "token"))
}

// index has the server begin a task, with those parameters, and returns its id.
func (c *client) index(ctx context.Context, query url.Values) (string, error) {
	a, err := c.do(ctx, http.MethodPost, "/index", query, nil)
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
			st.SkippedTotal = max(st.SkippedTotal, len(st.Skipped)) // an older server tells no total
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
