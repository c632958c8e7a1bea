package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ends runs the program in this process and wants that exit code.
func ends(t *testing.T, code int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a server that should not have started
	defer cancel()
	var out, stderr bytes.Buffer
	if got := run(ctx, args, environ(), strings.NewReader(""), &out, &stderr); got != code {
		t.Fatalf("%v ends with %d, want %d:\n%s%s", args, got, code, &out, &stderr)
	}
	return out.String() + stderr.String()
}

// TestBackupDrill backs a server up while it is pushed to, kills backups and in the end
// the server, and puts the backup into another directory: every commit answers the same,
// no write that was acknowledged is missing, and nothing is embedded.
func TestBackupDrill(t *testing.T) {
	program, shop := builtProgram(t), newProvider(t, nil)
	root := t.TempDir()
	data, backups, copied := filepath.Join(root, "data"), filepath.Join(root, "backups"), filepath.Join(root, "copied")
	first := launchServe(t, data, shop.settings("", 8)[1:]...)
	ask := func(p *process, method, path, body string) (string, bool) {
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error(), false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err == nil && resp.StatusCode < 300
	}
	// of returns all that is answered of a commit.
	of := func(p *process, commit string) string {
		var all strings.Builder
		for _, path := range []string{"/search?mode=hybrid&count=50&texts=true&q=old+man", "/search?mode=vector&q=old+man", "/search?filter=n%3E2&q=old+man", "/documents?texts=true"} {
			path, query, _ := strings.Cut(path, "?")
			answer, ok := ask(p, "GET", path+"?domain=a/b&commit="+commit+"&"+query, "")
			if !ok {
				t.Errorf("%s of %s: %s", path, commit, answer)
			}
			all.WriteString(answer + "\n")
		}
		return all.String()
	}
	if answer, ok := ask(first, "POST", "/spaces", `{"name":"s","dims":2}`); !ok {
		t.Fatal(answer)
	}
	var (
		mu      sync.Mutex
		answers = make(map[string]string) // of commits, as they were when they were made
		written atomic.Int64              // the last value of the space's key that was acknowledged
		busy    sync.WaitGroup
		enough  atomic.Bool
	)
	busy.Go(func() {
		for n := 1; !enough.Load(); n++ {
			var ops strings.Builder
			for i := range 5 {
				fmt.Fprintf(&ops, `{"op":"Inserted","id":"d/Man/%d","string":"man %d of commit %d is old","fields":{"n":%d}}`+"\n", (n*3+i)%40, i, n, n%7)
			}
			commit := fmt.Sprintf("c%d", n)
			if answer, ok := ask(first, "POST", "/push?domain=a/b&stream=true&target_commit="+commit, ops.String()); !ok || !strings.Contains(answer, `"complete"`) {
				t.Errorf("push: %s", answer)
				return
			}
			got := of(first, commit)
			mu.Lock()
			answers[commit] = got
			mu.Unlock()
		}
	})
	busy.Go(func() {
		for n := int64(1); !enough.Load(); n++ {
			if answer, ok := ask(first, "POST", "/spaces/s/set", fmt.Sprintf(`{"key":"k","vector":[%d,1]}`, n)); !ok {
				t.Errorf("set: %s", answer)
				return
			}
			written.Store(n)
			if n%10 == 0 {
				ask(first, "POST", "/spaces/s/commit", "")
			}
		}
	})
	made := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(answers)
	}
	for n := 2; made() < n && !t.Failed(); {
		time.Sleep(time.Millisecond) // poll of another process
	}
	for delay := range 4 { // killed backups
		cmd := exec.Command(program, "backup", "--data-dir", data, backups)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+7*delay) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	ends(t, exitDone, "backup", "--data-dir", data, backups)
	before, least := made(), written.Load()
	ends(t, exitDone, "backup", "--data-dir", data, backups)
	archive := filepath.Join(root, "all.tar.zst")
	ends(t, exitDone, "backup", "--data-dir", data, archive)
	enough.Store(true)
	busy.Wait()
	paid := shop.texts.Load()
	first.kill(t)
	for i, from := range []string{backups, archive} {
		if got := ends(t, exitDone, "backup", "--verify-only", from); !strings.Contains(got, "nothing is damaged") {
			t.Error(got)
		}
		dir := fmt.Sprint(copied, i)
		ends(t, exitDone, "restore", "--data-dir", dir, from)
		ends(t, exitDone, "verify", "--data-dir", dir)
		second := launchServe(t, dir, shop.settings("", 8)[1:]...)
		listed, ok := ask(second, "GET", "/commits?domain=a/b", "")
		var commits []struct{ Commit string }
		if err := json.Unmarshal([]byte(listed), &commits); err != nil || !ok || len(commits) < before {
			t.Fatalf("%d commits, want %d at least: %s, %v", len(commits), before, listed, err)
		}
		for _, c := range commits {
			if want, ok := answers[c.Commit]; ok && of(second, c.Commit) != want {
				t.Errorf("%s: commit %s answers\n%s\nwant\n%s", from, c.Commit, of(second, c.Commit), want)
			}
		}
		item, _ := ask(second, "POST", "/spaces/s/get", `{"key":"k"}`)
		var point struct{ Vector []float64 }
		if err := json.Unmarshal([]byte(item), &point); err != nil || len(point.Vector) != 2 || int64(point.Vector[0]) < least {
			t.Errorf("the space holds %s, want %d at least", item, least)
		}
		if now := shop.texts.Load(); now != paid {
			t.Errorf("%d texts are bought again", now-paid)
		}
		second.kill(t)
	}
}

