package docdb_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/minidb"
)

// texts are a snapshot: what would be rendered of each document.
type texts map[string]string

// snap is a snapshot with the documents that it does not hold as its commit
// does.
type snap struct {
	texts texts
	left  map[string]bool
}

// apply does to a snapshot what the indexer does to the base's with a pull's
// operations, and returns the new one. Refused documents get no new text.
func apply(t *testing.T, from snap, p *contract.Pull, refused map[string]bool) snap {
	t.Helper()
	base, named, deleted := from.texts, map[string]bool{}, map[string]bool{}
	out, left := texts{}, map[string]bool{}
	maps.Copy(out, base)
	maps.Copy(left, from.left)
	for op, err := range p.Ops {
		if err != nil {
			t.Fatal(err)
		}
		if op.ID == "" {
			if op.Kind != contract.Failed {
				t.Fatalf("an operation without id: %+v", op)
			}
			continue
		}
		if !strings.HasPrefix(op.ID, "terminusdb:///") && !strings.HasPrefix(op.ID, "http://ex.org/ns#") {
			t.Fatalf("no full IRI: %+v", op)
		}
		if !p.Complete && named[op.ID] {
			t.Fatalf("%s is named twice", op.ID)
		}
		named[op.ID] = true
		delete(left, op.ID)
		switch op.Kind {
		case contract.Upsert:
			text := op.Type + "\x00" + op.Template + "\x00" + string(op.Data)
			if old, ok := base[op.ID]; refused[op.ID] && (!ok || old != text) {
				left[op.ID] = true
			} else {
				out[op.ID] = text
			}
			delete(deleted, op.ID)
		case contract.Delete:
			delete(out, op.ID)
			deleted[op.ID] = true
		case contract.Failed:
			if old, ok := base[op.ID]; ok {
				out[op.ID] = old
			}
			if !op.Lasting {
				left[op.ID] = true
			}
		}
	}
	if p.Complete {
		for id := range base {
			if !named[id] {
				delete(out, id)
			}
		}
		maps.DeleteFunc(left, func(id string, _ bool) bool { return !named[id] })
	}
	return snap{out, left}
}

// differences are what one snapshot has otherwise than another, for a message.
func differences(got, want texts) string {
	var b strings.Builder
	all := maps.Clone(got)
	maps.Copy(all, want)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if g, w := got[id], want[id]; g != w {
			fmt.Fprintf(&b, "%s\n   got %q\n  want %q\n", id, g, w)
		}
	}
	return b.String()
}

// world is a database in the making and the texts of its commits.
type world struct {
	t      *testing.T
	rnd    *rand.Rand
	db     *minidb.DB
	domain string
	// base is that of ids, schemaBase that of classes.
	base, schemaBase string

	client  *docdb.Client
	byFeed  map[string]snap // by commit
	byFull  map[string]snap
	refused map[string]bool // documents that cannot be embedded at the moment

	schema    map[string]string // class: its metadata's variant
	documents map[string]map[string]map[string]any
	head      string
	log       []string
}

