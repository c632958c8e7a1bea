package docdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/vectorlink/vectorlink/indexer"
)

// idPage is how many ids of a class are listed at once.
const idPage = 10_000

// maxBadBatches is how many failing batches of one class are split to find the
// documents at fault; past that the rest of the class is given up, so that a
// class that fails throughout does not cost two requests a document.
const maxBadBatches = 64

// classPull is what a pull does about one class.
type classPull struct {
	class Class
	query *batchQuery
	ids   []string // full IRIs, ascending
	fail  error    // why none of its documents can be read
	bad   int      // failing batches so far
}

// Pull lists every document of the commit, class by class and in the order of
// their ids, through each class's own query. Documents of a class without
// embedding metadata or without a template are not listed. The documents of a
// class whose metadata or query cannot be used come as Failed operations.
func (c *Client) Pull(ctx context.Context, req indexer.PullRequest) (*indexer.Pull, error) {
	commit, err := c.Commit(ctx, req.Domain, req.Commit)
	if err != nil {
		return nil, err
	}
	onBranch, err := c.onBranch(ctx, req.Domain, req.Commit, req.Branch)
	if err != nil {
		return nil, err
	}
	base, err := c.base(ctx, req.Domain, commit, req.Previous, req.Indexed)
	if err != nil {
		return nil, err
	}
	classes, err := c.Classes(ctx, req.Domain, req.Commit)
	if err != nil {
		return nil, err
	}
	pull := &indexer.Pull{Base: base, OnBranch: onBranch, Complete: true}
	var plans []*classPull
	for _, class := range classes {
		if class.Err == nil && class.Template == "" {
			if _, again := c.warned.LoadOrStore(req.Domain+" "+class.Name, true); !again {
				c.log.Info("class has an embedding query but no template: not indexed",
					slog.String("domain", req.Domain), slog.String("class", class.Name))
			}
			continue
		}
		p, err := c.plan(ctx, req.Domain, req.Commit, class)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
		pull.Total += len(p.ids)
	}
	pull.Ops = func(yield func(indexer.Op, error) bool) {
		for _, p := range plans {
			for op, err := range c.classOps(ctx, req.Domain, req.Commit, p) {
				if !yield(op, err) || err != nil {
					return
				}
			}
		}
	}
	return pull, nil
}

// plan lists the documents of a class and rewrites its query.
func (c *Client) plan(ctx context.Context, domain, commit string, class Class) (*classPull, error) {
	p := &classPull{class: class, fail: class.Err}
	if p.fail == nil {
		p.query, p.fail = parseBatch(class.Name, class.Query)
	}
	var err error
	p.ids, err = c.ids(ctx, domain, commit, class.Name)
	if isClassFault(err) {
		// Not a class that GraphQL knows: one operation for all of it.
		p.ids, p.fail, err = []string{""}, err, nil
	}
	return p, err
}

// isClassFault reports whether an error concerns one class alone.
func isClassFault(err error) bool {
	var class *classError
	var batch *batchError
	return errors.As(err, &class) || errors.As(err, &batch)
}

// ids lists the full IRIs of the documents of exactly this class, ascending.
func (c *Client) ids(ctx context.Context, domain, commit, class string) ([]string, error) {
	if !isGraphQLName(class) {
		return nil, &classError{"GraphQL has no name for the class"}
	}
	seen := map[string]bool{}
	var ids []string
	for offset := 0; ; offset += idPage {
		rows, err := c.ask(ctx, domain, commit, class, func(key string) string {
			return fmt.Sprintf("{ %s: %s(include_children: false, offset: %d, limit: %d) { _id _type } }", key, class, offset, idPage)
		}, nil)
		if err != nil {
			return nil, err
		}
		before := len(ids)
		for _, row := range rows {
			var document struct {
				ID   string `json:"_id"`
				Type string `json:"_type"`
			}
			if json.Unmarshal(row, &document) != nil || document.ID == "" {
				return nil, c.wire.garbage("a list of documents without ids")
			}
			if document.Type == class && !seen[document.ID] {
				seen[document.ID] = true
				ids = append(ids, document.ID)
			}
		}
		if len(rows) < idPage {
			slices.Sort(ids)
			return ids, nil
		}
		if len(ids) == before {
			return nil, c.wire.garbage("the same page of a list twice")
		}
	}
}

func isGraphQLName(s string) bool {
	for i, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return s != ""
}

