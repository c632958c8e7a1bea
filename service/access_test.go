package service_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func request(user, password, token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	switch {
	case token != "":
		r.Header.Set("Authorization", "Bearer "+token)
	case user != "" || password != "":
		r.SetBasicAuth(user, password)
	}
	return r
}

func TestAccess(t *testing.T) {
	open := service.NewAccess("admin", contract.Secret{}, nil)
	if _, err := open.Admit(request("", "", "")); err != nil || !open.Open() {
		t.Error("without a secret somebody is refused")
	}
	a := service.NewAccess("admin", contract.NewSecret("a:b"), nil)
	for _, tt := range []struct {
		user, password, token string
		want                  bool
	}{
		{"admin", "a:b", "", true}, {"admin", "a", "", false}, {"admin", "", "", false}, {"Admin", "a:b", "", false}, {"", "a:b", "", false},
		{"", "", "a:b", true}, {"", "", "a", false}, {"", "", "", false},
	} {
		key, err := a.Admit(request(tt.user, tt.password, tt.token))
		if tt.want != (err == nil) || err != nil && !errors.Is(err, service.ErrCredentials) || tt.want && key.Scopes != service.Admin {
			t.Errorf("%q with %q, or %q: %v, %v", tt.user, tt.password, tt.token, key, err)
		}
	}
}

// folder is a directory with a file of keys, and what is logged of it.
type folder struct {
	t    *testing.T
	fs   vfs.FS
	path string
	log  strings.Builder
	keys *service.Keys
}

func newFolder(t *testing.T, text string) *folder {
	t.Helper()
	f := &folder{t: t, path: filepath.Join(t.TempDir(), service.KeysFile)}
	dir, err := vfs.NewOS(filepath.Dir(f.path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	f.fs = dir
	if text != "" {
		f.write(text)
	}
	if f.keys, err = service.OpenKeys(f.path, slog.New(slog.NewTextHandler(&f.log, nil))); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *folder) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) add(k service.Key) (id, secret string) {
	f.t.Helper()
	k, s, err := service.NewKey(k)
	if err == nil {
		err = service.AddKey(f.fs, service.KeysFile, k)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return k.ID, s.Reveal()
}

var all = []string{"*"}

// TestKeysAreReloaded: keys work and end without a restart, two at once for a rotation;
// the end of the last one lets nobody in.
func TestKeysAreReloaded(t *testing.T) {
	f := newFolder(t, "")
	a := service.NewAccess("admin", contract.Secret{}, f.keys)
	if !a.Open() {
		t.Error("without a file the server is not open")
	}
	admitted := func(secret string) bool {
		key, err := a.Admit(request("", "", secret))
		byName, nameErr := a.Admit(request("whoever", secret, ""))
		if (err == nil) != (nameErr == nil) || err == nil && key.ID != byName.ID {
			t.Errorf("token: %v, password: %v", err, nameErr)
		}
		return err == nil
	}
	first, old := f.add(service.Key{Scopes: service.Read, Domains: all})
	if a.Open() || !admitted(old) || admitted("") {
		t.Error("the first key does not close the server to others")
	}
	_, next := f.add(service.Key{Scopes: service.Read, Domains: all})
	if !admitted(old) || !admitted(next) {
		t.Error("two keys are not valid at once")
	}
	if err := service.RevokeKey(f.fs, service.KeysFile, first); err != nil {
		t.Fatal(err)
	}
	if admitted(old) || !admitted(next) {
		t.Error("revoking one key does not end that one alone")
	}
	if err := service.RevokeKey(f.fs, service.KeysFile, first); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("revoked again: %v", err)
	}
	f.write("")
	if admitted(next) || a.Open() {
		t.Error("an empty file lets somebody in")
	}
	for _, want := range []string{"key added", "key revoked", "audit=true", "key=" + first} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, f.log.String())
		}
	}
	if strings.Contains(f.log.String(), old) || strings.Contains(f.log.String(), next) {
		t.Error("the log has a secret")
	}
}

