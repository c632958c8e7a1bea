package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
)

var _ = register[openCmd](ofServing, "open", "Serve a snapshot file, without a server or a data directory.")

// openCmd serves a snapshot file.
type openCmd struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"YAML file of settings, under the names of their flags (VECTORLINK_CONFIG)."`
	Config
	child
	File string `arg:"" type:"existingfile" help:"Snapshot file."`
}

// Help is shown by open --help.
func (c *openCmd) Help() string {
	return `The commit in the file is searched, compared and exported as at the server it came
from, with the same answers; nothing can be written. The file is checked first. Texts
of queries are embedded with the model of the settings, which must be the file's.`
}

// Run runs the command.
func (c *openCmd) Run(ctx context.Context, p *program) error {
	return p.serve(c.lasts(ctx, p), c.ConfigFile, false, func(cfg *Config) {
		cfg.DataDir, cfg.ReadOnly = c.File, true
		cfg.TerminusDBURL, cfg.ContentEndpoint, cfg.Watch = "", "", ""
	})
}

// openSnapshot opens a snapshot file as a reader, after it was checked.
func openSnapshot(ctx context.Context, name string, reader search.ReaderConfig) (_ *search.Reader, _ func() error, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	file, err := bundle.Open(f, info.Size())
	if err != nil {
		return nil, nil, err
	}
	damaged, err := file.Check()
	if err != nil {
		return nil, nil, err
	}
	m := file.Manifest()
	reader.Logger.Info("snapshot file is whole", "domain", m.Domain, "commit", m.Commit, "branch", m.Branch,
		"documents", m.Documents, "vectors", m.Vectors, "damaged_vectors", damaged)
	settings, err := catalog.ParseSettings(m.Settings)
	if err != nil {
		return nil, nil, err
	}
	if have := settings.Model(reader.Embedder.Fingerprint()); m.Vectors > 0 && m.Model != have {
		reader.Logger.Warn("the file's vectors are of another model: texts cannot be searched with by vector", "file", m.Model, "model", have)
	}
	r, err := search.OpenBundle(ctx, reader, file)
	if err != nil {
		return nil, nil, err
	}
	return r, func() error { return errors.Join(r.Close(), f.Close()) }, nil
}

var _ = add(command{ofWriting, "import", "Hand a snapshot file to the server, which indexes it without embedding anything.", func() any {
	return &importCmd{request: asks(nil, &indexer.ImportRequest{})}
}, nil})

// importCmd hands a snapshot file to a server.
type importCmd struct {
	ClientConfig
	request
	File string `arg:"" type:"existingfile" help:"Snapshot file."`
}

// Help is shown by import --help.
func (c *importCmd) Help() string {
	return `A database of which nothing is indexed becomes what the file holds. One that is
indexed gets one more commit, with the documents whose ids its branch lacks; those
that it has are newer and stay. Nothing is embedded.`
}

// Run runs the command.
func (c *importCmd) Run(ctx context.Context, p *program) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	bar := newProgress(p.stderr, plainText(c.text("domain")))
	sent := int64(0)
	body := readerFunc(func(b []byte) (int, error) {
		n, err := f.Read(b)
		sent += int64(n)
		cl.hear() // the server takes what is sent, and answers at the end
		bar.update(100*float64(sent)/float64(max(info.Size(), 1)), "sent")
		return n, err
	})
	var done indexer.ImportResult
	_, err = cl.decode(ctx, http.MethodPost, "/snapshot", query(c.values()), body, &done)
	bar.end(err == nil)
	if err != nil {
		return err
	}
	return p.print(done, func(w io.Writer, _ paint) {
		fmt.Fprintf(w, "%s at commit %s: %s imported, %d kept, %d skipped\n", plainText(done.Domain), plainText(done.Commit),
			count(done.Imported, "document"), done.Kept, done.Skipped)
	})
}

// snapshot writes the snapshot file of a commit. The file gets its name when it is
// whole.
func (c *exportCmd) snapshot(ctx context.Context, p *program) (err error) {
	cl, err := p.connect(c.ClientConfig)
	if err != nil {
		return err
	}
	defer cl.close()
	resp, err := cl.send(ctx, http.MethodGet, "/snapshot", query(c.values()), nil, bundle.MediaType)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if c.Snapshot == "-" {
		if _, err := io.Copy(p.stdout, resp.Body); err != nil && p.stdout.lost == nil {
			return cl.lost(ctx, err)
		}
		return nil
	}
	out, err := os.CreateTemp(filepath.Dir(c.Snapshot), filepath.Base(c.Snapshot)+".*.part")
	if err != nil {
		return fmt.Errorf("--snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	size, err := io.Copy(out, resp.Body)
	if err != nil {
		return errors.Join(cl.lost(ctx, err), out.Close())
	}
	var file *bundle.File
	if file, err = bundle.Open(out, size); errors.Is(err, contract.ErrInvalid) {
		err = fmt.Errorf("%s did not answer as a vectorlink server does: %w", cl.server, err)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), c.Snapshot); err != nil {
		return fmt.Errorf("--snapshot: %w", err)
	}
	return p.print(file.Manifest(), func(w io.Writer, _ paint) {
		m := file.Manifest()
		fmt.Fprintf(w, "%s: %s of %s at commit %s, %d bytes\n", plainText(c.Snapshot), count(m.Documents, "document"), plainText(m.Domain), plainText(m.Commit), size)
	})
}
