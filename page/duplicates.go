package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/pairs"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/worddiff"
	"github.com/vectorlink/vectorlink/search"
)

const (
	// shownDecisions is how many of the last decisions stand beside the queue.
	shownDecisions = 10
	shownGroups    = 100
	// maxForm bounds a form that is sent, in bytes.
	maxForm = 64 << 10
	// stateOpen is that of pairs about which nothing was decided; the others have
	// their verdicts' names.
	stateOpen = string(catalog.DecidedOpen)
)

// pairRow is a decision as it is listed, or a pair of a queue.
type pairRow struct {
	catalog.Decision
	Alike *pairs.Alike
	Other string // of a document's page: the other one
}

// side is one document of a pair.
type side struct {
	ID, Name string
	Runs     []worddiff.Run // of its text
	Cut      bool
	NoText   bool
	Missing  bool
	Link     string
}

// compared is a field of two documents.
type comparedField struct {
	Name, A, B string
	Same       bool
}

type duplicatesPage struct {
	*frame
	View    string // "", groups or profile
	State   string
	Blind   bool
	Least   string  // score, as given
	Since   *moment // nil: pairs of all documents
	Wait    bool
	Pair    *pairRow
	A, B    side
	Fields  []comparedField
	Place   int // of the pair in its queue, from 1
	Next    string
	Prev    string
	Counts  map[string]int
	Total   int
	Capped  bool
	Last    []pairRow
	Undo    *pairRow
	Groups  []pairs.Group
	More    int
	Profile *pairs.Profile
	Bars    []bar
	Request string
}

// decisionsOf returns the newest decision of each pair at the page's commit, and all
// about these, oldest first. A pair whose decision was taken back has none.
func (s *Site) decisionsOf(f *frame) (newest map[[2]string]catalog.Decision, all []catalog.Decision, err error) {
	list, err := s.cfg.Service.DecisionsAt(f.Domain, f.At.Commit)
	newest = make(map[[2]string]catalog.Decision, len(list))
	for _, d := range list {
		newest[[2]string{d.A, d.B}] = d
	}
	for _, d := range list {
		if newest[[2]string{d.A, d.B}].Verdict != catalog.DecidedOpen {
			all = append(all, d)
		}
	}
	maps.DeleteFunc(newest, func(_ [2]string, d catalog.Decision) bool { return d.Verdict == catalog.DecidedOpen })
	return newest, all, err
}

// newestOf returns what tells a list of decisions from those before and after.
func newestOf(all []catalog.Decision) string {
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprint(len(all), " ", all[len(all)-1].N)
}

// decidedWith returns what was decided about a document.
func (s *Site) decidedWith(f *frame, id string) ([]pairRow, error) {
	newest, _, err := s.decisionsOf(f)
	var rows []pairRow
	for _, d := range newest {
		switch id {
		case d.A:
			rows = append(rows, pairRow{Decision: d, Other: d.B})
		case d.B:
			rows = append(rows, pairRow{Decision: d, Other: d.A})
		}
	}
	slices.SortFunc(rows, func(a, b pairRow) int { return cmp.Compare(b.N, a.N) })
	return rows, err
}

func (s *Site) duplicates(a *answer) error {
	f, err := s.domainFrame(a, "Duplicates", "duplicates")
	if err != nil {
		return err
	}
	p := &duplicatesPage{frame: f, View: f.query.Get("view"), State: f.query.Get("state"), Blind: f.query.Get("blind") != "", Least: f.query.Get("min")}
	if !slices.Contains(catalog.Verdicts, catalog.Verdict(p.State)) {
		p.State = stateOpen
	}
	least := float32(-1)
	if x, err := strconv.ParseFloat(p.Least, 32); err == nil && x >= 0 && x <= 1 {
		least = float32(x)
	}
	since, ok, err := s.other(a, f, "with")
	if err != nil {
		return err
	}
	if ok {
		p.Since = &since
	}
	switch p.View {
	case "groups":
		err = s.groups(a, p, least)
	case "profile":
		err = s.profile(a, p, least)
	default:
		p.View = ""
		err = s.queue(a, p, least)
	}
	if err != nil {
		return err
	}
	if p.Wait {
		f.Refresh = 2
	}
	p.Request = curl("/duplicates", url.Values{"domain": {f.Domain}, "commit": {f.At.Commit}, "likeness": {"mixed"}, "match": {"all"}, "min_score": notEmpty([]string{p.Least}), "since": notEmpty([]string{p.since()})})
	return s.render(a, http.StatusOK, "duplicates", f, p)
}

