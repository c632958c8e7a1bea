package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// full is a disk without space.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestLostOutput checks that a command fails whose output cannot be written.
func TestLostOutput(t *testing.T) {
	server := fakeServer(t, "")
	dir := t.TempDir()
	at := []string{"--domain", domain, "--commit", "c7"}
	with := func(args ...string) []string { return append(args, at...) }
	for _, args := range [][]string{
		{"--help"}, {"--version"}, {"version"}, {"version", "--notice"}, {"serve", "--print-config"},
		{"verify", "--data-dir", dir}, {"gc", "--data-dir", dir},
		with("index"), with("index", "--wait"), with("index", "--dry-run"),
		with("search", "word"), with("similar", "--text", "word"), with("duplicates"),
		{"status"}, {"domains"}, {"status", "--domain", domain}, {"tag", "--domain", domain}, {"prune", "--domain", domain, "--keep-last", "1"},
	} {
		for _, form := range [][]string{nil, {"--json"}} {
			if strings.HasPrefix(args[0], "--") && form != nil {
				continue
			}
			var stderr bytes.Buffer
			code := run(t.Context(), append(form, args...), []string{"VECTORLINK_SERVER=" + server}, strings.NewReader(""), full{}, &stderr)
			if code != exitFailed || !strings.HasSuffix(stderr.String(), "vectorlink: the output is lost: "+errFull.Error()+"\n") {
				t.Errorf("%v: exit %d, want %d\n%s", append(form, args...), code, exitFailed, stderr.String())
			}
		}
	}
}

// TestUnknownVariables checks that an unknown variable is told of, and that one
// which is nearly ours is refused, by every command that reads any.
func TestUnknownVariables(t *testing.T) {
	server := "VECTORLINK_SERVER=" + fakeServer(t, "")
	for variable, want := range map[string]struct {
		code int
		says string
	}{
		"VECTORLINK_FROM_TOMORROW=x": {exitDone, "vectorlink: warning: environment: unknown variable VECTORLINK_FROM_TOMORROW is ignored\n"},
		"VECTORLINK_SERVERS=x":       {exitUsage, "unknown variable VECTORLINK_SERVERS (is VECTORLINK_SERVER meant?)"},
		"VECTORLINK_DATADIR=x":       {exitUsage, "unknown variable VECTORLINK_DATADIR (is VECTORLINK_DATA_DIR meant?)"},
		"OTHERS_VECTORLINK_X=x":      {exitDone, ""},
	} {
		for _, args := range [][]string{{"status"}, {"serve", "--print-config"}} {
			code, _, stderr := call(t.Context(), []string{server, variable}, args...)
			if code != want.code || strings.Count(stderr, "vectorlink:") > 1 || !strings.Contains(stderr, want.says) || want.says == "" && stderr != "" {
				t.Errorf("%s, %v: exit %d\n%s", variable, args, code, stderr)
			}
		}
	}
}

// TestSecretLineBreaks checks that a secret loses the line breaks at its end,
// wherever it comes from, and that other control characters are refused without
// being shown.
func TestSecretLineBreaks(t *testing.T) {
	for value, want := range map[string]string{
		"canary": "canary", "canary\n": "canary", "canary\r\n": "canary", "canary\n\n": "canary", "canary of tin ": "canary of tin ",
		"\n": "", "\ncanary": "", "can\nary": "", "canary\t": "", "can\x00ary": "", "can\r\nary\n": "",
	} {
		for _, name := range []string{"VECTORLINK_ADMIN_SECRET", "VECTORLINK_TERMINUSDB_PASSWORD", "VECTORLINK_TERMINUSDB_TOKEN", "VECTORLINK_EMBED_KEY"} {
			cfg, _, err := read(t, nil, []string{name + "=" + value}, "")
			got := cfg.AdminSecret.Reveal() + cfg.TerminusDBPassword.Reveal() + cfg.TerminusDBToken.Reveal() + cfg.EmbedKey.Reveal()
			if got != want || (err == nil) != (want != "") {
				t.Errorf("%s=%q is %q, %v; want %q", name, value, got, err, want)
			}
			if err != nil && (exitCode(err) != exitUsage || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "line break")) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	}
	cfg, _, err := read(t, nil, nil, "admin-secret: |\n  sesame\n")
	if err != nil || cfg.AdminSecret.Reveal() != "sesame" {
		t.Errorf("from a file: %q, %v", cfg.AdminSecret.Reveal(), err)
	}
}

// TestForeignDirectory checks that nothing is served over, or removed from, a
// directory in which other programs have files and we have none.
func TestForeignDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		files   []string
		refused bool
	}{
		"empty":         {nil, false},
		"hidden":        {[]string{".gitkeep", "lost+found/", "LOCK"}, false},
		"ours":          {[]string{"a%2fb@c.hnsw", "notes.txt"}, false},
		"journal":       {[]string{"tasks.journal", "LOCK"}, false},
		"foreign":       {[]string{"customers.csv"}, true},
		"directory":     {[]string{"photos/"}, true},
		"other store":   {[]string{"LOCK", "MANIFEST"}, true},
		"first program": {[]string{"a%2fb@c.hnsw/"}, true},
	} {
		dir := t.TempDir()
		for _, file := range c.files {
			path := filepath.Join(dir, file)
			err := os.WriteFile(strings.TrimSuffix(path, "/"), nil, 0o600)
			if strings.HasSuffix(file, "/") {
				err = os.Remove(strings.TrimSuffix(path, "/"))
				err = errors.Join(err, os.Mkdir(strings.TrimSuffix(path, "/"), 0o700))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		st, err := claim(dir)
		if err == nil {
			st.close(t.Context(), nil)
		}
		if (err != nil) != c.refused || err != nil && exitCode(err) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "customers.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--listen", "127.0.0.1:0"}, {"gc"}} {
		code, _, stderr := call(t.Context(), []string{"VECTORLINK_DATA_DIR=" + dir}, args...)
		if code != exitUsage || !strings.Contains(stderr, "customers.csv") {
			t.Errorf("%v: exit %d\n%s", args, code, stderr)
		}
	}
}

// TestDeniedByDatabase checks that a wrong password is a failure, and a database
// that is not there one that may be over later.
func TestDeniedByDatabase(t *testing.T) {
	for status, want := range map[int]int{http.StatusUnauthorized: exitFailed, http.StatusForbidden: exitFailed, http.StatusBadGateway: exitUpstream} {
		db := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		environ := []string{"VECTORLINK_TERMINUSDB_URL=" + db.URL, "VECTORLINK_TERMINUSDB_PASSWORD=x", "VECTORLINK_SERVER=" + fakeServer(t, "")}
		for _, args := range [][]string{
			{"templates", "check", "--domain", domain}, {"templates", "suggest", "--domain", domain}, {"watch", "--once", domain},
		} {
			if code, _, stderr := call(t.Context(), environ, args...); code != want {
				t.Errorf("%d, %v: exit %d, want %d\n%s", status, args, code, want, stderr)
			}
		}
		db.Close()
	}
	if got := exitCode(&failedTask{"docdb: user is not let in", "source_denied"}); got != exitFailed {
		t.Errorf("a task that failed by it: exit %d", got)
	}
}

// TestThirdParty checks that NOTICE names every module that the program contains.
func TestThirdParty(t *testing.T) {
	info, err := buildinfo.ReadFile(builtProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if !strings.Contains(string(notice), "\n  "+m.Path+" ") {
			t.Errorf("NOTICE does not name %s", m.Path)
		}
	}
	if len(info.Deps) < 20 {
		t.Errorf("the program contains %d modules", len(info.Deps))
	}
}
