package page

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// shownDomains is how many databases Home lists, shownTasks how many tasks, shownSkipped
// how many documents that one has skipped.
const (
	shownDomains = 100
	shownTasks   = 8
	shownSkipped = 20
)

// database is one on Home.
type database struct {
	search.DomainInfo
	Heads []moment
	Lag   map[string]indexer.BranchLag // by branch
	// Damage says what cannot be read, "" for nothing.
	Damage []string
	Tokens int
	Cost   string // of Tokens; "" where the price is not known
	More   int    // heads left out
}

func (s *Site) home(a *answer) error {
	f := s.frameOf(a.r, "Databases")
	f.Active = "home"
	infos := s.cfg.Service.DomainInfos(service.CallerOf(a.r.Context()).Sees)
	find := f.query.Get("find")
	var list []database
	total := 0
	for _, info := range infos {
		if find != "" && !strings.Contains(strings.ToLower(info.Domain), strings.ToLower(find)) {
			continue
		}
		if total++; len(list) == shownDomains {
			continue
		}
		d, err := s.database(a.r, info)
		if err != nil {
			return err
		}
		list = append(list, d)
	}
	tasks, err := s.tasks(a.r, "", nil)
	if err != nil {
		return err
	}
	return s.render(a, http.StatusOK, "home", f, struct {
		*frame
		Databases []database
		Total     int
		All       int
		Find      string
		Tasks     *taskList
	}{f, list, total, len(infos), find, tasks})
}

// database returns what Home tells of one.
func (s *Site) database(r *http.Request, info search.DomainInfo) (database, error) {
	d := database{DomainInfo: info, Lag: make(map[string]indexer.BranchLag)}
	commits, err := s.cfg.Service.Commits(info.Domain)
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		return d, err
	}
	byID := make(map[string]search.CommitInfo, len(commits))
	for _, c := range commits {
		byID[c.Commit] = c
		d.Tokens += c.Tokens
	}
	const shownHeads = 8
	heads := slices.Clone(info.Heads)
	if i := slices.IndexFunc(heads, func(h search.Head) bool { return h.Branch == contract.MainBranch }); i > 0 {
		heads[0], heads[i] = heads[i], heads[0] // it comes first
	}
	for _, h := range heads {
		if len(d.Heads) == shownHeads {
			d.More = len(info.Heads) - shownHeads
			break
		}
		if c, ok := byID[h.Commit]; ok {
			c.Branch = h.Branch
			d.Heads = append(d.Heads, s.moments(r, info.Domain, []search.CommitInfo{c}, nil)[0])
		}
	}
	if s.cfg.Watcher != nil {
		for _, lag := range s.cfg.Watcher.Lag(info.Domain) {
			d.Lag[lag.Branch] = lag
		}
	}
	if s.cfg.Price > 0 {
		d.Cost = fmt.Sprintf("%.2f", float64(d.Tokens)*s.cfg.Price/1e6)
	}
	health, err := s.cfg.Service.Integrity(info.Domain)
	if err != nil && !errors.Is(err, contract.ErrNotFound) {
		return d, err
	}
	for _, file := range health.MissingFiles {
		d.Damage = append(d.Damage, "the file "+file+" is missing")
	}
	for _, file := range health.StrayFiles {
		d.Damage = append(d.Damage, "the file "+file+" is damaged")
	}
	return d, nil
}

// namedTask is a task with the name of its commit.
type namedTask struct {
	indexer.Task
	Name string
}

// taskList are the tasks that Home shows.
type taskList struct {
	Running, Ended []namedTask
	More           int
	// Known says whether there is somebody here who has tasks.
	Known bool
}

