package docdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
	"github.com/vectorlink/vectorlink/fields"
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
	shape *shape   // nil exactly where query is
	ids   []string // full IRIs, ascending
	fail  error    // why none of its documents can be read
	bad   int      // failing batches so far
	// fault is why nothing of it can be read as long as the schema is what
	// it is. Each commit says so, with or without documents of it.
	fault error
}

// Pull finds what turns the snapshot of the nearest indexed ancestor into the
// commit's: the documents that changed since, and those whose texts quote a
// changed one, each through its class's own query. Where there is no such
// ancestor, or it cannot be told what changed, or nearly everything did, it
// lists every document of the commit, class by class in the order of their ids.
//
// Documents that the ancestor's snapshot lacks are read as if they had changed.
//
// Documents of a class without embedding metadata are not listed. A class with a
// query and no template comes as one Failed operation, and the documents of a class
// whose metadata or query cannot be used as one each.
func (c *Client) Pull(ctx context.Context, req contract.PullRequest) (*contract.Pull, error) {
	line, err := c.lineage(ctx, req.Domain, req.Commit, req.Previous, req.Indexed)
	if err != nil {
		return nil, err
	}
	onBranch, err := c.onBranch(ctx, req.Domain, req.Commit, req.Branch, req.Head)
	if err != nil {
		return nil, err
	}
	s, err := c.schema(ctx, req.Domain, req.Commit)
	if err != nil {
		return nil, err
	}
	plans, untold := s.plan()
	pull := &contract.Pull{OnBranch: onBranch, About: line[0].about()}
	if len(line) > 1 {
		pull.Base = line[len(line)-1].ID
		log := c.log.With(slog.String("domain", req.Domain), slog.String("commit", req.Commit), slog.String("base", pull.Base))
		var again []string
		if req.Again != nil {
			again = req.Again(pull.Base)
		}
		f, err := c.changedSince(ctx, req.Domain, line, s, plans, untold, again)
		var full *fullListing
		switch {
		case err == nil:
			pull.Total, pull.Ops = f.total(), f.ops(ctx)
			return pull, nil
		case ctx.Err() != nil:
			return nil, err
		case errors.As(err, &full):
			log.Info("listing everything at the commit", slog.String("why", full.why))
		default:
			log.Warn("cannot tell what changed: listing everything at the commit", slog.Any("err", err))
		}
	}
	if err := c.pullAll(ctx, pull, req, plans, untold); err != nil {
		return nil, err
	}
	return pull, nil
}

// plan returns a plan for each class that is indexed, and an operation that names
// each class that has a query alone. Plans of classes whose query cannot be used
// have the reason in fail.
func (s *schema) plan() (plans []*classPull, untold []contract.Op) {
	for _, class := range s.pairs {
		p := newPlan(s, class)
		if class.Err == nil && class.Template == "" {
			op := p.failed("", errNoTemplate)
			op.Lasting = true
			untold = append(untold, op)
			continue
		}
		plans = append(plans, p)
	}
	return plans, untold
}

var errNoTemplate = errors.New("it has a query but no template, so it is not indexed")

func newPlan(s *schema, class Class) *classPull {
	p := &classPull{class: class, fail: class.Err}
	if p.fail == nil {
		var ancestors []string
		for _, name := range s.ancestors(class.Name) {
			ancestors = append(ancestors, gqlname.Of(name))
		}
		p.query, p.fail = parseBatch(gqlname.Of(class.Name), class.Query, ancestors...)
	}
	if p.fail == nil {
		p.shape = s.shapeOf(p.query, class.Name)
	}
	if p.fault = p.fail; p.fault == nil && len(p.shape.problems) > 0 {
		p.fault = errors.New(p.shape.problems[0]) // the database is asked all the same
	}
	return p
}

