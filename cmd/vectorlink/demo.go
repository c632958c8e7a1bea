package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb/minidb"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

var _ = register[demoCmd](ofServing, "demo", "Index and search a small Star Wars database, all in this process.")

// demoCmd shows the whole of it on a small database.
type demoCmd struct {
	Once    bool    `help:"End after the searches instead of serving on."`
	Listen  Address `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to serve HTTP on (default 127.0.0.1:8080); the next free port where that one is taken."`
	DataDir string  `placeholder:"DIR" help:"Directory of the store (default a temporary one, removed at the end)."`
}

// Help is shown by demo --help.
func (c *demoCmd) Help() string {
	return `A document database with a catalogue of Star Wars is started inside this process;
its commits are indexed and searched through the HTTP API, with the built-in
model. Nothing is fetched from anywhere, and no key is needed. The first line is the
address of the page that shows it in a browser.`
}

const (
	demoDomain = "admin/star_wars"
	// demoHits is how many hits each search asks for.
	demoHits = 5
	// portTries is how many ports are tried where the first is taken.
	portTries = 50
)

// demo is a running demo.
type demo struct {
	p        *program
	data     *starwars.Data
	commits  map[string]string // ids, by name
	client   *client
	embedded *atomic.Int64 // texts, so far
	once     bool          // it ends after the searches
}

// Run runs the command.
func (c *demoCmd) Run(ctx context.Context, p *program) (err error) {
	log := newLogger(p.stderr, slog.LevelWarn, "auto")
	data, err := starwars.Load()
	if err != nil {
		return err
	}
	db := minidb.New(minidb.Config{Now: demoClock()})
	commits, err := db.Load(demoDomain, minidb.Prefixes{Base: starwars.Base, Schema: starwars.Base + "schema#"}, steps(data))
	if err != nil {
		return err
	}
	// What was started is stopped in the opposite order.
	var stops []func() error
	defer func() {
		for i := len(stops) - 1; i >= 0; i-- {
			err = errors.Join(err, stops[i]())
		}
	}()

	dir := c.DataDir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "vectorlink-demo-"); err != nil {
			return fmt.Errorf("temporary data directory: %w", err)
		}
		stops = append(stops, func() error { return os.RemoveAll(dir) })
	}
	dbListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the demo's document database: %w", err)
	}
	stops = append(stops, background(dbListener, db, log))
	// From here on everything is a server's: it pulls from the database's
	// address, whatever answers there.
	cfg := Config{SearchReady: true, DataDir: dir, QueryCacheBytes: 32 << 20}
	cfg.TerminusDBURL = "http://" + dbListener.Addr().String()
	source, err := cfg.source(log)
	if err != nil {
		return err
	}
	local, err := embed.Local(0)
	if err != nil {
		return err
	}
	d := &demo{p: p, data: data, commits: commits, embedded: new(atomic.Int64), once: c.Once}
	svc, _, closeStore, err := cfg.open(ctx, source, counting{local, d.embedded}, nil, log)
	if err != nil {
		return err
	}
	stops = append(stops, closeStore)
	web := cfg.api(log)
	listener, err := listenNear(web, string(c.Listen))
	if err != nil {
		return err
	}
	site := cfg.site(ctx, web, svc, source, local, log)
	stops = append(stops, func() error { site.Close(); return nil })
	web.Page = site
	stops = append(stops, background(listener, api.New(web, svc), log))
	d.client = newClient("http://"+listener.Addr().String(), "", contract.Secret{})
	stops = append(stops, func() error { d.client.close(); return nil })

	if !p.json && !c.Once {
		fmt.Fprintf(p.stdout, "%s/ui/\n\nis this catalogue in a browser.\n", d.client.server)
	}
	if err := d.show(ctx, local.Kernels()); err != nil {
		return err
	}
	if c.Once {
		return nil
	}
	fmt.Fprintf(p.stderr, "Serving on %s until Ctrl-C.\n", d.client.server)
	<-ctx.Done()
	return nil
}

// steps turns the data set's commits into those of the database.
func steps(data *starwars.Data) []minidb.Step {
	list := make([]minidb.Step, len(data.Commits))
	for i, c := range data.Commits {
		list[i] = minidb.Step{Name: c.Name, From: c.From, Change: minidb.Change{
			Branch: c.Branch, Author: c.Author, Message: c.Message,
			Schema: c.Schema, Put: slices.Concat(c.Insert, c.Replace), Delete: c.Delete,
		}}
	}
	return list
}

// demoClock returns a clock that begins on the day of the first film and goes
// on by an hour: commits have the same ids in every run, so that a data
// directory can be used again, and lines to paste stay good.
func demoClock() func() time.Time {
	at := time.Date(1977, time.May, 25, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		at = at.Add(time.Hour)
		return at
	}
}

// background serves h on l until the returned function is called, which waits
// for the end.
func background(l net.Listener, h http.Handler, log *slog.Logger) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l, h, log) }()
	return func() error {
		cancel()
		return <-done
	}
}

// listenNear listens on the address, or on the next port that is free.
func listenNear(cfg api.Config, address string) (net.Listener, error) {
	l, err := api.Listen(cfg, address)
	if err == nil {
		return l, nil
	}
	host, portText, splitErr := net.SplitHostPort(address)
	port, portErr := strconv.Atoi(portText)
	if splitErr != nil || portErr != nil || !errors.Is(err, addressTaken) {
		return nil, err
	}
	for next := port + 1; next <= min(port+portTries, 65535); next++ {
		if l, err := api.Listen(cfg, net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// counting is an embedder that counts the texts it has embedded.
type counting struct {
	contract.Embedder
	n *atomic.Int64
}

// Embed embeds and counts.
func (c counting) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	vectors, err := c.Embedder.Embed(ctx, r)
	c.n.Add(int64(len(vectors)))
	return vectors, err
}
