package page

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
)

const (
	// neighbours is how many documents a document's page names as most like it.
	neighbours = 6
	// maxHistory bounds the commits whose snapshots a document's history reads.
	maxHistory = 40
)

// version is a document as it came to be at a commit.
type version struct {
	moment
	Gone, First bool
	Before, Now string // texts; equal where only the fields have changed
	Fields      bool   // have changed
}

// among is where a document stands among the others of its commit.
type among struct {
	Wait    bool
	Cluster *overview.Cluster // nil: in none
	Pairs   []pairRow         // of it, the most alike first
	Capped  bool              // of the pairs of all documents the most alike were looked at
}

// littleWork is how many documents a commit has at most whose pairs and groups are worked
// out for a document's page that was not asked for them.
const littleWork = 5000

type documentPage struct {
	*frame
	ID, Type, Name string
	Text           []span
	Cut, Whole     bool // Text is a part; the whole is asked for
	NoText         bool
	Bytes, Tokens  int
	Chunks         []search.DocumentChunk
	Fields         []field
	Like           []shown
	Link           string
	Decided        []pairRow
	Among          *among
	AmongAsked     bool
	AmongSoon      bool // it is asked for by the page itself, since it costs little
	History        []version
	HistoryAsked   bool
	HistoryWait    bool
	HistoryMore    int
	Request        string
}

func (s *Site) document(a *answer) error {
	f, err := s.domainFrame(a, "Document", "search")
	if err != nil {
		return err
	}
	id := f.query.Get("id")
	doc, err := s.cfg.Service.Document(a.r.Context(), search.DocumentRequest{Domain: f.Domain, Ref: f.ref(), ID: id})
	if err != nil {
		return err
	}
	p := &documentPage{frame: f, ID: id, Type: doc.Type, Tokens: doc.Tokens, Chunks: doc.Chunks, Whole: f.query.Get("all") != "", Link: s.link(f, id)}
	p.Fields, p.Name = fieldsOf(doc.Fields)
	p.Name = cmp.Or(p.Name, shortIRI(id))
	f.Title = p.Name
	if p.NoText = doc.Text == nil; !p.NoText {
		p.Bytes = len(*doc.Text)
		most := maxShown
		if p.Whole {
			most = p.Bytes
		}
		p.Text, p.Cut = excerpt(*doc.Text, queryWords(f.query.Get("q")), most)
	}
	like, err := s.cfg.Service.Similar(a.r.Context(), search.SimilarRequest{Domain: f.Domain, Ref: f.ref(), ID: id, Options: search.Options{
		Page: search.Page{Count: neighbours}, Snippet: true, OutputFields: []string{"*"},
	}})
	if err != nil && !errors.Is(err, contract.ErrNotFound) && !errors.Is(err, contract.ErrCorrupt) && !errors.Is(err, contract.ErrInvalid) {
		return err
	}
	p.Like = s.list(f, like.Hits, nil, 0)
	if p.Decided, err = s.decidedWith(f, id); err != nil {
		return err
	}
	if p.HistoryAsked = f.query.Get("history") != ""; p.HistoryAsked {
		if err := s.history(a, p); err != nil {
			return err
		}
	}
	p.AmongSoon = f.At.Documents <= littleWork
	if p.AmongAsked = f.query.Get("among") != ""; p.AmongAsked {
		if p.Among, err = s.among(a, f, id); err != nil {
			return err
		}
		if p.Among.Wait {
			f.Refresh = 2
		}
	}
	p.Request = curl("/document", url.Values{"domain": {f.Domain}, "commit": {f.At.Commit}, "id": {id}})
	return s.render(a, http.StatusOK, "doc", f, p)
}

// among looks for a document's group, and for what is so much like it that it may be
// entered twice.
func (s *Site) among(a *answer, f *frame, id string) (*among, error) {
	out := &among{}
	clusters, err := s.clustering(a, f, 1)
	if err != nil {
		return nil, err
	}
	found, err := s.alike(a.r.Context(), &duplicatesPage{frame: f}, -1)
	if out.Wait = clusters == nil || found == nil; out.Wait || err != nil {
		return out, err
	}
	for m := range clusters.Memberships() {
		if m.ID == id && m.Cluster != nil {
			i := slices.IndexFunc(clusters.Clusters, func(c overview.Cluster) bool { return c.ID == *m.Cluster })
			out.Cluster = &clusters.Clusters[i]
			break
		}
	}
	newest, _, err := s.decisionsOf(f)
	out.Capped = len(found.Pairs) == search.MaxCount
	for _, p := range found.Pairs {
		if p.A.ID == id || p.B.ID == id {
			row := pairRow{Decision: newest[[2]string{p.A.ID, p.B.ID}], Other: p.A.ID}
			if row.A, row.B = p.A.ID, p.B.ID; row.A == id {
				row.Other = p.B.ID
			}
			out.Pairs = append(out.Pairs, row)
		}
	}
	return out, err
}

