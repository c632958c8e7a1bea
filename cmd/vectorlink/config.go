package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/service"
)

// Config is everything the server can be told. Its fields' help is the manual, and
// their comments are what it does not say.
//
// A setting is taken from its flag, else from its environment variable (the
// first of the tag "environ" that is set and not empty), else from the YAML
// file named by --config, where its key is the flag's name, else from its
// default (the tag "fallback"). The tag "words" says what a text can be, "least"
// and "most" what a number or a size. Whatever is wrong with any of them is
// reported at once, and nothing starts.
type Config struct {
	// Listen is the address that answers HTTP, host:port. A port alone is one
	// of the loopback address; an empty host means all addresses. Beyond
	// loopback it takes AdminSecret, or Insecure.
	Listen Address `name:"listen" aliases:"addr" short:"p" type:"setting" environ:"VECTORLINK_LISTEN,VECTORLINK_PORT" fallback:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to serve HTTP on."`

	// DataDir is the directory of the store. It is made if need be, and used
	// by one process at a time.
	DataDir string `name:"data-dir" aliases:"directory" short:"d" type:"setting" environ:"VECTORLINK_DATA_DIR" fallback:"./data" placeholder:"DIR" help:"Directory of the store."`

	AdminUser string `name:"admin-user" type:"setting" environ:"VECTORLINK_ADMIN_USER,TDB_SEARCH_ADMIN_USER" fallback:"admin" placeholder:"NAME" help:"User name of clients."`

	// AdminSecret is the password of Basic credentials, and the token of
	// Bearer ones. Without it everybody who can reach Listen may do
	// everything. A flag shows in the list of processes: better give it by
	// environment or file.
	AdminSecret contract.Secret `name:"admin-secret" type:"setting" environ:"VECTORLINK_ADMIN_SECRET,VECTORLINK_ADMIN_PASSWORD,TDB_SEARCH_ADMIN_SECRET" placeholder:"SECRET" help:"Secret that clients must give."`

	// KeysFile is the file of keys, which "vectorlink keys" writes; left out it is
	// access.keys in DataDir. Changes take effect at once. With it, AdminSecret may be
	// left out.
	KeysFile string `name:"keys-file" type:"setting" environ:"VECTORLINK_KEYS_FILE" placeholder:"FILE" help:"File of keys with scopes; left out it is access.keys in the data directory."`

	// TLSCert and TLSKey are the certificate, with those between it and its root, and
	// its key, as PEM. With them Listen answers HTTPS alone. They are read again when
	// they have changed.
	TLSCert string `name:"tls-cert" type:"setting" environ:"VECTORLINK_TLS_CERT" placeholder:"FILE" help:"Certificate to serve HTTPS with, as PEM; read again when it changes."`
	// TLSKey is the key of TLSCert.
	TLSKey string `name:"tls-key" type:"setting" environ:"VECTORLINK_TLS_KEY" placeholder:"FILE" help:"Key of the certificate, as PEM."`

	ReadOnly    bool   `name:"read-only" type:"switch" environ:"VECTORLINK_READ_ONLY" help:"Serve a data directory that another server writes; nothing is written."`
	NoPage      bool   `name:"no-page" type:"switch" environ:"VECTORLINK_NO_PAGE" help:"Serve the API alone, without the page for people at /ui/."`
	DocumentURL string `name:"document-url" type:"setting" environ:"VECTORLINK_DOCUMENT_URL" placeholder:"URL" help:"Address of a document in the database's own interface, with {domain}, {branch}, {commit}, {id}."`
	Insecure    bool   `name:"insecure" type:"switch" environ:"VECTORLINK_INSECURE" help:"Serve beyond loopback without a secret."`

	DatabaseConfig

	// ContentEndpoint is an address that answers with a commit's operations
	// ready made, one JSON object a line, as the first VectorLink expected it.
	// It stands in the place of TerminusDBURL.
	ContentEndpoint string `name:"terminusdb-content-endpoint" aliases:"content-endpoint" short:"c" type:"setting" environ:"TERMINUSDB_CONTENT_ENDPOINT" placeholder:"URL" help:"Pull ready-made operations from here instead."`

	// Watch names the databases whose new commits are indexed as they come:
	// org/db for all of its branches, org/db:main,fan for some; several are
	// separated by spaces. They are in TerminusDBURL.
	Watch WatchList `name:"watch" type:"setting" environ:"VECTORLINK_WATCH" placeholder:"ORG/DB[:BRANCH,...]" help:"Follow databases and index every new commit."`

	WatchInterval Interval `name:"watch-interval" type:"setting" least:"100ms" environ:"VECTORLINK_WATCH_INTERVAL" fallback:"5s" placeholder:"TIME" help:"Pause between two looks at what is followed."`

	EmbedConfig

	// MemoryLimit is the memory of the whole process: it sizes the pools that have no
	// size of their own, bounds what is built at once, and is the runtime's limit. 0
	// sets none. Sizes are bytes, or numbers with KiB, MiB or GiB.
	MemoryLimit Bytes `name:"memory-limit" type:"setting" environ:"VECTORLINK_MEMORY_LIMIT" fallback:"0" placeholder:"SIZE" help:"Memory of the whole process, divided among the pools; 0 sets none."`

	// PagePoolBytes bounds the memory that holds pages of vectors. Left out it is
	// 256MiB, or a share of MemoryLimit.
	PagePoolBytes Bytes `name:"page-pool-bytes" type:"setting" least:"1MiB" environ:"VECTORLINK_PAGE_POOL_BYTES" placeholder:"SIZE" help:"Memory for pages of vectors (default 256MiB, or an eighth of memory-limit)."`

	// IndexPoolBytes bounds the memory that keeps snapshots open after they
	// were searched. Left out it is 1GiB, or a share of MemoryLimit.
	IndexPoolBytes Bytes `name:"index-pool-bytes" type:"setting" least:"1MiB" environ:"VECTORLINK_INDEX_POOL_BYTES" placeholder:"SIZE" help:"Memory for open snapshots (default 1GiB, or a quarter of memory-limit)."`

	QueryCacheBytes Bytes `name:"query-cache-bytes" type:"setting" environ:"VECTORLINK_QUERY_CACHE_BYTES" fallback:"32MiB" placeholder:"SIZE" help:"Memory for vectors of queries; 0 keeps none."`

	// PrometheusPort is the port of GET /metrics, on the host of Listen; 0 is
	// off. It asks for no credentials.
	PrometheusPort int `name:"prometheus-port" type:"setting" least:"0" most:"65535" environ:"VECTORLINK_PROMETHEUS_PORT" fallback:"0" placeholder:"PORT" help:"Port of the metrics, beside the listener; 0 is off."`

	MCPWrite bool `name:"mcp-write" type:"switch" environ:"VECTORLINK_MCP_WRITE" help:"Also have tools at /mcp that push documents and note decisions."`

	// SearchReady false has every search answered with 503, so that a load
	// balancer looks elsewhere while commits are indexed.
	SearchReady bool `name:"search-ready" type:"switch" environ:"VECTORLINK_SEARCH_READY" fallback:"true" help:"Answer searches; =false refuses them."`

	// RateLimit is the number of requests a second that one client address may
	// begin, on the average; as many as come in two seconds may come at once.
	// Beyond it the answer is 429 with Retry-After. The health probes are free.
	// 0, no limit, is the default: the clients of a database's sidecar are few
	// and known, and one that indexes or watches asks often. Behind a proxy all
	// clients have the proxy's address, and share one limit: limit them there.
	RateLimit float64 `name:"rate-limit" type:"setting" least:"0" most:"1e6" environ:"VECTORLINK_RATE_LIMIT" fallback:"0" placeholder:"N" help:"Requests a second from one address; 0 is no limit. Behind a proxy all clients share one."`

	PushLineBytes Bytes `name:"push-line-bytes" type:"setting" least:"1KiB" most:"1GiB" environ:"VECTORLINK_PUSH_LINE_BYTES" fallback:"64MiB" placeholder:"SIZE" help:"Longest line of a push."`

	// ImportBytes bounds a snapshot file that is taken in. Until it is read, it
	// stands in DataDir.
	ImportBytes Bytes `name:"import-bytes" type:"setting" environ:"VECTORLINK_IMPORT_BYTES" fallback:"64GiB" placeholder:"SIZE" help:"Largest snapshot file to take in."`

	PushIdle Interval `name:"push-idle" type:"setting" least:"100ms" environ:"VECTORLINK_PUSH_IDLE" fallback:"5m" placeholder:"TIME" help:"Longest silence in the middle of a push."`

	// PushProgress is the longest time between two lines of a push's progress.
	// Published clients give up when none came for a minute.
	PushProgress Interval `name:"push-progress" type:"setting" least:"100ms" environ:"VECTORLINK_PUSH_PROGRESS" fallback:"5s" placeholder:"TIME" help:"Longest time between two lines of a push's progress."`

	// BranchWait is how long a push waits for another one on its branch before
	// it is answered 503.
	BranchWait Interval `name:"branch-wait" type:"setting" least:"100ms" environ:"VECTORLINK_BRANCH_WAIT" fallback:"30s" placeholder:"TIME" help:"How long a push waits for another on its branch."`

	// KeepLast is how many commits of each branch stay, the last ones. The others are
	// pruned after commits and at the start, but for those of KeepDaily and what
	// vectorlink prune keeps besides, tags foremost. Without both all stay.
	KeepLast int `name:"keep-last" type:"setting" least:"0" environ:"VECTORLINK_KEEP_LAST" fallback:"0" placeholder:"N" help:"Prune all but the last N commits of each branch and what --keep-daily keeps; 0 and no --keep-daily: nothing."`
	// KeepDaily is of how many days, today's included, each branch's last commit stays.
	KeepDaily int `name:"keep-daily" type:"setting" least:"0" most:"100000" environ:"VECTORLINK_KEEP_DAILY" fallback:"0" placeholder:"DAYS" help:"Prune all but each branch's last commit of each of the last days and what --keep-last keeps."`
	// Retention says it otherwise for some databases and spaces: PATTERN=last:N,daily:D
	// or PATTERN=all, separated by spaces. * in a pattern stands for any part of a name
	// without a slash, and the first pattern that fits counts.
	Retention RetentionRules `name:"retention" type:"setting" environ:"VECTORLINK_RETENTION" placeholder:"RULES" help:"The same for some databases: PATTERN=last:N,daily:D or PATTERN=all, separated by spaces; the first that fits counts."`
	// RetentionDryRun has the log say what would be pruned, and prunes nothing.
	RetentionDryRun bool `name:"retention-dry-run" type:"switch" environ:"VECTORLINK_RETENTION_DRY_RUN" help:"Log what --keep-last, --keep-daily and --retention would prune, and prune nothing."`

	SpaceSync string `name:"space-sync" type:"setting" words:"always,everysec" environ:"VECTORLINK_SPACE_SYNC" fallback:"always" placeholder:"WHEN" help:"When a write to a space lasts: always, before its answer, or everysec, within a second."`

	// ScrubEvery is the time between two looks at the contents of every file of
	// DataDir, such as 7d; 0 never looks. What is damaged is told in /health/ready,
	// /integrity, the metrics and the log, and mended where that embeds nothing. The
	// first look of a directory begins a minute after the start.
	ScrubEvery Interval `name:"scrub-every" type:"setting" least:"0s" environ:"VECTORLINK_SCRUB_EVERY" fallback:"7d" placeholder:"TIME" help:"Time between two checks of every file, such as 7d; 0 is off."`

	// ScrubRate is how many bytes a second such a look reads.
	ScrubRate Bytes `name:"scrub-rate" type:"setting" least:"1KiB" environ:"VECTORLINK_SCRUB_RATE" fallback:"16MiB" placeholder:"SIZE" help:"Bytes a second that such a check reads at most."`

	// LogLevel is the least level that is logged to standard error: debug, request,
	// info, warn or error. Requests have a level of their own, below info: with info
	// there is no line of a request, unless it failed here.
	LogLevel string `name:"log-level" type:"setting" words:"debug,request,info,warn,error" environ:"VECTORLINK_LOG_LEVEL" fallback:"request" placeholder:"LEVEL" help:"Least level to log: debug, request, info, warn or error."`

	LogFormat string `name:"log-format" type:"setting" words:"auto,text,json" environ:"VECTORLINK_LOG_FORMAT" fallback:"auto" placeholder:"FORMAT" help:"Format of the log: text, json, or auto, which is text on a terminal."`

	// Slow has the log tell of requests that read a commit and take longer: what
	// their time went to, and nothing of what was asked. 0 tells of none.
	Slow Interval `name:"slow" type:"setting" least:"0s" environ:"VECTORLINK_SLOW" fallback:"0s" placeholder:"TIME" help:"Log where the time of requests goes that take longer than this, such as 200ms; 0 logs none."`

	// Profile has /debug/pprof answer those who may do everything.
	Profile bool `name:"pprof" type:"switch" environ:"VECTORLINK_PPROF" help:"Also answer /debug/pprof, profiles of the process for go tool pprof."`

	memory memory // that MemoryLimit allows
}

