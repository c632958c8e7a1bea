package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
)

const (
	// litHits is how many hits of a search are lit on the map.
	litHits = 50
	// mapLines is how many neighbours of a document lines lead to.
	mapLines = 5
	// mapLabels is how many groups are named on the map.
	mapLabels = 40
	// maxChanged bounds the changes that the map marks; there is more to see on the
	// page of the changes.
	maxChanged = 5 * search.MaxCount
	// shownSelected is how many selected documents a page lists.
	shownSelected = 100
)

type mapPage struct {
	*frame
	Wait   bool
	Count  int
	Others int
	Color  string
	Field  string   // that the points are painted by, "" for none
	Fields []string // that they can be painted by
	Q      string
	With   *moment
	Kinds  []legend
	Note   string // what the colours do not show
	// Settings are for the script: a JSON object.
	Settings string
	Lit      []namedID
	// Selected are documents within the outline that the address brings.
	Outline  string
	Selected []namedID
	Chosen   int // how many there are
	Start    int // Selected begins there
	Request  string
}

// First, Until and After tell where the list of the selected stands.
func (p *mapPage) First() int    { return p.Start + 1 }
func (p *mapPage) Until() int    { return p.Start + len(p.Selected) }
func (p *mapPage) After() string { return strconv.Itoa(p.Until()) }

// stop is a commit that the map's slider leads to.
type stop struct {
	Points string `json:"points"` // addresses
	Texts  string `json:"texts"`
	Doc    string `json:"doc"`
	Here   string `json:"here"` // the page of the map at this commit
	Name   string `json:"name"`
	Now    bool   `json:"now"`
}

// settings are what the map's script is told.
type settings struct {
	Lit   []int  `json:"lit"` // indices of points
	Stops []stop `json:"stops"`
}

func (s *Site) mapPage(a *answer) error {
	f, err := s.domainFrame(a, "Map", "map")
	if err != nil {
		return err
	}
	p := &mapPage{frame: f, Color: f.query.Get("color"), Q: strings.TrimSpace(f.query.Get("q"))}
	p.Field, _ = strings.CutPrefix(p.Color, colorField)
	if p.Field == p.Color && !slices.Contains([]string{"class", "group", "change"}, p.Color) {
		p.Color = "class"
	}
	if p.Field == p.Color || p.Color == "class" {
		p.Field = ""
	}
	p.Request = `curl "$VECTORLINK/map?domain=` + f.Domain + "&commit=" + f.At.Commit + `"`
	made, err := s.plotOf(a, f)
	if err != nil {
		return err
	}
	var by *painting
	if made != nil {
		if by, err = s.painted(a, f, made, p.Color); err != nil {
			return err
		}
	}
	if p.Wait = by == nil; p.Wait {
		f.Refresh = 2
		return s.render(a, http.StatusOK, "map", f, p)
	}
	p.Count, p.Others, p.Note = len(made.ids), made.others, by.Note
	for _, k := range by.kinds {
		if k.Count > 0 {
			p.Kinds = append(p.Kinds, k)
		}
	}
	if facets, err := s.facets(a.r.Context(), f); err != nil {
		return err
	} else if facets != nil {
		for _, c := range facets.Fields {
			p.Fields = append(p.Fields, c.Name)
		}
		p.Fields = append(p.Fields, facets.Others...)
		slices.Sort(p.Fields)
	}
	if with, ok, err := s.other(a, f, "with"); err != nil {
		return err
	} else if ok {
		p.With = &with
	}
	set := settings{Lit: []int{}}
	if p.Q != "" {
		if err := s.light(a, p, made, &set); err != nil {
			return err
		}
	}
	for _, m := range slices.Backward(f.Recent) {
		if m.Branch == f.At.Branch || m.Commit == f.At.Commit {
			set.Stops = append(set.Stops, stop{
				f.To("map/points", "at", m.Commit, "color", p.Color, "with", f.query.Get("with")), f.To("map/texts", "at", m.Commit), f.To("doc", "at", m.Commit),
				f.But("at", m.Commit, "start", ""), m.Name(), m.Commit == f.At.Commit,
			})
		}
	}
	s.selected(a, p, made)
	raw, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	p.Settings = string(raw)
	return s.render(a, http.StatusOK, "map", f, p)
}

