package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
)

// Search returns the documents nearest to a text or a ready vector, nearest
// first, equal distances by id. Where the snapshot holds no graph the answer
// is exact.
func (r *Reader) Search(ctx context.Context, req SearchRequest) (found Hits, err error) {
	defer func() { err = r.whileFollowing(err) }()
	if err := req.Page.Check(); err != nil {
		return Hits{}, err
	}
	words, err := req.words()
	if err != nil {
		return Hits{}, err
	}
	defer traceSearch(ctx, cmp.Or(string(req.Mode), string(ModeVector)))(&err)
	d, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return Hits{}, err
	}
	defer s.Release()
	if s.view.Header().Fingerprint == "" {
		return Hits{Commit: commit}, nil // nothing was embedded yet
	}
	q := query{Options: req.Options, Rank: req.Rank, Explain: req.Explain, measure: MeasureOf(s.settings)}
	r.weigh(&q, s.settings, req.Weight)
	if q.among, err = s.Select(ctx, req.Filter, Replaced(req.Ref, commit)); err != nil {
		return Hits{}, err
	}
	if words != nil {
		q.words, req.Text = *words, words.Words()
	}
	found = Hits{Commit: commit}
	search := r.rank
	switch req.Mode {
	case ModeText:
		search = r.searchText
	case ModeHybrid:
		search = r.searchHybrid
	}
	if req.Mode != ModeText {
		err := r.queryVectors(ctx, d, s, req, &q)
		switch byWords := req.Mode == ModeHybrid; {
		case errors.Is(err, contract.ErrDown) && byWords && req.Fallback != FallbackOff && req.MaxDistance == nil:
			search, found.Fallback = r.searchText, true
			found.warn("the embedding provider is down or limits the rate: found by words alone (fallback=off refuses that)")
		case err != nil:
			return Hits{}, err
		case req.Vector == nil && r.unreadable(req.Text) && byWords && req.MaxDistance == nil:
			search = r.searchText
			found.warn("the model cannot read the query: found by words alone")
		case req.Vector == nil && r.unreadable(req.Text):
			found.warn("the model cannot read the query: the order of the hits says nothing (mode=fts goes by words)")
		}
	}
	if req.Feedback > 0 && len(q.vectors) > 0 && req.Mode != ModeText {
		if err := s.feedback(ctx, &q, search, req.Feedback); err != nil {
			return Hits{}, err
		}
	}
	found.Hits, err = search(ctx, s, q)
	found.Damaged = s.Damaged()
	found.Warnings = append(found.Warnings, s.unanalyzed(q.words)...)
	return found, err
}

func (h *Hits) warn(text string) { h.Warnings = append(h.Warnings, text) }

// queryVectors sets what a search by vector goes by.
func (r *Reader) queryVectors(ctx context.Context, d *Domain, s *Snapshot, req SearchRequest, q *query) error {
	v, own := req.Vector, []uint32(nil)
	var err error
	if v != nil {
		if v, err = s.ready(v); err == nil {
			q.itself = s.itself(v)
		}
	} else if v, err = r.embedQuery(ctx, d, s, req); err == nil {
		hash := snapshot.HashText(req.Text)
		q.sameText, own = &hash, s.slotsOfText(hash)
	}
	q.vectors, q.last = [][]float32{v}, s.Last(own)
	return err
}

// words returns what to look for in texts, nil in a search by vector alone.
func (req *SearchRequest) words() (*textindex.Query, error) {
	switch req.Mode {
	case ModeVector, "":
		if req.Syntax == SyntaxQuery {
			return nil, fmt.Errorf("%w: %w", contract.ErrInvalid, errSyntaxMode)
		}
		return nil, nil
	case ModeText, ModeHybrid:
	default:
		return nil, fmt.Errorf("%w: mode %q is none of vector, fts, hybrid", contract.ErrInvalid, req.Mode)
	}
	if req.Text == "" {
		return nil, fmt.Errorf("%w: mode %s needs q, a text", contract.ErrInvalid, req.Mode)
	}
	var words textindex.Query
	switch req.Syntax {
	case SyntaxPlain, "":
		words = textindex.Plain(req.Text)
	case SyntaxQuery:
		var err error
		if words, err = textindex.Parse(req.Text); err != nil {
			return nil, textError(err)
		}
		if words.Words() == "" {
			return nil, fmt.Errorf("%w: q has no words", contract.ErrInvalid)
		}
	default:
		return nil, fmt.Errorf("%w: syntax %q is none of plain, query", contract.ErrInvalid, req.Syntax)
	}
	fuzzy, ok := map[string]textindex.Fuzzy{"": textindex.FuzzyAuto, "auto": textindex.FuzzyAuto, "off": textindex.FuzzyOff, "on": textindex.FuzzyOn}[req.Fuzzy]
	if !ok {
		return nil, fmt.Errorf("%w: fuzzy %q is none of auto, off, on", contract.ErrInvalid, req.Fuzzy)
	}
	words = words.Fuzzy(fuzzy)
	return &words, nil
}