// tasks lists the newest tasks, of one domain or all. names keeps the names of their
// commits for the next time; nil: there is none.
func (s *Site) tasks(r *http.Request, domain string, names map[string]string) (*taskList, error) {
	found, err := s.cfg.Service.Tasks(domain, "")
	if errors.Is(err, contract.ErrReadOnly) {
		return &taskList{}, nil
	} else if err != nil {
		return nil, err
	}
	list := &taskList{Known: true}
	caller := service.CallerOf(r.Context())
	if names == nil {
		names = make(map[string]string)
	}
	name := func(t indexer.Task) string {
		key := t.ID + " " + t.Finished.String() // it is named once it is indexed
		if _, ok := names[key]; !ok {
			if len(names) > 100*shownTasks {
				clear(names)
			}
			names[key] = s.commitName(r, t)
		}
		return names[key]
	}
	for _, t := range found {
		switch {
		case !caller.Sees(t.Domain):
		case len(list.Running)+len(list.Ended) == shownTasks:
			list.More++
		case t.Finished.IsZero():
			list.Running = append(list.Running, namedTask{t, name(t)})
		default:
			list.Ended = append(list.Ended, namedTask{t, name(t)})
		}
	}
	return list, nil
}

// commitName returns what people call the commit of a task.
func (s *Site) commitName(r *http.Request, t indexer.Task) string {
	commits, err := s.cfg.Service.Commits(t.Domain)
	if i := slices.IndexFunc(commits, func(c search.CommitInfo) bool { return c.Commit == t.Commit }); err == nil && i >= 0 {
		return s.moments(r, t.Domain, commits[i:i+1], nil)[0].Name()
	}
	return moment{CommitInfo: search.CommitInfo{Commit: t.Commit}}.Short()
}

const (
	// eventsEvery is the pause between two looks at the tasks, eventsQuiet the
	// longest time in which nothing is sent.
	eventsEvery = time.Second
	eventsQuiet = 20 * time.Second
)

// events streams the tasks to Home whenever they have changed.
func (s *Site) events(a *answer) error {
	h := a.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	out := http.NewResponseController(a.ResponseWriter)
	f := s.frameOf(a.r, "")
	f.Nonce = "" // the part has no element of htmx
	ticker := time.NewTicker(eventsEvery)
	defer ticker.Stop()
	var last string
	var sent time.Time
	names := make(map[string]string)
	for {
		tasks, err := s.tasks(a.r, "", names)
		if err != nil {
			return nil // htmx asks again
		}
		var part bytes.Buffer
		if err := templates["home"].ExecuteTemplate(&part, "tasks", struct {
			*frame
			Tasks *taskList
		}{f, tasks}); err != nil {
			return nil
		}
		switch text := part.String(); {
		case text != last:
			last, sent = text, time.Now()
			_, err = fmt.Fprintf(a, "data: %s\n\n", strings.ReplaceAll(text, "\n", "\ndata: "))
		case time.Since(sent) > eventsQuiet:
			sent = time.Now()
			_, err = fmt.Fprint(a, ": still here\n\n")
		}
		if err != nil || out.Flush() != nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-a.r.Context().Done():
			return nil
		case <-s.cfg.Stopping:
			return nil
		}
	}
}

// overview shows one database: its branches and commits.
func (s *Site) overview(a *answer) error {
	f, err := s.domainFrame(a, "Commits", "overview")
	if err != nil {
		return err
	}
	tasks, err := s.tasks(a.r, f.Domain, nil)
	if err != nil {
		return err
	}
	stats, err := s.cfg.Service.Statistics(f.Domain)
	if err != nil {
		return err
	}
	return s.render(a, http.StatusOK, "overview", f, struct {
		*frame
		Tasks      *taskList
		Statistics search.Statistics
		Documents  int
	}{f, tasks, stats, f.At.Documents})
}

// about names what others have made.
func (s *Site) about(a *answer) error {
	f := s.frameOf(a.r, "About")
	f.Active = "about"
	texts := make(map[string]string)
	for _, v := range vendored() {
		raw, err := files.ReadFile("static/vendor/" + v.LicenceFile)
		if err != nil {
			return fmt.Errorf("page: %w", err)
		}
		texts[v.LicenceFile] = string(raw)
	}
	return s.render(a, http.StatusOK, "about", f, struct {
		*frame
		Vendored []Vendored
		Licences map[string]string
	}{f, vendored(), texts})
}