// light searches, and has the hits lit.
func (s *Site) light(a *answer, p *mapPage, made *plot, set *settings) error {
	hits, err := s.cfg.Service.Search(a.r.Context(), search.SearchRequest{Domain: p.Domain, Ref: p.ref(), Text: p.Q, Role: contract.RoleQuery, Mode: search.ModeHybrid,
		Options: search.Options{Page: search.Page{Count: litHits}, OutputFields: []string{"*"}}})
	if err != nil {
		return err
	}
	for _, h := range s.list(p.frame, hits.Hits, nil, 0) {
		if i, ok := slices.BinarySearch(made.ids, h.ID); ok {
			set.Lit = append(set.Lit, i)
			p.Lit = append(p.Lit, namedID{h.ID, h.Title})
		}
	}
	return nil
}

// selected lists documents within the outline that the address brings.
func (s *Site) selected(a *answer, p *mapPage, made *plot) {
	o := parseOutline(p.query.Get("sel"))
	if o == nil {
		return
	}
	list := made.inside(o)
	p.Outline, p.Chosen = p.query.Get("sel"), len(list)
	p.Start = min(number(p.query.Get("start"), len(made.ids)), len(list))
	var ids []string
	for _, i := range list[p.Start:min(p.Start+shownSelected, len(list))] {
		ids = append(ids, made.ids[i])
	}
	p.Selected = s.named(a, p.frame, ids)
}

// placed returns the plot that a request of the script is about.
func (s *Site) placed(a *answer) (*frame, *plot, error) {
	f, err := s.domainFrame(a, "", "")
	if err != nil {
		return nil, nil, err
	}
	made, err := s.plotOf(a, f)
	if err == nil && made == nil {
		err = fmt.Errorf("%w: the documents are being placed", contract.ErrBusy)
	}
	return f, made, err
}

// send answers with data, which are no page.
func (a *answer) send(media string, body []byte) {
	a.Header().Set("Content-Type", media)
	a.Header().Set("X-Content-Type-Options", "nosniff")
	a.WriteHeader(http.StatusOK)
	_, _ = a.Write(body) // a reader who left is no fault
}

// mapPoints answers with the points of a commit, for the script.
func (s *Site) mapPoints(a *answer) error {
	f, made, err := s.placed(a)
	if err != nil {
		return err
	}
	by, err := s.painted(a, f, made, f.query.Get("color"))
	if err == nil && by == nil {
		err = fmt.Errorf("%w: the documents are being painted", contract.ErrBusy)
	}
	if err != nil {
		return err
	}
	body, err := made.encode(by)
	if err != nil {
		return err
	}
	a.send("application/octet-stream", body)
	return nil
}

// mapIDs answers with the ids of the selected documents, one a line.
func (s *Site) mapIDs(a *answer) error {
	f, made, err := s.placed(a)
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, i := range made.inside(parseOutline(f.query.Get("sel"))) {
		out.WriteString(made.ids[i] + "\n")
	}
	a.Header().Set("Content-Disposition", `attachment; filename="selected.txt"`)
	a.send("text/plain; charset=utf-8", []byte(out.String()))
	return nil
}

// mapTexts answers with what the document at a point is, for the script, and with the
// points of those most like it.
func (s *Site) mapTexts(a *answer) error {
	f, made, err := s.placed(a)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(f.query.Get("i"))
	if err != nil || i < 0 || i >= len(made.ids) {
		return fmt.Errorf("%w: there is no such point", contract.ErrNotFound)
	}
	doc, err := s.cfg.Service.Document(a.r.Context(), search.DocumentRequest{Domain: f.Domain, Ref: f.ref(), ID: made.ids[i]})
	if err != nil {
		return err
	}
	told := struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Text string `json:"text"`
		Near []int  `json:"near"`
	}{doc.ID, s.namesOf(a, f.Domain, f.At.Commit, []string{doc.ID})[doc.ID], clip(text(&doc), 300), []int{}}
	like, err := s.cfg.Service.Similar(a.r.Context(), search.SimilarRequest{Domain: f.Domain, Ref: f.ref(), ID: doc.ID, Options: search.Options{Page: search.Page{Count: mapLines}}})
	if err != nil && !errors.Is(err, contract.ErrNotFound) && !errors.Is(err, contract.ErrCorrupt) && !errors.Is(err, contract.ErrInvalid) {
		return err
	}
	for _, h := range like.Hits {
		if k, ok := slices.BinarySearch(made.ids, h.ID); ok {
			told.Near = append(told.Near, k)
		}
	}
	body, err := json.Marshal(told)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	a.send("application/json", body)
	return nil
}
