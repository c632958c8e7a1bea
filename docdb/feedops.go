package docdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
)

// total is the number of operations to expect.
func (f *feed) total() int {
	if f.whole {
		n := len(f.classFaults)
		for _, p := range f.plans {
			n += len(p.ids)
		}
		return n
	}
	all := maps.Clone(f.gone)
	for _, p := range f.plans {
		for _, id := range p.ids {
			all[id] = ""
		}
	}
	return len(all) + len(f.classFaults)
}

// ops yields the operations: of each document that is read, and then the
// deletions, of those that were not found. Of a whole commit there are none: a
// document that is not answered is there all the same, unless the class's own
// filter leaves it out.
func (f *feed) ops(ctx context.Context) iter.Seq2[contract.Op, error] {
	return func(yield func(contract.Op, error) bool) {
		for _, op := range f.classFaults {
			if !yield(op, nil) {
				return
			}
		}
		answered, absent := map[string]bool{}, map[string]*classPull{}
		for _, p := range f.plans {
			for batch := range slices.Chunk(p.ids, f.c.batch) {
				found, err := f.read(ctx, p, batch)
				if err != nil {
					yield(contract.Op{}, err)
					return
				}
				for _, id := range batch {
					op, ok := found[id]
					switch {
					case !ok && f.whole && !p.query.filtered:
						op, ok = p.failed(id, errNotAnswered), true
					case f.whole:
					case ok:
						answered[id] = true
					default:
						absent[id] = p
					}
					if ok && !yield(op, nil) {
						return
					}
				}
			}
		}
		if f.whole {
			return
		}
		last, err := f.leftover(ctx, answered, absent)
		if err != nil {
			yield(contract.Op{}, err)
			return
		}
		for _, op := range last {
			if !yield(op, nil) {
				return
			}
		}
	}
}

// read fetches a batch of a class, and takes back the failures of documents
// that are not there.
func (f *feed) read(ctx context.Context, p *classPull, batch []string) (map[string]contract.Op, error) {
	found := map[string]contract.Op{}
	if err := f.c.fetch(ctx, f.domain, f.commit, p, batch, found); err != nil {
		return nil, err
	}
	var failed []string
	for id, op := range found {
		if op.Kind == contract.Failed {
			failed = append(failed, id)
		}
	}
	if len(failed) == 0 || f.whole {
		return found, nil
	}
	slices.Sort(failed)
	there, err := f.c.locate(ctx, f.domain, f.commit, failed, []string{p.class.Name})
	if isClassFault(err) || errors.Is(err, errTooLarge) {
		return found, nil // not even that can be asked
	}
	for _, id := range failed {
		if there[id] == "" {
			delete(found, id)
		}
	}
	return found, err
}

// leftover returns the operations on documents that no class answered. One that
// came, went or changed class in the range, or that its class's filter may
// leave out, is deleted. Any other should have been answered: whether it exists
// is asked first.
func (f *feed) leftover(ctx context.Context, answered map[string]bool, absent map[string]*classPull) ([]contract.Op, error) {
	ids := map[string]string{}
	var doubtful []string
	for id, class := range f.gone {
		if !answered[id] {
			ids[id] = class
		}
	}
	for id, p := range absent {
		if answered[id] {
			continue
		}
		ids[id] = p.class.Name
		ch := f.changes.byID[id]
		if (ch == nil || len(ch.types) == 0) && !(p.query != nil && p.query.filtered) {
			doubtful = append(doubtful, id)
		}
	}
	slices.Sort(doubtful)
	var classes []string
	plans := map[string]*classPull{}
	for _, p := range f.plans {
		classes = append(classes, p.class.Name)
		plans[p.class.Name] = p
	}
	there, err := f.c.locate(ctx, f.domain, f.commit, doubtful, classes)
	if err != nil {
		return nil, err
	}
	ops := map[string]contract.Op{}
	for id, class := range there {
		p := plans[class]
		if class == absent[id].class.Name {
			ops[id] = p.failed(id, errNotAnswered)
			continue
		}
		if err := f.c.fetch(ctx, f.domain, f.commit, p, []string{id}, ops); err != nil {
			return nil, err
		}
	}
	var list []contract.Op
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		op, ok := ops[id]
		if !ok {
			op = contract.Op{Kind: contract.Delete, ID: id, Type: ids[id]}
		}
		list = append(list, op)
	}
	return list, nil
}

// locate returns which of the classes each document is of, exactly; what is
// absent, or of another class, is left out.
func (c *Client) locate(ctx context.Context, domain, commit string, ids, classes []string) (map[string]string, error) {
	found := map[string]string{}
	for batch := range slices.Chunk(ids, c.batch) {
		answers, err := c.ofEach(ctx, domain, commit, classes, "query($ids: [ID!])", "%s(ids: $ids){ _id }", map[string]any{"ids": batch})
		if err != nil {
			return nil, err
		}
		for name, raw := range answers {
			var rows []struct {
				ID string `json:"_id"`
			}
			if json.Unmarshal(raw, &rows) != nil {
				return nil, c.wire.garbage("a list of documents without ids")
			}
			for _, row := range rows {
				found[row.ID] = name
			}
		}
	}
	return found, nil
}

// ofEach asks the same of each of some classes in one request, whose beginning and
// field (with %s for the class) are given, and returns the answers by class.
func (c *Client) ofEach(ctx context.Context, domain, commit string, classes []string, begin, field string, variables map[string]any) (map[string]json.RawMessage, error) {
	answers := map[string]json.RawMessage{}
	if len(classes) == 0 {
		return answers, nil
	}
	keyOf := func(i int, first string) string {
		if i == 0 {
			return first
		}
		return fmt.Sprintf("c%d", i)
	}
	data, first, err := c.graphQLData(ctx, domain, commit, "c", func(key string) string {
		var b strings.Builder
		b.WriteString(begin + "{")
		for i, name := range classes {
			fmt.Fprintf(&b, " %s: "+field, keyOf(i, key), gqlname.Of(name))
		}
		return b.String() + " }"
	}, variables)
	if err != nil {
		return nil, err
	}
	for i, name := range classes {
		answers[name] = data[keyOf(i, first)]
	}
	return answers, nil
}