// pairing asks for pairs by likeness.
func (p *duplicatesPage) pairing(match pairs.Match, least float32) pairs.DuplicatesRequest {
	return pairs.DuplicatesRequest{
		Domain: p.Domain, Ref: p.ref(), Since: p.since(), Threshold: -1, Pairing: pairs.Pairing{Likeness: pairs.LikenessMixed, Match: match, MinScore: least},
		Decided: pairs.Decided{UpTo: pairs.NoDecisions}, Page: search.Page{Count: search.MaxCount},
	}
}

// since returns the commit since which pairs came about, "" for all pairs.
func (p *duplicatesPage) since() string {
	if p.Since == nil {
		return ""
	}
	return p.Since.Commit
}

// alike returns all pairs of a commit, the most alike first; nil while documents are
// compared.
func (s *Site) alike(ctx context.Context, p *duplicatesPage, least float32) (*pairs.Pairs, error) {
	key := fmt.Sprintf("pairs\x00%s\x00%s\x00%s\x00%g", p.Domain, p.At.Commit, p.since(), least)
	req := p.pairing(pairs.MatchAll, least)
	return result(ctx, s.works, key, func(ctx context.Context) (pairs.Pairs, error) { return s.cfg.Service.Duplicates(ctx, req) })
}

// queue shows one pair of those in the state that is asked for, the most alike first.
func (s *Site) queue(a *answer, p *duplicatesPage, least float32) error {
	f := p.frame
	found, err := s.alike(a.r.Context(), p, least)
	if err != nil {
		return err
	}
	if p.Wait = found == nil; p.Wait {
		return nil
	}
	newest, all, err := s.decisionsOf(f)
	if err != nil {
		return err
	}
	p.Total, p.Capped, p.Counts = len(found.Pairs), len(found.Pairs) == search.MaxCount, make(map[string]int)
	wantA, wantB := f.query.Get("a"), f.query.Get("b")
	var list []pairRow
	seen := make(map[[2]string]bool)
	for _, pair := range found.Pairs {
		k := [2]string{pair.A.ID, pair.B.ID}
		seen[k] = true
		row := pairRow{Decision: newest[k], Alike: pair.Alike}
		row.A, row.B = k[0], k[1]
		p.sort(&list, row)
	}
	// What people decided about pairs that are less alike stays in sight.
	for _, d := range all {
		if k := [2]string{d.A, d.B}; !seen[k] && newest[k].N == d.N && p.Since == nil {
			p.sort(&list, pairRow{Decision: d})
		}
	}
	at := 0
	if wantA != "" {
		at = slices.IndexFunc(list, func(r pairRow) bool { return r.A == wantA && r.B == wantB })
		if at < 0 { // it has left the queue, by a decision perhaps
			row := pairRow{Decision: newest[[2]string{wantA, wantB}]}
			row.A, row.B = wantA, wantB
			p.Pair = &row
		}
	}
	if at >= 0 && at < len(list) {
		p.Pair, p.Place = &list[at], at+1
		if at+1 < len(list) {
			p.Next = f.But("a", list[at+1].A, "b", list[at+1].B)
		}
		if at > 0 {
			p.Prev = f.But("a", list[at-1].A, "b", list[at-1].B)
		}
	}
	for i := len(all) - 1; i >= 0 && len(p.Last) < shownDecisions; i-- {
		p.Last = append(p.Last, pairRow{Decision: all[i]})
	}
	if len(p.Last) > 0 && f.query.Get("undo") == strconv.FormatUint(p.Last[0].N, 10) {
		p.Undo = &p.Last[0]
	}
	return s.sides(a, p)
}

