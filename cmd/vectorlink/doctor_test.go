package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDoctor checks what is said of settings, directories, databases, providers and
// clocks that are as they should be, and of others: what to do is said of each, and
// the exit code tells whether something must be done.
func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	date := func() time.Time { return time.Now() }
	database := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date().UTC().Format(http.TimeFormat))
		if _, password, _ := r.BasicAuth(); r.URL.Path != "/api/info" || password != canaryPassword {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer database.Close()
	provider := httptest.NewServer(http.HandlerFunc(embedAnything))
	defer provider.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	tests := []struct {
		name  string
		args  []string
		skew  time.Duration
		code  int
		check string // whose state is
		state string
		says  string
	}{
		{"all well", []string{"--terminusdb-url", database.URL, "--terminusdb-password", canaryPassword, "--embed-provider", "openai_compatible", "--embed-url", provider.URL, "--model", "m"}, 0, exitDone, "provider", fine, "answers in"},
		{"local", nil, 0, exitDone, "provider", fine, "the model in this program"},
		{"settings", []string{"--dim", "many"}, 0, exitFailed, "configuration", wrong, `"many"`},
		{"other files", []string{"--data-dir", foreign}, 0, exitFailed, "data directory", wrong, "letter.txt"},
		{"no directory", []string{"--data-dir", filepath.Join(dir, "none")}, 0, exitDone, "data directory", minor, "is not there"},
		{"password", []string{"--terminusdb-url", database.URL, "--terminusdb-password", "other"}, 0, exitFailed, "database", wrong, "refuses the credentials"},
		{"no database", []string{"--terminusdb-url", gone.URL}, 0, exitFailed, "database", wrong, "does not answer"},
		{"clock", []string{"--terminusdb-url", database.URL, "--terminusdb-password", canaryPassword}, 5 * time.Minute, exitDone, "clock", minor, "from the database's"},
		{"provider", []string{"--embed-provider", "openai_compatible", "--embed-url", gone.URL, "--model", "m"}, 0, exitFailed, "provider", wrong, "cannot be reached"},
		{"memory", []string{"--memory-limit", "900000GiB"}, 0, exitDone, "memory", minor, "the system gives"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			date = func() time.Time { return time.Now().Add(-tt.skew) }
			code, stdout, stderr := call(t.Context(), nil, append([]string{"doctor", "--json", "--data-dir", dir}, tt.args...)...)
			if tt.code >= 0 && code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", code, tt.code, stdout, stderr)
			}
			var found []diagnosis
			if err := json.Unmarshal([]byte(stdout), &found); err != nil {
				t.Fatalf("%v: %s", err, stdout)
			}
			seen := make(map[string]diagnosis)
			for _, f := range found {
				seen[f.Check] = f
				if f.State == wrong && f.Do == "" {
					t.Errorf("%s: nothing is to be done: %s", f.Check, f.Says)
				}
			}
			for _, check := range []string{"configuration", "data directory", "disk space", "database", "provider", "clock", "open files", "memory", "page cache"} {
				if seen[check].State == "" && check != "page cache" {
					t.Errorf("nothing is said of %s", check)
				}
			}
			if got := seen[tt.check]; tt.state != "" && (got.State != tt.state || !strings.Contains(got.Says, tt.says)) {
				t.Errorf("%+v, want %s with %q", got, tt.state, tt.says)
			}
			if strings.Contains(stdout+stderr, canaryPassword) {
				t.Error("it tells the password")
			}
		})
	}
	code, stdout, _ := call(t.Context(), nil, "doctor", "--data-dir", dir, "--embed-provider", "openai_compatible", "--embed-url", gone.URL, "--model", "m")
	if code != exitFailed || !strings.Contains(stdout, "fail  provider ") || !strings.Contains(stdout, "→ check embed-url") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

const canaryPassword = "canary-77"
