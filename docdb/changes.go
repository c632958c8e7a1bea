package docdb

import (
	"context"
	"strings"
)

// change is what a range of commits did to one document, or to one subdocument.
type change struct {
	object
	// reads are the properties whose values changed, its subdocuments' too;
	// readType where it changed class, readAll where that cannot be told.
	reads map[string]bool
	// types are the classes that it was given or lost.
	types []string
	// fresh: it came or went, so every link to it that is there now was set
	// in the range too, by a document that is itself among the changes.
	fresh bool
	// links are the objects that it was linked to or no longer is, for the
	// properties asked for.
	links map[string][]string
}

// changes gathers the deltas of commits.
type changes struct {
	schema *schema
	linked map[string]bool // properties for which links are kept
	byID   map[string]*change
	// cells are those of lists and arrays that changed in place: whose they
	// are must be asked.
	cells map[string]bool
}

func newChanges(s *schema, linked map[string]bool) *changes {
	return &changes{schema: s, linked: linked, byID: map[string]*change{}, cells: map[string]bool{}}
}

// of returns the change of an object.
func (c *changes) of(o object) *change {
	ch := c.byID[o.iri]
	if ch == nil {
		ch = &change{object: o, reads: map[string]bool{}}
		c.byID[o.iri] = ch
	}
	return ch
}

// add takes the delta of one commit.
func (c *changes) add(rows []row) {
	types := map[string][]string{} // by subject
	cells := map[string]bool{}
	for _, r := range rows {
		subject, predicate := c.schema.names.iri(r.S), c.schema.names.local(r.P)
		if strings.HasPrefix(subject, jsonNodes) {
			continue // named by its content: another content is another link of the owner
		}
		switch {
		case isCellPredicate(predicate):
			cells[subject] = true
			continue
		case predicate == rdfType:
			types[subject] = append(types[subject], c.schema.names.local(r.object()))
			continue
		}
		chain := c.schema.objects(subject)
		for _, o := range chain {
			ch := c.of(o)
			ch.reads[predicate] = true
			if to := r.object(); to != "" && c.linked[predicate] {
				if ch.links == nil {
					ch.links = map[string][]string{}
				}
				ch.links[predicate] = append(ch.links[predicate], c.schema.names.iri(to))
			}
		}
	}
	for subject, names := range types {
		if names[0] == rdfList || names[0] == sysArray {
			// It came or went with whatever links to it, which changed too.
			delete(cells, subject)
			continue
		}
		ch := c.of(c.schema.objects(subject)[0])
		ch.types = append(ch.types, names...)
		if len(names) == 1 {
			ch.fresh = true
		} else {
			ch.reads[readType] = true
		}
	}
	for cell := range cells {
		c.cells[cell] = true
	}
}

// isCellPredicate reports whether only cells of lists and arrays have it.
func isCellPredicate(predicate string) bool {
	return predicate == rdfFirst || predicate == rdfRest || predicate == sysValue || strings.HasPrefix(predicate, sysIndex)
}

// concerns reports whether the change can show at a place.
func (ch *change) concerns(p *place) bool {
	if ch.reads[readAll] || ch.reads[readType] || p.reads[readAll] && len(ch.reads) > 0 {
		return true
	}
	for name := range ch.reads {
		if p.reads[name] {
			return true
		}
	}
	return false
}

// fits reports whether a document may stand at a place.
func (s *schema) fits(o object, p *place) bool {
	switch {
	case o.class == "":
		return true // its id does not tell
	case p.up == nil:
		return o.class == p.class
	}
	return s.isA(o.class, p.class)
}

// maxListClimb bounds how many cells of a list are walked back, one request a
// cell: past it, listing everything is cheaper.
const maxListClimb = 64

// holders walks from nodes to what links to them, through the cells of lists
// and arrays where through is set, and calls found with the linking object,
// parts of it included, and the property.
func (c *Client) holders(ctx context.Context, domain, commit string, s *schema, nodes map[string]bool, through bool, found func(o object, property string)) error {
	seen := map[string]bool{}
	for round := 0; len(nodes) > 0; round++ {
		if round > maxListClimb {
			return &fullListing{"a list is too long to be walked back"}
		}
		cells := map[string]bool{}
		err := inChunks(nodes, s.names, func(chunk []string) error {
			rows, err := c.referrers(ctx, domain, commit, chunk)
			for _, r := range rows {
				subject, predicate := s.names.iri(r.S), s.names.local(r.P)
				if isCellPredicate(predicate) {
					if through && !seen[subject] {
						seen[subject], cells[subject] = true, true
					}
					continue
				}
				for _, o := range s.objects(subject) {
					found(o, predicate)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		nodes = cells
	}
	return nil
}
