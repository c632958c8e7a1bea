package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/docdb"
	"github.com/vectorlink/vectorlink/docdb/content"
)

// sources are the document databases that a server can pull commits from. The
// one whose address is set is used. A further one needs a row here, its settings
// in Config, and what package docdb says under "How to add another document
// database".
var sources = []struct {
	setting string // that holds the address
	address func(*Config) string
	open    func(*Config, *slog.Logger) (contract.Source, error)
}{
	{"terminusdb-url", func(c *Config) string { return c.TerminusDBURL }, func(c *Config, log *slog.Logger) (contract.Source, error) {
		return asSource(c.client(log))
	}},
	{"terminusdb-content-endpoint", func(c *Config) string { return c.ContentEndpoint }, func(c *Config, _ *slog.Logger) (contract.Source, error) {
		return asSource(content.NewClient(content.Config{
			URL: c.ContentEndpoint, ForwardHeader: c.UserForwardHeader, User: c.TerminusDBUser,
		}))
	}},
}

// checkSources adds what is wrong with the choice of a source. Its constructor
// checks the rest.
func (c *Config) checkSources(bad *complaints) {
	var set []string
	for _, s := range sources {
		if s.address(c) != "" {
			set = append(set, s.setting)
		}
	}
	if len(set) > 1 {
		bad.add("%s: set one, not several", strings.Join(set, ", "))
	}
	if c.Watch != "" && len(set) == 0 {
		bad.add("watch: takes terminusdb-url, where the databases are")
	}
}

// source returns what commits are pulled from; nil when nothing is configured.
func (c *Config) source(log *slog.Logger) (contract.Source, error) {
	for _, s := range sources {
		if s.address(c) != "" {
			return s.open(c, log)
		}
	}
	return nil, nil
}

// heads returns the source as branches to watch, nil where nothing is watched.
// Not every source can say where its branches stand.
func (c *Config) heads(source contract.Source) (contract.Heads, error) {
	if c.Watch == "" || source == nil {
		return nil, nil
	}
	heads, ok := source.(contract.Heads)
	if !ok {
		return nil, fmt.Errorf("watch: the configured document database has no branches to watch (%T is no contract.Heads): leave it out, and ask for commits by /index", source)
	}
	return heads, nil
}

// client returns a client of the document database.
func (c *DatabaseConfig) client(log *slog.Logger) (*docdb.Client, error) {
	return docdb.NewClient(docdb.Config{
		URL:           c.TerminusDBURL,
		User:          c.TerminusDBUser,
		Password:      c.TerminusDBPassword,
		Token:         c.TerminusDBToken,
		ForwardHeader: c.UserForwardHeader,
		Logger:        log,
	})
}

// asSource keeps a nil pointer from becoming a Source that is not nil.
func asSource[S contract.Source](s S, err error) (contract.Source, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
