package page

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
)

// legend is an entry of the map's key: points of one kind.
type legend struct {
	Name  string `json:"name"`
	Hue   int    `json:"hue"`
	Shape int    `json:"shape"`
	// Tone is the name of a colour that means something, "" where Hue counts.
	Tone  string `json:"tone,omitempty"`
	Count int    `json:"-"`
}

func legendOf(name, colour string, count int) legend {
	return legend{Name: name, Hue: hueOf(colour), Shape: shapeOf(colour), Count: count}
}

// plot is a commit's map as it is sent: points by ascending id. Their places are steps
// from the corner of this map's box; the corner and the step are in the plane that all
// maps of the domain share.
type plot struct {
	ids                []string
	hashes             []byte // of ids, four bytes each
	xs, ys             []uint16
	left, bottom, step float64
	others             int // documents that are not placed
	groups             painting
}

// painting says of which kind each point of a plot is: a place in kinds.
type painting struct {
	kinds []legend
	of    []byte
	Note  string // what it does not show
}

// maxKinds bounds the kinds of a painting.
const maxKinds = 254

// plotOf returns the plot of a commit; nil while it is worked out.
func (s *Site) plotOf(a *answer, f *frame) (*plot, error) {
	domain, ref := f.Domain, f.ref()
	return kept(a.r.Context(), s.works, "map\x00"+domain+"\x00"+f.At.Commit, func(ctx context.Context) (*plot, error) {
		return s.plot(ctx, domain, ref)
	})
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
	p := &plot{others: m.Others, left: float64(m.Box[0]), bottom: float64(m.Box[1])}
	p.step = max(float64(m.Box[2])-p.left, float64(m.Box[3])-p.bottom, 1e-6) / 65535
	for at := range m.Points() {
		h := fnv.New32a()
		h.Write([]byte(at.ID))
		p.ids, p.hashes = append(p.ids, at.ID), binary.LittleEndian.AppendUint32(p.hashes, h.Sum32())
		p.xs = append(p.xs, uint16((float64(at.X)-p.left)/p.step))
		p.ys = append(p.ys, uint16((float64(at.Y)-p.bottom)/p.step))
	}
	member := make(map[string]string)
	for ms := range clusters.Memberships() {
		if ms.Cluster != nil {
			member[ms.ID] = *ms.Cluster
		}
	}
	sizes, words := make(map[string]int), make(map[string]string)
	for _, c := range clusters.Clusters {
		sizes[c.ID], words[c.ID] = c.Size, strings.Join(c.Words[:min(len(c.Words), 3)], ", ")
	}
	p.groups = p.paint(func(id string) string { return member[id] }, "in no group", func(a, b string) int {
		return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b))
	})
	for i := range p.groups.kinds {
		if k := &p.groups.kinds[i]; k.Tone == "" {
			k.Name = words[k.Name]
		}
	}
	return p, nil
}

// paint paints points by a value of their documents, in an order of values: the first
// maxKinds of them, and the rest, and those without one, in grey.
func (p *plot) paint(value func(id string) string, without string, order func(a, b string) int) painting {
	counts := make(map[string]int)
	for _, id := range p.ids {
		counts[value(id)]++
	}
	none := counts[""]
	delete(counts, "")
	names := slices.SortedFunc(maps.Keys(counts), order)
	out := painting{of: make([]byte, len(p.ids))}
	number := make(map[string]byte)
	rest := 0
	for i, name := range names {
		if i < maxKinds-1 {
			number[name] = byte(i)
			out.kinds = append(out.kinds, legendOf(name, name, counts[name]))
		} else {
			rest += counts[name]
		}
	}
	grey := byte(len(out.kinds))
	switch {
	case rest > 0:
		out.kinds = append(out.kinds, legend{Name: plural(len(names)-int(grey), "other"), Tone: "rest", Count: rest + none})
	case none > 0:
		out.kinds = append(out.kinds, legend{Name: without, Tone: "rest", Count: none})
	}
	for i, id := range p.ids {
		k, ok := number[value(id)]
		if out.of[i] = k; !ok {
			out.of[i] = grey
		}
	}
	return out
}

