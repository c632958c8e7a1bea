package indexer

import (
	"context"
	"crypto/rand"

	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/tasks"
)

// Plan says what indexing a commit would cost. Nothing was embedded or stored
// to find out.
type Plan struct {
	Domain  string `json:"domain"`
	Commit  string `json:"commit"`
	Base    string `json:"base,omitempty"`  // the commit it would build on
	Indexed bool   `json:"already_indexed"` // nothing is left to do
	// Documents is the number of documents in the snapshot, Changed of
	// those inserted or changed, Deleted of those that go.
	Documents int `json:"documents"`
	Changed   int `json:"changed"`
	Deleted   int `json:"deleted"`
	// Texts is the number of texts (chunks) of the documents pulled: Stored
	// of them have a vector already (or share one with another of them),
	// ToEmbed must be embedded, of Tokens tokens.
	Texts   int `json:"texts"`
	Stored  int `json:"already_stored"`
	ToEmbed int `json:"to_embed"`
	Tokens  int `json:"tokens"`
	// Price is that of the tokens, where a price is configured.
	Price *float64 `json:"price,omitempty"`
	// Skipped lists the first documents that would be skipped, as Task.Skipped
	// does, and SkippedTotal counts all.
	Skipped      []Skipped `json:"skipped"`
	SkippedTotal int       `json:"skipped_total"`
}

// Plan pulls and renders the documents of a commit and counts what indexing it
// would embed.
func (ix *Indexer) Plan(ctx context.Context, req IndexRequest) (Plan, error) {
	if err := ix.checkIndex(&req); err != nil {
		return Plan{}, err
	}
	plan := Plan{Domain: req.Domain, Commit: req.Commit, Skipped: []Skipped{}}
	// Of an unknown domain nothing stays behind. It may have vectors from
	// an earlier life.
	d := ix.enter(req.Domain)
	defer ix.leave(d)
	if info, ok := d.State().Real(req.Commit); ok {
		plan.Indexed, plan.Documents, plan.Base = true, int(info.Documents), info.Base
		before, total := ix.skippedBefore(d, req.Commit)
		plan.Skipped, plan.SkippedTotal = append(plan.Skipped, before...), total
		return plan, nil
	}
	if ix.cfg.Source == nil {
		return Plan{}, errNoSource // it was deleted meanwhile
	}
	pull, err := ix.cfg.Source.Pull(ctx, ix.pullRequest(d, req.Commit, req.Branch, req.Previous))
	if err != nil {
		return Plan{}, err
	}
	base, release, err := ix.openBase(d, pull.Base)
	if err != nil {
		return Plan{}, err
	}
	defer release()
	settings, settled, err := ix.agree(d, req.Settings)
	if err != nil {
		return Plan{}, err
	}
	defer settled()
	vecs, err := ix.ownVectors(d, settings)
	if err != nil {
		return Plan{}, err
	}
	var t Task
	b, err := ix.newBuilder(d, tasks.IDPrefix+"plan-"+rand.Text(), settings, search.StoresClustering(d.State()), base, vecs, func(f func(*Task)) { f(&t) })
	if err != nil {
		return Plan{}, err
	}
	defer b.close()
	if err := b.consume(ctx, pull); err != nil {
		return Plan{}, err
	}
	for _, p := range b.pieces {
		plan.ToEmbed++
		plan.Tokens += p.tokens
	}
	changed, removed := b.outcome(pull.Complete)
	plan.Base, plan.Changed, plan.Deleted = pull.Base, len(changed), len(removed)
	plan.Stored = t.Reused
	plan.Texts = plan.Stored + plan.ToEmbed
	plan.Documents = len(changed) - len(removed)
	if base != nil {
		plan.Documents += base.View().Len()
		for _, id := range changed {
			if b.inBase(id) {
				plan.Documents--
			}
		}
	}
	plan.Skipped, plan.SkippedTotal = append(plan.Skipped, t.Skipped...), t.SkippedTotal
	if ix.cfg.PricePerMillion > 0 {
		price := float64(plan.Tokens) / 1e6 * ix.cfg.PricePerMillion
		plan.Price = &price
	}
	return plan, nil
}