// Pairs that a class may have, by class. Their queries quote links one to three
// levels deep, forwards and backwards, through sets, lists, arrays and
// subdocuments, with filters; some cannot be used.
var pairs = map[string][]string{
	"Person": {
		"",
		`query($id: ID){ Person(id: $id) { label } }`,
		`query($id: ID){ Person(id: $id) { label desc home { label } species { label home { label } } friends { label } } }`,
		`query($id: ID){ Person(id: $id) { label specs { note dock { label kind } } friends { friends { home { label } } } blob } }`,
		`query($id: ID){ Person(id: $id) { label _pilots_of_Ship { label stops { label } } } }`,
		`query($id: ID){ Person(id: $id) { label _ex_boss_of_ex_Firm { label } species { label _gehoert_of_Geraet { label } } } }`,
		`query($id: ID){ Person(id: $id) { label home { kind _ex_seat_of_ex_Firm { label } } specs { note } } }`,
		`query($id: ID){ Person(id: $id, filter: {home: {label: {ne: "a"}}}) { label } }`,
		`query($id: ID){ Person(id: $id) { label nosuch } }`,
		`query($id: ID){ Person(id: $id) { label extra } }`,
	},
	"Place": {
		"",
		`query($id: ID){ Place(id: $id) { label kind _home_of_Person { label species { label } } } }`,
		`query($id: ID){ Place(id: $id) { _json _type } }`,
		`query($id: ID){ Place(id: $id) { label _dock_of_Specs { note _specs_of_Person { label } } } }`,
		`query { Place { label } }`,
	},
	"Port": {
		"",
		`query($id: ID){ Place(id: $id) { label kind } }`,
		`query($id: ID){ Port(id: $id) { label berths _stops_of_Ship { label } } }`,
	},
	"Ship": {
		`query($id: ID){ Ship(id: $id) { label pilots { label home { label } } built { label } } }`,
		`query($id: ID){ Ship(id: $id) { label stops { label kind } grid { label } } }`,
		`query($id: ID){ Ship(id: $id) { label pilots(orderBy: {label: ASC}) { label } parts { note } } }`,
		`query($id: ID){ Ship(id: $id) { label pilots(filter: {species: {label: {eq: "b"}}}) { label } } }`,
		`query($id: ID){ Ship(id: $id) { label pilots { specs { dock { label } } } } }`,
		`query($id: ID){ Ship(id: $id) { label tint { _type } } }`,
	},
	"Species": {
		"",
		`query($id: ID){ Species(id: $id) { label home { label _home_of_Person { label } } } }`,
	},
	"Specs": {
		"",
		`query($id: ID){ Specs(id: $id) { note dock { label } } }`,
	},
	"Gerät": {
		"",
		`query($id: ID){ Geraet(id: $id) { label mood gehoert { label } ex_maker { label ex_boss { label } } } }`,
		`query($id: ID){ Geraet(id: $id) { label _ndOwner { label } _x } }`,
		`query($id: ID){ Geraet(id: $id) { label gehoert { home { label _ex_seat_of_ex_Firm { label } } } } }`,
	},
	"ex:Firm": {
		"",
		`query($id: ID){ ex_Firm(id: $id) { label ex_boss { label home { label } } _ex_maker_of_Geraet { label } } }`,
		`query($id: ID){ ex_Firm(id: $id) { label ex_seat { label kind } ex_part { note dock { label } } } }`,
	},
	"Red": {
		`query($id: ID){ Red(id: $id) { label to { label } } }`,
	},
	"Blue": {
		"",
		`query($id: ID){ Blue(id: $id) { label } }`,
	},
}

// classes are the schema but for the metadata; Red and Blue share their ids,
// which look like those of Species.
var classes = map[string]string{
	"Being":   `"@abstract":[],"label":"xsd:string","home":{"@type":"Optional","@class":"Place"}`,
	"Place":   `"label":"xsd:string","kind":{"@type":"Optional","@class":"Kind"}`,
	"Port":    `"@inherits":"Place","berths":{"@type":"Optional","@class":"xsd:integer"}`,
	"Species": `"label":"xsd:string","home":{"@type":"Optional","@class":"Place"}`,
	"Specs":   `"@subdocument":[],"@key":{"@type":"Random"},"note":{"@type":"Optional","@class":"xsd:string"},"dock":{"@type":"Optional","@class":"Place"}`,
	"Person": `"@inherits":["Being"],"desc":{"@type":"Set","@class":"xsd:string"},"species":{"@type":"Optional","@class":"Species"},
		"friends":{"@type":"Set","@class":"Person"},"specs":{"@type":"Optional","@class":"Specs"},"blob":{"@type":"Optional","@class":"sys:JSON"}`,
	"Ship": `"label":"xsd:string","built":"Place","pilots":{"@type":"Set","@class":"Person"},"stops":{"@type":"List","@class":"Place"},
		"grid":{"@type":"Array","@class":"Place"},"parts":{"@type":"Set","@class":"Specs"},"tint":{"@type":"Optional","@class":"Tint"}`,
	"Tint": `"@abstract":[],"label":"xsd:string","to":{"@type":"Optional","@class":"Place"}`,
	"Gerät": `"label":"xsd:string","gehört":{"@type":"Optional","@class":"Person"},"ex:maker":{"@type":"Set","@class":"ex:Firm"},
		"2ndOwner":{"@type":"Optional","@class":"Person"},"__x":{"@type":"Optional","@class":"xsd:string"},"mood":{"@type":"Set","@class":"Kind"}`,
	"ex:Firm": `"label":"xsd:string","ex:boss":{"@type":"Optional","@class":"Person"},"ex:seat":{"@type":"Optional","@class":"Place"},"ex:part":{"@type":"Set","@class":"ex:Part"}`,
	"ex:Part": `"@subdocument":[],"@key":{"@type":"Random"},"note":{"@type":"Optional","@class":"xsd:string"},"dock":{"@type":"Optional","@class":"Place"}`,
	"Red":     `"@base":"Species/c","@inherits":"Tint"`,
	"Blue":    `"@base":"Species/c","@inherits":"Tint"`,
}

