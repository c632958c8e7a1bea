package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/indexer"
)

// dryRun prints what indexing the commit would cost.
func (c *indexCmd) dryRun(ctx context.Context, p *program, cl *client) error {
	plan, err := cl.plan(ctx, query(c.values()))
	if err != nil {
		return err
	}
	if err := c.print(p, &estimate{plan, c.FailOnSkipped}); err != nil {
		return err
	}
	if c.FailOnSkipped {
		return skippedError(plan.SkippedTotal)
	}
	return nil
}

// plan asks what indexing a commit would cost, by a dry run's parameters.
func (c *client) plan(ctx context.Context, query url.Values) (indexer.Plan, error) {
	var plan indexer.Plan
	a, err := c.do(ctx, http.MethodPost, "/index", query, nil)
	if err != nil {
		return plan, err
	}
	if id := strings.TrimSpace(string(a.body)); strings.HasPrefix(id, "task-") {
		return plan, fmt.Errorf("%s is of a version that knows no dry run: it has begun %s", c.server, id)
	}
	if err := foreign(c.server+"/index", json.Unmarshal(a.body, &plan)); err != nil {
		return plan, err
	}
	plan.SkippedTotal = max(plan.SkippedTotal, len(plan.Skipped)) // an older server tells no total
	return plan, nil
}

// estimate is a plan as it is printed.
type estimate struct {
	indexer.Plan
	strict bool // the command fails for documents that would be skipped
}

func (c *estimate) failed() bool { return false }

func (c *estimate) findings() []finding { return skippedFindings(c.Skipped, c.strict) }

func (c *estimate) text(w io.Writer) {
	name := plainText(c.Domain) + "@" + plainText(c.Commit)
	if c.Indexed {
		fmt.Fprintf(w, "%s is indexed already: %s, nothing to embed\n", name, count(c.Documents, "document"))
		return
	}
	fmt.Fprintf(w, "%s would be %s (%d new or changed, %d deleted)", name, count(c.Documents, "document"), c.Changed, c.Deleted)
	if c.Base != "" {
		fmt.Fprintf(w, " on %s", plainText(c.Base))
	}
	fmt.Fprintf(w, "\n%s to embed (%s)", count(c.ToEmbed, "text"), count(c.Tokens, "token"))
	if c.Price != nil {
		fmt.Fprintf(w, " for %s", price(*c.Price))
	}
	fmt.Fprintf(w, ", %d stored already\n", c.Stored)
	textSkipped(w, c.Skipped, c.SkippedTotal, "would be skipped")
}

func (c *estimate) markdown(w io.Writer) {
	name := mdCode(c.Domain + "@" + c.Commit)
	if c.Indexed {
		fmt.Fprintf(w, "### vectorlink: %s is indexed already\n\n", name)
		return
	}
	fmt.Fprintf(w, "### vectorlink: what indexing %s would cost\n\n", name)
	numbers := []any{"documents", c.Documents, "new or changed", c.Changed, "deleted", c.Deleted,
		"texts to embed", c.ToEmbed, "stored already", c.Stored, "tokens", c.Tokens, "would be skipped", c.SkippedTotal}
	if c.Price != nil {
		numbers = append(numbers, "price", price(*c.Price))
	}
	mdNumbers(w, numbers...)
	mdSkipped(w, c.Skipped, c.SkippedTotal)
}

// price writes an amount of money, in whatever currency, with as many decimals
// as small ones need to show two digits.
func price(x float64) string {
	decimals := 2
	for y := x; y > 0 && y < 0.1 && decimals < 12; y *= 10 {
		decimals++
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}