// DatabaseConfig says where the document database is, and who asks it.
type DatabaseConfig struct {
	// TerminusDBURL is the document database that commits are pulled from,
	// such as http://localhost:6363. It holds no user or password. Without it
	// (and without ContentEndpoint) the server only searches.
	TerminusDBURL string `name:"terminusdb-url" type:"setting" environ:"VECTORLINK_TERMINUSDB_URL" placeholder:"URL" help:"Document database to pull commits from."`

	// TerminusDBUser asks the document database. The right to read is enough.
	TerminusDBUser string `name:"terminusdb-user" type:"setting" environ:"VECTORLINK_TERMINUSDB_USER" fallback:"admin" placeholder:"NAME" help:"User at the document database."`

	TerminusDBPassword contract.Secret `name:"terminusdb-password" type:"setting" environ:"VECTORLINK_TERMINUSDB_PASSWORD" placeholder:"SECRET" help:"Password at the document database."`

	TerminusDBToken contract.Secret `name:"terminusdb-token" type:"setting" environ:"VECTORLINK_TERMINUSDB_TOKEN" placeholder:"SECRET" help:"Token for the document database, instead of a password."`

	// UserForwardHeader is the header in which a document database behind a
	// proxy is told the user's name, instead of a password. Whoever can reach
	// such a database can be anybody.
	UserForwardHeader string `name:"user-forward-header" short:"u" type:"setting" environ:"VECTORLINK_USER_FORWARD_HEADER,TERMINUSDB_USER_FORWARD_HEADER" placeholder:"HEADER" help:"Insecure user header of the document database."`
}

