package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs"
)

var _ = register[serveCmd](ofServing, "serve", "Serve the HTTP API (the default).", `default:"withargs"`)

// serveCmd serves the HTTP API.
type serveCmd struct {
	ConfigFile  string `name:"config" placeholder:"FILE" help:"YAML file of settings, under the names of their flags (VECTORLINK_CONFIG)."`
	PrintConfig bool   `help:"Print the settings and where each comes from, and exit."`
	Config
	child
}

// stopTime is how long stopping may take, from the signal to the end. What is
// open then is cut off.
const stopTime = 9500 * time.Millisecond

// Run runs the command.
func (c *serveCmd) Run(ctx context.Context, p *program) error {
	return p.serve(c.lasts(ctx, p), c.ConfigFile, c.PrintConfig, func(*Config) {})
}

// child is the flag of a server that a program starts for itself.
type child struct {
	UntilEOF bool `name:"until-eof" help:"End when standard input does: a program that starts the server for itself takes it along, however it ends."`
}

// lasts returns the context of the server: it ends with standard input, if it is to. Who
// reads that ends with the process: nothing can interrupt it.
func (c *child) lasts(ctx context.Context, p *program) context.Context {
	if !c.UntilEOF {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, p.stdin) // how it ends is all one
	}()
	return ctx
}

// serve serves by the settings, of which change may change some, or prints them.
func (p *program) serve(ctx context.Context, configFile string, printConfig bool, change func(*Config)) error {
	var bad complaints
	cfg, rows := p.readConfig(configFile, &bad)
	change(&cfg)
	log := p.logger(cfg.LogLevel, cfg.LogFormat)
	if len(bad) > 0 {
		return bad.error()
	}
	source, err := cfg.source(log)
	if err != nil {
		bad = append(bad, err)
	}
	metrics := cfg.metrics()
	embedder, remote, err := cfg.embedder(observing(metrics))
	if err != nil {
		bad = append(bad, err)
	}
	heads, err := cfg.heads(source)
	if err != nil {
		bad = append(bad, err)
	}
	if err := bad.error(); err != nil {
		return err
	}
	if printConfig {
		if p.json {
			return printJSON(p.stdout, rows)
		}
		printSettings(p.stdout, rows)
		return nil
	}
	if remote != nil {
		guard := embed.NewGuard(remote, embed.GuardConfig{Logger: log})
		defer guard.Close()
		embedder = guard
	}
	return serve(ctx, cfg, source, heads, embedder, metrics, log)
}

// readConfig reads all settings of the server and checks them.
func (p *program) readConfig(file string, bad *complaints) (Config, []effective) {
	var cfg Config
	rows := p.readSettings(&cfg, p.configFile(file), bad)
	cfg.check(bad)
	show(&cfg, rows)
	return cfg, rows
}

// configFile returns the name of the settings' file, or "".
func (p *program) configFile(flag string) string {
	if flag != "" {
		return flag
	}
	return p.lookup("VECTORLINK_CONFIG")
}

// metrics returns what counts for Prometheus, nil where it does not ask.
func (c *Config) metrics() *api.Metrics {
	if c.PrometheusPort == 0 {
		return nil
	}
	return api.NewMetrics()
}

// observing returns what counts requests to the embedder; nil: nobody does.
func observing(m *api.Metrics) func(contract.EmbedCall) {
	if m == nil {
		return nil
	}
	return m.Embedded
}

// logger logs to standard error.
func (p *program) logger(level, format string) *slog.Logger {
	return newLogger(p.stderr, levels[level], format)
}

// newLogger returns a log in that format; auto is text for people at a terminal, and
// JSON for programs.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey && a.Value.Any() == api.LevelRequest {
			return slog.String(a.Key, "REQUEST")
		}
		return a
	}}
	if format == "text" || format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// api returns the settings of the HTTP side.