// kinds of document that a history makes, and how many ids of each.
var population = map[string]int{"Place": 5, "Port": 3, "Species": 3, "Person": 7, "Ship": 4, "Colour": 4, "Gerät": 3, "ex:Firm": 3}

func newWorld(t *testing.T, seed uint64, db *minidb.DB, client *docdb.Client) *world {
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), db: db, domain: fmt.Sprintf("admin/w%d", seed), client: client,
		byFeed: map[string]snap{}, byFull: map[string]snap{}, refused: map[string]bool{}, schema: map[string]string{},
		documents: map[string]map[string]map[string]any{},
	}
	prefixes := minidb.Prefixes{Base: "terminusdb:///data/", Schema: "terminusdb:///schema#"}
	if seed%2 == 0 {
		prefixes = minidb.Prefixes{Base: "terminusdb:///w/", Schema: "terminusdb:///w/schema#"}
	}
	w.base, w.schemaBase = prefixes.Base, prefixes.Schema
	var err error
	if w.head, err = db.Create(w.domain, prefixes); err != nil {
		t.Fatal(err)
	}
	return w
}

// metadata draws a class's pair.
func (w *world) metadata(class string) string {
	list := pairs[class]
	if list == nil {
		return ""
	}
	query := list[w.rnd.IntN(len(list))]
	switch {
	case query == "":
		return ""
	case w.rnd.IntN(25) == 0:
		return `,"@metadata":{"embedding":"broken"}`
	case w.rnd.IntN(25) == 0:
		return fmt.Sprintf(`,"@metadata":{"embedding":{"query":%q}}`, query)
	}
	return fmt.Sprintf(`,"@metadata":{"embedding":{"query":%q,"template":"t%d"}}`, query, w.rnd.IntN(2))
}

// editSchema draws the metadata of some classes anew, or all.
func (w *world) editSchema(all bool) []json.RawMessage {
	list := raw(`{"@id":"Kind","@type":"Enum","@value":["big thing","small"]}`)
	if all {
		list = append(list, json.RawMessage(fmt.Sprintf(`{"@type":"@context","@base":%q,"@schema":%q,"ex":"http://ex.org/ns#"}`, w.base, w.schemaBase)))
	}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		if !all && w.rnd.IntN(4) > 0 {
			continue
		}
		body := classes[name]
		if name == "Person" && w.rnd.IntN(2) == 0 {
			body += `,"extra":{"@type":"Optional","@class":"xsd:string"}`
		}
		if name == "Person" && w.rnd.IntN(3) == 0 {
			body = strings.Replace(body, `"species":{"@type":"Optional"`, `"species":{"@type":"Set"`, 1)
		}
		list = append(list, json.RawMessage(fmt.Sprintf(`{"@id":%q,"@type":"Class",%s%s}`, name, body, w.metadata(name))))
	}
	return list
}

func (w *world) label() string {
	labels := []string{"a", "b", "c", "1.0", "007.5", "é漢", "x & <y>"}
	if w.rnd.IntN(12) == 0 {
		return strings.Repeat("x", w.rnd.IntN(4)) + strings.Repeat("漢", 350)
	}
	return labels[w.rnd.IntN(len(labels))]
}

// some returns up to n of the ids of documents of a kind.
func (w *world) some(n int, kinds ...string) []any {
	var list []any
	for range w.rnd.IntN(n + 1) {
		kind := kinds[w.rnd.IntN(len(kinds))]
		if ids := slices.Sorted(maps.Keys(w.documents[kind])); len(ids) > 0 {
			list = append(list, ids[w.rnd.IntN(len(ids))])
		}
	}
	return list
}

