package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/workshop"
)

var _ = register[templatesCmd](ofFiles, "templates", "See, check and propose the queries and templates of a schema.")

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

// open reads the settings and the schema, and pairs from a file if one is named.
// more checks further settings.
func (c *SchemaConfig) open(ctx context.Context, p *program, pairs string, more ...func(*Config, *complaints)) (*workshop.Schema, *Config, error) {
	var bad complaints
	cfg := &Config{}
	// The whole configuration is read, so that a server's file serves here,
	// but only these parts of it need to make sense.
	p.readSettings(cfg, p.configFile(c.ConfigFile), &bad)
	cfg.DatabaseConfig.check(&bad)
	for _, check := range more {
		check(cfg, &bad)
	}
	if cfg.TerminusDBURL == "" {
		bad.add("terminusdb-url: must not be empty")
	}
	if err := bad.error(); err != nil {
		return nil, nil, err
	}
	client, err := cfg.client(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, as(errUsage, err)
	}
	commit := c.Commit
	if commit == "" {
		if commit, err = client.Head(ctx, c.Domain, cmp.Or(c.Branch, contract.MainBranch)); err != nil {
			return nil, nil, behind(err)
		}
	}
	schema, err := workshop.Open(ctx, client, c.Domain, commit)
	if err != nil {
		return nil, nil, behind(err)
	}
	if pairs == "" {
		return schema, cfg, nil
	}
	return schema, cfg, replacePairs(schema, pairs)
}

// replacePairs takes the pairs of a file in the place of the schema's.
func replacePairs(schema *workshop.Schema, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return as(errUsage, fmt.Errorf("--pairs: %w", err))
	}
	list, err := workshop.ParsePairs(data)
	if err != nil {
		return as(errUsage, fmt.Errorf("--pairs: %s: %w", file, err))
	}
	if err := schema.Replace(list); err != nil {
		return fmt.Errorf("--pairs: %s: %w", file, err)
	}
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

// Run runs the command.
func (c *previewCmd) Run(ctx context.Context, p *program) error {
	schema, cfg, err := c.open(ctx, p, c.Pairs, func(cfg *Config, bad *complaints) { cfg.EmbedConfig.check(bad) })
	if err != nil {
		return err
	}
	pair := schema.Pair(c.Class)
	switch {
	case schema.Class(c.Class) == nil:
		return fmt.Errorf("the schema has no class %s", c.Class)
	case pair == nil:
		return fmt.Errorf("class %s has no query and template: vectorlink templates suggest proposes some", c.Class)
	case pair.Err == nil && pair.Template == "":
		return fmt.Errorf("class %s has a query but no template", c.Class)
	}
	embedder, _, err := cfg.embedder(nil)
	if err != nil {
		return as(errUsage, err)
	}
	var ids []string
	for _, id := range c.ID {
		ids = append(ids, schema.IRI(id))
	}
	list, err := schema.Preview(ctx, templates.New(templates.Limits{}), embedder.Split, *pair, ids, c.Count)
	if err != nil {
		return behind(err)
	}
	failed := 0
	for _, s := range list {
		if s.Error != "" {
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

func (p *program) printPreviews(list []workshop.Preview) {
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

// Run runs the command.
func (c *suggestCmd) Run(ctx context.Context, p *program) error {
	schema, cfg, err := c.open(ctx, p, "", c.checkChat)
	if err != nil {
		return err
	}
	for _, name := range c.Class {
		if schema.Class(name) == nil {
			return fmt.Errorf("the schema has no class %s", name)
		}
	}
	wanted := func(class *workshop.Class) bool {
		pair := schema.Pair(class.Name)
		return slices.Contains(c.Class, class.Name) || len(c.Class) == 0 && (pair == nil || pair.Err == nil && pair.Template == "")
	}
	list, err := schema.Suggest(wanted)
	if err != nil {
		return err
	}
	for i := range schema.Classes {
		class := &schema.Classes[i]
		made := slices.ContainsFunc(list, func(s workshop.Suggestion) bool { return s.Class == class.Name })
		if wanted(class) && !made && (len(c.Class) > 0 || !class.Part && !class.Enum && !class.Abstract) {
			fmt.Fprintf(p.stderr, "%s: has no documents of its own, or nothing that says something in words\n", plainText(class.Name))
		}
	}
	if c.AI != "" {
		if err := c.improve(ctx, p, schema, cfg, list); err != nil {
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