func (r *Reader) embedQuery(ctx context.Context, d *Domain, s *Snapshot, req SearchRequest) ([]float32, error) {
	if req.Text == "" {
		return nil, fmt.Errorf("%w: q must not be empty", contract.ErrInvalid)
	}
	if dim := s.settings.Dim; dim != 0 {
		return nil, fmt.Errorf("%w: %s has no model, but vectors of %d dimensions that came with its documents: search by vector or vector_b64, by words (mode=fts), or by id (/similar)", contract.ErrConflict, d.Name(), dim)
	}
	if have, want := s.view.Header().Fingerprint, s.settings.Model(r.cfg.Embedder.Fingerprint()); have != want {
		return nil, fmt.Errorf("%w: %s was indexed with %s, but this server embeds queries with %s; start it with the model of the index, or use another data directory", contract.ErrConflict, d.Name(), have, want)
	}
	if req.Role == 0 {
		req.Role = contract.RoleQuery
	}
	v, err := r.embedWhole(ctx, s.settings, req.Role, req.Text, req.CallerKey)
	if err != nil {
		return nil, err
	}
	if len(v) != int(s.view.Header().Dim) {
		return nil, fmt.Errorf("%w: the query's vector has the wrong length", contract.ErrProvider)
	}
	if s.settings.Normalize {
		return v, nil
	}
	return s.ready(v)
}

// Similar returns the documents nearest to one of the snapshot's own, read at
// the served commit; of several chunks the best pair counts. With IDs they are
// those nearest to the mean of several. With neither they are those that Search
// finds by vector, for the text of a document or for a vector.
func (r *Reader) Similar(ctx context.Context, req SimilarRequest) (found Hits, err error) {
	if req.ID == "" && len(req.IDs) == 0 && (req.Text != "" || req.Vector != nil) {
		return r.Search(ctx, SearchRequest{
			Domain: req.Domain, Ref: req.Ref, Text: req.Text, Role: contract.RoleDocument, Vector: req.Vector,
			Mode: ModeVector, Options: req.Options, CallerKey: req.CallerKey,
		})
	}
	defer func() { err = r.whileFollowing(err) }()
	defer traceSearch(ctx, "similar")(&err)
	if err := req.Page.Check(); err != nil {
		return Hits{}, err
	}
	_, commit, s, err := r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return Hits{}, err
	}
	defer s.Release()
	ids := req.IDs
	if len(ids) == 0 {
		ids = []string{req.ID}
	}
	sources, err := s.sources(ids, commit)
	if err != nil {
		return Hits{}, err
	}
	q := query{Options: req.Options, measure: MeasureOf(s.settings), source: sources[0]}
	if q.among, err = s.Select(ctx, req.Filter, Replaced(req.Ref, commit)); err != nil {
		return Hits{}, err
	}
	if !req.IncludeSelf {
		for _, e := range sources {
			q.without = append(q.without, e.Key())
		}
	}
	if slices.ContainsFunc(sources, func(e *snapshot.Entry) bool { return !Identical(e, sources[0]) }) {
		q.source = nil // the mean of several is none of them
	}
	if len(sources) == 1 {
		q.vectors, err = s.ChunkVectors(sources[0])
	} else {
		q.vectors, err = s.meanVector(sources)
	}
	if err != nil {
		return Hits{}, err
	}
	if len(q.vectors) == 0 && slices.ContainsFunc(sources, func(e *snapshot.Entry) bool { return len(e.Chunks) > 0 }) {
		return Hits{}, fmt.Errorf("%w: the vectors of document %.200q; index commit %s again to mend them", contract.ErrCorrupt, sources[0].ID, commit)
	}
	q.last = s.Last(SlotsOf(sources))
	found = Hits{Commit: commit}
	if !slices.ContainsFunc(sources, func(e *snapshot.Entry) bool { return !s.Unreadable(e) }) {
		found.warn("the model cannot read the text of the document: the order of the hits says nothing")
	}
	found.Hits, err = r.rank(ctx, s, q)
	found.Damaged = s.Damaged()
	return found, err
}