func (c *Config) api(log *slog.Logger) api.Config {
	return api.Config{
		User:        c.AdminUser,
		Secret:      c.AdminSecret,
		Insecure:    c.Insecure,
		SearchReady: c.SearchReady,
		RateLimit:   c.RateLimit,
		MaxLine:     int(c.PushLineBytes),
		PushIdle:    time.Duration(c.PushIdle),
		MaxImport:   int64(c.ImportBytes),

		ProgressEvery: time.Duration(c.PushProgress),

		Logger:  log,
		Slow:    time.Duration(c.Slow),
		Profile: c.Profile,
		Version: version,
	}
}

// indexer returns the settings of the writing side.
func (c *Config) indexer(source contract.Source, embedder contract.Embedder, metrics *api.Metrics, log *slog.Logger) indexer.Config {
	out := indexer.Config{
		Source:            source,
		Embedder:          embedder,
		Renderer:          templates.New(templates.Limits{}),
		PagePoolBytes:     int64(c.PagePoolBytes),
		SnapshotPoolBytes: int64(c.IndexPoolBytes),
		QueryCacheBytes:   cmp.Or(int64(c.QueryCacheBytes), -1), // none, not the default
		PricePerMillion:   c.EmbedPrice,
		BranchWait:        time.Duration(c.BranchWait),
		Retention:         c.retention(),
		RetentionDryRun:   c.RetentionDryRun,
		Parallel:          c.memory.atOnce,
		Merges:            c.memory.atOnce,
		Turns:             c.memory.atOnce,
		ScrubEvery:        time.Duration(c.ScrubEvery),
		ScrubRate:         int64(c.ScrubRate),
		Checks:            checks,
		Logger:            log,
	}
	if metrics != nil { // an interface that holds nil is not nil
		out.Observer = metrics
	}
	return out
}

// serve serves until ctx ends. heads is not nil where databases are watched.
func serve(ctx context.Context, cfg Config, source contract.Source, heads contract.Heads, embedder contract.Embedder, metrics *api.Metrics, log *slog.Logger) (err error) {
	cfg.memory.apply()
	web := cfg.api(log)
	web.Metrics = metrics
	if name := cfg.keysFile(); name != "" {
		if web.Keys, err = service.OpenKeys(name, log); err != nil {
			return as(errUsage, err)
		}
	}
	if cfg.TLSCert != "" {
		if web.Certificate, err = api.OpenCertificate(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			return as(errUsage, err)
		}
	}
	listener, err := api.Listen(web, string(cfg.Listen))
	if err != nil {
		return err
	}
	defer func() {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			log.Warn("close the listener", "err", err)
		}
	}()
	listening := func() {
		log.Info("listening", "addr", listener.Addr().String(), "data", cfg.DataDir, "read_only", cfg.ReadOnly,
			"provider", cfg.EmbedProvider, "fingerprint", embedder.Fingerprint(), "version", version)
		if cfg.AdminSecret.IsZero() && cfg.Insecure {
			log.Warn("everybody who reaches this address may do everything: no VECTORLINK_ADMIN_SECRET is set")
		}
	}
	svc, writer, closeAll, err := cfg.open(ctx, source, embedder, metrics, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	listening()
	if source == nil && !cfg.ReadOnly {
		log.Warn("no document source: commits can be pushed but not pulled; set VECTORLINK_TERMINUSDB_URL to index them by /index or --watch")
	}
	watching := func(context.Context) {}
	if heads != nil {
		watcher := indexer.NewWatcher(indexer.WatchConfig{
			Heads:     heads,
			Snapshots: writer, Follow: cfg.Watch.followed(), Interval: time.Duration(cfg.WatchInterval), Logger: log,
		})
		web.Watcher, watching = watcher, watcher.Run
	}
	return answer(ctx, cfg, web, listener, svc, source, embedder, watching, log)
}