// EmbedConfig says how texts become vectors. All vectors of a domain are made
// by the same provider, model and dimension: other settings are refused where a
// domain has vectors already.
type EmbedConfig struct {
	// EmbedProvider is local (the model inside this program), openai,
	// openai_compatible (any server that speaks the same, at EmbedURL), or
	// another preset of package embed, which knows how such a server is asked
	// and mostly where. Left empty it is openai where a key is set,
	// openai_compatible where only an address is, and local otherwise.
	EmbedProvider string `name:"embed-provider" type:"setting" environ:"VECTORLINK_EMBED_PROVIDER" placeholder:"NAME" help:"Embedding provider: ${providers}."`

	// EmbedURL is the provider's base address, without /v1/embeddings.
	EmbedURL string `name:"embed-url" type:"setting" environ:"VECTORLINK_EMBED_URL" placeholder:"URL" help:"Base address of the embedding provider."`

	// Model is the model to ask for. Left empty it is all-MiniLM-L6-v2 of
	// local and text-embedding-3-small of openai and openai_compatible; the
	// presets must be told. With azure it names the deployment.
	Model string `name:"model" type:"setting" environ:"VECTORLINK_MODEL" placeholder:"NAME" help:"Embedding model."`

	// Dim is the length of vectors. 0 takes what the model gives; any other
	// number is also asked of the provider, which not every one understands.
	Dim int `name:"dim" type:"setting" least:"0" environ:"VECTORLINK_DIM" fallback:"0" placeholder:"N" help:"Length of vectors; 0 is the model's own."`

	EmbedKey contract.Secret `name:"embed-key" type:"setting" environ:"VECTORLINK_EMBED_KEY,OPENAI_API_KEY,OPENAI_KEY" placeholder:"SECRET" help:"Key of the embedding provider."`

	// EmbedBatchSize is the number of texts asked for at once. Left out it is
	// 256 of openai and azure, 128 of voyage and 32 of the others.
	EmbedBatchSize int `name:"embed-batch-size" type:"setting" least:"1" most:"2048" environ:"VECTORLINK_EMBED_BATCH_SIZE" placeholder:"N" help:"Texts embedded at once."`

	// EmbedTimeout bounds one request to the provider, its answer included. Left
	// out it is three minutes of servers that may have to load their model first
	// (ollama, vllm, tei, lmstudio), and one of the others. Requests that somebody
	// waits for have 10 seconds at most.
	EmbedTimeout Interval `name:"embed-timeout" type:"setting" least:"0s" environ:"VECTORLINK_EMBED_TIMEOUT" placeholder:"TIME" help:"Longest time of a request to the embedding provider."`

	EmbedPrice float64 `name:"embed-price" type:"setting" least:"0" most:"1e9" environ:"VECTORLINK_EMBED_PRICE" fallback:"0" placeholder:"AMOUNT" help:"Price of a million tokens, for index --dry-run."`

	// TokenizerPath is the model's tokenizer.json, plain or packed by bzip2.
	// Long texts are then cut into windows of 512 of its tokens, less what the
	// model wants around them. Left out, OpenAI's models have windows of 8191
	// of their tokens, and others of 480 of the same.
	TokenizerPath string `name:"tokenizer-path" type:"setting" environ:"VECTORLINK_TOKENIZER_PATH" placeholder:"FILE" help:"tokenizer.json of the model, plain or .bz2."`
}

