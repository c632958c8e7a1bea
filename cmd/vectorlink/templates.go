package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/templates"
)

// templatesCmd helps people who write queries and templates. It asks the
// document database; no server of ours is needed.
type templatesCmd struct {
	Preview previewCmd `cmd:"" help:"Show the texts that documents become."`
	Check   checkCmd   `cmd:"" help:"Look for mistakes in the queries and templates of a commit."`
	Suggest suggestCmd `cmd:"" help:"Propose a query and a template for the classes that have none."`
}

// SchemaConfig chooses the schema that is looked at.
type SchemaConfig struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"YAML file of settings, under the names of their flags (VECTORLINK_CONFIG)."`
	DatabaseConfig
	Domain string `required:"" placeholder:"ORG/DB" help:"Database, as org/db."`
	Commit string `xor:"ref" placeholder:"ID" help:"Commit to look at."`
	Branch string `xor:"ref" placeholder:"NAME" help:"Look at the head of this branch (default main)."`
}

// workshop is a schema at hand.
type workshop struct {
	client *docdb.Client
	schema *docdb.Schema
	cfg    Config
	pairs  []docdb.Class // of the schema, or of a file in their place; by name
}

// open reads the settings and the schema, and pairs from a file if one is named.
// more checks further settings.
func (c *SchemaConfig) open(ctx context.Context, p *program, pairs string, more ...func(*Config, *complaints)) (*workshop, error) {
	var bad complaints
	w := &workshop{}
	// The whole configuration is read, so that a server's file serves here,
	// but only these parts of it need to make sense.
	p.readSettings(&w.cfg, p.configFile(c.ConfigFile), true, &bad)
	w.cfg.DatabaseConfig.check(&bad)
	for _, check := range more {
		check(&w.cfg, &bad)
	}
	if w.cfg.TerminusDBURL == "" {
		bad.add("terminusdb-url: must not be empty")
	}
	if err := bad.error(); err != nil {
		return nil, err
	}
	var err error
	if w.client, err = w.cfg.client(slog.New(slog.DiscardHandler)); err != nil {
		return nil, as(errUsage, err)
	}
	commit := c.Commit
	if commit == "" {
		branch := c.Branch
		if branch == "" {
			branch = contract.MainBranch
		}
		if commit, err = w.client.Head(ctx, c.Domain, branch); err != nil {
			return nil, fromSource(err)
		}
	}
	if w.schema, err = w.client.Schema(ctx, c.Domain, commit); err != nil {
		return nil, fromSource(err)
	}
	for _, class := range w.schema.Classes {
		if class.Pair != nil {
			w.pairs = append(w.pairs, *class.Pair)
		}
	}
	if pairs == "" {
		return w, nil
	}
	return w, w.replacePairs(pairs)
}

// fromSource gives errors of the database the exit code of things out of reach.
func fromSource(err error) error {
	if errors.Is(err, contract.ErrSource) {
		return as(errUpstream, err)
	}
	return err
}

// replacePairs takes the pairs of a file in the place of the schema's.
func (w *workshop) replacePairs(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return as(errUsage, fmt.Errorf("--pairs: %w", err))
	}
	list, err := docdb.ParsePairs(data)
	if err != nil {
		return as(errUsage, fmt.Errorf("--pairs: %s: %w", file, err))
	}
	for _, pair := range list {
		if w.schema.Class(pair.Name) == nil {
			return fmt.Errorf("--pairs: %s: the schema has no class %s", file, pair.Name)
		}
		w.pairs = slices.DeleteFunc(w.pairs, func(old docdb.Class) bool { return old.Name == pair.Name })
		w.pairs = append(w.pairs, pair)
	}
	slices.SortFunc(w.pairs, func(a, b docdb.Class) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// previewCmd shows texts.
type previewCmd struct {
	SchemaConfig
	EmbedConfig
	Pairs string   `placeholder:"FILE" help:"Take pairs from this file, as suggest prints them, before those of the schema."`
	Class string   `required:"" placeholder:"NAME" help:"Class of the documents."`
	ID    []string `name:"id" placeholder:"ID" sep:"none" help:"Document to show, as People/20 or by its full id; may be given again."`
	Count int      `default:"3" placeholder:"N" help:"Without --id: show so many of the class (default 3; 0 is all)."`
}

// Help is shown by preview --help.
func (c *previewCmd) Help() string {
	return `Each text is shown as it would be embedded, with its number of tokens and of the