// sort counts a pair, and takes it into the list if it is in the state asked for.
func (p *duplicatesPage) sort(list *[]pairRow, row pairRow) {
	state := cmp.Or(string(row.Verdict), stateOpen)
	if p.Counts[state]++; state == p.State {
		*list = append(*list, row)
	}
}

// sides compares the documents of the pair.
func (s *Site) sides(a *answer, p *duplicatesPage) error {
	if p.Pair == nil {
		return nil
	}
	read := func(id string) (side, string, []field, error) {
		d := side{ID: id, Name: shortIRI(id), Link: s.link(p.frame, id)}
		doc, err := s.cfg.Service.Document(a.r.Context(), search.DocumentRequest{Domain: p.Domain, Ref: p.ref(), ID: id})
		if errors.Is(err, contract.ErrNotFound) {
			d.Missing = true
			return d, "", nil, nil
		} else if err != nil {
			return d, "", nil, err
		}
		fields, title := fieldsOf(doc.Fields)
		d.Name, d.NoText = cmp.Or(title, d.Name), doc.Text == nil
		d.Cut = doc.Text != nil && len(*doc.Text) > maxCompared
		return d, text(&doc), fields, nil
	}
	var err error
	var x, y string
	var xs, ys []field
	if p.A, x, xs, err = read(p.Pair.A); err != nil {
		return err
	}
	if p.B, y, ys, err = read(p.Pair.B); err != nil {
		return err
	}
	for _, run := range worddiff.Diff(x, y) {
		if run.Kind != worddiff.Added {
			p.A.Runs = append(p.A.Runs, run)
		}
		if run.Kind != worddiff.Removed {
			p.B.Runs = append(p.B.Runs, run)
		}
	}
	p.Fields = besides(xs, ys)
	return nil
}