// providerLocal is the model inside this program. The other providers are the
// presets of package embed.
const providerLocal = "local"

// providers returns the names of all providers.
func providers() []string { return append([]string{providerLocal}, embed.Presets()...) }

// What the model of local is.
const (
	localModel = "all-MiniLM-L6-v2"
	localDim   = 384
	localBatch = 32
)

// complaints collects what is wrong with the settings.
type complaints []error

func (c *complaints) add(format string, args ...any) { *c = append(*c, fmt.Errorf(format, args...)) }

// error returns nil without complaints, else one usage error with all of them.
func (c complaints) error() error {
	if len(c) == 0 {
		return nil
	}
	return as(errUsage, fmt.Errorf("the configuration is refused:\n%w", indented(c)))
}

// indented joins errors, a line each.
func indented(errs []error) error {
	lines := make([]error, len(errs))
	for i, err := range errs {
		lines[i] = fmt.Errorf("  %w", err)
	}
	return errors.Join(lines...)
}

// check adds what is wrong with the settings taken together.
func (c *Config) check(bad *complaints) {
	if c.AdminSecret.IsZero() && !exists(c.keysFile()) && !c.Insecure && !c.Listen.loopback() {
		bad.add("listen: %s can be reached by others: set VECTORLINK_ADMIN_SECRET, make keys (vectorlink keys add), or --insecure to let everybody in", c.Listen)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		bad.add("tls-cert, tls-key: set both, or none")
	}
	if c.DataDir == "" {
		bad.add("data-dir: must not be empty")
	}
	if c.ReadOnly && len(c.Watch) > 0 {
		bad.add("read-only: a server that only reads cannot watch: leave --watch to the one that writes %s", c.DataDir)
	}
	if c.ReadOnly && c.retention() != nil {
		bad.add("read-only: a server that only reads prunes nothing: leave --keep-last, --keep-daily and --retention to the one that writes %s", c.DataDir)
	}
	if strings.Contains(c.AdminUser, ":") {
		bad.add("admin-user: must not contain a colon")
	}
	c.checkSources(bad)
	checkURL(bad, "terminusdb-content-endpoint", c.ContentEndpoint)
	c.DatabaseConfig.check(bad)
	c.memory = c.divide(bad)
	c.EmbedConfig.check(bad)
}