chunks that it is cut into for the configured model.`
}

// preview is a document's text, or why it has none.
type preview struct {
	ID     string `json:"id"`
	Text   string `json:"text,omitempty"`
	Tokens int    `json:"tokens"`
	Chunks int    `json:"chunks"`
	Error  string `json:"error,omitempty"`
}

// Run runs the command.
func (c *previewCmd) Run(ctx context.Context, p *program) error {
	w, err := c.open(ctx, p, c.Pairs, func(cfg *Config, bad *complaints) { cfg.EmbedConfig.check(bad) })
	if err != nil {
		return err
	}
	i := slices.IndexFunc(w.pairs, func(pair docdb.Class) bool { return pair.Name == c.Class })
	switch {
	case w.schema.Class(c.Class) == nil:
		return fmt.Errorf("the schema has no class %s", c.Class)
	case i < 0:
		return fmt.Errorf("class %s has no query and template: vectorlink templates suggest proposes some", c.Class)
	case w.pairs[i].Err == nil && w.pairs[i].Template == "":
		return fmt.Errorf("class %s has a query but no template", c.Class)
	}
	embedder, err := w.cfg.embedder()
	if err != nil {
		return as(errUsage, err)
	}
	var ids []string
	for _, id := range c.ID {
		ids = append(ids, w.schema.IRI(id))
	}
	renderer := templates.New(templates.Limits{})
	list := []preview{}
	failed := 0
	for op, err := range w.client.Documents(ctx, w.schema, w.pairs[i], ids, c.Count) {
		if err != nil {
			return fromSource(err)
		}
		show := preview{ID: op.ID}
		if err = op.Err; op.Kind == contract.Upsert {
			show.Text, err = renderer.Render(ctx, op.Template, op.Data)
		}
		if err != nil {
			show.Error = err.Error()
			failed++
		} else {
			chunks, tokens := embedder.Split(show.Text)
			show.Tokens, show.Chunks = tokens, len(chunks)
		}
		list = append(list, show)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(list, func(s preview) bool { return s.ID == id }) {
			list = append(list, preview{ID: id, Error: "there is no such document of the class, or its query leaves it out"})
			failed++
		}
	}
	if p.json {
		err = printJSON(p.stdout, list)
	} else {
		p.printPreviews(list)
	}
	if err == nil && failed > 0 {
		return fmt.Errorf("%s without a text", count(failed, "document"))
	}
	return err
}

func (p *program) printPreviews(list []preview) {
	paint := p.paint(p.stdout)
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		fmt.Fprintln(p.stdout, paint.bold(plainText(s.ID)))
		if s.Error != "" {
			fmt.Fprintf(p.stdout, "no text: %s\n", clip(s.Error, 500))
			continue
		}
		for line := range strings.Lines(s.Text) {
			fmt.Fprintln(p.stdout, plainText(strings.TrimRight(line, "\r\n")))
		}
		fmt.Fprintln(p.stdout, paint.dim(count(s.Tokens, "token")+" in "+count(s.Chunks, "chunk")))
	}
}

// suggestCmd proposes pairs.
type suggestCmd struct {
	SchemaConfig
	EmbedConfig
	AI    string   `name:"ai" placeholder:"MODEL" help:"Let this chat model of the embedding provider put the sentences in better words."`
	Class []string `placeholder:"NAME" sep:"none" help:"Only for this class, though it has a pair; may be given again."`
}

// Help is shown by suggest --help.
func (c *suggestCmd) Help() string {
	return `The output is a JSON list of whole classes, ready to be put into the schema:

  vectorlink templates suggest --domain org/db > classes.json
  vectorlink templates preview --domain org/db --class People --pairs classes.json
  curl -u user:password -X PUT -H 'Content-Type: application/json' -d @classes.json \
    'http://localhost:6363/api/document/org/db?graph_type=schema&author=me&message=templates'

The same schema gives the same pairs: edit them to taste. With --ai a chat model at
the embedding provider's address rewrites the templates. It sees the classes and
the templates, no document; what it writes is taken only if it says the same
fields and documents of the class can be rendered by it.`
}

// suggestion is a pair for a class.
type suggestion struct {
	Class  string
	Pair   templates.Pair
	Object json.RawMessage // the class as the schema should hold it
}

// Run runs the command.
func (c *suggestCmd) Run(ctx context.Context, p *program) error {
	w, err := c.open(ctx, p, "", c.checkChat)
	if err != nil {
		return err
	}
	for _, name := range c.Class {
		if w.schema.Class(name) == nil {
			return fmt.Errorf("the schema has no class %s", name)
		}
	}
	wanted := func(class *docdb.SchemaClass) bool {
		return slices.Contains(c.Class, class.Name) || len(c.Class) == 0 && class.Pair == nil
	}
	list, err := suggest(w.schema, wanted)
	if err != nil {
		return err
	}
	for i := range w.schema.Classes {
		class := &w.schema.Classes[i]
		made := slices.ContainsFunc(list, func(s suggestion) bool { return s.Class == class.Name })
		if wanted(class) && !made && (len(c.Class) > 0 || !class.Part && !class.Enum && !class.Abstract) {
			fmt.Fprintf(p.stderr, "%s: has no documents of its own, or nothing that says something in words\n", plainText(class.Name))
		}
	}
	if c.AI != "" {
		if err := c.improve(ctx, p, w, list); err != nil {
			return err
		}
	}
	objects := make([]json.RawMessage, len(list))
	for i, s := range list {
		objects[i] = s.Object
	}
	if p.json {
		return printJSON(p.stdout, objects)
	}
	// In the encoder's hands, so that < and & stay what they are.
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(objects); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	_, err = p.stdout.Write(text.Bytes())
	return err
}

// suggest suggests a pair for the classes that are wanted, where there is
// anything to say of them.
func suggest(schema *docdb.Schema, wanted func(*docdb.SchemaClass) bool) ([]suggestion, error) {
	classes := make([]templates.Class, len(schema.Classes))
	for i, c := range schema.Classes {
		classes[i] = templates.Class{Name: c.Name, Label: c.Label, Part: c.Part, Enum: c.Enum, Abstract: c.Abstract}
		for _, f := range c.Fields {
			classes[i].Fields = append(classes[i].Fields, templates.Field(f))
		}
	}
	var list []suggestion
	for i := range schema.Classes {
		c := &schema.Classes[i]
		if !wanted(c) {
			continue
		}
		pair, ok := templates.Suggest(classes, c.Name)
		if !ok {
			continue
		}
		object, err := c.WithPair(pair.Query, pair.Template)
		if err != nil {
			return nil, err
		}
		list = append(list, suggestion{c.Name, pair, object})
	}
	return list, nil
}
