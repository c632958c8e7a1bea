package docdb

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
)

// When everything at the commit is listed instead of what changed. With the
// documents that would be read and the commits to walk, that is when
//
//	2·documents + commitCost·commits > documents in the database
//
// See docs/terminusdb.md for the measurements behind it.
const (
	// commitCost is what asking one commit for its delta costs, in documents
	// read in a batch.
	commitCost = 100
	// A feed up to this size is followed without counting the database: two
	// batches, and as many deltas as a tenth of a second answers.
	smallFeed = 2000 // documents
	smallWalk = 16   // commits
)

// fullListing: what changed is not worth telling, for a reason.
type fullListing struct{ why string }

func (e *fullListing) Error() string { return e.why }

// feed is what changed between two commits, or, with whole, all of a commit.
type feed struct {
	c              *Client
	whole          bool // the ids of the plans are of documents that are there
	domain, commit string
	schema         *schema
	plans          []*classPull
	changes        *changes
	dirty          map[*place]map[string]bool // documents whose part in the texts changed
	unplaced       map[string]bool            // documents whose class is not known
	classFaults    []contract.Op              // those of classes that are not read
	again          []string                   // documents to read whether they changed or not
	gone           map[string]string          // documents of classes no longer indexed, with their class
	documents      int                        // in the database, once counted; -1 before
}

// changedSince finds what to do about each document so that the snapshot of the
// last commit of line becomes that of the first. plans are those of the first
// commit's classes; their ids are filled in. Documents in again are read in any
// case. The error is a *fullListing where everything should be listed instead.
func (c *Client) changedSince(ctx context.Context, domain string, line []Commit, s *schema, plans []*classPull, untold []contract.Op, again []string) (*feed, error) {
	commit, base := line[0], line[len(line)-1]
	f := &feed{
		c: c, domain: domain, commit: commit.ID, schema: s, plans: plans, classFaults: untold,
		dirty: map[*place]map[string]bool{}, unplaced: map[string]bool{}, again: again, gone: map[string]string{}, documents: -1,
	}
	for _, k := range line {
		if k.Schema == "" {
			// Then a layer that is not named need not be one that is
			// not there.
			return nil, &fullListing{"the history does not name the layers of its commits"}
		}
	}
	before := s
	if commit.Schema != base.Schema {
		var err error
		if before, err = c.schema(ctx, domain, base.ID); err != nil {
			return nil, err
		}
		if !s.names.same(before.names) {
			return nil, &fullListing{"the prefixes of ids changed"}
		}
	}
	changed := line[:0:0]
	if commit.Instance != base.Instance {
		for i, k := range line[:len(line)-1] {
			// A commit of the schema alone answers with the delta of
			// an older one.
			if k.Instance != line[i+1].Instance {
				changed = append(changed, k)
			}
		}
	}
	if err := f.worth(ctx, 0, len(changed)); err != nil {
		return nil, err
	}
	if err := f.gather(ctx, changed); err != nil {
		return nil, err
	}
	if err := f.spread(ctx); err != nil {
		return nil, err
	}
	if err := f.assign(ctx, base.ID, before, len(changed) > 0); err != nil {
		return nil, err
	}
	return f, f.worth(ctx, f.total(), len(changed))
}

// worth fails with a *fullListing when reading as many documents and commits is
// not cheaper than reading everything.
func (f *feed) worth(ctx context.Context, documents, commits int) error {
	if documents <= smallFeed && commits <= smallWalk {
		return nil
	}
	if f.documents < 0 {
		var err error
		if f.documents, err = f.count(ctx); err != nil {
			return err
		}
	}
	if 2*documents+commitCost*commits > f.documents {
		return &fullListing{fmt.Sprintf("%d commits and %d documents to read of %d", commits, documents, f.documents)}
	}
	return nil
}