// link sets an Optional link, mostly.
func (w *world) link(doc map[string]any, field string, kinds ...string) {
	if list := w.some(3, kinds...); len(list) > 0 {
		doc[field] = list[0]
	}
}

func (w *world) specs() map[string]any {
	doc := map[string]any{"@type": "Specs", "note": w.label()}
	w.link(doc, "dock", "Place", "Port")
	return doc
}

// document draws the content of a document.
func (w *world) document(kind, id string) map[string]any {
	doc := map[string]any{"@type": kind, "@id": id, "label": w.label()}
	switch kind {
	case "Place", "Port":
		if w.rnd.IntN(2) == 0 {
			doc["kind"] = []string{"big thing", "small"}[w.rnd.IntN(2)]
		}
		if kind == "Port" {
			doc["berths"] = w.rnd.IntN(3)
		}
	case "Species":
		w.link(doc, "home", "Place", "Port")
	case "Person":
		w.link(doc, "home", "Place", "Port")
		w.link(doc, "species", "Species")
		doc["friends"] = w.some(3, "Person")
		doc["desc"] = []string{w.label(), w.label(), w.label()}[:w.rnd.IntN(4)]
		if w.rnd.IntN(2) == 0 {
			doc["specs"] = w.specs()
		}
		if w.rnd.IntN(3) == 0 {
			doc["blob"] = map[string]any{"n": w.rnd.IntN(3)}
		}
	case "Ship":
		built := w.some(8, "Place", "Port")
		if len(built) == 0 {
			return nil
		}
		doc["built"], doc["pilots"], doc["stops"] = built[0], w.some(4, "Person"), w.some(4, "Place", "Port")
		doc["grid"] = w.some(2, "Place")
		w.link(doc, "tint", "Colour")
		for range w.rnd.IntN(3) {
			parts, _ := doc["parts"].([]any)
			doc["parts"] = append(parts, w.specs())
		}
	case "Gerät":
		w.link(doc, "gehört", "Person")
		w.link(doc, "2ndOwner", "Person")
		doc["ex:maker"], doc["__x"] = w.some(2, "ex:Firm"), w.label()
		doc["mood"] = []string{"big thing", "small"}[:w.rnd.IntN(3)]
	case "ex:Firm":
		w.link(doc, "ex:boss", "Person")
		w.link(doc, "ex:seat", "Place")
		for range w.rnd.IntN(2) {
			doc["ex:part"] = []any{map[string]any{"@type": "ex:Part", "note": w.label()}}
			w.link(doc["ex:part"].([]any)[0].(map[string]any), "dock", "Place")
		}
	case "Colour":
		doc["@type"] = []string{"Red", "Blue"}[w.rnd.IntN(2)]
		w.link(doc, "to", "Place")
	}
	return doc
}

// step makes one commit; it returns false where the change was refused, as a
// deletion of what is required is.
func (w *world) step() bool {
	change := minidb.Change{Message: fmt.Sprint(len(w.log))}
	if w.rnd.IntN(5) == 0 {
		change.Schema = w.editSchema(false)
	}
	before := map[string]map[string]map[string]any{}
	for kind, docs := range w.documents {
		before[kind] = maps.Clone(docs)
	}
	var did []string
	for range w.rnd.IntN(4) {
		kind := slices.Sorted(maps.Keys(population))[w.rnd.IntN(len(population))]
		id := fmt.Sprintf("%s/%d", kind, w.rnd.IntN(population[kind]))
		if kind == "Colour" {
			id = strings.Replace(id, "Colour/", "Species/c", 1)
		}
		if w.documents[kind][id] != nil && w.rnd.IntN(3) == 0 {
			delete(w.documents[kind], id)
			if !slices.Contains(change.Delete, id) && before[kind][id] != nil {
				change.Delete = append(change.Delete, id)
				did = append(did, "-"+id)
			}
			continue
		}
		doc := w.document(kind, id)
		if doc == nil {
			continue
		}
		if w.documents[kind] == nil {
			w.documents[kind] = map[string]map[string]any{}
		}
		if old := before[kind][id]; old != nil && w.rnd.IntN(2) == 0 { // change one field only
			field := slices.Sorted(maps.Keys(doc))[w.rnd.IntN(len(doc))]
			one := maps.Clone(old)
			one[field] = doc[field]
			doc = one
		}
		w.documents[kind][id] = doc
		text, err := json.Marshal(doc)
		if err != nil {
			w.t.Fatal(err)
		}
		change.Put = append(change.Put, text)
		did = append(did, "+"+string(text))
	}
	head, err := w.db.Commit(w.domain, change)
	if err != nil {
		w.documents = before
		return false
	}
	w.log = append(w.log, fmt.Sprintf("%s: schema %s %v", head, change.Schema, did))
	w.head = head
	return true
}

