package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
	"github.com/vectorlink/vectorlink/vfs"
)

var _ = register[inspectCmd](ofFiles, "inspect", "Show what a file of a data directory holds, even a damaged one.")

// inspectCmd shows what a file of a data directory holds.
type inspectCmd struct {
	File    string `arg:"" help:"A file of a data directory: .hnsw, .vecs, .zap, .pruned, .decisions or .space."`
	Entries bool   `name:"entries" help:"List the documents of a commit file, too, without their texts."`
}

// Help is shown by inspect --help.
func (c *inspectCmd) Help() string {
	return `Of a damaged file it shows what can be decoded, then what is wrong, and ends with
5. Nothing is written; a server may be using the file.`
}

// inspected is what the command prints: lines for people, or the whole as JSON.
type inspected struct {
	File      string             `json:"file"`
	Kind      string             `json:"kind"` // commit, vectors, text, pruned, decisions or space
	Size      int64              `json:"size"`
	Whole     bool               `json:"whole"`
	Error     string             `json:"error,omitempty"`
	Header    any                `json:"header"` // null: damaged
	Sections  []section          `json:"sections,omitempty"`
	Graph     any                `json:"graph,omitempty"`
	Entries   []entryRow         `json:"entries,omitempty"`
	Removed   []string           `json:"removed,omitempty"`
	Skipped   []string           `json:"skipped,omitempty"`
	Pruned    []string           `json:"pruned,omitempty"` // commits
	Decisions []catalog.Decision `json:"decisions,omitempty"`
	Damages   []damageRow        `json:"damages,omitempty"`

	lines [][]string // of the header, for people
}

type section struct {
	Name    string `json:"name"`
	Version int    `json:"version,omitempty"`
	Offset  int64  `json:"offset"`
	Length  int64  `json:"length"`
	Raw     int64  `json:"raw,omitempty"`
	Blocks  int    `json:"blocks,omitempty"`
	Chunks  uint32 `json:"chunks,omitempty"`
	Error   string `json:"error,omitempty"`
}

type entryRow struct {
	ID     string          `json:"id"`
	Int    bool            `json:"integer,omitempty"` // the id is one
	Type   string          `json:"type"`
	Bytes  uint32          `json:"bytes"`
	Tokens uint32          `json:"tokens"`
	Slots  []uint32        `json:"slots"`
	NoText bool            `json:"no_text,omitempty"`
	Fields json.RawMessage `json:"fields,omitempty"`
}

type damageRow struct {
	Slot   *uint32 `json:"slot"` // null: of no one vector
	Reason string  `json:"reason"`
}

