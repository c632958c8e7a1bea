package page

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

const (
	pageSize = 10
	// maxPage is the last page of hits that can be asked for.
	maxPage = 100
)

// shown is a document in a list.
type shown struct {
	ID, Title string
	Text      []span
	Cut       bool // Text is a part
	Fields    []field
	Score     float32
	Found     string
	Chunk     search.HitChunk
	Matched   string
	Explained *search.Explanation
	Link      string // to the document in the database's interface
	Rank      int
	Note      string // what became of it
	Mark      string // of Note, a sign
}

// Class returns the document's class.
func (d shown) Class() string { return contract.DocType(d.ID) }

// link returns the address of a document in the database's own interface, "" for none.
func (s *Site) link(f *frame, id string) string {
	if s.cfg.DocumentURL == "" {
		return ""
	}
	return strings.NewReplacer("{domain}", escaped(f.Domain), "{branch}", url.PathEscape(f.At.Branch), "{commit}", url.PathEscape(f.At.Commit), "{id}", url.QueryEscape(id)).Replace(s.cfg.DocumentURL)
}

// list returns hits as they are shown.
func (s *Site) list(f *frame, hits []search.Hit, words []string, start int) []shown {
	out := make([]shown, len(hits))
	for i, h := range hits {
		d := shown{ID: h.ID, Score: h.Score, Chunk: h.Chunk, Matched: h.Matched, Explained: h.Explained, Link: s.link(f, h.ID), Rank: start + i + 1}
		switch h.Found {
		case search.FoundVector:
			d.Found = "meaning"
		case search.FoundWords:
			d.Found = "words"
		default:
			d.Found = "meaning and words"
		}
		if h.Output != nil {
			fields, title := fieldsOf(h.Output.Fields)
			d.Title, d.Fields = title, telling(fields, title)
		}
		d.Title = cmp.Or(d.Title, shortIRI(h.ID))
		d.Text, d.Cut = excerpt(h.Chunk.Snippet, append(queryWords(h.Matched), words...), maxExcerpt)
		out[i] = d
	}
	return out
}

// searchPage is what the search shows.
type searchPage struct {
	*frame
	Q, Mode, Filter string
	Types           []string
	Explain         bool
	Asked           bool
	Hits            []shown
	Warnings        []string
	Damaged         int
	Problem         string // why there is no answer
	Page            int
	Next, Last      bool
	Facets          []facet
	Classes         facet
	OtherFields     int     // that are not offered
	Counting        bool    // what is offered is still being counted
	With            *moment // the commit to compare with
	Was             []shown
	Request         string
}

// First and Until are the ranks of the first and the last hit shown.
func (p *searchPage) First() int { return p.Page*pageSize + 1 }
func (p *searchPage) Until() int { return p.Page*pageSize + len(p.Hits) }

// PageBefore and PageAfter are the numbers of other pages.
func (p *searchPage) PageBefore() string { return strconv.Itoa(p.Page - 1) }
func (p *searchPage) PageAfter() string  { return strconv.Itoa(p.Page + 1) }

// FieldChosen reports whether a value of a field is chosen.
func (p *searchPage) FieldChosen() bool {
	return slices.ContainsFunc(p.Facets, func(f facet) bool { return f.Open })
}

// Unfiltered returns the address of the same search without a filter.
func (p *searchPage) Unfiltered() string {
	pairs := []string{"filter", "", "type", "", "page", ""}
	for name := range p.query {
		if strings.HasPrefix(name, chosenField) || strings.HasPrefix(name, chosenList) {
			pairs = append(pairs, name, "")
		}
	}
	return p.But(pairs...)
}

// request returns the search that the address asks for.
func (p *searchPage) request(f *frame) search.SearchRequest {
	return search.SearchRequest{
		Domain: f.Domain, Ref: f.ref(), Text: p.Q, Role: contract.RoleQuery, Mode: search.Mode(p.Mode), Explain: p.Explain,
		Options: search.Options{
			Page: search.Page{Start: p.Page * pageSize, Count: pageSize + 1}, Snippet: true, OutputFields: []string{"*"},
			Filter: search.Filter{Types: p.Types, Expr: p.Filter},
		},
	}
}

func (s *Site) search(a *answer) error {
	f, err := s.domainFrame(a, "Search", "search")
	if err != nil {
		return err
	}
	p := &searchPage{frame: f, Q: strings.TrimSpace(f.query.Get("q")), Mode: f.query.Get("mode"), Types: notEmpty(f.query["type"]), Explain: f.query.Get("explain") != ""}
	p.Filter = filterOf(f.query)
	if !slices.Contains([]string{string(search.ModeVector), string(search.ModeText), string(search.ModeHybrid)}, p.Mode) {
		p.Mode = string(search.ModeHybrid)
	}
	if n, err := strconv.Atoi(f.query.Get("page")); err == nil {
		p.Page = min(max(n, 0), maxPage)
	}
	if err := s.offer(a, p); err != nil {
		return err
	}
	if p.Asked = p.Q != ""; p.Asked {
		f.Title = p.Q
		err = s.found(a, p)
		switch {
		// The page says what is wrong with what was typed, and keeps it.
		case errors.Is(err, contract.ErrInvalid), errors.Is(err, contract.ErrDown), errors.Is(err, contract.ErrProvider):
			p.Problem = err.Error()
		case err != nil:
			return err
		}
	}
	p.Request = curl("/search", url.Values{"domain": {f.Domain}, "commit": {f.At.Commit}, "q": {p.Q}, "mode": {p.Mode}, "filter": notEmpty([]string{p.Filter}), "doc_type": p.Types, "snippet": {"true"}})
	return s.render(a, http.StatusOK, "search", f, p)
}

