package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/embed"
)

// read reads a configuration as serve does.
func read(t *testing.T, flags map[string]string, environ []string, file string) (Config, []effective, error) {
	t.Helper()
	name := ""
	if file != "" {
		name = filepath.Join(t.TempDir(), "vectorlink.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &program{environ: environ, stderr: io.Discard, flags: flags}
	var bad complaints
	cfg, rows := p.readConfig(name, &bad)
	return cfg, rows, bad.error()
}

func TestConfigSources(t *testing.T) {
	all := []string{
		"VECTORLINK_MODEL=environment", "VECTORLINK_EMBED_URL=http://environment",
		"VECTORLINK_TERMINUSDB_URL=http://environment",
	}
	file := "model: file\nembed-url: http://file\nterminusdb-url: http://file\nadmin-user: file\n"
	cfg, rows, err := read(t, map[string]string{"model": "flag"}, all, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, value, origin string }{
		{"model", "flag", "--model"},
		{"embed-url", "http://environment", "VECTORLINK_EMBED_URL"},
		{"terminusdb-url", "http://environment", "VECTORLINK_TERMINUSDB_URL"},
		{"admin-user", "file", "vectorlink.yaml"},
		{"listen", "127.0.0.1:8080", "default"},
		{"embed-provider", "openai_compatible", "default"},
		{"embed-batch-size", "32", "default"},
		{"page-pool-bytes", "256MiB", "default"},
		{"terminusdb-token", "", "not set"},
		{"insecure", "false", "not set"},
	} {
		i := slices.IndexFunc(rows, func(r effective) bool { return r.Key == c.key })
		if i < 0 || rows[i].Value != c.value || filepath.Base(rows[i].Origin) != c.origin {
			t.Errorf("%s: got %+v, want %q from %s", c.key, rows[i], c.value, c.origin)
		}
	}
	if cfg.Model != "flag" || cfg.EmbedURL != "http://environment" || cfg.AdminUser != "file" {
		t.Errorf("got %+v", cfg)
	}
}

func TestConfigNames(t *testing.T) {
	for _, c := range []struct {
		environ []string
		key     string
		want    string
	}{
		{[]string{"VECTORLINK_PORT=9000"}, "listen", "127.0.0.1:9000"},
		{[]string{"VECTORLINK_LISTEN=[::1]:9000", "VECTORLINK_PORT=1"}, "listen", "[::1]:9000"},
		{[]string{"VECTORLINK_LISTEN=", "VECTORLINK_PORT=9000"}, "listen", "127.0.0.1:9000"},
		{[]string{"TDB_SEARCH_ADMIN_USER=u"}, "admin-user", "u"},
		{[]string{"VECTORLINK_ADMIN_PASSWORD=x"}, "admin-secret", "***"},
		{[]string{"TDB_SEARCH_ADMIN_SECRET=x"}, "admin-secret", "***"},
		{[]string{"TERMINUSDB_USER_FORWARD_HEADER=X-User"}, "user-forward-header", "X-User"},
		{[]string{"TERMINUSDB_CONTENT_ENDPOINT=http://c"}, "terminusdb-content-endpoint", "http://c"},
		{[]string{"OPENAI_API_KEY=k"}, "embed-provider", "openai"},
		{[]string{"OPENAI_KEY=k"}, "embed-provider", "openai"},
		{[]string{"OPENAI_API_KEY=k", "VECTORLINK_EMBED_URL=http://u"}, "embed-provider", "openai"},
		{[]string{"VECTORLINK_EMBED_URL=http://u"}, "embed-provider", "openai_compatible"},
		{nil, "embed-provider", "local"},
		{[]string{"OPENAI_API_KEY=k", "VECTORLINK_EMBED_PROVIDER=local"}, "embed-provider", "local"},
		{[]string{"OPENAI_API_KEY="}, "embed-provider", "local"},
		{[]string{"OPENAI_API_KEY=k", "OPENAI_API_KEY="}, "embed-provider", "local"},
		{[]string{"VECTORLINK_ADMIN_USER=first", "VECTORLINK_ADMIN_USER=last"}, "admin-user", "last"},
		{nil, "embed-batch-size", "32"},
		{nil, "dim", "384"},
		{nil, "model", "all-MiniLM-L6-v2"},
		{[]string{"OPENAI_API_KEY=k"}, "embed-batch-size", "256"},
		{[]string{"OPENAI_API_KEY=k"}, "model", "text-embedding-3-small"},
		{[]string{"VECTORLINK_EMBED_PROVIDER=ollama", "VECTORLINK_MODEL=m"}, "embed-url", "http://localhost:11434"},
		{[]string{"VECTORLINK_EMBED_PROVIDER=ollama", "VECTORLINK_MODEL=m", "VECTORLINK_EMBED_URL=http://u"}, "embed-url", "http://u"},
		{[]string{"VECTORLINK_INDEX_POOL_BYTES=3000000"}, "index-pool-bytes", "3000000"},
		{[]string{"VECTORLINK_SEARCH_READY=false"}, "search-ready", "false"},
		{[]string{"VECTORLINK_ADMIN_SECRET=x", "VECTORLINK_LISTEN=:80"}, "listen", ":80"},
		{[]string{"VECTORLINK_INSECURE=true", "VECTORLINK_LISTEN=0.0.0.0:80"}, "insecure", "true"},
	} {
		_, rows, err := read(t, nil, c.environ, "")
		if err != nil {
			t.Errorf("%v: %v", c.environ, err)
			continue
		}
		i := slices.IndexFunc(rows, func(r effective) bool { return r.Key == c.key })
		if got := rows[i].Value; got != c.want {
			t.Errorf("%v: %s is %q, want %q", c.environ, c.key, got, c.want)
		}
	}
}

// TestConfigComplaints checks that everything wrong is said at once.
func TestConfigComplaints(t *testing.T) {
	for _, c := range []struct {
		name    string
		flags   map[string]string
		environ []string
		file    string
		want    []string // one line each, and no others
	}{
		{"all sources", map[string]string{"listen": "nowhere", "search-ready": "yes"},
			[]string{"VECTORLINK_DIM=many", "VECTORLINK_TERMINUSDB_URL=http://me:canary@db", "VECTORLINK_EMBED_URL=db:6363", "TERMINUSDB_CONTENT_ENDPOINT=", "VECTORLINK_EMBED_BATCH_SIZE=0", "VECTORLINK_LISTEM=x", "VECTORLINK_EMBEDDING_API_KEY=sk-canary"},
			"page-pool-bytes: -1\nmodle: x\nembed:\n  url: y\nlog-level: loud\n",
			[]string{
				"terminusdb-url: holds a user or password", "embed-url: is not an http://", `unknown key "embed"`, `unknown key "modle" (is model meant?)`,
				"unknown variable VECTORLINK_LISTEM (is VECTORLINK_LISTEN meant?)",
				`listen (--listen): "nowhere" is not host:port`, `dim (VECTORLINK_DIM): "many" is not a whole number`,
				`embed-batch-size (VECTORLINK_EMBED_BATCH_SIZE): 0 is less than 1`,
				`"-1" is not a size`, `search-ready (--search-ready): "yes" is not true or false`, `"loud" is none of debug, request, info, warn, error`,
			}},
		{"together", map[string]string{"listen": "0.0.0.0:80", "prometheus-port": "90900", "index-pool-bytes": "1KiB"},
			[]string{"VECTORLINK_TERMINUSDB_PASSWORD=sk-canary", "VECTORLINK_TERMINUSDB_TOKEN=sk-canary", "VECTORLINK_TERMINUSDB_URL=http://a", "TERMINUSDB_CONTENT_ENDPOINT=http://b"},
			"admin-user: 'a:b'\nmodel: other\ndim: 3\n",
			[]string{"listen: 0.0.0.0:80 can be reached by others", "terminusdb-password, terminusdb-token", "terminusdb-url, terminusdb-content-endpoint",
				"admin-user", "prometheus-port", "index-pool-bytes (--index-pool-bytes): 1KiB is less than 1MiB", "model: the provider local", "dim: the model of the provider local"}},
		{"not a number of YAML", nil, nil, "admin-secret: 0123\nmodel: true\n",
			[]string{"admin-secret (", "model ("}},
		{"provider", map[string]string{"embed-provider": "magic"}, nil, "", []string{`"magic" is none of local, azure, lmstudio, ollama, openai, openai_compatible, tei, vllm, voyage`}},
		{"no address", map[string]string{"embed-provider": "azure"}, nil, "", []string{"embed-url: the provider azure", "model: the provider azure"}},
		{"tokenizer of local", map[string]string{"tokenizer-path": "x"}, nil, "", []string{"tokenizer-path: the model of the provider local"}},
		{"not a mapping", nil, nil, "- listen\n", []string{"--config"}},
		{"twice", nil, nil, "model: a\nmodel: b\n", []string{"--config"}},
		{"lists", nil, nil, "model: [a, b]\nlisten: {}\n", []string{"model (", "listen ("}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := read(t, c.flags, c.environ, c.file)
			if err == nil || exitCode(err) != exitUsage {
				t.Fatalf("got error %v with exit code %d, want a usage error", err, exitCode(err))
			}
			lines := strings.Split(err.Error(), "\n")[1:]
			for _, want := range c.want {
				if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, want) }) {
					t.Errorf("no complaint contains %q", want)
				}
			}
			if c.name != "twice" && c.name != "not a mapping" && len(lines) != len(c.want) {
				t.Errorf("got %d complaints, want %d", len(lines), len(c.want))
			}
			if strings.Contains(err.Error(), "canary") {
				t.Error("a secret is in the complaints")
			}
			if t.Failed() {
				t.Log(err)
			}
		})
	}
}