// byCount orders the values of a painting by how common they are.
func byCount(counts map[string]int) func(a, b string) int {
	return func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) }
}

// colorField begins the name of a colouring by a field.
const colorField = "field:"

// painted returns the points painted as the address asks; nil while that is worked out.
func (s *Site) painted(a *answer, f *frame, p *plot, color string) (*painting, error) {
	name, isField := strings.CutPrefix(color, colorField)
	switch {
	case color == "group":
		return &p.groups, nil
	case color == "change":
		from, err := s.since(a, f)
		if err != nil {
			return nil, err
		}
		domain, to := f.Domain, f.At.Commit
		return kept(a.r.Context(), s.works, "change\x00"+domain+"\x00"+from+"\x00"+to, func(ctx context.Context) (*painting, error) {
			return s.byChange(ctx, domain, from, to, p)
		})
	case isField:
		domain, ref := f.Domain, f.ref()
		return kept(a.r.Context(), s.works, "paint\x00"+domain+"\x00"+f.At.Commit+"\x00"+name, func(ctx context.Context) (*painting, error) {
			values, err := s.cfg.Service.FieldValues(ctx, domain, ref, name)
			if err != nil {
				return nil, err
			}
			return p.byField(values), nil
		})
	}
	counts := make(map[string]int)
	for _, id := range p.ids {
		counts[contract.DocType(id)]++
	}
	out := p.paint(contract.DocType, "without a class", byCount(counts))
	return &out, nil
}

const (
	// maxValues is how many values of a field have a colour; numbers of more values
	// are painted in numberRanges ranges.
	maxValues    = 24
	numberRanges = 6
)