// open opens the data directory: for reading and writing, or only to read what another
// process writes. The indexer is nil then.
func (c *Config) open(ctx context.Context, source contract.Source, embedder contract.Embedder, metrics *api.Metrics, log *slog.Logger) (*service.Service, *indexer.Indexer, func() error, error) {
	if c.ReadOnly {
		reader, closeReader, err := openReader(ctx, *c, embedder, log)
		if err != nil {
			return nil, nil, nil, err
		}
		stop := inBackground(ctx, func(ctx context.Context) { reader.Follow(ctx, followEvery) })
		return service.New(reader, nil), nil, func() error {
			stop()
			return closeReader()
		}, nil
	}
	st, err := claim(c.DataDir)
	if err != nil {
		return nil, nil, nil, err
	}
	// Stopping has one deadline, which begins with the signal, or here at the latest.
	signalled, cancel := deadlineAfter(ctx, stopTime)
	closeStore := func() error {
		defer cancel()
		stopping, cancel := context.WithTimeout(signalled, stopTime)
		defer cancel()
		return st.close(stopping, log)
	}
	if err := st.open(c.indexer(source, embedder, metrics, log)); err != nil {
		return nil, nil, nil, errors.Join(err, closeStore())
	}
	return service.New(st.Reader, st.Indexer), st.Indexer, closeStore, nil
}

// followEvery is the pause between two looks of a read-only server at what the
// writing one has done.
const followEvery = time.Second

// openReader opens a data directory that another process may be writing, or a snapshot
// file.
func openReader(ctx context.Context, cfg Config, embedder contract.Embedder, log *slog.Logger) (*search.Reader, func() error, error) {
	settings := search.ReaderConfig{
		Embedder: embedder, PagePoolBytes: int64(cfg.PagePoolBytes), SnapshotPoolBytes: int64(cfg.IndexPoolBytes),
		QueryCacheBytes: cmp.Or(int64(cfg.QueryCacheBytes), -1), Turns: cfg.memory.atOnce, Logger: log,
	}
	// NewOS would create a directory that is not there.
	info, err := os.Stat(cfg.DataDir)
	switch {
	case err == nil && info.Mode().IsRegular():
		return openSnapshot(ctx, cfg.DataDir, settings)
	case err != nil || !info.IsDir():
		return nil, nil, fmt.Errorf("%s is no data directory: --read-only serves one that another server writes", cfg.DataDir)
	}
	dir, err := vfs.NewOS(cfg.DataDir)
	if err != nil {
		return nil, nil, err
	}
	settings.FS = vfs.Limit(dir, vfs.DefaultLimit())
	if err = usable(dir); err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	reader, err := search.OpenReadOnly(settings)
	if errors.Is(err, snapshot.ErrVersion) {
		err = laterFiles(err)
	}
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	closeAll := func() error { return errors.Join(reader.Close(), dir.Close()) }
	if err := newest(reader); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return reader, closeAll, nil
}

// answer answers requests until ctx ends, with beside running beside it.
func answer(ctx context.Context, cfg Config, web api.Config, listener net.Listener, svc *service.Service, source contract.Source, embedder contract.Embedder, beside func(context.Context), log *slog.Logger) error {
	live := space.New(space.Config{FS: svc.Files(), Service: svc, ReadOnly: cfg.ReadOnly, Sync: space.Sync(cfg.SpaceSync), Logger: log})
	defer func() {
		if err := live.Close(); err != nil {
			log.Error("close the spaces", "err", err)
		}
	}()
	web.Routes = cfg.doors(web, svc, embedder, live)
	web.Spaces = live
	if !cfg.NoPage {
		site := cfg.site(ctx, web, svc, source, embedder, log)
		defer site.Close()
		web.Page = site
	}
	if web.Metrics != nil {
		stop, err := serveMetrics(ctx, cfg, web, svc, svc.Files(), log)
		if err != nil {
			return err
		}
		defer stop()
	}
	defer inBackground(ctx, beside)()
	err := api.Serve(ctx, web.Certificate.Secure(api.Limit(listener, vfs.DefaultConnections())), api.New(web, svc), log)
	log.Info("stopped accepting", "cause", fmt.Sprint(context.Cause(ctx)))
	return err
}

// inBackground runs f until ctx ends or stop is called, which waits for it.
func inBackground(ctx context.Context, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// deadlineAfter returns a context that outlives ctx by d.
func deadlineAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(d):
			cancel(context.DeadlineExceeded)
		case <-out.Done():
		}
	})
	return out, func() {
		stop()
		cancel(nil)
	}
}
