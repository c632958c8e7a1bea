package page

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
)

const (
	// litHits is how many hits of a search are lit on the map.
	litHits = 50
	// mapTextsMost bounds the documents whose texts are asked for at once.
	mapTextsMost = 100
	// mapLabels is how many groups are named on the map.
	mapLabels = 40
	// maxChanged bounds the changes that the map marks; there is more to see on the
	// page of the changes.
	maxChanged = 5 * search.MaxCount
	noGroup    = 255 // of a point
)

// plot is a commit's map as it is sent: the points by ascending id, with the numbers of
// their classes and groups.
type plot struct {
	ids        []string
	points     []byte
	classes    []string
	groups     []overview.Cluster
	others     int
	classCount []int
}

// plotOf returns the plot of a commit; nil while it is worked out.
func (s *Site) plotOf(a *answer, f *frame) (*plot, error) {
	domain, ref := f.Domain, f.ref()
	made, err := result(a.r.Context(), s.works, "map\x00"+domain+"\x00"+f.At.Commit, func(ctx context.Context) (*plot, error) {
		return s.plot(ctx, domain, ref)
	})
	if made == nil || err != nil {
		return nil, err
	}
	return *made, nil
}

func (s *Site) plot(ctx context.Context, domain string, ref search.Ref) (*plot, error) {
	m, err := s.cfg.Service.Map(ctx, overview.MapRequest{Domain: domain, Ref: ref})
	if err != nil {
		return nil, err
	}
	req := overview.ClustersRequest{Domain: domain, Ref: ref}
	if err := req.Complete(); err != nil {
		return nil, err
	}
	clusters, err := s.cfg.Service.Clusters(ctx, req)
	if err != nil {
		return nil, err
	}
	p := &plot{others: m.Others, groups: clusters.Clusters}
	groupOf, numberOf := make(map[string]byte), make(map[string]byte)
	for i, c := range clusters.Clusters[:min(len(clusters.Clusters), noGroup)] {
		numberOf[c.ID] = byte(i)
	}
	for ms := range clusters.Memberships() {
		if ms.Cluster != nil {
			if n, ok := numberOf[*ms.Cluster]; ok {
				groupOf[ms.ID] = n
			}
		}
	}
	n := m.Len
	// Places are of a grid that all maps of the domain could share: its box is not.
	hashes, xs, ys := make([]byte, 4*n), make([]byte, 2*n), make([]byte, 2*n)
	class, group := make([]byte, n), make([]byte, n)
	width, height := max(m.Box[2]-m.Box[0], 1e-6), max(m.Box[3]-m.Box[1], 1e-6)
	scale := 65535 / max(width, height)
	i := 0
	for at := range m.Points() {
		h := fnv.New32a()
		h.Write([]byte(at.ID))
		binary.LittleEndian.PutUint32(hashes[4*i:], h.Sum32())
		binary.LittleEndian.PutUint16(xs[2*i:], uint16((at.X-m.Box[0])*scale))
		binary.LittleEndian.PutUint16(ys[2*i:], uint16((at.Y-m.Box[1])*scale))
		c := contract.DocType(at.ID)
		k := slices.Index(p.classes, c)
		if k < 0 && len(p.classes) < noGroup {
			k = len(p.classes)
			p.classes, p.classCount = append(p.classes, c), append(p.classCount, 0)
		}
		if class[i] = noGroup; k >= 0 {
			class[i] = byte(k)
			p.classCount[k]++
		}
		g, ok := groupOf[at.ID]
		if group[i] = g; !ok {
			group[i] = noGroup
		}
		p.ids = append(p.ids, at.ID)
		i++
	}
	p.points = binary.LittleEndian.AppendUint32(nil, uint32(n))
	for _, part := range [][]byte{hashes, xs, ys, class, group} {
		p.points = append(p.points, part...)
	}
	return p, nil
}

// legend is an entry of the map's key.
type legend struct {
	Name  string
	Hue   int
	Count int
}

type mapPage struct {
	*frame
	Wait    bool
	Count   int
	Others  int
	Color   string
	Q       string
	With    *moment
	Classes []legend
	Groups  []legend
	// Settings are for the script: a JSON object.
	Settings string
	Lit      []namedID
	Request  string
}