// Serve resolves a reference and leases the snapshot it leads to. The commit
// returned is the one asked for or its stand-in, under the name it was asked
// by.
func (r *Reader) Serve(ctx context.Context, domainName string, ref Ref) (*Domain, string, *Snapshot, error) {
	for again := true; ; again = false {
		d, err := r.domains.Domain(domainName)
		if err != nil {
			return nil, "", nil, err
		}
		state := d.State()
		commit, err := state.Resolve(ref)
		if err != nil {
			return nil, "", nil, err
		}
		s, err := r.Open(ctx, d, commit)
		if again && r.overtaken(d, state, err) {
			continue // once more, with what is there now
		}
		if t := traceOf(ctx); t != nil && err == nil {
			t.reads.Store(true)
		}
		return d, commit, s, r.whileFollowing(err)
	}
}

// Check reports what is wrong with a page.
func (p Page) Check() error {
	if p.Start < 0 || p.Start > MaxStart {
		return fmt.Errorf("%w: start must be 0 to %d", contract.ErrInvalid, MaxStart)
	}
	if p.Count < 1 || p.Count > MaxCount {
		return fmt.Errorf("%w: count must be 1 to %d", contract.ErrInvalid, MaxCount)
	}
	return nil
}

// query is what rank needs to know.
type query struct {
	Options
	measure  Measure
	vectors  [][]float32 // made ready; a document's distance is its best pair
	words    textindex.Query
	sameText *[32]byte              // documents of this text have distance 0, others not
	itself   func(slot uint32) bool // whether a slot has the query's ready vector: distance 0
	source   *snapshot.Entry        // in its place: documents identical to this one
	without  []snapshot.Key         // documents to leave out, ascending
	among    *Selection             // the documents to consider
	// last reports of slots that their vectors say nothing of their texts, as
	// [Snapshot.Last] returns it.
	last func(slot uint32) bool
	// limit, where not nil, is the largest distance of interest.
	limit *float32
	Rank
	Explain bool
	// weight is the vector's share of scores, or what that of the query differs
	// from unless it is fixed.
	weight  float64
	fixed   bool
	cosines bool // likenesses are cosines of the model inside
}

// beyond reports whether no hit may be at that distance.
func (q *query) beyond(distance float32) bool {
	return q.MaxDistance != nil && distance > *q.MaxDistance
}

// admits reports whether the document is to be considered.
func (q *query) Admits(e *snapshot.Entry) bool {
	return !q.leaves(e.Key()) && q.among.Admits(e)
}

func (q *query) leaves(key snapshot.Key) bool {
	_, out := slices.BinarySearchFunc(q.without, key, snapshot.Key.Compare)
	return out
}

// scored returns a chunk as its vector, which has the given product with the
// query's, finds it.
func (q *query) scored(e *snapshot.Entry, chunk int, dot float32) scored {
	d := q.distance(e, dot)
	switch slot := e.Chunks[chunk].Slot; {
	case q.last != nil && q.last(slot):
		d = q.measure.farthest()
	case q.itself != nil && q.measure.Zero() && d != 0 && d <= q.measure.Slack() && q.itself(slot):
		d = 0
	}
	return scored{entry: e, chunk: chunk, distance: d, score: q.measure.likeness(d), found: FoundVector}
}

// distance is that of an entry whose vector has the given product with the
// query's.
func (q *query) distance(e *snapshot.Entry, dot float32) float32 {
	d := q.measure.Distance(dot)
	if q.source != nil {
		return q.measure.OfEntries(q.source, e, d)
	}
	if q.sameText == nil || e.Supplied() {
		return d
	}
	return q.measure.OfTexts(e.TextHash == *q.sameText, d)
}

// scored is a chunk, or a document with its best chunk so far.
type scored struct {
	entry    *snapshot.Entry
	chunk    int
	distance float32
	score    float32 // greater is better
	found    Found
	// explained is how the score came about, where that was asked for.
	explained *Explanation
	matched   string // as of textindex.Hit
}

