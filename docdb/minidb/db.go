package minidb

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// What a database without prefixes of its own has.
const (
	defaultBase   = "terminusdb:///data/"
	defaultSchema = "terminusdb:///schema#"
)

// Config says which faults of the original are reproduced.
type Config struct {
	// Now gives commits their time; nil means time.Now.
	Now func() time.Time
	// UnquoteNumbers makes GraphQL take the quotes off strings that look
	// like numbers.
	UnquoteNumbers bool
	// PanicAtByte1000 makes GraphQL answer 500 when a character straddles
	// byte 1000 of the answer.
	PanicAtByte1000 bool
	// UnstableSets makes GraphQL answer the members of a Set in another
	// order at each commit, as the original's storage may.
	UnstableSets bool
}

// Prefixes of a database: Base stands before the ids of documents, Schema
// before the names of classes. Empty ones are replaced by the defaults.
type Prefixes struct {
	Base   string
	Schema string

	others map[string]string // of other namespaces, as the @context has them
}

// DB is a set of databases. It implements http.Handler.
type DB struct {
	cfg Config

	mu        sync.RWMutex // guards databases and what they hold, save commits, which are immutable
	databases map[string]*database
}

var _ http.Handler = (*DB)(nil)

type database struct {
	commits  map[string]*commit
	branches []*branch // in the order of their creation
}

type branch struct {
	name string
	head *commit
}

// commit is immutable.
type commit struct {
	id, class, author, message, timestamp string

	parent        *commit // nil for the first
	instanceLayer string  // "" while there are no documents
	schemaLayer   string
	prefixes      Prefixes
	schema        *schema
	documents     map[string]*document // by short id

	once  sync.Once // makes nodes
	nodes map[string]*node
	order []string // the keys of nodes, ascending

	factsOnce sync.Once // makes facts
	facts     *facts
}

// New returns an empty DB.
func New(cfg Config) *DB {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &DB{cfg: cfg, databases: map[string]*database{}}
}

// refusal is an error with the status and kind that HTTP answers it by.
type refusal struct {
	status  int
	kind    string // api:error @type, without its prefix
	message string
}

func (r *refusal) Error() string { return "minidb: " + r.message }

func refuse(status int, kind, format string, args ...any) error {
	return &refusal{status, kind, fmt.Sprintf(format, args...)}
}

// badRequest refuses what a caller made wrong.
func badRequest(kind, format string, args ...any) error {
	return refuse(http.StatusBadRequest, kind, format, args...)
}

// Create makes an empty database named org/db with a branch main and returns
// the id of its initial commit.
func (db *DB) Create(domain string, prefixes Prefixes) (string, error) {
	org, name, ok := strings.Cut(domain, "/")
	if !ok || org == "" || name == "" || strings.Contains(name, "/") {
		return "", badRequest("InvalidResourcePath", "database name %q is not of the form org/db", domain)
	}
	prefixes.Base = cmp.Or(prefixes.Base, defaultBase)
	prefixes.Schema = cmp.Or(prefixes.Schema, defaultSchema)
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.databases[domain] != nil {
		return "", badRequest("DatabaseAlreadyExists", "Database already exists.")
	}
	context := map[string]any{"@type": "@context", "@base": prefixes.Base, "@schema": prefixes.Schema}
	first := &commit{
		id: digestID("database", domain, string(canonical(context))), class: "InitialCommit",
		author: "system", message: "create initial schema", timestamp: db.timestamp(),
		prefixes: prefixes, schema: newSchema(map[string]map[string]any{"@context": context}), documents: map[string]*document{},
	}
	first.schemaLayer = layerID(first.id, "schema")
	db.databases[domain] = &database{
		commits:  map[string]*commit{first.id: first},
		branches: []*branch{{name: "main", head: first}},
	}
	return first.id, nil
}

// edit calls f with a database that is locked.
func (db *DB) edit(domain string, f func(d *database) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	d := db.databases[domain]
	if d == nil {
		return unknownDatabase(domain)
	}
	return f(d)
}

// at returns a commit of the database.
func (d *database) at(id string) (*commit, error) {
	if c := d.commits[id]; c != nil {
		return c, nil
	}
	return nil, badRequest("CommitDoesNotExist", "no commit %q", id)
}

// Branch makes a branch that starts at a commit.
func (db *DB) Branch(domain, name, commit string) error {
	return db.edit(domain, func(d *database) error {
		from, err := d.at(commit)
		if err == nil && d.branch(name) != nil {
			err = badRequest("BranchExistsError", "Branch %s already exists", name)
		}
		if err == nil {
			d.branches = append(d.branches, &branch{name, from})
		}
		return err
	})
}

// Reset makes a branch point at a commit. The commits it leaves stay readable.
func (db *DB) Reset(domain, name, commit string) error {
	return db.edit(domain, func(d *database) error {
		to, err := d.at(commit)
		if b := d.branch(name); b == nil {
			return unknownBranch(domain + "/local/branch/" + name)
		} else if err == nil {
			b.head = to
		}
		return err
	})
}