// TestBackupCommands goes through what the commands refuse, and what they tell.
func TestBackupCommands(t *testing.T) {
	data, root := dataDir(t, nil), t.TempDir()
	backups, archive, again := filepath.Join(root, "b"), filepath.Join(root, "b.tar.zst"), filepath.Join(root, "again")
	wants := func(got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q lacks %q", got, w)
			}
		}
	}
	wants(ends(t, exitUsage, "backup", "--data-dir", data, filepath.Join(data, "sub")), "lies in the data directory")
	wants(ends(t, exitUsage, "backup", "--data-dir", data, "--keep", "-1", backups), "--keep")
	wants(ends(t, exitUsage, "backup", "--data-dir", data, "--keep", "2", archive), "--keep is for a directory")
	wants(ends(t, exitFailed, "backup", "--data-dir", filepath.Join(root, "none"), backups), "none")
	wants(ends(t, exitUsage, "backup", "--data-dir", root, backups), "") // after the next line it holds a directory alone
	if err := os.WriteFile(filepath.Join(root, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wants(ends(t, exitUsage, "backup", "--data-dir", data, root), "letter.txt")
	wants(ends(t, exitUsage, "backup", "--data-dir", root, backups), "letter.txt")
	wants(ends(t, exitFailed, "restore", "--data-dir", again, backups), "no such file")

	wants(ends(t, exitDone, "backup", "--data-dir", data, backups), "nothing is damaged")
	var sum struct {
		Name  string
		Files int
		Added int64    `json:"added_bytes"`
		Found []string `json:"findings"`
	}
	if err := json.Unmarshal([]byte(ends(t, exitDone, "--json", "backup", "--data-dir", data, "--keep", "1", backups)), &sum); err != nil || sum.Added != 0 || sum.Files != 4 || sum.Found == nil {
		t.Errorf("%+v, %v", sum, err)
	}
	if got := ends(t, exitDone, "backup", "--list", backups); strings.Count(got, "\n") != 2 || !strings.Contains(got, sum.Name) {
		t.Error(got)
	}
	wants(ends(t, exitDone, "backup", "--data-dir", data, archive), "4 files")
	wants(ends(t, exitUsage, "backup", "--list", archive), "one backup")
	wants(ends(t, exitUsage, "restore", "--data-dir", data, backups), "holds data")
	wants(ends(t, exitFailed, "restore", "--data-dir", again, "--backup", "20010101T000000Z", backups), "no backup")

	// Where a restore was interrupted no server starts; the next one begins anew.
	if err := os.MkdirAll(again, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"restore.unfinished", "a.vecs"} {
		if err := os.WriteFile(filepath.Join(again, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"serve", "--listen", "127.0.0.1:0", "--read-only"}, {"gc"}} {
		wants(ends(t, exitFailed, append(args, "--data-dir", again)...), "restore again")
	}
	wants(ends(t, exitFailed, "backup", "--data-dir", again, backups), "interrupted")
	wants(ends(t, exitDone, "restore", "--data-dir", again, "--backup", sum.Name, backups), "4 files")
	wants(ends(t, exitDone, "verify", "--data-dir", again), "nothing is damaged")

	// Damage is named, in the data directory and in the backup.
	spoil := func(name string) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spoil(filepath.Join(data, "a%2Fone@c1.hnsw"))
	wants(ends(t, exitDone, "backup", "--data-dir", data, backups), "nothing is damaged") // the good one is in it
	wants(ends(t, exitDamage, "backup", "--data-dir", data, filepath.Join(root, "second")), "a%2Fone@c1.hnsw: ")
	parts, err := filepath.Glob(filepath.Join(backups, "*.part"))
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	spoil(parts[0])
	wants(ends(t, exitDamage, "backup", "--verify-only", backups), filepath.Base(parts[0]))
	newer := filepath.Join(backups, "29991231T000000Z.backup")
	if err := os.WriteFile(newer, []byte(`{"version":2,"program":"9.9"}`+"\n3d"), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(ends(t, exitDamage, "restore", "--data-dir", filepath.Join(root, "third"), backups), "29991231T000000Z")
}
