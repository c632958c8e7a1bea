package page

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

const (
	// shownCommits is how many commits a page's timeline lists.
	shownCommits = 50
	// shortID is how much of a commit's id is shown, and leastPrefix how much of
	// one is enough to name it.
	shortID     = 8
	leastPrefix = 6
)

// moment is a commit as people know it.
type moment struct {
	search.CommitInfo
	Message, Author string
	When            time.Time // it was made, or indexed where the database does not say
	Guessed         bool      // When is the time of indexing
	Heads           []string  // the branches that stand at it
}

// Short returns the beginning of the commit's id.
func (m moment) Short() string { return clip(m.Commit, shortID) }

// Name returns the commit's message, or the beginning of its id.
func (m moment) Name() string {
	if m.Message != "" {
		return m.Message
	}
	return m.Short()
}

// Changes returns how many documents the commit was indexed with and without.
func (m moment) Changes() int { return m.Indexed + m.Deleted }

// domainFrame returns the frame of a view of the domain that the address names, at the
// commit that it names.
func (s *Site) domainFrame(a *answer, title, active string) (*frame, error) {
	domain := a.r.PathValue("org") + "/" + a.r.PathValue("db")
	if err := service.CallerOf(a.r.Context()).Enter(domain); err != nil {
		return nil, err
	}
	f := s.frameOf(a.r, title)
	f.Domain, f.Active, f.AtGiven = domain, active, f.query.Get("at")
	infos := s.cfg.Service.DomainInfos(func(name string) bool { return name == domain })
	if len(infos) == 0 {
		return nil, fmt.Errorf("%w: nothing is indexed of %s", contract.ErrNotFound, domain)
	}
	commits, err := s.cfg.Service.Commits(domain)
	if err != nil {
		return nil, err
	}
	heads := infos[0].Heads
	at, err := resolve(commits, heads, f.AtGiven, func(list []search.CommitInfo) []moment { return s.moments(a.r, domain, list, heads) })
	if err != nil {
		return nil, err
	}
	// The timeline lists what is around the commit, of commits that changed something.
	told := commits
	if f.query.Get("quiet") == "" {
		told = slices.DeleteFunc(slices.Clone(commits), func(c search.CommitInfo) bool {
			return c.Indexed+c.Deleted == 0 && c.Commit != commits[at].Commit && !slices.ContainsFunc(heads, func(h search.Head) bool { return h.Commit == c.Commit })
		})
		f.Quiet = len(commits) - len(told)
	}
	place := slices.IndexFunc(told, func(c search.CommitInfo) bool { return c.Commit == commits[at].Commit })
	begin := max(0, min(place-shownCommits/2, len(told)-shownCommits))
	list := told[begin:min(begin+shownCommits, len(told))]
	f.Recent, f.More = s.moments(a.r, domain, list, heads), len(told)-len(list)
	f.At = f.Recent[place-begin]
	// Before a branch's first commit is the one that it was built on.
	onBranch := func(m *moment) bool { return m.Branch == f.At.Branch || m.Commit == f.At.Base }
	for i := place - begin - 1; i >= 0 && f.Newer == nil; i-- {
		if onBranch(&f.Recent[i]) {
			f.Newer = &f.Recent[i]
		}
	}
	for i := place - begin + 1; i < len(f.Recent) && f.Older == nil; i++ {
		if onBranch(&f.Recent[i]) {
			f.Older = &f.Recent[i]
		}
	}
	f.Follows = f.AtGiven == "" || slices.ContainsFunc(heads, func(h search.Head) bool { return h.Branch == f.AtGiven })
	for _, h := range heads {
		if k := slices.IndexFunc(commits, func(c search.CommitInfo) bool { return c.Commit == h.Commit }); k >= 0 {
			m := s.moments(a.r, domain, commits[k:k+1], heads)[0]
			m.Branch = h.Branch
			f.Branches = append(f.Branches, m)
		}
	}
	return f, nil
}

// newer answers with a notice where the branch that a page is at has gone on from the
// commit that it shows, for the page to ask now and then. It shows the commit where the
// reader wants that, and moves nothing by itself.
func (s *Site) newer(a *answer) error {
	f, err := s.domainFrame(a, "", "")
	if err != nil {
		return err
	}
	f.Nonce = "" // nothing in it is htmx's
	var part bytes.Buffer
	if shown := f.query.Get("shown"); f.Follows && shown != f.At.Commit {
		if err := templates["home"].ExecuteTemplate(&part, "newer", struct {
			*frame
			Shown string
		}{f, shown}); err != nil {
			return fmt.Errorf("page: %w", err)
		}
	}
	a.Header().Set("Cache-Control", "no-store")
	a.send("text/html; charset=utf-8", part.Bytes())
	return nil
}

