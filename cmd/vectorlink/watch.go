package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// WatchList names databases to follow: org/db or org/db:branch,branch, separated
// by spaces.
type WatchList string

// UnmarshalText takes such a list.
func (l *WatchList) UnmarshalText(text []byte) error {
	domains := make(map[string]bool)
	for item := range strings.FieldsSeq(string(text)) {
		f, err := parseFollowed(item)
		if err != nil {
			return err
		}
		if domains[f.Domain] {
			return fmt.Errorf("names %s twice", f.Domain)
		}
		domains[f.Domain] = true
	}
	*l = WatchList(text)
	return nil
}

// followed returns the list's items.
func (l WatchList) followed() []indexer.Followed {
	var list []indexer.Followed
	for item := range strings.FieldsSeq(string(l)) {
		f, err := parseFollowed(item)
		if err != nil {
			panic(fmt.Sprintf("watch list %q: %v", l, err)) // it was checked
		}
		list = append(list, f)
	}
	return list
}

// parseFollowed reads org/db or org/db:branch,branch.
func parseFollowed(item string) (indexer.Followed, error) {
	domain, branches, some := strings.Cut(item, ":")
	spec, err := service.ParseGraphSpec(domain)
	if err != nil {
		return indexer.Followed{}, err
	}
	if spec.Domain() != domain {
		return indexer.Followed{}, errors.New("is not org/db or org/db:branch,branch")
	}
	f := indexer.Followed{Domain: domain}
	if !some {
		return f, nil
	}
	for name := range strings.SplitSeq(branches, ",") {
		if _, err := service.ParseGraphSpec(domain + "/local/branch/" + name); err != nil || name == "" {
			return indexer.Followed{}, errors.New("has a branch without a usable name")
		}
		f.Branches = append(f.Branches, name)
	}
	return f, nil
}

// Interval is a time between two actions.
type Interval time.Duration

const day = 24 * time.Hour

// UnmarshalText takes a duration, or a number of days such as 7d.
func (i *Interval) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			*i = Interval(time.Duration(n) * day)
			return nil
		}
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("is not a duration such as 5s or 1m")
	}
	*i = Interval(d)
	return nil
}

// String writes the duration, whole days as such.
func (i Interval) String() string {
	if d := time.Duration(i); d == 0 || d%day != 0 {
		return d.String()
	}
	return fmt.Sprint(int64(time.Duration(i)/day), "d")
}

var _ = register[watchCmd](ofWriting, "watch", "Follow databases and have the server index every new commit.")

// watchCmd follows databases and has a server index what is new.
type watchCmd struct {
	ClientConfig
	FollowConfig
	Follow []string `arg:"" name:"org/db" help:"Databases to follow; org/db:main,fan for some of the branches alone."`
	Once   bool     `help:"Index what is new now, and end."`
}

// FollowConfig says where databases are followed, and how closely.
type FollowConfig struct {
	DatabaseConfig
	WatchInterval Interval `name:"watch-interval" type:"setting" least:"100ms" environ:"VECTORLINK_WATCH_INTERVAL" fallback:"5s" placeholder:"TIME" help:"Pause between two looks."`
}

// Help is shown by watch --help.
func (c *watchCmd) Help() string {
	return `For a server that does not follow its database itself (serve --watch). It asks
the database which commits are new, and has the server index each, oldest
first. Of a history of which nothing is indexed, only the newest commit is.`
}

// Run runs the command.
func (c *watchCmd) Run(ctx context.Context, p *program) error {
	var bad complaints
	p.readSettings(&c.FollowConfig, "", &bad)
	c.check(&bad)
	if c.TerminusDBURL == "" {
		bad.add("terminusdb-url: must not be empty")
	}
	var list WatchList
	if err := list.UnmarshalText([]byte(strings.Join(c.Follow, " "))); err != nil {
		bad.add("%q %w", strings.Join(c.Follow, " "), err)
	}
	if err := bad.error(); err != nil {
		return err
	}
	log := p.logger("info", "auto")
	heads, err := c.client(log)
	if err != nil {
		return as(errUsage, err)
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	watcher := indexer.NewWatcher(indexer.WatchConfig{
		Heads: heads, Snapshots: remote{cl, p}, Follow: list.followed(), Interval: time.Duration(c.WatchInterval), Logger: log,
	})
	if !c.Once {
		watcher.Run(ctx)
		return nil
	}
	return behind(watcher.Once(ctx))
}

// remote is a server's indexer.
type remote struct {
	*client
	p *program
}

// Indexed implements indexer.Snapshots.
func (r remote) Indexed(ctx context.Context, domain string) (func(string) bool, error) {
	var rows []search.CommitInfo
	_, err := r.get(ctx, "/commits", values("domain", domain), &rows)
	var answer *refused
	if errors.As(err, &answer) && answer.code == contract.Code(contract.ErrNotFound) {
		err = nil // nothing is indexed of it
	}
	if err != nil {
		return nil, err
	}
	indexed := make(map[string]bool, len(rows))
	for _, row := range rows {
		indexed[row.Commit] = true
	}
	var gone []string
	_, err = r.get(ctx, "/pruned", values("domain", domain), &gone)
	if errors.As(err, &answer) && answer.status == http.StatusNotFound {
		err = nil // nothing is indexed of it, or the server prunes none
	}
	if err != nil {
		return nil, err
	}
	for _, commit := range gone {
		indexed[commit] = true
	}
	return func(commit string) bool { return indexed[commit] }, nil
}

// IndexNow implements indexer.Snapshots.
func (r remote) IndexNow(ctx context.Context, req indexer.IndexRequest) (indexer.Task, error) {
	task := indexer.Task{Domain: req.Domain, Commit: req.Commit, Branch: req.Branch}
	id, err := r.index(ctx, values("domain", req.Domain, "commit", req.Commit, "branch", req.Branch))
	var st taskState
	if err == nil {
		st, err = r.wait(ctx, id, patience, func(taskState) {})
	}
	var failed *failedTask
	var answer *refused
	switch {
	case errors.As(err, &failed):
		task.State, task.Error, task.ErrorCode = indexer.TaskFailed, failed.text, failed.code
		return task, nil
	case errors.As(err, &answer) && contract.FromCode(answer.code) != nil:
		return task, fmt.Errorf("%w: %w", contract.FromCode(answer.code), err)
	case err != nil:
		return task, err
	}
	task.ID, task.State = id, indexer.TaskComplete
	res := summary{TaskID: id, taskState: st}
	if r.p.json {
		return task, printJSON(r.p.stdout, &res)
	}
	fmt.Fprintf(r.p.stdout, "%s@%s: %s (%d new or changed, %d deleted), %s embedded, %d skipped\n", plainText(req.Domain), plainText(req.Commit),
		count(st.Documents, "document"), st.Indexed, st.Deleted, count(st.Embedded, "text"), st.SkippedTotal)
	textSkipped(r.p.stdout, st.Skipped, st.SkippedTotal, "skipped")
	return task, nil
}

// Assign implements indexer.Snapshots.
func (r remote) Assign(ctx context.Context, domain, branch, source, target string) error {
	_, err := r.do(ctx, http.MethodPost, "/assign",
		values("domain", domain, "branch", branch, "source_commit", source, "target_commit", target), nil)
	var answer *refused
	if errors.As(err, &answer) && contract.FromCode(answer.code) != nil {
		return fmt.Errorf("%w: %w", contract.FromCode(answer.code), err)
	}
	return err
}
