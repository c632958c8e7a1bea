package search

import "time"

// TagInfo is a name that somebody gave to a commit.
type TagInfo struct {
	Name    string    `json:"name"`
	Commit  string    `json:"commit"`
	Created time.Time `json:"created"`
}

// Tags lists a domain's tags, by name.
func (r *Reader) Tags(domain string) ([]TagInfo, error) {
	d, err := r.domains.Domain(domain)
	if err != nil {
		return nil, err
	}
	list := []TagInfo{}
	for info := range d.State().Tags() {
		list = append(list, TagInfo{Name: info.Commit, Commit: info.Base, Created: time.Unix(info.Created, 0).UTC()})
	}
	return list, nil
}

// PrunedCommits lists the commits of a domain that were pruned and are not indexed
// again, by their names.
func (r *Reader) PrunedCommits(domain string) ([]string, error) {
	d, err := r.domains.Domain(domain)
	if err != nil {
		return nil, err
	}
	return d.State().PrunedCommits(), nil
}