// count returns about how many documents there are to index; those of a class's
// heirs may be counted with it.
func (f *feed) count(ctx context.Context) (int, error) {
	var classes []string
	for _, p := range f.plans {
		classes = append(classes, p.class.Name)
	}
	counts, err := f.c.ofEach(ctx, f.domain, f.commit, classes, "query", "_count(%s: {})", nil)
	total := 0
	for _, raw := range counts {
		var n int
		if json.Unmarshal(raw, &n) != nil || n < 0 {
			return 0, f.c.wire.garbage("a count that is not a number")
		}
		total += n
	}
	return total, err
}

// gather reads the deltas of commits.
func (f *feed) gather(ctx context.Context, commits []Commit) error {
	linked := map[string]bool{}
	for p := range f.places() {
		if p.back {
			linked[p.via] = true
		}
	}
	f.changes = newChanges(f.schema, linked)
	for _, k := range commits {
		rows, err := f.c.delta(ctx, f.domain, k.ID)
		if err != nil {
			return err
		}
		f.changes.add(rows)
	}
	return f.c.holders(ctx, f.domain, f.commit, f.schema, f.changes.cells, true, func(o object, property string) {
		f.changes.of(o).reads[property] = true
	})
}

// places yields the places of all queries.
func (f *feed) places() iter.Seq[*place] {
	return func(yield func(*place) bool) {
		for _, p := range f.plans {
			if p.shape == nil {
				continue
			}
			for _, at := range p.shape.places {
				if !yield(at) {
					return
				}
			}
		}
	}
}

// mark records that a document's rendered text may have changed at a place.
func (f *feed) mark(p *place, o object) {
	if !f.schema.fits(o, p) {
		return
	}
	if p.up == nil && o.class == "" {
		f.unplaced[o.iri] = true
		return
	}
	if f.dirty[p] == nil {
		f.dirty[p] = map[string]bool{}
	}
	f.dirty[p][o.iri] = true
}

// spread carries the changes from the places where documents are quoted up to
// the documents whose texts quote them, one level of links at a time and all
// queries together. The links are those at the commit: one that went is a
// change of the document that it started from.
//
// It may mark too much, where documents of one class stand at several places:
// then a text is rendered again and found to be the same.
func (f *feed) spread(ctx context.Context) error {
	deepest := 0
	for p := range f.places() {
		deepest = max(deepest, p.depth)
		for _, ch := range f.changes.byID {
			if p.up == nil {
				continue
			}
			if p.back {
				for _, to := range ch.links[p.via] {
					if f.schema.fits(ch.object, p) {
						f.markAll(p.up, to)
					}
				}
			}
			if !ch.fresh && ch.concerns(p) {
				f.mark(p, ch.object)
			}
		}
	}
	for depth := deepest; depth > 0; depth-- {
		if err := f.climb(ctx, depth); err != nil {
			return err
		}
	}
	return nil
}

// markAll marks an object and what holds it.
func (f *feed) markAll(p *place, iri string) {
	for _, o := range f.schema.objects(iri) {
		f.mark(p, o)
	}
}

// climb marks the documents one level above those marked at a depth.
func (f *feed) climb(ctx context.Context, depth int) error {
	targets, sources, through := map[string]bool{}, map[string]bool{}, false
	var places []*place
	for p := range f.places() {
		if p.depth != depth || len(f.dirty[p]) == 0 {
			continue
		}
		places = append(places, p)
		through = through || p.listed
		if p.back {
			maps.Copy(sources, f.dirty[p])
		} else {
			maps.Copy(targets, f.dirty[p])
		}
	}
	if err := f.worth(ctx, len(targets)+len(sources), 0); err != nil {
		return err
	}
	err := f.c.holders(ctx, f.domain, f.commit, f.schema, targets, through, func(o object, property string) {
		for _, p := range places {
			if !p.back && p.via == property {
				f.mark(p.up, o)
			}
		}
	})
	if err != nil {
		return err
	}
	return inChunks(sources, f.schema.names, func(chunk []string) error {
		rows, err := f.c.properties(ctx, f.domain, f.commit, chunk)
		for _, r := range rows {
			for _, p := range places {
				if to := r.object(); to != "" && p.back && p.via == f.schema.names.local(r.P) {
					f.markAll(p.up, f.schema.names.iri(to))
				}
			}
		}
		return err
	})
}

