// Package starwars is the data set of the demo and of end-to-end tests: a small
// history of a Star Wars catalogue, with a schema whose classes carry the
// GraphQL query and the Handlebars template that turn a document into text.
//
// The JSON files beside this one are the data; they are embedded in the binary.
// Load decodes them into the list of commits to replay. Every commit leaves the
// data referentially whole: a link always names a document that exists.
//
// Load reads nothing but embedded bytes and shares no state between calls, so it
// may be called from any goroutine, and the caller owns what it returns.
package starwars

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

//go:embed *.json
var files embed.FS

// Base is the @base of the data: the full id of the document "People/20" is
// Base + "People/20".
const Base = "terminusdb:///star-wars/"

// Data is the whole data set.
type Data struct {
	// Schema is the schema as first written: the @context object, then the
	// classes. It equals the Schema of the first commit.
	Schema []json.RawMessage
	// Commits are in the order in which to write them: a commit's parent stands
	// before it.
	Commits []Commit
	// Queries are the searches of the demo, each with its commit filled in.
	Queries []Query
	// Decisions are what people have said of pairs that look alike. The most alike
	// pair, Planet/1 and Planet/61, is left to the reader.
	Decisions []Decision
}

// Commit is one step of the history. Its four lists are applied as one change.
// JSON is compact; document ids are short ("People/20").
type Commit struct {
	// Name is unique and stands for the commit's id, which the database chooses.
	Name string
	// Branch is the branch the commit is written to.
	Branch string
	// From is the name of the commit that a new branch starts at. It is set on
	// the first commit of a branch and empty elsewhere; the parent is then the
	// commit before it on the same branch, or nothing.
	From string
	// Author and Message are recorded with the commit.
	Author, Message string
	// Schema holds the schema objects (@context, classes) to add or replace.
	Schema []json.RawMessage
	// Insert holds documents whose ids are new.
	Insert []json.RawMessage
	// Replace holds whole documents to put in the place of those with their ids.
	Replace []json.RawMessage
	// Delete holds the ids of documents to take out.
	Delete []string
}

// Query is a search that the demo shows.
type Query struct {
	// Text is what to search for.
	Text string
	// Why says in a sentence what the search shows.
	Why string
	// Commit is the name of the commit to search at.
	Commit string
	// Expect is the answer that must be found, or nil.
	Expect *Expect
}

// Decision is what somebody has said of two documents, by full ids, at a commit.
type Decision struct {
	Commit   string `json:"commit"` // its name
	A        string `json:"a"`
	B        string `json:"b"`
	Decision string `json:"decision"`
	By       string `json:"by"`
	Note     string `json:"note"`
}

// Expect names a document, by full id, that must be among the first Within hits.
type Expect struct {
	ID     string `json:"id"`
	Within int    `json:"within"`
}

// commitFile and queryFile are the objects in commits.json and queries.json.
type commitFile struct {
	Name        string            `json:"name"`
	Branch      string            `json:"branch"`
	From        string            `json:"from"`
	Author      string            `json:"author"`
	Message     string            `json:"message"`
	SchemaFile  string            `json:"schema_file"`
	Schema      []json.RawMessage `json:"schema"`
	InsertFiles []string          `json:"insert_files"`
	Insert      []json.RawMessage `json:"insert"`
	Replace     []json.RawMessage `json:"replace"`
	Delete      []string          `json:"delete"`
}

type queryFile struct {
	Text   string  `json:"q"`
	Why    string  `json:"why"`
	Commit string  `json:"commit"`
	Expect *Expect `json:"expect"`
}

// Load decodes the embedded files. An error means that a file was edited badly.
func Load() (*Data, error) {
	d, err := load()
	if err != nil {
		return nil, fmt.Errorf("starwars: %w", err)
	}
	return d, nil
}

func load() (*Data, error) {
	var commits []commitFile
	if err := read("commits.json", &commits); err != nil {
		return nil, err
	}
	d := new(Data)
	last := "" // on main
	for _, f := range commits {
		c, err := f.resolve()
		if err != nil {
			return nil, fmt.Errorf("commit %q: %w", f.Name, err)
		}
		if c.Branch == "main" {
			last = c.Name
		}
		d.Commits = append(d.Commits, c)
	}
	if len(d.Commits) == 0 {
		return nil, errors.New("commits.json: no commits")
	}
	d.Schema = d.Commits[0].Schema

	var queries []queryFile
	if err := read("queries.json", &queries); err != nil {
		return nil, err
	}
	for _, q := range queries {
		if q.Commit == "" {
			q.Commit = last
		}
		d.Queries = append(d.Queries, Query(q))
	}
	if err := read("decisions.json", &d.Decisions); err != nil {
		return nil, err
	}
	for i := range d.Decisions {
		x := &d.Decisions[i]
		x.A, x.B = Base+x.A, Base+x.B
	}
	return d, nil
}

// resolve reads the files that f names and compacts all of its JSON.
func (f commitFile) resolve() (Commit, error) {
	if f.SchemaFile != "" {
		if err := appendFile(&f.Schema, f.SchemaFile); err != nil {
			return Commit{}, err
		}
	}
	for _, name := range f.InsertFiles {
		if err := appendFile(&f.Insert, name); err != nil {
			return Commit{}, err
		}
	}
	for _, list := range [][]json.RawMessage{f.Schema, f.Insert, f.Replace} {
		for i, raw := range list {
			var b bytes.Buffer
			if err := json.Compact(&b, raw); err != nil {
				return Commit{}, err
			}
			list[i] = b.Bytes()
		}
	}
	return Commit{
		Name: f.Name, Branch: f.Branch, From: f.From, Author: f.Author, Message: f.Message,
		Schema: f.Schema, Insert: f.Insert, Replace: f.Replace, Delete: f.Delete,
	}, nil
}

// appendFile appends the elements of the JSON array in an embedded file.
func appendFile(list *[]json.RawMessage, name string) error {
	var more []json.RawMessage
	if err := read(name, &more); err != nil {
		return err
	}
	*list = append(*list, more...)
	return nil
}

// read decodes an embedded file strictly: a misspelt field would otherwise drop
// part of the history without a word.
func read(name string, v any) error {
	b, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("%s: more than one JSON value", name)
	}
	return nil
}