// history adds the commits that changed the document: of those that the commit was
// built on, the newest.
func (s *Site) history(a *answer, p *documentPage) error {
	commits, err := s.cfg.Service.Commits(p.Domain)
	if err != nil {
		return err
	}
	byID := make(map[string]search.CommitInfo, len(commits))
	for _, c := range commits {
		byID[c.Commit] = c
	}
	var line []search.CommitInfo
	for c, ok := byID[p.At.Commit]; ok; c, ok = byID[c.Base] {
		if len(line) == maxHistory {
			p.HistoryMore++
		} else if len(line) == 0 || c.Indexed+c.Deleted > 0 {
			line = append(line, c)
		}
		if c.Base == "" || p.HistoryMore > len(commits) {
			break
		}
	}
	domain, id := p.Domain, p.ID
	made, err := result(a.r.Context(), s.works, strings.Join([]string{"history", domain, p.At.Commit, id}, "\x00"), func(ctx context.Context) ([]version, error) {
		return s.versions(ctx, domain, id, line)
	})
	if err != nil {
		return err
	}
	if p.HistoryWait = made == nil; p.HistoryWait {
		p.Refresh = 2
		return nil
	}
	for _, v := range *made {
		v.moment = s.moments(a.r, domain, []search.CommitInfo{v.CommitInfo}, nil)[0]
		p.History = append(p.History, v)
	}
	return nil
}

// versions reads a document at each of the commits, newest first, and returns those at
// which it is another one than at the commit before.
func (s *Site) versions(ctx context.Context, domain, id string, line []search.CommitInfo) ([]version, error) {
	var out []version
	var before *search.Document // at the older commit
	for i := len(line) - 1; i >= 0; i-- {
		doc, err := s.cfg.Service.Document(ctx, search.DocumentRequest{Domain: domain, Ref: search.Ref{Commit: line[i].Commit}, ID: id})
		v := version{moment: moment{CommitInfo: line[i]}}
		switch {
		case errors.Is(err, contract.ErrNotFound):
			if v.Gone = before != nil; v.Gone {
				v.Before, before = text(before), nil
				out = append(out, v)
			}
			continue
		case err != nil:
			return nil, err
		}
		v.First, v.Now = before == nil, text(&doc)
		if before != nil {
			v.Before, v.Fields = text(before), string(before.Fields) != string(doc.Fields)
		}
		if v.First || v.Before != v.Now || v.Fields {
			out = append(out, v)
		}
		before = &doc
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}

// text returns a document's text as far as a comparison shows it.
func text(doc *search.Document) string {
	if doc.Text == nil {
		return ""
	}
	return clipBytes(*doc.Text, maxCompared)
}

// maxCompared bounds the texts that are compared word by word, in bytes.
const maxCompared = 20_000

func clipBytes(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// change is a document that is not the same at two commits.
type change struct {
	search.DiffedEntry
	Name string
	Link string
}

// Old and New return the texts, cut to what is compared.
func (c change) Old() string { return cutText(c.Before) }
func (c change) New() string { return cutText(c.After) }

func cutText(text *string) string {
	if text == nil {
		return ""
	}
	return clipBytes(*text, maxCompared)
}

// shownChanges is how many documents a page of changes lists.
const shownChanges = 50

type changesPage struct {
	*frame
	From        *moment // nil: there is nothing to compare with
	Diff        search.Diff
	List        []change
	Start, More int
	Request     string
}

// After is where the next page begins.
func (p *changesPage) After() string { return strconv.Itoa(p.Start + len(p.List)) }

// changes compares the documents of two commits: by default those of the commit with
// those of the one that it was built on.
func (s *Site) changes(a *answer) error {
	f, err := s.domainFrame(a, "Changes", "changes")
	if err != nil {
		return err
	}
	from, given, err := s.other(a, f, "with")
	if err != nil {
		return err
	}
	p := &changesPage{frame: f}
	if !given && f.At.Base != "" {
		base, err := s.cfg.Service.Commits(f.Domain)
		if err != nil {
			return err
		}
		for _, c := range base {
			if c.Commit == f.At.Base {
				from, given = s.moments(a.r, f.Domain, []search.CommitInfo{c}, nil)[0], true
			}
		}
	}
	if given {
		p.From = &from
		p.Start = number(f.query.Get("start"), search.MaxStart)
		p.Diff, err = s.cfg.Service.Diff(a.r.Context(), search.DiffRequest{
			Domain: f.Domain, Between: search.Between{From: from.Commit, To: f.At.Commit}, Page: search.Page{Start: p.Start, Count: shownChanges}, Texts: true,
		})
		if err != nil {
			return err
		}
		ids := map[bool][]string{} // of those that are gone, and the others
		for _, d := range p.Diff.Documents {
			gone := d.Change == search.Removed
			ids[gone] = append(ids[gone], d.ID)
		}
		names := map[bool]map[string]string{true: s.namesOf(a, f.Domain, from.Commit, ids[true]), false: s.namesOf(a, f.Domain, f.At.Commit, ids[false])}
		for _, d := range p.Diff.Documents {
			p.List = append(p.List, change{d, names[d.Change == search.Removed][d.ID], s.link(f, d.ID)})
		}
		p.More = p.Diff.Added + p.Diff.Removed + p.Diff.Changed - p.Start - len(p.List)
		p.Request = curl("/diff", url.Values{"domain": {f.Domain}, "from": {from.Commit}, "to": {f.At.Commit}, "texts": {"true"}})
	}
	return s.render(a, http.StatusOK, "changes", f, p)
}

// number returns a number of an address, from 0 to most; 0 for what is none.
func number(text string, most int) int {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n > most {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return min(n, most)
}
