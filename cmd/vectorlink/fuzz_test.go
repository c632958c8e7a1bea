package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
)

// FuzzParseText: what is taken for a text is valid and reads back the same.
func FuzzParseText(f *testing.F) {
	for _, s := range []string{`"a"`, `{"text":"a"}`, `{"text":null}`, `{"text":"\ud800"}`, `null`, `{`, `"`, "\"\xff\"", `{"text":"a","text":"b"}`, `[1]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) == 0 {
			return // empty lines never come so far
		}
		text, err := parseText(line)
		if err != nil {
			return
		}
		if !utf8.ValidString(text) {
			t.Errorf("%q gives invalid UTF-8 %q", line, text)
		}
		again, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseText(again); err != nil || back != text {
			t.Errorf("%q gives %q, which reads back as %q, %v", line, text, back, err)
		}
	})
}

// FuzzSettings: no file and no value makes the configuration panic, and what is
// accepted reads back the same.
func FuzzSettings(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n", "256MiB", ":8080")
	f.Add("- a\n", "-1", "8080")
	f.Add("model: &a [*a]\n", "1 KiB", "[::1]:99999")
	f.Add("a: {b: {c: 1}}\nmodel:\n", "GiB", "localhost")
	f.Add("? [a]\n: b\n", "99999999999999999999GiB", "a:b:c")
	f.Add("1: 2\ntrue: false\n", "", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file, size, address string) {
		name := filepath.Join(dir, "vectorlink.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		p := &program{flags: map[string]string{"page-pool-bytes": size, "listen": address}}
		var bad complaints
		cfg, rows := p.readConfig(name, &bad)
		if len(bad) > 0 || [4]contract.Secret{cfg.AdminSecret, cfg.TerminusDBPassword, cfg.TerminusDBToken, cfg.EmbedKey} != [4]contract.Secret{} {
			return // secrets are printed as ***
		}
		if _, _, err := net.SplitHostPort(string(cfg.Listen)); err != nil {
			t.Errorf("listen %q became %q", address, cfg.Listen)
		}
		var out strings.Builder
		printSettings(&out, rows)
		if err := os.WriteFile(name, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		p.flags = nil
		if again, _ := p.readConfig(name, &bad); len(bad) > 0 || again != cfg {
			t.Errorf("printed as\n%s\nthe settings read back as %+v, %v; were %+v", out.String(), again, bad, cfg)
		}
	})
}