// classOps yields the operations of one class.
func (c *Client) classOps(ctx context.Context, domain, commit string, p *classPull) iter.Seq2[indexer.Op, error] {
	return func(yield func(indexer.Op, error) bool) {
		for batch := range slices.Chunk(p.ids, c.batch) {
			found := map[string]indexer.Op{}
			if err := c.fetch(ctx, domain, commit, p, batch, found); err != nil {
				yield(indexer.Op{}, err)
				return
			}
			for _, id := range batch {
				op, ok := found[id]
				if !ok {
					var err error
					if op, ok, err = c.missing(ctx, domain, commit, p, id); err != nil {
						yield(indexer.Op{}, err)
						return
					}
				}
				if ok && !yield(op, nil) {
					return
				}
			}
		}
	}
}

// fetch asks for a batch of documents and puts an operation for each that is
// answered, or that cannot be, into found. A batch that fails is halved until
// the documents at fault are alone.
func (c *Client) fetch(ctx context.Context, domain, commit string, p *classPull, ids []string, found map[string]indexer.Op) error {
	var rows []json.RawMessage
	err := p.fail
	if err == nil {
		rows, err = c.ask(ctx, domain, commit, p.class.Name, p.query.text, map[string]any{p.query.variable: ids})
		var class *classError
		if errors.As(err, &class) {
			p.fail = err
		}
	}
	switch {
	case err == nil:
		return c.read(p, rows, found)
	case p.fail == nil && !isClassFault(err) && !errors.Is(err, errTooLarge):
		return err
	case p.fail == nil && len(ids) > 1:
		if p.bad++; p.bad <= maxBadBatches {
			half := len(ids) / 2
			if err := c.fetch(ctx, domain, commit, p, ids[:half], found); err != nil {
				return err
			}
			return c.fetch(ctx, domain, commit, p, ids[half:], found)
		}
		p.fail = err
	}
	for _, id := range ids {
		found[id] = p.failed(id, err)
	}
	return nil
}

func (p *classPull) failed(id string, err error) indexer.Op {
	return indexer.Op{Kind: indexer.Failed, ID: id, Type: p.class.Name, Err: fmt.Errorf("class %s: %w", p.class.Name, err)}
}

// read turns answered objects into operations.
func (c *Client) read(p *classPull, rows []json.RawMessage, found map[string]indexer.Op) error {
	for _, row := range rows {
		id, data, err := splitID(row, p.query.idKey, p.query.ownID)
		if err != nil {
			return c.wire.garbage(err.Error())
		}
		if _, twice := found[id]; !twice {
			found[id] = indexer.Op{Kind: indexer.Upsert, ID: id, Type: p.class.Name, Template: p.class.Template, Data: data}
		}
	}
	return nil
}

// splitID takes the id out of an answered object, and leaves it in the object
// only where the query had asked for it. The order of members is kept.
func splitID(row json.RawMessage, key string, keep bool) (id string, data []byte, err error) {
	notObject := errors.New("a document that is not an object")
	d := json.NewDecoder(bytes.NewReader(row))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", nil, notObject
	}
	data = append(make([]byte, 0, len(row)), '{')
	for d.More() {
		var value json.RawMessage
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok || d.Decode(&value) != nil {
			return "", nil, notObject
		}
		if name == key {
			if json.Unmarshal(value, &id) != nil {
				return "", nil, errors.New("a document whose id is not a string")
			}
			if !keep {
				continue
			}
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return "", nil, notObject
		}
		if len(data) > 1 {
			data = append(data, ',')
		}
		data = append(data, quoted...)
		data = append(data, ':')
		data = append(data, value...)
	}
	if id == "" {
		return "", nil, errors.New("a document without an id")
	}
	return id, append(data, '}'), nil
}

// missing decides about a document that was listed and then not answered: ok is
// false when there is nothing to say of it, because the class's own filter
// leaves it out or it is really absent.
func (c *Client) missing(ctx context.Context, domain, commit string, p *classPull, id string) (op indexer.Op, ok bool, err error) {
	if p.query.filtered {
		return indexer.Op{}, false, nil
	}
	path, err := resource("/api/document", domain, "local", "commit", commit)
	if err != nil {
		return indexer.Op{}, false, err
	}
	a, err := c.wire.do(ctx, http.MethodGet, path, url.Values{"id": {id}}, nil)
	switch {
	case errors.Is(err, errTooLarge):
	case err != nil:
		return indexer.Op{}, false, err
	case a.status == http.StatusNotFound && errorKind(a.body) == "DocumentNotFound":
		return indexer.Op{}, false, nil
	case a.status != http.StatusOK:
		return indexer.Op{}, false, c.wire.fault(a, domain)
	}
	return p.failed(id, errors.New("the document exists, but the query does not answer it")), true, nil
}
