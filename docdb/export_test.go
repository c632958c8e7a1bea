package docdb

import (
	"context"
	"encoding/json"
)

// For tests of what the exported methods do not show one by one.
var (
	MendNumbers   = mendNumbers
	IsPlainNumber = isPlainNumber
	ErrTooLarge   = errTooLarge
	ParseLine     = parseLine
	ParseMetadata = parseMetadata
)

// Rewrite returns the batch query for a class, its list variable, and the key
// of the ids.
func Rewrite(class, query string) (text, variable, idKey string, err error) {
	q, err := parseBatch(class, query, func(string) bool { return false })
	if err != nil {
		return "", "", "", err
	}
	return q.text(class), q.variable, q.idKey, nil
}

// Ask runs a query at a commit.
func (c *Client) Ask(ctx context.Context, domain, commit, key string, text func(string) string, variables map[string]any) ([]json.RawMessage, error) {
	return c.ask(ctx, domain, commit, key, text, variables)
}

// SplitID takes the id out of an answered object.
func SplitID(row []byte, key string, keep bool) (string, []byte, error) {
	return splitID(row, key, keep)
}
