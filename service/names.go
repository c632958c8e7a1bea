package service

import (
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/internal/edit"
)

// alias is another name of a parameter.
type alias struct {
	name   string
	commas bool // in a text it holds values with commas between
}

// aliases holds the other names of parameters, older ones among them, by the one
// that all endpoints have in common (wire contract §2.4).
var aliases = map[string][]alias{
	"ancestor":        {{name: "ancestors"}},
	"doc_type":        {{"doc_types", true}, {"set_doc_type", false}, {"set_doc_types", true}},
	"doc_id":          {{"doc_ids", true}, {"set_doc_id", false}, {"set_doc_ids", true}},
	"filter":          {{name: "set_filter"}},
	"target_doc_type": {{"target_doc_types", true}},
	"target_doc_id":   {{"target_doc_ids", true}},
	"threshold_set":   {{name: "threshold"}},
	"target_commit":   {{name: "commit"}},
	"parent_commit":   {{name: "previous"}},
	"previous":        {{name: "parent_commit"}},
}

// namesOf returns the names under which a parameter may be given, its own first.
func namesOf(name string) []alias { return append([]alias{{name: name}}, aliases[name]...) }

// elsewhere holds what other systems call a parameter, as far as no misspelling
// leads there, and what it may be called here.
var elsewhere = map[string][]string{
	"collection": {"domain"}, "database": {"domain"}, "db": {"domain"}, "graph": {"domain"}, "namespace": {"domain"}, "path": {"domain"},
	"alpha": {"mode", "rank"}, "type": {"mode", "doc_type"}, "search_type": {"mode"}, "sort": {"rank"}, "order": {"rank"},
	"class": {"doc_type"}, "types": {"doc_type"}, "document": {"id", "doc_id"}, "documents": {"ids", "doc_id"}, "iri": {"id", "doc_id"}, "id": {"doc_id", "name"}, "ids": {"doc_id", "keep"},
	"cutoff": {"max_distance", "threshold"}, "distance": {"max_distance", "threshold"}, "epsilon": {"max_distance", "threshold"}, "max_distance": {"threshold"}, "radius": {"max_distance", "threshold"}, "score_threshold": {"max_distance", "threshold"}, "similarity": {"max_distance", "threshold"},
	"from": {"start", "since"}, "offset": {"start"}, "page": {"start"}, "skip": {"start"},
	"k": {"count"}, "limit": {"count", "k"}, "max": {"count"}, "n": {"count"}, "n_results": {"count"}, "num": {"count"}, "page_size": {"count"}, "per_page": {"count"}, "rows": {"count"}, "size": {"count"}, "top": {"count"}, "top_k": {"count", "k"}, "topk": {"count", "k"},
	"fields": {"output_fields"}, "include": {"output_fields"}, "select": {"output_fields"}, "with_payload": {"output_fields"}, "with_vectors": {"output_fields"}, "columns": {"output_fields"},
	"content": {"text", "q"}, "query": {"q"}, "query_text": {"q"}, "search": {"q"}, "term": {"q"}, "text": {"q"},
	"embedding": {"vector", "vector_b64"}, "query_vector": {"vector", "vector_b64"},
	"expr": {"filter"}, "where": {"filter"}, "predicate": {"filter"},
	"head": {"branch"}, "ref": {"commit", "branch"}, "rev": {"commit"}, "revision": {"commit"}, "version": {"commit"}, "sha": {"commit"},
	"highlight": {"snippet"}, "hnsw_ef": {"ef"}, "nprobe": {"ef"}, "num_candidates": {"ef"},
	"task": {"task_id"}, "lang": {"language"}, "space": {"metric"}, "dimension": {"dim"}, "dimensions": {"dim"},
}

// maxName bounds what an error shows of a name that a client made up, in bytes.
const maxName = 40

// Accept says that a client may give parameters of these names though nothing
// comes of them.
func (p *Params) Accept(names ...string) { p.know(names...) }

func (p *Params) know(names ...string) {
	for _, name := range names {
		for _, n := range namesOf(name) {
			p.known[n.name] = true
		}
		p.main = append(p.main, name)
	}
}

// unknown returns an error text for the first parameter that was given and that
// nothing has asked for; "" if there is none.
func (p *Params) unknown() string {
	slices.Sort(p.main)
	p.main = slices.Compact(p.main)
	for _, name := range p.values.Names() {
		if p.known[name] {
			continue
		}
		text := "there is no parameter " + clip(name, maxName)
		if near := p.near(name); near != "" {
			return text + "; did you mean " + near + "?"
		}
		if len(p.main) == 0 {
			return text + " here, nor any other"
		}
		return text + " here; there is " + strings.Join(p.main, ", ")
	}
	return ""
}

// Instead returns what an error says of a name that is none of those there are: the
// one that it most likely stands for, or all of them.
func Instead(name string, names []string) string {
	near := nearest(strings.ToLower(clip(name, maxName)), names)
	switch {
	case near != "":
		return "; did you mean " + near + "?"
	case len(names) == 0:
		return "; there are none"
	}
	return "; there are " + strings.Join(names, ", ")
}

// near returns the known name that an unknown one is most likely to stand for; ""
// if there is none.
func (p *Params) near(name string) string {
	name = strings.ToLower(strings.ReplaceAll(clip(name, maxName), "-", "_"))
	for _, other := range elsewhere[name] {
		if slices.Contains(p.main, other) {
			return other
		}
	}
	var names []string
	mains := make(map[string]string)
	for _, known := range p.main {
		for _, n := range namesOf(known) {
			if _, ok := mains[n.name]; !ok {
				mains[n.name] = known
				names = append(names, n.name)
			}
		}
	}
	return mains[nearest(name, names)]
}

// nearest returns the first of the names that are the fewest edits from a misspelt one;
// "" if all are too far from it.
func nearest(name string, names []string) string {
	best, least := "", min(len(name), max(len(name)/3, 1)+1)
	for _, known := range names {
		if d := edit.Distance(name, known); d < least {
			best, least = known, d
		}
	}
	return best
}
