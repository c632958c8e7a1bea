package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestSettingsParameters: what is given is handed on, what is not is not
// chosen.
func TestSettingsParameters(t *testing.T) {
	e := newEnv(t)
	no := false
	all := catalog.SettingsRequest{Metric: "l2", Normalize: &no, Language: "cjk", M: 24, EfConstruction: 300, Dim: 8}
	const query = "&metric=l2&normalize=false&language=cjk&m=24&ef_construction=300&dim=8"
	for _, tt := range []struct {
		name string
		req  request
		want catalog.SettingsRequest
	}{
		{"index", request{target: "/index?domain=a/b&commit=k7" + query}, all},
		{"index, none", request{target: "/index?domain=a/b&commit=k7&metric=&language="}, catalog.SettingsRequest{}},
		{"index, JSON", request{
			method: "POST", target: "/index?domain=a/b&commit=k7&m=9", media: "application/json",
			body: `{"metric":"l2","normalize":false,"language":"cjk","m":24,"ef_construction":300,"dim":8}`}, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := e.do(tt.req); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if got := e.last(t).(indexer.IndexRequest).Settings; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("asked for %+v, want %+v", got, tt.want)
			}
		})
	}
	for _, bad := range []string{"normalize=1", "normalize=", "m=0", "m=x", "ef_construction=-1", "dim=0", "metric=ip&metric=ip"} {
		name, _, _ := strings.Cut(bad, "=")
		e.get("/index?domain=a/b&commit=k7&"+bad).wantError(t, 400, "bad_parameter", name)
		e.do(request{method: "POST", target: "/push?domain=a/b&target_commit=k7&" + bad, body: "{}"}).wantError(t, 400, "bad_parameter", name)
	}
}

// TestWhatIsSaidOfACommit hands on who made it and what it is about, and lists it.
func TestWhatIsSaidOfACommit(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted("d/A/1", "one"), "message", "the first – one", "author", "Ada")
	if got := l.get("/commits?domain=org/db"); !strings.Contains(got.body, `"author":"Ada","message":"the first – one"}`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	l.get("/index?domain=org/db&commit=k1&author="+strings.Repeat("x", 257)).wantError(t, 400, "bad_parameter", "author")
	l.do(request{method: "POST", target: target("c2", "message", strings.Repeat("x", 4097)), body: inserted("d/A/2", "two")}).wantError(t, 400, "bad_parameter", "message")
	l.src.Commit("main", "k1", indexertest.Change{About: contract.Said("Bo", "of the database", 1_700_000_000), Put: map[string]string{"d/A/1": "one"}})
	l.wait(l.get("/index?domain=org/db&commit=k1&author=Cy").body)
	if got := l.get("/commits?domain=org/db"); !strings.Contains(got.body, `"author":"Cy","message":"of the database","committed":"2023-11-14T22:13:20Z"}`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestSettings names settings of a database over HTTP.
func TestSettings(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", inserted("d/A/1", "one"), "m", "8", "language", "en")
	var st struct{ Settings map[string]any }
	if err := json.Unmarshal([]byte(l.get("/statistics?domain=org/db").body), &st); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"metric": "cosine", "normalize": true, "language": "en", "m": 8.0, "ef_construction": 200.0, "dim": 32.0}
	if !reflect.DeepEqual(st.Settings, want) {
		t.Errorf("settings %v, want %v", st.Settings, want)
	}
	push := func(query ...string) reply {
		return l.do(request{method: "POST", target: target("c2", query...), body: inserted("d/A/2", "two")})
	}
	push("m", "9").wantError(t, 409, "conflict", "m=8")
	push("metric", "l3").wantError(t, 400, "invalid_request", "metric")
	push("language", "klingon").wantError(t, 400, "invalid_request", "language")
	l.get("/index?domain=org/db&commit=k1&m=9").wantError(t, 409, "conflict", "m=8")
	l.mustPush("c2", inserted("d/A/2", "two"), "m", "8", "metric", "cosine", "normalize", "true")
	if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db"}); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	l.mustPush("c1", inserted("d/A/1", "one"), "m", "9")

	// Vectors that a deletion left are of the kind they are.
	if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db"}); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	push("metric", "l2").wantError(t, 409, "conflict", "purge=true")
	if got := l.do(request{method: "DELETE", target: "/domain?domain=org/db&purge=true"}); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"), "metric", "l2", "normalize", "false")
	if got := l.get("/search?domain=org/db&commit=c1&q=one&mode=vector"); got.status != 200 || !strings.Contains(got.body, `"distance":0,`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, tt := range []struct {
		body   string
		status int
	}{{`{"domain":"org/db","commit":"c1","threshold_set":40,"threshold_target":1}`, 200}} {
		if got := l.postJSON("/candidates", tt.body); got.status != tt.status || !strings.Contains(got.body, `"d/A/2"`) {
			t.Errorf("%s: %d %s", tt.body, got.status, got.body)
		}
	}
	l.mustPush("c1", inserted("d/A/1", "one", "d/A/2", "two"), "domain", "org/cos")
	for _, name := range []string{"threshold_set", "threshold_target"} {
		body := `{"domain":"org/cos","commit":"c1","threshold_set":1,"` + name + `":1.01}`
		if name == "threshold_set" {
			body = `{"domain":"org/cos","commit":"c1","threshold_set":1.01,"threshold_target":1}`
		}
		l.postJSON("/candidates", body).wantError(t, 400, "invalid_request", name)
	}
}