// pullAll fills in a pull of every document at the commit.
func (c *Client) pullAll(ctx context.Context, pull *contract.Pull, req contract.PullRequest, plans []*classPull, untold []contract.Op) error {
	f := &feed{c: c, domain: req.Domain, commit: req.Commit, plans: plans, classFaults: untold, whole: true}
	for _, p := range plans {
		var err error
		if p.ids, err = c.ids(ctx, req.Domain, req.Commit, p.class.Name); isClassError(err) {
			// Not a class that GraphQL knows: one operation for all of it.
			op := p.failed("", err)
			op.Lasting = p.fault != nil
			f.classFaults = append(f.classFaults, op)
		} else if err != nil {
			return c.listFault(p.class.Name, err)
		}
	}
	pull.Complete, pull.Total, pull.Ops = true, f.total(), f.ops(ctx)
	return nil
}

// listFault makes an error of one about a class whose documents cannot be
// listed: going on without them would delete them all.
func (c *Client) listFault(class string, err error) error {
	if isClassFault(err) {
		return c.wire.source("cannot list the documents of class %s: %v", class, err)
	}
	return err
}

func isClassError(err error) bool {
	var class *classError
	return errors.As(err, &class)
}

// isClassFault reports whether an error concerns one class alone.
func isClassFault(err error) bool {
	var batch *batchError
	return isClassError(err) || errors.As(err, &batch)
}

// ids lists the full IRIs of the documents of exactly this class, ascending.
func (c *Client) ids(ctx context.Context, domain, commit, class string) ([]string, error) {
	seen := map[string]bool{}
	var ids []string
	field := gqlname.Of(class)
	for offset := 0; ; offset += idPage {
		rows, err := c.graphQL(ctx, domain, commit, field, func(key string) string {
			return fmt.Sprintf("{ %s: %s(include_children: false, offset: %d, limit: %d) { _id _type } }", key, field, offset, idPage)
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
			if document.Type == field && !seen[document.ID] {
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

// fetch asks for a batch of documents and puts an operation for each that is
// answered, or that cannot be, into found. A batch that fails is halved until
// the documents at fault are alone.
func (c *Client) fetch(ctx context.Context, domain, commit string, p *classPull, ids []string, found map[string]contract.Op) error {
	var rows []json.RawMessage
	err := p.fail
	if err == nil && p.shape.hidden {
		err = c.dropUnused(ctx, domain, commit, p)
	}
	if err == nil {
		rows, err = c.graphQL(ctx, domain, commit, p.query.root.Name, p.query.text, map[string]any{p.query.variable: ids})
		if errors.Is(err, errNoData) && len(p.shape.backlinks) > 0 {
			if err = c.dropUnused(ctx, domain, commit, p); err == nil {
				return c.fetch(ctx, domain, commit, p, ids, found)
			}
		}
		if isClassError(err) {
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
		op := p.failed(id, err)
		op.Lasting = p.fault != nil
		found[id] = op
	}
	return nil
}

func (p *classPull) failed(id string, err error) contract.Op {
	return contract.Op{Kind: contract.Failed, ID: id, Type: p.class.Name, Err: fmt.Errorf("class %s: %w", p.class.Name, err)}
}

// read turns answered objects into operations.
func (c *Client) read(p *classPull, rows []json.RawMessage, found map[string]contract.Op) error {
	for _, row := range rows {
		id, data, err := p.document(row)
		if err != nil {
			return c.wire.garbage(err.Error())
		}
		if _, twice := found[id]; !twice {
			op := contract.Op{Kind: contract.Upsert, ID: id, Type: p.class.Name, Template: p.class.Template}
			op.Data, op.Fields = data, string(fields.Pick(data))
			found[id] = op
		}
	}
	return nil
}

// document takes the id out of an answered object, and leaves it in the object
// only where the query had asked for it. It arranges the other members; their
// order is kept.
func (p *classPull) document(row json.RawMessage) (id string, data []byte, err error) {
	isString := true
	data, err = rewriteObject(row, func(name string, value json.RawMessage) (json.RawMessage, bool) {
		if name != p.query.idKey {
			return p.shape.answer.Members[name].arrange(value), true
		}
		isString = json.Unmarshal(value, &id) == nil
		return value, p.query.ownID
	})
	switch {
	case err != nil:
		return "", nil, err
	case !isString:
		return "", nil, errors.New("a document whose id is not a string")
	case id == "":
		return "", nil, errors.New("a document without an id")
	}
	return id, data, nil
}

var errNotAnswered = errors.New("the document exists, but the query does not answer it")