// keysFile returns the name of the file of keys, "" where a snapshot file is served.
func (c *Config) keysFile() string {
	if c.KeysFile != "" {
		return c.KeysFile
	}
	if info, err := os.Stat(c.DataDir); err == nil && info.Mode().IsRegular() {
		return ""
	}
	return filepath.Join(c.DataDir, service.KeysFile)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// check adds what is wrong with the settings of the database.
func (c *DatabaseConfig) check(bad *complaints) {
	if !c.TerminusDBPassword.IsZero() && !c.TerminusDBToken.IsZero() {
		bad.add("terminusdb-password, terminusdb-token: set one, not both")
	}
	checkURL(bad, "terminusdb-url", c.TerminusDBURL)
}

// checkURL adds what is wrong with an address that may be empty.
func checkURL(bad *complaints, key, address string) {
	if address == "" {
		return
	}
	if _, err := contract.ParseAddress(address); err != nil {
		bad.add("%s: %w", key, err)
	}
}

// check fills in what the provider decides, and adds what is wrong with its
// settings.
func (c *EmbedConfig) check(bad *complaints) {
	switch {
	case c.EmbedProvider != "":
	case !c.EmbedKey.IsZero():
		c.EmbedProvider = embed.ProviderOpenAI
	case c.EmbedURL != "":
		c.EmbedProvider = embed.ProviderCompatible
	default:
		c.EmbedProvider = providerLocal
	}
	checkURL(bad, "embed-url", c.EmbedURL)
	if c.EmbedProvider == providerLocal {
		c.checkLocal(bad)
		return
	}
	p, ok := embed.Preset(c.EmbedProvider)
	if !ok {
		bad.add("embed-provider: %q is none of %s", c.EmbedProvider, strings.Join(providers(), ", "))
		return
	}
	c.EmbedURL = cmp.Or(c.EmbedURL, p.URL)
	c.Model = cmp.Or(c.Model, p.Model)
	c.EmbedBatchSize = cmp.Or(c.EmbedBatchSize, p.Batch)
	c.EmbedTimeout = cmp.Or(c.EmbedTimeout, Interval(p.Timeout))
	if c.EmbedURL == "" {
		bad.add("embed-url: the provider %s has no address of its own", p.Name)
	}
	if c.Model == "" {
		bad.add("model: the provider %s must be told which", p.Name)
	}
}

func (c *EmbedConfig) checkLocal(bad *complaints) {
	c.Model = cmp.Or(c.Model, localModel)
	c.EmbedBatchSize = cmp.Or(c.EmbedBatchSize, localBatch)
	if c.Dim == 0 {
		c.Dim = localDim
	}
	if c.Model != localModel {
		bad.add("model: the provider local has %s alone", localModel)
	}
	if c.Dim != localDim {
		bad.add("dim: the model of the provider local makes vectors of %d", localDim)
	}
	if c.TokenizerPath != "" {
		bad.add("tokenizer-path: the model of the provider local has its own; leave it out")
	}
}

// Address is a host and a port.
type Address string

// UnmarshalText takes host:port, :port or a port alone.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		*a = Address(net.JoinHostPort("127.0.0.1", s))
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("is not host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("has no port between 0 and 65535")
	}
	*a = Address(s)
	return nil
}

// loopback reports whether only this machine can reach the address.
func (a Address) loopback() bool {
	host, _, _ := net.SplitHostPort(string(a))
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// levels are the levels of the log, by name.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "request": api.LevelRequest, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// Bytes is a size.
type Bytes int64

var byteUnits = []struct {
	name string
	size Bytes
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText takes a number of bytes, KiB, MiB or GiB.
func (b *Bytes) UnmarshalText(text []byte) error {
	s, unit := strings.TrimSpace(string(text)), Bytes(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || Bytes(n) > 1<<50/unit {
		return errors.New("is not a size such as 1073741824, 256MiB or 1GiB")
	}
	*b = Bytes(n) * unit
	return nil
}

// String writes the size in the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