// index pulls the head both ways and compares.
func (w *world) index() {
	w.t.Helper()
	w.indexAt(w.head)
}

func (w *world) indexAt(commit string) {
	w.t.Helper()
	if w.byFeed[commit].texts != nil {
		return
	}
	w.refuse()
	pull := func(indexed func(string) bool) *contract.Pull {
		p, err := w.client.Pull(w.t.Context(), contract.PullRequest{Domain: w.domain, Commit: commit, Indexed: indexed, Again: func(base string) []string {
			return slices.Sorted(maps.Keys(w.byFeed[base].left))
		}})
		if err != nil {
			w.t.Fatalf("%s\n%s", err, strings.Join(w.log, "\n"))
		}
		return p
	}
	byFeed, byFull := pull(func(id string) bool { return w.byFeed[id].texts != nil }), pull(none)
	if !byFull.Complete || byFeed.Complete != (byFeed.Base == "") {
		w.t.Fatalf("full listing %+v, changes %+v", byFull, byFeed)
	}
	full := apply(w.t, w.byFull[byFeed.Base], byFull, w.refused)
	feed := apply(w.t, w.byFeed[byFeed.Base], byFeed, w.refused)
	w.byFull[commit], w.byFeed[commit] = full, feed
	if d := differences(feed.texts, full.texts); d != "" {
		w.t.Fatalf("at %s, from %s:\n%s\n%s", commit, byFeed.Base, d, strings.Join(w.log, "\n"))
	}
	if !maps.Equal(feed.left, full.left) {
		w.t.Fatalf("at %s, from %s: left are %v, by a full listing %v\n%s", commit, byFeed.Base, feed.left, full.left, strings.Join(w.log, "\n"))
	}
}

// refuse draws anew of some documents whether they can be embedded.
func (w *world) refuse() {
	for _, kind := range slices.Sorted(maps.Keys(w.documents)) {
		for _, id := range slices.Sorted(maps.Keys(w.documents[kind])) {
			if w.rnd.IntN(4) == 0 {
				w.refused[strings.Replace(w.base+id, w.base+"ex:", "http://ex.org/ns#", 1)] = w.rnd.IntN(4) == 0
			}
		}
	}
}

// TestHistories: over random histories, the snapshot made of what changed since
// an indexed ancestor is that of listing everything, byte for byte, whatever
// could not be embedded in between.
func TestHistories(t *testing.T) {
	t.Parallel()
	n := 20
	if os.Getenv("VECTORLINK_LONG") != "" {
		n = 2000
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("VECTORLINK_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
		n = 1
	}
	db := minidb.New(minidb.Config{UnquoteNumbers: true, PanicAtByte1000: true, UnstableSets: true})
	client := newClient(t, db)
	for i := range n {
		s := seed + uint64(i)
		if !t.Run(fmt.Sprint(s), func(t *testing.T) { history(t, s, db, client) }) {
			t.Fatalf("run it again with VECTORLINK_SEED=%d", s)
		}
	}
}

func history(t *testing.T, seed uint64, db *minidb.DB, client *docdb.Client) {
	w := newWorld(t, seed, db, client)
	head, err := db.Commit(w.domain, minidb.Change{Schema: w.editSchema(true)})
	if err != nil {
		t.Fatal(err)
	}
	w.head = head
	for range 6 { // a population to begin with
		w.step()
	}
	w.index()
	var heads []string
	for range 8 {
		for tries := 0; !w.step() && tries < 5; tries++ {
			continue
		}
		heads = append(heads, w.head)
		switch w.rnd.IntN(4) {
		case 0: // left for later
		case 1: // an older one after newer ones
			w.indexAt(heads[w.rnd.IntN(len(heads))])
		default:
			w.index()
		}
	}
	w.index()
}