// compareScored is the order of documents. Ids are looked at where it is for
// them to decide: they lie anywhere in memory.
func compareScored(a, b scored) int {
	if a.distance != b.distance {
		return cmp.Compare(a.distance, b.distance)
	}
	return a.entry.Key().Compare(b.entry.Key())
}

// rank finds, ranks and cuts. Documents are ranked whole before the cut, so
// pages fit together.
func (r *Reader) rank(ctx context.Context, s *Snapshot, q query) ([]Hit, error) {
	q.limit = q.MaxDistance
	ranked, err := r.nearest(ctx, s, q, q.Page.Start+q.Page.Count)
	if err != nil {
		return nil, err
	}
	return s.page(ctx, slices.DeleteFunc(ranked, func(d scored) bool { return q.beyond(d.distance) }), q)
}

// page cuts a ranking and makes hits of it.
func (s *Snapshot) page(ctx context.Context, ranked []scored, q query) ([]Hit, error) {
	defer timed(ctx, PartTexts)()
	ranked = ranked[min(q.Page.Start, len(ranked)):min(q.Page.Start+q.Page.Count, len(ranked))]
	hits := make([]Hit, len(ranked))
	for i, r := range ranked {
		var err error
		if hits[i], err = s.hit(r, q); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

func (s *Snapshot) hit(r scored, q query) (Hit, error) {
	c := r.entry.Chunks[r.chunk]
	h := Hit{
		ID: r.entry.ID, Int: r.entry.Int, Distance: r.distance, Score: r.score, Found: r.found, Matched: r.matched, Explained: r.explained,
		Chunk: HitChunk{
			Index: r.chunk, Count: len(r.entry.Chunks),
			TokenStart: int(c.TokenStart), DocTokens: r.entry.Tokens(),
		},
	}
	var err error
	if h.Output, err = s.output(r.entry, r.chunk, q.OutputFields); err != nil {
		return Hit{}, err
	}
	if q.Snippet {
		text, err := s.ChunkText(r.entry, r.chunk)
		if errors.Is(err, contract.ErrCorrupt) {
			s.noteText(r.entry.ID, err) // the hit stands without it
		} else if err != nil {
			return Hit{}, err
		}
		h.Chunk.Snippet = text
	}
	if q.Texts {
		if h.Text, h.TextCut, err = s.shownText(r.entry); err != nil {
			return Hit{}, err
		}
	}
	return h, nil
}

// output returns what is asked for by names of a document, and of one of its chunks; nil
// without any names.
func (s *Snapshot) output(e *snapshot.Entry, chunk int, names []string) (*Output, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var out Output
	if slices.Contains(names, vectorField) {
		if chunk < len(e.Chunks) {
			v := make([]float32, s.vecs.Dim())
			ok, err := s.ReadVector(e.Chunks[chunk].Slot, v)
			if err != nil {
				return nil, err
			}
			if ok {
				out.Vector = v
			}
		}
		if len(names) == 1 {
			return &out, nil
		}
	}
	out.Fields = fields.Object(e.Fields).Select(names)
	return &out, nil
}

// vectorField is the name under which a vector is asked for.
const vectorField = "vector"

// maxShown bounds, in bytes, what answers show of a document's text.
const maxShown = 64 << 10

// shownText returns a document's text as of the commit, and whether it is longer
// than that. One that is damaged is empty.
func (s *Snapshot) shownText(e *snapshot.Entry) (text string, cut bool, err error) {
	text, err = s.SoundText(e)
	end := min(maxShown, len(text))
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end], end < len(text), err
}

// SoundText returns a document's text for what its words say; that of a damaged one is
// empty.
func (s *Snapshot) SoundText(e *snapshot.Entry) (string, error) {
	text, err := s.view.Text(e)
	if err = catalog.StoreError(err); errors.Is(err, contract.ErrCorrupt) {
		s.noteText(e.ID, err)
		return "", nil
	}
	return text, err
}

// ChunkText returns the text of a document's chunk; of a document without any what is
// shown of it.
func (s *Snapshot) ChunkText(e *snapshot.Entry, chunk int) (string, error) {
	if len(e.Chunks) == 0 {
		text, _, err := s.shownText(e)
		return text, err
	}
	text, err := s.view.Text(e)
	if err != nil {
		return "", catalog.StoreError(err)
	}
	c := e.Chunks[chunk]
	return text[c.Start:c.End], nil
}

// nearest returns at least need documents in order, or all there are. More
// slots are fetched until the cut does not fall among equals: documents of one
// distance are ordered by id, wherever the page ends.
func (r *Reader) nearest(ctx context.Context, s *Snapshot, q query, need int) ([]scored, error) {
	for k := need + 1; ; k *= 2 {
		best := make(map[*snapshot.Entry]scored)
		exhausted, last := true, float32(math.Inf(1))
		for _, v := range q.vectors {
			hits, err := r.Slots(ctx, s, v, q.among, k, q.Ef, q.last)
			if err != nil {
				return nil, err
			}
			if len(hits) >= k {
				d := q.measure.Distance(hits[len(hits)-1].Dot)
				if q.last != nil && q.last(hits[len(hits)-1].Slot) {
					d = q.measure.farthest()
				}
				if q.limit == nil || d <= *q.limit+q.measure.Slack() {
					exhausted = false
					last = min(last, d)
				}
			}
			for _, h := range hits {
				for e, chunk := range s.view.Holders(h.Slot) {
					if !q.Admits(e) {
						continue
					}
					c := q.scored(e, chunk, h.Dot)
					old, ok := best[e]
					if !ok || compareChunks(c, old) < 0 {
						best[e] = c
					}
				}
			}
		}
		ranked := make([]scored, 0, len(best))
		for _, r := range best {
			ranked = append(ranked, r)
		}
		slices.SortFunc(ranked, compareScored)
		if exhausted || len(ranked) >= need && ranked[need-1].distance < last {
			return ranked, nil
		}
	}
}

// Slots returns the k slots nearest to v among those of a selection, best first:
// through the graph and the scan of what it does not hold, or by the scan alone.
// Those of last (nil: none) come after all others.
func (r *Reader) Slots(ctx context.Context, s *Snapshot, v []float32, among *Selection, k, ef int, last func(slot uint32) bool) ([]hnsw.Hit, error) {
	if s.vecs == nil {
		return nil, nil
	}
	defer timed(ctx, PartGraph)()
	scanned := s.scanned
	if among != nil {
		scanned = among.tail
	}
	hits, err := r.graphSlots(ctx, s, v, among, k, ef, last)
	if err != nil {
		return nil, catalog.StoreError(err)
	}
	tail, err := hnsw.Scan(ctx, s.Vectors(), v, without(scanned, last), k)
	if err != nil {
		return nil, catalog.StoreError(err)
	}
	found := sound(hnsw.Merge(hits, tail, k))
	if last == nil || len(found) == k {
		return found, nil
	}
	rest := without(s.unreadable, func(slot uint32) bool {
		for e := range s.view.Holders(slot) {
			if among.Admits(e) {
				return !last(slot)
			}
		}
		return true
	})
	if tail, err = hnsw.Scan(ctx, s.Vectors(), v, rest, k-len(found)); err != nil {
		return nil, catalog.StoreError(err)
	}
	return append(found, sound(tail)...), nil
}

// graphSlots is Slots for those that the graph holds.
func (r *Reader) graphSlots(ctx context.Context, s *Snapshot, v []float32, among *Selection, k, ef int, last func(slot uint32) bool) ([]hnsw.Hit, error) {
	if s.Graph() == nil || among != nil && among.Len() == 0 {
		return nil, nil
	}
	if ef == 0 {
		if ef = r.cfg.Ef; among != nil {
			ef += ef / 2 // a walk among few finds less
		}
	}
	ef = max(ef, k)
	if among != nil && among.narrow(s.Graph(), ef) {
		return hnsw.Scan(ctx, s.Vectors(), v, without(among.Slots(), last), k)
	}
	vecs, err := s.graphVectors()
	if err != nil {
		return nil, err
	}
	live := s.live()
	if last != nil {
		sound := live
		live = func(slot uint32) bool { return sound(slot) && !last(slot) }
	}
	switch {
	case among == nil:
		return s.Graph().Search(ctx, vecs, v, k, ef, live)
	case len(s.Harmed()) > 0 || last != nil:
		return s.Graph().Search(ctx, vecs, v, k, ef, func(slot uint32) bool { return among.Has(slot) && live(slot) })
	}
	return s.Graph().SearchIn(ctx, vecs, v, k, ef, among)
}