// besides returns the fields of two documents beside each other, those that differ
// first.
func besides(a, b []field) []comparedField {
	byName := make(map[string]*comparedField)
	var names []string
	of := func(name string) *comparedField {
		if byName[name] == nil {
			byName[name] = &comparedField{Name: name, A: "–", B: "–"}
			names = append(names, name)
		}
		return byName[name]
	}
	for _, f := range a {
		of(f.Name).A = f.Value
	}
	for _, f := range b {
		of(f.Name).B = f.Value
	}
	out := make([]comparedField, len(names))
	for i, name := range names {
		out[i] = *byName[name]
		out[i].Same = out[i].A == out[i].B
	}
	slices.SortFunc(out, func(a, b comparedField) int {
		if a.Same != b.Same {
			return map[bool]int{false: -1, true: 1}[a.Same]
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out
}

// decide notes a decision, durably, and leads on to the next pair.
func (s *Site) decide(a *answer) error {
	if s.cfg.ReadOnly {
		return contract.ErrReadOnly
	}
	a.r.Body = http.MaxBytesReader(a, a.r.Body, maxForm)
	if err := a.r.ParseForm(); err != nil {
		return fmt.Errorf("%w: the form cannot be read", contract.ErrInvalid)
	}
	f, err := s.domainFrame(a, "", "")
	if err != nil {
		return err
	}
	form := a.r.PostForm
	d := catalog.Decision{A: form.Get("a"), B: form.Get("b"), Verdict: catalog.Verdict(form.Get("decision")), Note: strings.TrimSpace(form.Get("note")), Commit: f.At.Commit}
	d.By, _, _ = a.r.BasicAuth()
	undo := d.Verdict == "undo"
	if undo {
		if d.Verdict, d.Note, err = s.before(f, d.A, d.B); err != nil {
			return err
		}
	}
	made, err := s.cfg.Service.Decide(a.r.Context(), indexer.DecideRequest{Domain: f.Domain, Ref: f.ref(), Decisions: []catalog.Decision{d}})
	if err != nil {
		return err
	}
	if undo {
		return see(a, "duplicates"+f.But("a", d.A, "b", d.B, "undo", "")+"#pair")
	}
	return see(a, "duplicates"+f.But("a", form.Get("next-a"), "b", form.Get("next-b"), "undo", strconv.FormatUint(made[0].N, 10))+"#pair")
}

// before returns what had been decided of a pair before the newest decision about it:
// that it is open, if that was the first.
func (s *Site) before(f *frame, a, b string) (catalog.Verdict, string, error) {
	all, err := s.cfg.Service.DecisionsAt(f.Domain, f.At.Commit)
	if err != nil {
		return "", "", err
	}
	seen := 0
	for i := len(all) - 1; i >= 0; i-- {
		if d := all[i]; d.A == min(a, b) && d.B == max(a, b) {
			if seen++; seen == 2 {
				return d.Verdict, d.Note, nil
			}
		}
	}
	if seen == 0 {
		return "", "", fmt.Errorf("%w: nothing was decided about this pair", contract.ErrConflict)
	}
	return catalog.DecidedOpen, "", nil
}

// groups shows documents that are taken for one.
func (s *Site) groups(a *answer, p *duplicatesPage, least float32) error {
	req := p.pairing(pairs.MatchGroups, least)
	req.Decided.UpTo = pairs.NewestDecisions
	req.Snippet = true
	_, all, err := s.decisionsOf(p.frame)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("groups\x00%s\x00%s\x00%s\x00%g\x00%s", p.Domain, p.At.Commit, p.since(), least, newestOf(all))
	found, err := result(a.r.Context(), s.works, key, func(ctx context.Context) (pairs.Pairs, error) {
		return s.cfg.Service.Duplicates(ctx, req)
	})
	if err != nil {
		return err
	}
	if p.Wait = found == nil; p.Wait {
		return nil
	}
	p.Total, p.Capped = len(found.Groups), len(found.Groups) == search.MaxCount
	p.Groups = slices.Clone(found.Groups)
	if p.query.Get("order") == "doubtful" {
		slices.SortStableFunc(p.Groups, func(a, b pairs.Group) int { return cmp.Compare(a.Score, b.Score) })
	}
	p.More = max(0, p.Total-shownGroups)
	p.Groups = p.Groups[:min(len(p.Groups), shownGroups)]
	return nil
}

// Width is that of the drawing of the profile.
func (p *duplicatesPage) Width() int { return barWidth * len(p.Bars) }

const barWidth = 40

// bar is a step of the profile as it is drawn.
type bar struct {
	pairs.ProfileStep
	X, Height, Y int
	Listed       bool // at the least score that is chosen
	Near         bool // to it
}

// profile shows how the scores of pairs are spread.
func (s *Site) profile(a *answer, p *duplicatesPage, least float32) error {
	req := pairs.ProfileRequest{Domain: p.Domain, Ref: p.ref(), Pairing: pairs.Pairing{Likeness: pairs.LikenessMixed, Match: pairs.MatchAll, MinScore: -1}, Examples: 3}
	if err := req.Complete(); err != nil {
		return err
	}
	_, all, err := s.decisionsOf(p.frame)
	if err != nil {
		return err
	}
	found, err := result(a.r.Context(), s.works, fmt.Sprintf("profile\x00%s\x00%s\x00%s", p.Domain, p.At.Commit, newestOf(all)), func(ctx context.Context) (pairs.Profile, error) {
		return s.cfg.Service.DuplicatesProfile(ctx, req)
	})
	if err != nil {
		return err
	}
	if p.Wait = found == nil; p.Wait {
		return nil
	}
	p.Profile = found
	if least < 0 {
		least = found.MinScore
	}
	p.Least = strconv.FormatFloat(float64(least), 'f', 2, 32)
	most := 1
	for _, step := range found.Steps {
		most = max(most, step.Pairs)
	}
	const height = 120
	for i, step := range slices.Backward(found.Steps) {
		h := step.Pairs * height / most
		if step.Pairs > 0 {
			h = max(h, 2)
		}
		p.Bars = append(p.Bars, bar{step, (len(found.Steps) - 1 - i) * barWidth, h, height - h, step.From+1e-6 >= least, step.From > least-0.11 && step.From < least+0.06})
	}
	return nil
}