// resolve returns the place among the commits of what an address names: a branch, a
// commit or the beginning of its id, a time or a day; main, or the first branch, where
// it names nothing.
func resolve(commits []search.CommitInfo, heads []search.Head, name string, moments func([]search.CommitInfo) []moment) (int, error) {
	find := func(commit string) int {
		return slices.IndexFunc(commits, func(c search.CommitInfo) bool { return c.Commit == commit })
	}
	if name == "" {
		name = contract.MainBranch
		if len(heads) > 0 && !slices.ContainsFunc(heads, func(h search.Head) bool { return h.Branch == name }) {
			name = heads[0].Branch
		}
	}
	for _, h := range heads {
		if h.Branch == name {
			if i := find(h.Commit); i >= 0 {
				return i, nil
			}
		}
	}
	if i := find(name); i >= 0 {
		return i, nil
	}
	if until, ok := parseTime(name); ok {
		for i, m := range moments(commits[:min(len(commits), nameReach)]) {
			if m.Branch == contract.MainBranch && !m.When.After(until) {
				return i, nil
			}
		}
		return 0, fmt.Errorf("%w: no commit of main is as old as %s", contract.ErrNotFound, name)
	}
	if len(name) >= leastPrefix {
		found := -1
		for i, c := range commits {
			if strings.HasPrefix(c.Commit, name) && found >= 0 {
				return 0, fmt.Errorf("%w: several commits begin with %s", contract.ErrInvalid, name)
			} else if strings.HasPrefix(c.Commit, name) {
				found = i
			}
		}
		if found >= 0 {
			return found, nil
		}
	}
	return 0, fmt.Errorf("%w: no branch or commit of the name %s is indexed", contract.ErrNotFound, clip(name, 80))
}

// parseTime reads a time, or a day, which is meant to its end.
func parseTime(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	t, err := time.Parse(time.DateOnly, text)
	return t.Add(24*time.Hour - 1), err == nil
}

// moments returns commits with their names: as they were indexed with, or as the
// database tells them.
func (s *Site) moments(r *http.Request, domain string, commits []search.CommitInfo, heads []search.Head) []moment {
	var untold []string
	for _, c := range commits {
		if c.About == (contract.About{}) {
			untold = append(untold, c.Commit)
		}
	}
	known := s.names.look(r.Context(), domain, untold)
	out := make([]moment, len(commits))
	for i, c := range commits {
		m := moment{CommitInfo: c, When: c.Created, Guessed: true}
		said := c.About
		if a, ok := known[c.Commit]; ok {
			said = contract.About{Author: a.Author, Message: a.Message, Time: a.Time}
		}
		m.Message, m.Author = line(said.Message, maxMessage), line(said.Author, maxMessage)
		if !said.Time.IsZero() {
			m.When, m.Guessed = said.Time, false
		}
		for _, h := range heads {
			if h.Commit == c.Commit {
				m.Heads = append(m.Heads, h.Branch)
			}
		}
		out[i] = m
	}
	return out
}

// other returns the commit that another parameter of the address names, "" for none.
func (s *Site) other(a *answer, f *frame, name string) (m moment, ok bool, err error) {
	given := f.query.Get(name)
	if given == "" {
		return moment{}, false, nil
	}
	for _, b := range f.Branches {
		if b.Branch == given {
			return b, true, nil
		}
	}
	for _, m := range f.Recent {
		if m.Commit == given {
			return m, true, nil
		}
	}
	commits, err := s.cfg.Service.Commits(f.Domain)
	if err != nil {
		return moment{}, false, err
	}
	look := func(list []search.CommitInfo) []moment { return s.moments(a.r, f.Domain, list, nil) }
	i, err := resolve(commits, nil, given, look)
	if err != nil {
		return moment{}, false, err
	}
	return look(commits[i : i+1])[0], true, nil
}

// ref asks for the commit that is looked at.
func (f *frame) ref() search.Ref { return search.Ref{Commit: f.At.Commit} }
