package minidb

import "fmt"

// Step is a named commit of a history to load.
type Step struct {
	Name string
	// From, when not empty, is the name of the earlier step at which the
	// step's branch is made first.
	From string
	Change
}

// Load makes a database and commits the steps in order. It returns the commit
// id of each step by its name.
func (db *DB) Load(domain string, prefixes Prefixes, steps []Step) (map[string]string, error) {
	if _, err := db.Create(domain, prefixes); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, s := range steps {
		if s.From != "" {
			if err := db.Branch(domain, s.Branch, ids[s.From]); err != nil {
				return nil, fmt.Errorf("step %q: %w", s.Name, err)
			}
		}
		id, err := db.Commit(domain, s.Change)
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", s.Name, err)
		}
		ids[s.Name] = id
	}
	return ids, nil
}
