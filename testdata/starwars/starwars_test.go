package starwars_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// The published pair for People. It must stand in the schema byte for byte.
const (
	peopleQuery    = "query($id: ID){ People(id : $id) { birth_year, created, desc, edited, eye_color, gender, hair_colors, height, homeworld { label }, label, mass, skin_colors, species { label }, url } }"
	peopleTemplate = "The person's name is {{label}}.{{#if desc}} They are described with the following synopsis: {{#each desc}} *{{this}} {{/each}}.{{/if}}{{#if gender}} Their gender is {{gender}}.{{/if}}{{#if hair_colors}} They have the following hair colours: {{hair_colors}}.{{/if}}{{#if mass}} They have a mass of {{mass}}.{{/if}}{{#if skin_colors}} Their skin colours are {{skin_colors}}.{{/if}}{{#if species}} Their species is {{species.label}}.{{/if}}{{#if homeworld}} Their homeworld is {{homeworld.label}}.{{/if}}"
)

// indexed are the classes that carry a query and a template, with the number of
// documents that the public catalogue has of each.
var indexed = map[string]int{
	"Film": 6, "People": 82, "Planet": 60, "Species": 37, "Starship": 36, "Vehicle": 39,
}

type object = map[string]any

// state is the database as of one commit.
type state struct {
	schema map[string]object // by class name; "@context" for the context
	docs   map[string]object // by short id
}

