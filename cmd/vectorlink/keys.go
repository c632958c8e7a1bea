package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs"
)

var _ = register[keysCmd](ofFiles, "keys", "Make, list and revoke keys, each for what it may do and where.")

// keysCmd changes the file of keys. A server that runs takes changes at once.
type keysCmd struct {
	Add    keysAddCmd    `cmd:"" help:"Make a key. It is shown once, on standard output."`
	List   keysListCmd   `cmd:"" help:"List the keys, without what only their holders know."`
	Revoke keysRevokeCmd `cmd:"" help:"End a key."`
}

// KeysConfig says where the file of keys is.
type KeysConfig struct {
	ConfigFile string `name:"config" placeholder:"FILE" help:"YAML file of the server's settings (VECTORLINK_CONFIG)."`
	DirConfig
	KeysFile string `name:"keys-file" type:"setting" environ:"VECTORLINK_KEYS_FILE" placeholder:"FILE" help:"File of keys; left out it is access.keys in the data directory."`
}

// file returns the name of the file of keys.
func (c *KeysConfig) file(p *program) (string, error) {
	var cfg Config // whole, so that a server's file serves here
	var bad complaints
	p.readSettings(&cfg, p.configFile(c.ConfigFile), &bad)
	if err := bad.error(); err != nil {
		return "", err
	}
	name := cfg.keysFile()
	if name == "" {
		return "", usage("%s is a snapshot file: name a file of keys by --keys-file", cfg.DataDir)
	}
	return name, nil
}

// change changes the file of keys.
func (c *KeysConfig) change(p *program, how func(fsys vfs.FS, name string) error) (err error) {
	path, err := c.file(p)
	if err != nil {
		return err
	}
	dir, err := vfs.NewOS(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := how(dir, filepath.Base(path)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// keysAddCmd makes a key.
type keysAddCmd struct {
	KeysConfig
	Read    bool     `help:"It may search and read."`
	Index   bool     `help:"It may have commits of the document database indexed."`
	Push    bool     `help:"It may push commits, note decisions and write to spaces."`
	Metrics bool     `help:"It may read the figures at /metrics, which are of all domains."`
	Admin   bool     `help:"It may do everything, deleting included."`
	Domain  []string `sep:"none" placeholder:"ORG/DB" help:"Domain or space that it is for: a name, or the beginning of names and one * (acme/*). It may be repeated; without it the key is for all."`
	Expires string   `placeholder:"WHEN" help:"When it ends: after a time (90d, 12h), or at a moment (2027-01-31, or RFC 3339)."`
	Note    string   `placeholder:"TEXT" help:"What it is for, shown by keys list."`
}

// Help is shown by keys add --help.
func (c *keysAddCmd) Help() string {
	return `Clients send the key as they send the secret: as a Bearer token, or as the password of
Basic credentials, under any user name. The file has its hash alone. To replace a key,
make the next one, give it to the clients, and revoke the first: both are valid until
then. With a file of keys a server asks everybody for credentials, at /metrics too.`
}

// Run runs the command.
func (c *keysAddCmd) Run(p *program) error {
	k := service.Key{Domains: c.Domain, Note: c.Note}
	for _, s := range []struct {
		given bool
		scope service.Scope
	}{{c.Read, service.Read}, {c.Index, service.Index}, {c.Push, service.Push}, {c.Metrics, service.Metrics}, {c.Admin, service.Admin}} {
		if s.given {
			k.Scopes |= s.scope
		}
	}
	if len(k.Domains) == 0 {
		k.Domains = []string{"*"}
	}
	var err error
	if k.Expires, err = moment(c.Expires, time.Now()); err != nil {
		return usage("--expires: %w", err)
	}
	k, secret, err := service.NewKey(k)
	if err != nil {
		return as(errUsage, err)
	}
	err = c.change(p, func(fsys vfs.FS, name string) error { return service.AddKey(fsys, name, k) })
	if err != nil {
		return err
	}
	if p.json {
		shown := shownOf(k)
		shown.Key = secret.Reveal()
		return printJSON(p.stdout, shown)
	}
	fmt.Fprintf(p.stderr, "Key %s, for %s at %s%s. It is not shown again:\n", k.ID, strings.Join(k.Scopes.Words(), ", "), strings.Join(k.Domains, ", "), until(k))
	fmt.Fprintln(p.stdout, secret.Reveal())
	return nil
}

func until(k service.Key) string {
	if k.Expires.IsZero() {
		return ""
	}
	return ", until " + k.Expires.Format(time.RFC3339)
}

// moment reads when something ends, which must be to come; "" is never.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var at time.Time
	if days, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16); err == nil && strings.HasSuffix(text, "d") {
		at = now.AddDate(0, 0, int(days))
	} else if d, err := time.ParseDuration(text); err == nil {
		at = now.Add(d)
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		if at, err = time.Parse(time.DateOnly, text); err != nil {
			return time.Time{}, fmt.Errorf("%q is neither a time such as 90d or 12h nor a moment such as 2027-01-31", text)
		}
	}
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("%q is over", text)
	}
	return at.UTC().Truncate(time.Second), nil
}

// shownKey is a key as programs see it.
type shownKey struct {
	ID      string    `json:"id"`
	Key     string    `json:"key,omitempty"` // of a new one alone
	Scopes  []string  `json:"scopes"`
	Domains []string  `json:"domains"`
	Note    string    `json:"note,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Expired bool      `json:"expired,omitempty"`
}

func shownOf(k service.Key) shownKey {
	return shownKey{k.ID, "", k.Scopes.Words(), k.Domains, k.Note, k.Created, k.Expires, k.Expired(time.Now())}
}

// keysListCmd lists the keys.
type keysListCmd struct{ KeysConfig }

// Run runs the command.
func (c *keysListCmd) Run(p *program) error {
	name, err := c.file(p)
	if err != nil {
		return err
	}
	keys, _, err := service.ReadKeys(name)
	if err != nil {
		return err
	}
	shown := make([]shownKey, len(keys))
	for i, k := range keys {
		shown[i] = shownOf(k)
	}
	if p.json {
		return printJSON(p.stdout, shown)
	}
	if len(keys) == 0 {
		fmt.Fprintf(p.stdout, "there are no keys in %s\n", name)
		return nil
	}
	rows := [][]string{{"ID", "SCOPES", "DOMAINS", "CREATED", "EXPIRES", "NOTE"}}
	for _, k := range shown {
		expires := "never"
		switch {
		case k.Expired:
			expires = "expired"
		case !k.Expires.IsZero():
			expires = k.Expires.Format(time.RFC3339)
		}
		rows = append(rows, []string{k.ID, strings.Join(k.Scopes, ","), strings.Join(k.Domains, " "), k.Created.Format(time.DateOnly), expires, k.Note})
	}
	table(p.stdout, "", rows)
	return nil
}

// keysRevokeCmd ends a key.
type keysRevokeCmd struct {
	KeysConfig
	ID string `arg:"" help:"Id of the key, as keys list shows it."`
}

// Run runs the command.
func (c *keysRevokeCmd) Run(p *program) error {
	err := c.change(p, func(fsys vfs.FS, name string) error { return service.RevokeKey(fsys, name, c.ID) })
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.stdout, struct {
			Revoked string `json:"revoked"`
		}{c.ID})
	}
	fmt.Fprintf(p.stderr, "Key %s is revoked.\n", c.ID)
	return nil
}