// inChunks calls do with the nodes as a query names them, in order, at most
// nodesPerQuery at once.
func inChunks(set map[string]bool, names names, do func(nodes []string) error) error {
	var nodes []string
	for _, iri := range slices.Sorted(maps.Keys(set)) {
		nodes = append(nodes, names.node(iri))
	}
	for chunk := range slices.Chunk(nodes, nodesPerQuery) {
		if err := do(chunk); err != nil {
			return err
		}
	}
	return nil
}

// assign gives each class the documents to read, and lists those to delete.
// before is the schema at the base; documents says whether any changed.
func (f *feed) assign(ctx context.Context, base string, before *schema, documents bool) error {
	ids := map[string]map[string]bool{} // by class
	for _, p := range f.plans {
		ids[p.class.Name] = map[string]bool{}
		if p.shape != nil {
			maps.Copy(ids[p.class.Name], f.dirty[p.shape.root])
		}
	}
	for iri, ch := range f.changes.byID {
		classes := slices.Clone(ch.types)
		if ch.class != "" {
			classes = append(classes, ch.class)
		}
		for _, class := range classes {
			if set := ids[class]; set != nil {
				set[iri] = true
			}
		}
		if len(classes) == 0 {
			f.unplaced[iri] = true
		}
	}
	for _, iri := range f.again {
		if o := f.schema.objects(iri)[0]; o.class == "" {
			f.unplaced[iri] = true
		} else if set := ids[o.class]; set != nil {
			set[iri] = true
		}
	}
	if err := f.place(ctx, ids); err != nil {
		return err
	}
	old := f.oldPlans(before)
	for _, p := range f.plans {
		if f.isWhole(p, old[p.class.Name], documents) {
			all, err := f.c.ids(ctx, f.domain, f.commit, p.class.Name)
			if err != nil && !isClassError(err) {
				return f.c.listFault(p.class.Name, err)
			}
			for _, id := range all {
				ids[p.class.Name][id] = true
			}
		}
		p.ids = slices.Sorted(maps.Keys(ids[p.class.Name]))
		// A class that cannot be read is named also where none of its
		// documents changed.
		if p.fault != nil && len(p.ids) == 0 {
			f.classFaults = append(f.classFaults, p.failed("", p.fault))
		}
		delete(old, p.class.Name)
	}
	// What is left was indexed at the base and no longer is.
	for name := range old {
		all, err := f.c.ids(ctx, f.domain, base, name)
		if err != nil && !isClassError(err) {
			return f.c.listFault(name, err)
		}
		for _, id := range all {
			f.gone[id] = name
		}
	}
	return nil
}

// oldPlans are the plans that the base was indexed by.
func (f *feed) oldPlans(before *schema) map[string]*classPull {
	old := map[string]*classPull{}
	plans, _ := before.plan()
	for _, p := range plans {
		old[p.class.Name] = p
	}
	return old
}

// isWhole reports whether every document of a class may read otherwise than at
// the base: its query or template is another, or the schema answers the query
// otherwise, or it cannot be told what the query reads.
func (f *feed) isWhole(p, old *classPull, documents bool) bool {
	switch {
	case old == nil || !p.class.same(old.class) || (p.shape == nil) != (old.shape == nil):
		return true
	case p.shape == nil:
		return false // not read, then as now
	}
	return p.shape.print != old.shape.print || p.shape.opaque != "" && documents
}

// place finds the classes of documents whose ids do not tell.
func (f *feed) place(ctx context.Context, ids map[string]map[string]bool) error {
	for _, found := range ids {
		for id := range found {
			delete(f.unplaced, id)
		}
	}
	classes, err := f.c.locate(ctx, f.domain, f.commit, slices.Sorted(maps.Keys(f.unplaced)), slices.Sorted(maps.Keys(ids)))
	for id, class := range classes {
		ids[class][id] = true
	}
	return err
}