func mustLoad(t *testing.T) *starwars.Data {
	t.Helper()
	d, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func decode(t *testing.T, raw json.RawMessage) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// replay applies the commits and returns the state after each, by name. It is
// strict: inserting what exists, or replacing or deleting what does not, fails.
func replay(t *testing.T, d *starwars.Data) map[string]state {
	t.Helper()
	states := make(map[string]state)
	heads := make(map[string]string)
	for _, c := range d.Commits {
		if c.Name == "" || c.Branch == "" || c.Author == "" || c.Message == "" {
			t.Fatalf("commit %+q lacks a name, branch, author or message", c.Name)
		}
		if _, ok := states[c.Name]; ok {
			t.Fatalf("two commits are called %q", c.Name)
		}
		head, known := heads[c.Branch]
		parent := head
		if c.From != "" {
			if known {
				t.Fatalf("commit %q has from, but its branch exists", c.Name)
			}
			parent = c.From
			if _, ok := states[parent]; !ok {
				t.Fatalf("commit %q starts at %q, which is no commit before it", c.Name, parent)
			}
		} else if !known && len(states) > 0 {
			t.Fatalf("commit %q is the first of its branch and lacks from", c.Name)
		}
		heads[c.Branch] = c.Name

		s := state{schema: maps.Clone(states[parent].schema), docs: maps.Clone(states[parent].docs)}
		if s.schema == nil {
			s = state{schema: make(map[string]object), docs: make(map[string]object)}
		}
		for _, raw := range c.Schema {
			o := decode(t, raw)
			name, _ := o["@id"].(string)
			if o["@type"] == "@context" {
				name = "@context"
			}
			s.schema[name] = o
		}
		for _, id := range c.Delete {
			if _, ok := s.docs[id]; !ok {
				t.Errorf("commit %q deletes %q, which is not there", c.Name, id)
			}
			delete(s.docs, id)
		}
		for _, raw := range c.Replace {
			o := decode(t, raw)
			id := o["@id"].(string)
			if old, ok := s.docs[id]; !ok {
				t.Errorf("commit %q replaces %q, which is not there", c.Name, id)
			} else if reflect.DeepEqual(old, o) {
				t.Errorf("commit %q replaces %q by itself", c.Name, id)
			}
			s.docs[id] = o
		}
		for _, raw := range c.Insert {
			o := decode(t, raw)
			id := o["@id"].(string)
			if _, ok := s.docs[id]; ok {
				t.Errorf("commit %q inserts %q, which is there already", c.Name, id)
			}
			s.docs[id] = o
		}
		states[c.Name] = s
	}
	return states
}

func lastOnMain(d *starwars.Data) starwars.Commit {
	var last starwars.Commit
	for _, c := range d.Commits {
		if c.Branch == "main" {
			last = c
		}
	}
	return last
}

func TestCounts(t *testing.T) {
	d := mustLoad(t)
	got := make(map[string]int)
	for _, doc := range replay(t, d)[lastOnMain(d).Name].docs {
		got[doc["@type"].(string)]++
	}
	if !maps.Equal(got, indexed) {
		t.Errorf("documents at the last commit: got %v, want %v", got, indexed)
	}
}

// TestDocuments checks every document of every commit against the schema of that
// commit: known class and fields, right shapes, no empty facts, whole links.
func TestDocuments(t *testing.T) {
	d := mustLoad(t)
	links := 0
	for name, s := range replay(t, d) {
		for id, doc := range s.docs {
			class, _ := doc["@type"].(string)
			if _, ok := indexed[class]; !ok || !strings.HasPrefix(id, class+"/") {
				t.Errorf("%s: %s has type %q", name, id, class)
				continue
			}
			if label, _ := doc["label"].(string); label == "" {
				t.Errorf("%s: %s has no label", name, id)
			}
			links += checkFields(t, s, name+": "+id, doc)
		}
	}
	if links < 1000 {
		t.Errorf("only %d links were checked; the check is broken", links)
	}
}

// checkFields checks one document or subdocument and returns how many links it has.
func checkFields(t *testing.T, s state, where string, doc object) int {
	t.Helper()
	class := s.schema[doc["@type"].(string)]
	links, facts := 0, 0
	for field, value := range doc {
		if field == "@id" || field == "@type" {
			continue
		}
		facts++
		at := where + " " + field
		typ, card := property(class[field])
		if typ == "" {
			t.Errorf("%s is not in the schema", at)
			continue
		}
		values := []any{value}
		if card == "Set" || card == "List" {
			var ok bool
			if values, ok = value.([]any); !ok || len(values) == 0 {
				t.Errorf("%s: got %v, want an array that is not empty", at, value)
				continue
			}
		}
		for _, v := range values {
			target, isClass := s.schema[typ]
			text, isText := v.(string)
			switch {
			case isClass && target["@subdocument"] != nil:
				sub, ok := v.(object)
				if !ok || sub["@type"] != typ {
					t.Errorf("%s: got %v, want a %s", at, v, typ)
					continue
				}
				links += checkFields(t, s, at, sub)
			case isClass:
				links++
				if linked, ok := s.docs[text]; !ok || linked["@type"] != typ {
					t.Errorf("%s links to %v, which is no %s here", at, v, typ)
				}
			case typ == "xsd:integer":
				if n, ok := v.(float64); !ok || n != float64(int(n)) {
					t.Errorf("%s: got %v, want an integer", at, v)
				}
			case !isText || text == "" || text != strings.TrimSpace(text):
				t.Errorf("%s: got %q, want text without space around it", at, v)
			case field != "label" && (text == "unknown" || text == "n/a"):
				t.Errorf("%s is %q; leave it out", at, text)
			}
		}
	}
	if facts == 0 {
		t.Errorf("%s is empty", where)
	}
	return links
}

// property reads a field of a class: its class or datatype, and Optional, Set,
// List or nothing.
func property(def any) (typ, card string) {
	switch p := def.(type) {
	case string:
		return p, ""
	case object:
		typ, _ = p["@class"].(string)
		card, _ = p["@type"].(string)
	}
	return typ, card
}

func pair(class object) (query, template string) {
	meta, _ := class["@metadata"].(object)
	e, _ := meta["embedding"].(object)
	query, _ = e["query"].(string)
	template, _ = e["template"].(string)
	return query, template
}

func TestPairs(t *testing.T) {
	d := mustLoad(t)
	for name, s := range replay(t, d) {
		if got := s.schema["@context"]["@base"]; got != starwars.Base {
			t.Errorf("%s: @base is %v, want %v", name, got, starwars.Base)
		}
		for class := range indexed {
			query, template := pair(s.schema[class])
			if start := fmt.Sprintf("query($id: ID){ %s(id : $id) {", class); !strings.HasPrefix(query, start) {
				t.Errorf("%s: the query of %s does not begin with %q", name, class, start)
			}
			// The real database fails on any fragment and on __typename.
			if strings.Contains(query, "...") || strings.Contains(query, "__typename") {
				t.Errorf("%s: the query of %s uses a fragment or __typename", name, class)
			}
			if !strings.Contains(template, "{{label}}") {
				t.Errorf("%s: the template of %s does not tell the label", name, class)
			}
		}
		query, template := pair(s.schema["People"])
		if query != peopleQuery || template != peopleTemplate {
			t.Errorf("%s: the pair of People is not the published one", name)
		}
	}
}

// TestPeoplePairBytes holds the pair to its bytes in the file, where an escape
// such as \u0027 would go unseen by a test of decoded text.
func TestPeoplePairBytes(t *testing.T) {
	for _, raw := range mustLoad(t).Schema {
		if decode(t, raw)["@id"] != "People" {
			continue
		}
		for _, want := range []string{`"` + peopleQuery + `"`, `"` + peopleTemplate + `"`} {
			if !bytes.Contains(raw, []byte(want)) {
				t.Errorf("the schema does not hold %s", want)
			}
		}
		return
	}
	t.Error("the schema has no class People")
}

func TestHistory(t *testing.T) {
	d := mustLoad(t)
	states := replay(t, d)
	first := d.Commits[0]
	if len(first.Schema) != len(d.Schema) || len(first.Insert) != 0 {
		t.Errorf("the first commit has %d of %d schema objects and %d documents; want all and none",
			len(first.Schema), len(d.Schema), len(first.Insert))
	}
	branches := make(map[string]int)
	var changes, deletes, adds, swaps, templates int
	for _, c := range d.Commits {
		branches[c.Branch]++
		ins, rep, del := len(c.Insert) > 0, len(c.Replace) > 0, len(c.Delete) > 0
		switch {
		case c.Branch != "main" || c.Name == first.Name:
		case len(c.Schema) > 0:
			if ins || rep || del {
				t.Errorf("%s changes the schema and documents; a database takes them apart", c.Name)
			}
			templates++
		case ins && del:
			swaps++
		case del:
			deletes++
		case ins:
			adds++
		case rep:
			changes++
		}
	}
	if branches["main"] < 5 || len(branches) != 2 {
		t.Errorf("commits by branch: got %v, want at least 5 on main and one branch", branches)
	}
	if adds < 2 || min(changes, deletes, swaps) < 1 {
		t.Errorf("main loads or adds %d times, changes %d, deletes %d, replaces %d; want 2, 1, 1, 1",
			adds, changes, deletes, swaps)
	}
	if templates != 1 {
		t.Fatalf("got %d template-only commits on main, want 1", templates)
	}

	// Nothing but templates differs between the first schema and the last.
	last := states[lastOnMain(d).Name].schema
	var changed []string
	for name, before := range states[first.Name].schema {
		after := last[name]
		_, was := pair(before)
		if _, is := pair(after); was != is {
			changed = append(changed, name)
			after = decode(t, bytes.Replace(encode(t, after), encode(t, is), encode(t, was), 1))
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("class %s changes more than its template", name)
		}
	}
	if !slices.Equal(changed, []string{"Planet"}) {
		t.Errorf("templates that change: got %v, want [Planet]", changed)
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestQueries(t *testing.T) {
	d := mustLoad(t)
	states := replay(t, d)
	want := map[string]starwars.Expect{
		"Wise old man":             {ID: starwars.Base + "People/20", Within: 1},
		"Who are the squid people": {ID: starwars.Base + "Species/8", Within: 3},
	}
	last := lastOnMain(d).Name
	answers := make(map[string][]string)
	for _, q := range d.Queries {
		if q.Text == "" || q.Why == "" || q.Expect == nil || q.Expect.Within < 1 {
			t.Errorf("query %+v is not complete", q)
			continue
		}
		short, ok := strings.CutPrefix(q.Expect.ID, starwars.Base)
		if _, there := states[q.Commit].docs[short]; !ok || !there {
			t.Errorf("%q expects %s, which is not there at commit %q", q.Text, q.Expect.ID, q.Commit)
		}
		answers[q.Text] = append(answers[q.Text], q.Expect.ID)
		if w, ok := want[q.Text]; ok && q.Commit == last && *q.Expect == w {
			delete(want, q.Text)
		}
	}
	if len(want) > 0 {
		t.Errorf("queries that are missing: %v", want)
	}
	differs := slices.ContainsFunc(slices.Collect(maps.Values(answers)), func(ids []string) bool {
		return len(slices.Compact(slices.Clone(ids))) > 1
	})
	if !differs {
		t.Error("no query has different answers at different commits")
	}
}

// TestDecisions: they are about documents that are there, and leave the demo's reader one
// to make.
func TestDecisions(t *testing.T) {
	d := mustLoad(t)
	states := replay(t, d)
	for _, x := range d.Decisions {
		for _, id := range []string{x.A, x.B} {
			if states[x.Commit].docs[strings.TrimPrefix(id, starwars.Base)] == nil {
				t.Errorf("%s is not at the commit %s", id, x.Commit)
			}
		}
		if x.By == "" || x.Note == "" || x.A == starwars.Base+"Planet/1" {
			t.Errorf("%+v", x)
		}
	}
	if len(d.Decisions) == 0 {
		t.Error("there are none")
	}
}