// TestBrokenKeys: a file that is broken does not open, and names the line; one that
// breaks later leaves the keys of before, and is told of once.
func TestBrokenKeys(t *testing.T) {
	f := newFolder(t, "")
	_, secret := f.add(service.Key{Scopes: service.Push, Domains: []string{"acme/*"}})
	good, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	a := service.NewAccess("admin", contract.Secret{}, f.keys)
	check := func(what string) {
		t.Helper()
		for range 2 {
			if _, err := a.Admit(request("", "", secret)); err != nil || a.Open() {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	check("good")
	for _, bad := range []string{"no json", string(good) + string(good), `{"id":"x"}`, string(good) + strings.Replace(string(good), `"push"`, `"pusch"`, 1)} {
		f.log.Reset()
		f.write("# two\n" + bad)
		check(bad)
		if n := strings.Count(f.log.String(), "stay valid"); n != 1 || f.keys.Broken() == nil {
			t.Errorf("%q is told of %d times: %s", bad, n, f.log.String())
		}
		if _, err := service.OpenKeys(f.path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), f.path+": line ") {
			t.Errorf("%q opens, or its line is not named: %v", bad, err)
		}
		if err := service.AddKey(f.fs, service.KeysFile, service.Key{}); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q is added to: %v", bad, err)
		}
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	check("gone")
	f.write(string(good))
	if check("whole again"); f.keys.Broken() != nil {
		t.Error(f.keys.Broken())
	}
}

// TestFirstKeysAreBroken: a server that was open is not any more, though the first file
// of keys cannot be read.
func TestFirstKeysAreBroken(t *testing.T) {
	f := newFolder(t, "")
	a := service.NewAccess("admin", contract.Secret{}, f.keys)
	f.write("broken")
	if _, err := a.Admit(request("", "", "")); a.Open() || !errors.Is(err, service.ErrCredentials) {
		t.Errorf("open: %t, %v", a.Open(), err)
	}
}

func TestParseKeys(t *testing.T) {
	const hash = `"sha256":"0000000000000000000000000000000000000000000000000000000000000000"`
	for text, want := range map[string]string{
		"":                "",
		"# comment\n\n\n": "",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":["*"]}`:                          "",
		"\n" + `{"id":"a",` + hash + `,"scopes":["read"],"domains":["*"]} x`:                 "line 2: has something behind",
		`{"id":"a","sha256":"00","scopes":["read"],"domains":["*"]}`:                         "line 1: sha256",
		`{"id":"a",` + hash + `0","scopes":["read"],"domains":["*"]}`:                        "line 1: is no key",
		`{"id":"a b",` + hash + `,"scopes":["read"],"domains":["*"]}`:                        "line 1: id",
		`{"id":"a",` + hash + `,"scopes":[],"domains":["*"]}`:                                "line 1: scopes",
		`{"id":"a",` + hash + `,"scopes":["write"],"domains":["*"]}`:                         "line 1: \"write\" is no scope",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":[]}`:                             "line 1: domains",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":["*/x"]}`:                        "line 1: domain",
		`{"id":"a",` + hash + `,"scopes":["metrics"],"domains":["a/*"]}`:                     "line 1: metrics",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":["*"],"expire":""}`:              "line 1: is no key: json: unknown field",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":["*"],"expires":"soon"}`:         "line 1: is no key",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":["*"],"note":"\u001b"}`:          "line 1: note",
		strings.Repeat(`{"id":"a",`+hash+`,"scopes":["read"],"domains":["*"]}`+"\n", 2):      "line 2: the same id as line 1",
		`{"id":"a",` + hash + "\n" + `,"scopes":["read"],"domains":["*"]}`:                   "line 1: is no key",
		`{"id":"a",` + hash + `,"scopes":["read"],"domains":["*"],"created":"2026-01-02T0"}`: "line 1: is no key",
	} {
		switch _, err := service.ParseKeys([]byte(text)); {
		case want == "" && err != nil, want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestKeyExpires: a key is refused from its time on.
func TestKeyExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, "")
		id, secret := f.add(service.Key{Scopes: service.Read, Domains: all, Expires: time.Now().Add(time.Hour)})
		a := service.NewAccess("admin", contract.NewSecret("s"), f.keys)
		if key, err := a.Admit(request("", "", secret)); err != nil || key.ID != id {
			t.Errorf("before: %v", err)
		}
		time.Sleep(time.Hour)
		key, err := a.Admit(request("", "", secret))
		if !errors.Is(err, service.ErrCredentials) || key == nil || key.ID != id || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after: %v, %v", key, err)
		}
	})
}

// TestCaller: what a key's scopes and domains let it do.
func TestCaller(t *testing.T) {
	key := &service.Key{ID: "k", Scopes: service.Read | service.Push, Domains: []string{"acme/*", "one/db", "vectors"}}
	for domain, want := range map[string]bool{
		"acme/x": true, "acme/": true, "acme": false, "acmes/x": false, "one/db": true, "one/db2": false, "one": false, "vectors": true, "other/x": false,
	} {
		_, c := service.Call(t.Context(), key, service.Read)
		err := c.Enter(domain)
		if c.Sees(domain) != want || (err == nil) != want || !want && !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("%s: %t, %v", domain, c.Sees(domain), err)
		}
		if d, what := c.Noted(); d != domain || (what == "denied") == want {
			t.Errorf("%s: noted %q %q", domain, d, what)
		}
		_, c = service.Call(t.Context(), key, service.Push)
		if err := c.Enter(domain); !want && !errors.Is(err, service.ErrForbidden) {
			t.Errorf("a write to %s: %v", domain, err)
		}
	}
	_, c := service.Call(t.Context(), key, service.Anything)
	for needs, want := range map[service.Scope]bool{
		service.Read: true, service.Push: true, service.Index: false, service.Admin: false, service.Metrics: false, service.Index | service.Read: true, 0: false,
	} {
		if err := c.Require(needs); (err == nil) != want || c.May(needs) != want || err != nil && !errors.Is(err, service.ErrForbidden) {
			t.Errorf("%v: %v", needs.Words(), err)
		}
	}
	_, admin := service.Call(t.Context(), &service.Key{Scopes: service.Admin, Domains: all}, 0)
	if !admin.May(0) || !admin.May(service.Metrics) || !admin.SeesAll() || c.SeesAll() {
		t.Error("an admin may not do everything, or somebody else may")
	}
	_, part := service.Call(t.Context(), &service.Key{Scopes: service.Admin, Domains: []string{"a/*"}}, 0)
	if part.Require(service.Admin) != nil || !errors.Is(part.Require(service.Admin|service.Whole), service.ErrForbidden) || admin.Require(service.Admin|service.Whole) != nil {
		t.Error("a key of some domains may see all")
	}
	var nobody *service.Caller
	if nobody.Enter("x") != nil || nobody.Require(0) != nil || !nobody.SeesAll() {
		t.Error("this process is refused something")
	}
}

// TestChangingKeysFails: a write that fails at any operation leaves the keys of before
// or the new ones, whole, and a second command waits for nobody.
func TestChangingKeysFails(t *testing.T) {
	key := func() service.Key {
		k, _, err := service.NewKey(service.Key{Scopes: service.Read, Domains: all})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	count := func(fsys vfs.FS) int {
		f, err := fsys.Open(service.KeysFile, vfs.Read)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		keys, err := service.ParseKeys(text)
		if err != nil {
			t.Error(err)
		}
		return len(keys)
	}
	for n, hit := 0, true; hit; n++ {
		mem := vfstest.NewMem()
		if err := service.AddKey(mem, service.KeysFile, key()); err != nil {
			t.Fatal(err)
		}
		faulty := vfstest.NewFault(mem)
		faulty.Set(vfstest.Plan{At: n, Err: syscall.EIO})
		err := service.AddKey(faulty, service.KeysFile, key())
		hit = faulty.Hits() > 0
		if got := count(mem); got > 2 || got < 1 || err == nil && count(mem.CrashClone(uint64(n), 0)) != 2 {
			t.Errorf("operation %d: %d keys after %v", n, got, err)
		}
	}
	mem := vfstest.NewMem()
	lock, err := mem.Lock("." + service.KeysFile + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := service.AddKey(mem, service.KeysFile, key()); !errors.Is(err, contract.ErrBusy) {
		t.Errorf("beside another command: %v", err)
	}
}