// byField paints points by a field: by its values, the commonest first, or where these
// are many numbers, by ranges of about as many documents each: what is no number is grey then.
func (p *plot) byField(values map[string]json.RawMessage) *painting {
	texts, counts := make(map[string]string, len(values)), make(map[string]int)
	var numbers []float64
	for _, id := range p.ids {
		raw, ok := values[id]
		if !ok {
			continue
		}
		var v any
		if json.Unmarshal(raw, &v) != nil {
			continue
		}
		if text, ok := v.(string); ok {
			v = line(text, 60)
		}
		texts[id] = cmp.Or(valueOf(v), "–")
		counts[texts[id]]++
		if n, err := strconv.ParseFloat(texts[id], 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	if len(counts) > maxValues && 10*len(numbers) >= 9*len(texts) {
		return p.byRange(texts, numbers)
	}
	common := byCount(counts)
	names := slices.SortedFunc(maps.Keys(counts), common)
	out := p.paint(func(id string) string {
		if name, ok := texts[id]; !ok || len(names) <= maxValues || common(name, names[maxValues]) < 0 {
			return name
		}
		return ""
	}, "without a value", common)
	if n := len(names) - maxValues; n > 0 {
		out.kinds[len(out.kinds)-1].Name = plural(n, "other value") + ", or none"
	}
	return &out
}

// byRange paints points by ranges of numbers, from blue to red.
func (p *plot) byRange(texts map[string]string, numbers []float64) *painting {
	slices.Sort(numbers)
	hues := [numberRanges]int{10, 8, 6, 4, 2, 0}
	out := painting{of: make([]byte, len(p.ids))}
	var from []float64 // of each range
	for i := range numberRanges {
		if n := numbers[i*len(numbers)/numberRanges]; len(from) == 0 || n > from[len(from)-1] {
			from = append(from, n)
		}
	}
	format := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	for i, n := range from {
		last := numbers[len(numbers)-1]
		if i+1 < len(from) {
			at, _ := slices.BinarySearch(numbers, from[i+1])
			last = numbers[at-1]
		}
		out.kinds = append(out.kinds, legend{Name: format(n) + " – " + format(last), Hue: hues[i]})
	}
	out.kinds = append(out.kinds, legend{Name: "without a number", Tone: "rest"})
	for i, id := range p.ids {
		k := len(from)
		if n, err := strconv.ParseFloat(texts[id], 64); err == nil {
			at, found := slices.BinarySearch(from, n)
			if k = at; !found {
				k--
			}
		}
		out.of[i] = byte(k)
		out.kinds[k].Count++
	}
	return &out
}

// since returns the commit that the address of a map compares with, or the one before.
func (s *Site) since(a *answer, f *frame) (from string, err error) {
	with, ok, err := s.other(a, f, "with")
	if from = f.At.Base; ok {
		from = with.Commit
	}
	return from, err
}

// byChange paints points by what has become of them since a commit, "" for none.
func (s *Site) byChange(ctx context.Context, domain, from, to string, p *plot) (*painting, error) {
	out := &painting{of: make([]byte, len(p.ids)), kinds: []legend{
		{Name: "as before", Tone: "rest"}, {Name: "added", Tone: "good", Shape: 2}, {Name: "changed", Tone: "warn", Shape: 1},
	}}
	marked, all := 0, 0
	for start := 0; from != "" && start < maxChanged; start += search.MaxCount {
		diff, err := s.cfg.Service.Diff(ctx, search.DiffRequest{Domain: domain, Between: search.Between{From: from, To: to}, Page: search.Page{Start: start, Count: search.MaxCount}})
		if err != nil {
			return nil, err
		}
		for _, d := range diff.Documents {
			if i, ok := slices.BinarySearch(p.ids, d.ID); ok {
				out.of[i] = map[search.Change]byte{search.Added: 1, search.Changed: 2}[d.Change]
			}
		}
		if all, marked = diff.Added+diff.Removed+diff.Changed, marked+len(diff.Documents); diff.Removed > 0 {
			out.Note = plural(diff.Removed, "document") + " removed, so not on this map."
		}
		if len(diff.Documents) < search.MaxCount {
			break
		}
	}
	if marked < all {
		out.Note += fmt.Sprintf(" %s of %s changes are marked.", thousands(marked), thousands(all))
	}
	for _, k := range out.of {
		out.kinds[k].Count++
	}
	return out, nil
}

// encode returns the points as the script reads them: the length of a JSON object, the
// object, filled up with blanks to four bytes, and five columns.
func (p *plot) encode(by *painting) ([]byte, error) {
	head, err := json.Marshal(struct {
		N      int      `json:"n"`
		Left   float64  `json:"left"`
		Bottom float64  `json:"bottom"`
		Step   float64  `json:"step"`
		Kinds  []legend `json:"kinds"`
		Groups []legend `json:"groups"`
	}{len(p.ids), p.left, p.bottom, p.step, by.kinds, p.groups.kinds[:min(len(p.groups.kinds), mapLabels)]})
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	for len(head)%4 != 0 {
		head = append(head, ' ')
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(head)))
	b = append(append(b, head...), p.hashes...)
	for _, column := range [][]uint16{p.xs, p.ys} {
		for _, v := range column {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	}
	return append(append(b, by.of...), p.groups.of...), nil
}

// outline is a closed line on the map, by which documents are selected.
type outline [][2]float64

// maxOutline bounds the corners of one.
const maxOutline = 200

// parseOutline reads one from an address, x,y;x,y;…; it is nil where there is none.
func parseOutline(text string) (o outline) {
	for corner := range strings.SplitSeq(text, ";") {
		x, y, _ := strings.Cut(corner, ",")
		px, errX := strconv.ParseFloat(x, 64)
		py, errY := strconv.ParseFloat(y, 64)
		if errX != nil || errY != nil || len(o) == maxOutline {
			return nil
		}
		o = append(o, [2]float64{px, py})
	}
	return o
}

// inside returns the points within an outline. The script counts in the same way, in
// the same order of operations.
func (p *plot) inside(o outline) (list []int) {
	for i := range p.ids {
		x, y := p.left+float64(float64(p.xs[i])*p.step), p.bottom+float64(float64(p.ys[i])*p.step)
		in := false
		for k, j := 0, len(o)-1; k < len(o); j, k = k, k+1 {
			a, b := o[k], o[j]
			if (a[1] > y) != (b[1] > y) && x < float64(float64((b[0]-a[0])*(y-a[1]))/(b[1]-a[1]))+a[0] {
				in = !in
			}
		}
		if in {
			list = append(list, i)
		}
	}
	return list
}