// DeleteBranch removes a branch. Its commits stay readable.
func (db *DB) DeleteBranch(domain, name string) error {
	return db.edit(domain, func(d *database) error {
		if d.branch(name) == nil {
			return unknownBranch(domain + "/local/branch/" + name)
		}
		d.branches = slices.DeleteFunc(d.branches, func(b *branch) bool { return b.name == name })
		return nil
	})
}

// Squash makes a commit without parent that holds what the given one does, and
// returns its id. No branch moves.
func (db *DB) Squash(domain, commitID string) (id string, err error) {
	err = db.edit(domain, func(d *database) error {
		from, err := d.at(commitID)
		if err != nil {
			return err
		}
		id = digestID("squash", from.id)
		d.commits[id] = &commit{
			id: id, class: "ValidCommit", author: from.author, message: "squash", timestamp: db.timestamp(),
			instanceLayer: layerID(id, "instance"), schemaLayer: layerID(id, "schema"),
			prefixes: from.prefixes, schema: from.schema, documents: from.documents,
		}
		return nil
	})
	return id, err
}

// Change is what a commit does. Its lists hold JSON documents, or JSON lists of
// documents, so that whole files fit.
type Change struct {
	Branch  string // empty: main
	Author  string
	Message string
	// Schema holds classes, enums and the @context object to add or to
	// replace; with FullSchema all others go.
	Schema     []json.RawMessage
	FullSchema bool
	// Put holds documents to add or to replace.
	Put []json.RawMessage
	// Delete holds ids, short or full. References to them go too.
	Delete []string
}

// Commit applies a change to the head of a branch and returns the id of the
// new head. A change that changes nothing makes no commit: the old head's id is
// returned.
func (db *DB) Commit(domain string, change Change) (string, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	d := db.databases[domain]
	if d == nil {
		return "", unknownDatabase(domain)
	}
	change.Branch = cmp.Or(change.Branch, "main")
	b := d.branch(change.Branch)
	if b == nil {
		return "", unknownBranch(domain + "/local/branch/" + change.Branch)
	}
	e := newEdit(b.head)
	if err := e.apply(change); err != nil {
		return "", err
	}
	next := &commit{
		class: "ValidCommit", author: change.Author, message: change.Message, timestamp: db.timestamp(),
		instanceLayer: b.head.instanceLayer, schemaLayer: b.head.schemaLayer,
		prefixes: e.prefixes, schema: e.schema, documents: e.documents,
	}
	instanceChanged := !maps.EqualFunc(b.head.documents, e.documents, func(x, y *document) bool { return x == y || bytes.Equal(x.json, y.json) })
	schemaChanged := !bytes.Equal(b.head.schema.canonical(), e.schema.canonical())
	if !instanceChanged && !schemaChanged {
		return b.head.id, nil
	}
	if b.head.class == "ValidCommit" {
		// The initial commit drops out of history with the first real one.
		next.parent = b.head
	}
	content := sha256.New()
	content.Write(e.schema.canonical())
	for _, id := range slices.Sorted(maps.Keys(e.documents)) {
		content.Write(e.documents[id].json)
	}
	next.id = digestID(b.head.id, change.Author, change.Message, string(content.Sum(nil)))
	if instanceChanged {
		next.instanceLayer = layerID(next.id, "instance")
	}
	if schemaChanged {
		next.schemaLayer = layerID(next.id, "schema")
	}
	if same := d.commits[next.id]; same != nil {
		next = same // the same change to the same parent, on another branch
	}
	d.commits[next.id] = next
	b.head = next
	return next.id, nil
}

func (db *DB) timestamp() string {
	now := db.cfg.Now()
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%06d", now.Unix(), now.Nanosecond()/1000), "0"), ".")
}

func (d *database) branch(name string) *branch {
	for _, b := range d.branches {
		if b.name == name {
			return b
		}
	}
	return nil
}

// digestID makes a commit id of the original's shape, 31 of [a-z0-9], from
// parts.
func digestID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	const length = 31
	text := new(big.Int).SetBytes(h.Sum(nil)).Text(36)
	return strings.Repeat("0", max(0, length-len(text))) + text[max(0, len(text)-length):]
}

func layerID(commit, graph string) string {
	sum := sha256.Sum256([]byte(graph + ":" + commit))
	return "layer_data:Layer_" + hex.EncodeToString(sum[:])
}

func unknownDatabase(domain string) error {
	return refuse(http.StatusNotFound, "UnknownDatabase", "Unknown database: %s", domain)
}

func unknownBranch(resource string) error {
	return badRequest("UnresolvableAbsoluteDescriptor", "The branch does not exist for '%s'", resource)
}

// canonical encodes a value with its members in order of their names, as the
// original prints documents.
func canonical(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // everything stored came from JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