// TestKubernetesVariables checks that the variables a cluster makes for a
// service of our name do not keep us from starting.
func TestKubernetesVariables(t *testing.T) {
	cfg, _, err := read(t, nil, []string{
		"VECTORLINK_SERVICE_HOST=10.0.0.7", "VECTORLINK_SERVICE_PORT=80", "VECTORLINK_SERVICE_PORT_HTTP=80",
		"VECTORLINK_PORT=tcp://10.0.0.7:80", "VECTORLINK_PORT_80_TCP=tcp://10.0.0.7:80", "VECTORLINK_PORT_80_TCP_PROTO=tcp",
		"VECTORLINK_PORT_80_TCP_PORT=80", "VECTORLINK_PORT_80_TCP_ADDR=10.0.0.7",
		"VECTORLINK_METRICS_SERVICE_HOST=10.0.0.8", "VECTORLINK_METRICS_PORT=tcp://10.0.0.8:80",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "127.0.0.1:8080" {
		t.Errorf("listen is %s", cfg.Listen)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	environ := []string{
		"VECTORLINK_ADMIN_SECRET=canary", "VECTORLINK_TERMINUSDB_PASSWORD=canary", "VECTORLINK_EMBED_KEY=canary",
	}
	cfg, rows, err := read(t, nil, environ, "")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.AdminSecret.Reveal() != "canary" || cfg.TerminusDBPassword.Reveal() != "canary" || cfg.EmbedKey.Reveal() != "canary" {
		t.Fatal("the secrets were not read")
	}
	var out bytes.Buffer
	printSettings(&out, rows)
	if err := printJSON(&out, rows); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&out).Encode(cfg); err != nil {
		t.Fatal(err)
	}
	newLogger(&out, 0, "auto").Info("started", "config", cfg, "secret", cfg.EmbedKey)
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", cfg, cfg, cfg, cfg.EmbedKey, cfg.EmbedKey)
	if strings.Contains(out.String(), "canary") {
		t.Errorf("a secret is in:\n%s", out.String())
	}
	if strings.Count(out.String(), "***") < 6 {
		t.Errorf("secrets are not masked in:\n%s", out.String())
	}
}

// TestSettingsRoundTrip checks that what --print-config prints can be read as a
// file.
func TestSettingsRoundTrip(t *testing.T) {
	_, rows, err := read(t, map[string]string{"listen": "127.0.0.1:1", "model": `a "b": #c`}, []string{"VECTORLINK_EMBED_URL=http://x"}, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printSettings(&out, rows)
	_, again, err := read(t, nil, nil, out.String())
	if err != nil {
		t.Fatalf("%v in:\n%s", err, out.String())
	}
	for i := range rows {
		if rows[i].Value != again[i].Value {
			t.Errorf("%s: got %q, want %q", rows[i].Key, again[i].Value, rows[i].Value)
		}
	}
}

// TestSettingsAreDocumented holds what every setting must have: a help text, and a
// variable named as its flag.
func TestSettingsAreDocumented(t *testing.T) {
	names := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, cfg := range []any{Config{}, ClientConfig{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(cfg)) {
			name := f.Tag.Get("name")
			if name == "" {
				continue
			}
			want := "VECTORLINK_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			if name == "terminusdb-content-endpoint" { // a peer's name
				want = "TERMINUSDB_CONTENT_ENDPOINT"
			}
			if got := strings.Split(f.Tag.Get("environ"), ",")[0]; got != want {
				t.Errorf("%s: first variable is %s, want %s", name, got, want)
			}
			if f.Tag.Get("help") == "" || !names.MatchString(name) {
				t.Errorf("%s: no help, or not in kebab-case", name)
			}
			isBool := f.Type.Kind() == reflect.Bool
			if isSwitch := f.Tag.Get("type") == "switch"; isBool != isSwitch {
				t.Errorf("%s: type %q does not suit a %s", name, f.Tag.Get("type"), f.Type)
			}
		}
	}
}

// TestProviders holds the list of providers in the help and in README against
// the presets.
func TestProviders(t *testing.T) {
	_, stdout, _ := call(t.Context(), nil, "serve", "--help")
	help := strings.Join(strings.Fields(stdout), " ")
	if want := "Embedding provider: " + strings.Join(providers(), ", "); !strings.Contains(help, want) {
		t.Errorf("serve --help does not say %q:\n%s", want, stdout)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| VECTORLINK_EMBED_PROVIDER \| (.+) \| who embeds; also (.+) \|$`).FindSubmatch(readme)
	if row == nil {
		t.Fatal("README.md has no row of VECTORLINK_EMBED_PROVIDER")
	}
	got := append(strings.Split(string(row[2]), ", "), providerLocal)
	for word := range strings.FieldsSeq(string(row[1])) {
		if _, known := embed.Preset(word); known {
			got = append(got, word)
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(providers())); !slices.Equal(got, want) {
		t.Errorf("README.md lists the providers %v, want %v", got, want)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "1": 1, "1024": 1024, "1KiB": 1024, "3 MiB": 3 << 20, "1GiB": 1 << 30, "1048576GiB": 1 << 50,
		"": -1, "-1": -1, "1.5GiB": -1, "KiB": -1, "1MB": -1, "99999999999999999999": -1, "1048577GiB": -1, "0x10": -1,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
			continue
		}
		if want >= 0 {
			var again Bytes
			if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
				t.Errorf("%q prints as %q, which reads as %d, %v", text, got, again, err)
			}
		}
	}
}