// found searches, and compares with an other commit where one is named.
func (s *Site) found(a *answer, p *searchPage) error {
	f, words := p.frame, queryWords(p.Q)
	with, ok, err := s.other(a, f, "with")
	if err != nil {
		return err
	}
	if ok {
		p.With = &with
		return s.compared(a, p, words)
	}
	hits, err := s.cfg.Service.Search(a.r.Context(), p.request(f))
	if err != nil {
		return err
	}
	p.Next = len(hits.Hits) > pageSize && p.Page < maxPage
	p.Last = len(hits.Hits) > pageSize && p.Page == maxPage
	p.Hits = s.list(f, hits.Hits[:min(pageSize, len(hits.Hits))], words, p.Page*pageSize)
	p.Warnings, p.Damaged = hits.Warnings, len(hits.Damaged)
	return nil
}

// compared searches at two commits.
func (s *Site) compared(a *answer, p *searchPage, words []string) error {
	req := search.SearchDiffRequest{SearchRequest: p.request(p.frame), Between: search.Between{From: p.With.Commit, To: p.At.Commit}}
	req.Ref, req.Page, req.BringText = search.Ref{}, search.Page{Count: pageSize}, true
	req.Texts = true
	found, err := s.cfg.Service.SearchDiff(a.r.Context(), req)
	if err != nil {
		return err
	}
	p.Warnings, p.Damaged = found.Warnings, len(found.Damaged)
	ids := make([]string, len(found.Hits))
	for i, h := range found.Hits {
		ids[i] = h.ID
	}
	names := map[string]map[string]string{p.With.Commit: s.namesOf(a, p.Domain, p.With.Commit, ids), p.At.Commit: s.namesOf(a, p.Domain, p.At.Commit, ids)}
	side := func(h search.DiffedHit, at *search.Placed, commit string) shown {
		d := shown{ID: h.ID, Title: names[commit][h.ID], Rank: at.Rank, Link: s.link(p.frame, h.ID)}
		if at.Text != nil {
			d.Text, d.Cut = excerpt(*at.Text, words, maxExcerpt/2)
		}
		return d
	}
	for _, h := range found.Hits {
		if h.Before != nil {
			d := side(h, h.Before, p.With.Commit)
			switch {
			case h.Removed:
				d.Note, d.Mark = "deleted since", "−"
			case h.After == nil:
				d.Note, d.Mark = "no longer among the first", "−"
			}
			p.Was = append(p.Was, d)
		}
		if h.After != nil {
			d := side(h, h.After, p.At.Commit)
			switch {
			case h.Added:
				d.Note, d.Mark = "new document", "+"
			case h.Before == nil:
				d.Note, d.Mark = "new among the first", "+"
			case h.Before.Rank > h.After.Rank:
				d.Note, d.Mark = "up from "+strconv.Itoa(h.Before.Rank), "↑"
			case h.Before.Rank < h.After.Rank:
				d.Note, d.Mark = "down from "+strconv.Itoa(h.Before.Rank), "↓"
			default:
				d.Note, d.Mark = "same place", "="
			}
			if h.TextChanged {
				d.Note += ", text changed"
			}
			p.Hits = append(p.Hits, d)
		}
	}
	byRank := func(a, b shown) int { return cmp.Compare(a.Rank, b.Rank) }
	slices.SortStableFunc(p.Was, byRank)
	slices.SortStableFunc(p.Hits, byRank)
	return nil
}

// namesOf returns what names documents at a commit, by their ids. Lists stand without it,
// so what cannot be read goes by its id.
func (s *Site) namesOf(a *answer, domain, commit string, ids []string) map[string]string {
	list := make(map[string]string, len(ids))
	for part := range slices.Chunk(ids, search.MaxCount) {
		found, err := s.cfg.Service.ListDocuments(a.r.Context(), search.DocumentsRequest{
			Domain: domain, Ref: search.Ref{Commit: commit}, Page: search.Page{Count: search.MaxCount}, Filter: search.Filter{IDs: part}, OutputFields: titleFields,
		})
		for _, d := range found.Documents {
			if _, title := fieldsOf(d.Fields); err == nil && title != "" {
				list[d.ID] = title
			}
		}
	}
	for _, id := range ids {
		list[id] = cmp.Or(list[id], shortIRI(id))
	}
	return list
}

// named returns documents with their names, in the order of their ids.
func (s *Site) named(a *answer, f *frame, ids []string) []namedID {
	names, list := s.namesOf(a, f.Domain, f.At.Commit, ids), make([]namedID, len(ids))
	for i, id := range ids {
		list[i] = namedID{id, names[id]}
	}
	return list
}

// notEmpty returns the texts that are not empty; nil for none.
func notEmpty(list []string) (out []string) {
	for _, text := range list {
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}

// curl returns the same question as a request to the API.
func curl(path string, q url.Values) string {
	for name, values := range q {
		if len(notEmpty(values)) == 0 {
			delete(q, name)
		}
	}
	return `curl "$VECTORLINK` + path + "?" + q.Encode() + `"`
}