// Run runs the command.
func (c *inspectCmd) Run(p *program) (err error) {
	dir, name := filepath.Split(c.File)
	if dir == "" {
		dir = "."
	}
	if err := isDirectory(dir); err != nil {
		return err
	}
	files, err := vfs.NewOS(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	var r inspected
	var wrong error
	switch ext := strings.TrimPrefix(filepath.Ext(name), "."); ext {
	case snapshot.Ext:
		r, wrong = c.commitFile(files, name)
	case "vecs":
		r, wrong = inspectVectors(files, name)
	case textindex.Ext:
		r, wrong = inspectText(files, name)
	case catalog.PrunedExt:
		r, wrong = inspectPruned(files, name)
	case catalog.DecisionsExt:
		r, wrong = inspectDecisions(files, name)
	case space.Ext:
		r, wrong = inspectSpace(files, name)
	default:
		return usage("%s is no .hnsw, .vecs, .zap, .pruned, .decisions or .space file", c.File)
	}
	r.Whole = wrong == nil
	if wrong != nil {
		r.Error = wrong.Error()
		if !damaging(wrong) {
			return wrong
		}
	}
	if p.json {
		err = printJSON(p.stdout, r)
	} else {
		r.print(p)
	}
	if err == nil && wrong != nil {
		err = as(errDamage, wrong)
	}
	return err
}

// damaging reports whether an error is about a file's bytes.
func damaging(err error) bool {
	for _, kind := range []error{
		snapshot.ErrCorrupt, snapshot.ErrVersion, vecstore.ErrCorrupt, vecstore.ErrVersion,
		textindex.ErrCorrupt, textindex.ErrStale, hnsw.ErrCorrupt, hnsw.ErrVersion, contract.ErrCorrupt,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func (c *inspectCmd) commitFile(files vfs.FS, name string) (inspected, error) {
	d, err := snapshot.Inspect(files, name)
	r := inspected{File: name, Kind: "commit", Size: d.Size}
	if h := d.Header; h != nil {
		r.field("format", d.Version)
		r.field("kind", h.Kind)
		r.field("domain", h.Domain)
		r.field("commit", h.Commit)
		r.field("base", h.Base)
		r.field("stands_on", h.On)
		if h.Tag {
			r.field("tag", h.Tag)
		}
		r.field("branch", h.Branch)
		r.field("sequence", h.Seq)
		r.field("created", time.Unix(h.Created, 0).UTC().Format(time.RFC3339))
		if h.About != nil {
			r.field("author", h.About.Author)
			r.field("message", h.About.Message)
			if !h.About.Time.IsZero() {
				r.field("committed", h.About.Time.Format(time.RFC3339))
			}
		}
		r.field("model", h.Fingerprint)
		r.field("dimensions", h.Dim)
		r.field("vectors", h.Vecs)
		settings, serr := catalog.ParseSettings(h.Settings)
		if serr != nil {
			r.field("settings", h.Settings)
		} else {
			r.field("metric", settings.Metric)
			r.field("normalize", settings.Normalize)
			r.field("language", settings.Language)
			if settings.M > 0 {
				r.field("m", settings.M)
			}
			if settings.EfConstruction > 0 {
				r.field("ef_construction", settings.EfConstruction)
			}
			if settings.Dim > 0 {
				r.field("supplied_dimensions", settings.Dim)
			}
		}
		r.field("slot_end", h.SlotEnd)
		r.field("documents", h.Documents)
		r.field("chunks", h.Chunks)
		r.field("changed", h.Changed)
		r.field("removed", h.Removed)
		r.field("skipped", h.Skipped)
		r.field("indexed", h.Indexed)
		r.field("deleted", h.Deleted)
		r.field("embedded", h.Embedded)
		r.field("reused", h.Reused)
		r.field("tokens", h.Tokens)
		for _, o := range h.Others {
			r.field(o.Name+"_vectors", fmt.Sprintf("%s of %s, %d dimensions, %s, slot end %d, %d chunks", o.Vecs, o.Fingerprint, o.Dim, o.Metric, o.SlotEnd, o.Chunks))
		}
	}
	for _, s := range d.Sections {
		r.Sections = append(r.Sections, section{Name: s.Name, Version: s.Version, Offset: s.Offset, Length: s.Length, Raw: s.Raw, Blocks: s.Blocks, Error: s.Error})
	}
	if d.Graph != nil {
		g, gerr := hnsw.Decode(d.Graph)
		if gerr != nil {
			err = errors.Join(err, gerr)
		} else {
			r.Graph = graphOf(g.Describe())
		}
	}
	if c.Entries {
		for _, e := range d.Entries {
			row := entryRow{ID: e.ID, Int: e.Int, NoText: e.NoText, Type: e.Type, Bytes: e.TextLen, Tokens: uint32(e.Tokens()), Slots: []uint32{}}
			for _, ch := range e.Chunks {
				row.Slots = append(row.Slots, ch.Slot)
			}
			if json.Valid([]byte(e.Fields)) {
				row.Fields = json.RawMessage(e.Fields)
			}
			r.Entries = append(r.Entries, row)
		}
		r.Removed, r.Skipped = ids(d.Removed), ids(d.Skipped)
	}
	return r, err
}

// ids returns the ids of keys.
func ids(keys []snapshot.Key) []string {
	var list []string
	for _, k := range keys {
		list = append(list, k.ID)
	}
	return list
}

// graph is the printed form of a graph's description.
type graph struct {
	M              int     `json:"m"`
	EfConstruction int     `json:"ef_construction"`
	Nodes          int     `json:"nodes"`
	Bytes          int64   `json:"memory"`
	Layers         []layer `json:"layers"`
}

type layer struct {
	Nodes int `json:"nodes"`
	Links int `json:"links"`
}

func graphOf(d hnsw.Description) graph {
	g := graph{M: d.Params.M, EfConstruction: d.Params.EfConstruction, Nodes: d.Nodes, Bytes: d.Bytes, Layers: []layer{}}
	for _, l := range d.Layers {
		g.Layers = append(g.Layers, layer(l))
	}
	return g
}

func inspectVectors(files vfs.FS, name string) (inspected, error) {
	d, err := vecstore.Inspect(files, name)
	r := inspected{File: name, Kind: "vectors", Size: d.Size}
	if d.Config != nil {
		r.field("domain", d.Config.Domain)
		r.field("model", d.Config.Fingerprint)
		r.field("dimensions", d.Config.Dim)
		r.field("metric", d.Config.Metric)
		r.field("unit_length", d.Config.Normalized)
		r.field("page_size", d.PageSize)
		r.field("record_size", d.RecordSize)
		r.field("records_per_page", d.RecordsPerPage)
		r.field("vectors", d.Vectors)
		r.field("freed", d.Freed)
		r.field("damaged", d.Damaged)
	}
	for _, bad := range d.Damages {
		row := damageRow{Reason: bad.Reason}
		if bad.Slot != vecstore.NoSlot {
			row.Slot = &bad.Slot
		}
		r.Damages = append(r.Damages, row)
	}
	return r, err
}

func inspectText(files vfs.FS, name string) (inspected, error) {
	d, err := textindex.Inspect(files, name)
	r := inspected{File: name, Kind: "text", Size: d.Size}
	if id := d.Identity; id != nil {
		r.field("domain", id.Domain)
		r.field("commit", id.Commit)
		r.field("sequence", id.Seq)
		r.field("checkpoint", id.Checkpoint)
		r.field("analyzer", id.Analyzer)
		r.field("chunks", d.Chunks)
	}
	for i, b := range d.Blocks {
		r.Sections = append(r.Sections, section{Name: "block " + strconv.Itoa(i), Offset: b.Offset, Length: b.Length, Chunks: b.Chunks, Error: b.Error})
	}
	return r, err
}

func inspectPruned(files vfs.FS, name string) (inspected, error) {
	l, err := catalog.InspectPruned(files, name)
	r := inspected{File: name, Kind: "pruned", Size: l.Size, Pruned: l.Commits}
	if l.Domain != "" {
		r.field("domain", l.Domain)
		r.field("commits", len(l.Commits))
	}
	return r, err
}

func inspectDecisions(files vfs.FS, name string) (inspected, error) {
	j, err := catalog.InspectDecisions(files, name)
	r := inspected{File: name, Kind: "decisions", Size: j.Size, Decisions: j.Decisions}
	if j.Domain != "" {
		r.field("domain", j.Domain)
		r.field("decisions", len(j.Decisions))
	}
	return r, err
}

func inspectSpace(files vfs.FS, name string) (inspected, error) {
	j, err := space.Inspect(files, name)
	r := inspected{File: name, Kind: "space", Size: j.Size}
	if j.Name != "" {
		r.field("space", j.Name)
		r.field("dims", j.Schema.Dims)
		r.field("metric", string(j.Schema.Metric))
		r.field("frozen", j.Frozen)
		r.field("records", j.Records)
		r.field("writes", j.Writes)
		r.field("torn_bytes", j.Torn)
	}
	return r, err
}

// field adds a value of the header, in both forms.
func (r *inspected) field(name string, value any) {
	m, _ := r.Header.(map[string]any)
	if m == nil {
		m = make(map[string]any)
		r.Header = m
	}
	if s, ok := value.(fmt.Stringer); ok {
		value = s.String()
	}
	m[name] = value
	r.lines = append(r.lines, []string{strings.ReplaceAll(name, "_", " "), plainText(fmt.Sprint(value))})
}

func (r *inspected) print(p *program) {
	kinds := map[string]string{"commit": "commit file", "vectors": "file of vectors", "text": "full text", "pruned": "list of pruned commits", "decisions": "journal of decisions", "space": "journal of a space"}
	fmt.Fprintf(p.stdout, "%s: %s, %d bytes\n", r.File, kinds[r.Kind], r.Size)
	table(p.stdout, "", r.lines)
	if len(r.Sections) > 0 {
		rows := [][]string{{"section", "offset", "length", "raw", "blocks", "state"}}
		for _, s := range r.Sections {
			state := "whole"
			if s.Error != "" {
				state = s.Error
			}
			rows = append(rows, []string{s.Name, fmt.Sprint(s.Offset), fmt.Sprint(s.Length), fmt.Sprint(s.Raw), fmt.Sprint(s.Blocks), state})
		}
		fmt.Fprintln(p.stdout)
		table(p.stdout, " rrrr", rows)
	}
	if g, ok := r.Graph.(graph); ok {
		fmt.Fprintf(p.stdout, "\ngraph: M %d, efConstruction %d, %s, %d bytes in memory\n", g.M, g.EfConstruction, count(g.Nodes, "node"), g.Bytes)
		for i, l := range g.Layers {
			fmt.Fprintf(p.stdout, "  layer %d: %s, %s\n", i, count(l.Nodes, "node"), count(l.Links, "link"))
		}
	}
	for _, e := range r.Entries {
		fmt.Fprintf(p.stdout, "%s\t%s\t%d bytes\t%d tokens\tslots %v", plainText(e.ID), plainText(e.Type), e.Bytes, e.Tokens, e.Slots)
		if len(e.Fields) > 0 {
			fmt.Fprintf(p.stdout, "\t%s", plainText(string(e.Fields)))
		}
		fmt.Fprintln(p.stdout)
	}
	for _, id := range r.Removed {
		fmt.Fprintf(p.stdout, "removed\t%s\n", plainText(id))
	}
	for _, id := range r.Skipped {
		fmt.Fprintf(p.stdout, "skipped\t%s\n", plainText(id))
	}
	for _, d := range r.Decisions {
		fmt.Fprintf(p.stdout, "%d\t%s\t%s\t%s\tat %s\n", d.N, d.Verdict, plainText(d.A), plainText(d.B), plainText(d.Commit))
	}
	for _, d := range r.Damages {
		if d.Slot == nil {
			fmt.Fprintf(p.stdout, "damaged: %s\n", d.Reason)
		} else {
			fmt.Fprintf(p.stdout, "slot %d is damaged: %s\n", *d.Slot, d.Reason)
		}
	}
}