func (s *Site) mapPage(a *answer) error {
	f, err := s.domainFrame(a, "Map", "map")
	if err != nil {
		return err
	}
	p := &mapPage{frame: f, Color: f.query.Get("color"), Q: strings.TrimSpace(f.query.Get("q"))}
	if !slices.Contains([]string{"class", "group", "change"}, p.Color) {
		p.Color = "class"
	}
	made, err := s.plotOf(a, f)
	if err != nil {
		return err
	}
	p.Request = `curl "$VECTORLINK/map?domain=` + f.Domain + "&commit=" + f.At.Commit + `"`
	if p.Wait = made == nil; p.Wait {
		f.Refresh = 2
		return s.render(a, http.StatusOK, "map", f, p)
	}
	p.Count, p.Others = len(made.ids), made.others
	for i, c := range made.classes {
		p.Classes = append(p.Classes, legend{c, hueOf(c), made.classCount[i]})
	}
	for _, g := range made.groups[:min(len(made.groups), noGroup)] {
		p.Groups = append(p.Groups, legend{strings.Join(g.Words[:min(len(g.Words), 3)], ", "), hueOf(g.ID), g.Size})
	}
	settings := struct {
		Points  string            `json:"points"`
		Texts   string            `json:"texts"`
		Doc     string            `json:"doc"`
		Color   string            `json:"color"`
		Classes []int             `json:"classes"` // hues
		Groups  []int             `json:"groups"`
		Labels  []string          `json:"labels"`
		Lit     []int             `json:"lit"`
		Changed map[string]string `json:"changed"` // by the index of a point
		Stops   []stop            `json:"stops"`
	}{Points: f.To("map/points"), Texts: f.To("map/texts"), Doc: f.To("doc"), Color: p.Color, Lit: []int{}, Changed: map[string]string{}}
	for _, c := range p.Classes {
		settings.Classes = append(settings.Classes, c.Hue)
	}
	for i, g := range p.Groups {
		settings.Groups = append(settings.Groups, g.Hue)
		if i < mapLabels {
			settings.Labels = append(settings.Labels, g.Name)
		}
	}
	if p.Q != "" {
		hits, err := s.cfg.Service.Search(a.r.Context(), search.SearchRequest{Domain: f.Domain, Ref: f.ref(), Text: p.Q, Role: contract.RoleQuery, Mode: search.ModeHybrid,
			Options: search.Options{Page: search.Page{Count: litHits}, OutputFields: []string{"*"}}})
		if err != nil {
			return err
		}
		for _, h := range s.list(f, hits.Hits, nil, 0) {
			if i, ok := slices.BinarySearch(made.ids, h.ID); ok {
				settings.Lit = append(settings.Lit, i)
				p.Lit = append(p.Lit, namedID{h.ID, h.Title})
			}
		}
	}
	if err := s.mapChanges(a, p, made, settings.Changed); err != nil {
		return err
	}
	for _, m := range slices.Backward(f.Recent) {
		if m.Branch == f.At.Branch {
			settings.Stops = append(settings.Stops, stop{f.To("map/points", "at", m.Commit), m.Name(), m.Commit == f.At.Commit})
		}
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	p.Settings = string(raw)
	return s.render(a, http.StatusOK, "map", f, p)
}

// stop is a commit that the map's slider leads to.
type stop struct {
	Points string `json:"points"`
	Name   string `json:"name"`
	Now    bool   `json:"now"`
}

// mapChanges notes which points have changed since the commit that the address names, or
// since the one before.
func (s *Site) mapChanges(a *answer, p *mapPage, made *plot, changed map[string]string) error {
	with, ok, err := s.other(a, p.frame, "with")
	if err != nil {
		return err
	}
	from := p.At.Base
	if ok {
		p.With, from = &with, with.Commit
	}
	if from == "" || p.Color != "change" {
		return nil
	}
	for start := 0; start < maxChanged; start += search.MaxCount {
		diff, err := s.cfg.Service.Diff(a.r.Context(), search.DiffRequest{Domain: p.Domain, Between: search.Between{From: from, To: p.At.Commit}, Page: search.Page{Start: start, Count: search.MaxCount}})
		if err != nil {
			return err
		}
		for _, d := range diff.Documents {
			if i, ok := slices.BinarySearch(made.ids, d.ID); ok {
				changed[strconv.Itoa(i)] = string(d.Change)
			}
		}
		if len(diff.Documents) < search.MaxCount {
			break
		}
	}
	return nil
}

// mapPoints answers with the points of a commit, for the script.
func (s *Site) mapPoints(a *answer) error {
	f, err := s.domainFrame(a, "", "")
	if err != nil {
		return err
	}
	made, err := s.plotOf(a, f)
	if err != nil {
		return err
	}
	if made == nil {
		return fmt.Errorf("%w: the documents are being placed", contract.ErrBusy)
	}
	a.Header().Set("Content-Type", "application/octet-stream")
	a.WriteHeader(http.StatusOK)
	_, _ = a.Write(made.points)
	return nil
}

// mapTexts answers with what the documents at some points are, for the script.
func (s *Site) mapTexts(a *answer) error {
	f, err := s.domainFrame(a, "", "")
	if err != nil {
		return err
	}
	made, err := s.plotOf(a, f)
	if err != nil {
		return err
	}
	type told struct {
		I    int    `json:"i"`
		ID   string `json:"id"`
		Name string `json:"name"`
		Text string `json:"text"`
	}
	list := []told{}
	for word := range strings.SplitSeq(f.query.Get("i"), ",") {
		i, err := strconv.Atoi(word)
		if err != nil || made == nil || i < 0 || i >= len(made.ids) || len(list) == mapTextsMost {
			continue
		}
		doc, err := s.cfg.Service.Document(a.r.Context(), search.DocumentRequest{Domain: f.Domain, Ref: f.ref(), ID: made.ids[i]})
		if err != nil {
			continue
		}
		_, title := fieldsOf(doc.Fields)
		if title == "" {
			title = shortIRI(doc.ID)
		}
		list = append(list, told{i, doc.ID, title, clip(text(&doc), 300)})
	}
	a.Header().Set("Content-Type", "application/json")
	a.WriteHeader(http.StatusOK)
	_ = json.NewEncoder(a).Encode(list)
	return nil
}
