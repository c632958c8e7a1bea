package api_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// drills are texts of which 1 and 3 are one thing, and 4 is like nothing.
var drills = inserted(
	"d/P/1", "Makita cordless drill K8864X, 18 V, red, with two batteries and a case",
	"d/P/2", "Makita cordless drill K8864Y, 18 V, red, with two batteries and a case",
	"d/P/3", "makita cordles drill k-8864-x 18V, red, with two bateries, case",
	"d/P/4", "an electric kettle made of stainless steel",
	"d/P/5", "an electric kettle made of stainless steel",
)

// told returns the pairs that /duplicates lists, with what was decided about each.
func (l *live) told(target string) string {
	l.t.Helper()
	got := l.do(request{target: "/duplicates?domain=org/db" + target, header: map[string]string{"Accept": "application/x-ndjson"}})
	if got.status != 200 {
		l.t.Fatalf("%s: %d %s", target, got.status, got.body)
	}
	var list []string
	for line := range strings.Lines(got.body) {
		var g api.Group
		if err := json.Unmarshal([]byte(line), &g); err != nil {
			l.t.Fatal(err)
		}
		list = append(list, strings.TrimSpace(fmt.Sprint(strings.TrimPrefix(g.Group[0].ID, "d/P/"), "-", strings.TrimPrefix(g.Group[1].ID, "d/P/"), " ", g.Decided)))
	}
	return strings.Join(list, ", ")
}

func (l *live) decide(commit, a, b, decision string) {
	l.t.Helper()
	got := l.postJSON("/decisions", fmt.Sprintf(`{"domain":"org/db","commit":%q,"a":"d/P/%s","b":"d/P/%s","decision":%q,"by":"ann"}`, commit, a, b, decision))
	if got.status != 200 {
		l.t.Fatalf("decide: %d %s", got.status, got.body)
	}
}

// TestDecisionsApply: an answer at a commit applies what was decided there and before,
// up to a number, and says so.
func TestDecisionsApply(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", drills)
	l.mustPush("c2", inserted("d/P/9", "a table"), "parent_commit", "c1")
	l.mustPush("f1", inserted("d/P/8", "a chair"), "parent_commit", "c1", "branch", "feature")
	const words = "&likeness=words&match=all&min_score=.3&commit="
	const by = "&likeness=trigrams"
	before := l.told(by + "&commit=c1")
	if !strings.Contains(before, "1-3") || !strings.Contains(before, "4-5") || strings.Contains(before, "2-4") {
		t.Fatalf("at first: %s", before)
	}
	pure := l.told(words + "c1")
	threshold := l.get("/duplicates?domain=org/db&commit=c1&threshold=.9").body
	old := l.get("/duplicates?domain=org/db&commit=c1" + by)
	l.decide("c1", "3", "1", "different") // 1
	l.decide("c1", "4", "5", "later")     // 2
	l.decide("c1", "2", "4", "same")      // 3
	l.decide("c2", "1", "3", "same")      // 4, counts at c2 alone
	l.decide("c1", "2", "4", "later")     // 5

	has := func(target string, want ...string) {
		t.Helper()
		got := ", " + l.told(target) + ","
		for _, w := range want {
			missing, no := strings.CutPrefix(w, "no ")
			if no == strings.Contains(got, ", "+missing) {
				t.Errorf("%s: %s, want %s", target, got, w)
			}
		}
	}
	for _, target := range []string{by + "&commit=", by + "&match=all&commit=", by + "&min_score=.1&match=all&commit="} {
		has(target+"c1&decisions=none", "1-3,", "4-5,", "no 2-4")
		has(target+"c1&decisions=0", "1-3,", "4-5,")
		has(target+"c1&decisions=2", "no 1-3", "4-5 later,")
		has(target+"c1&decisions=4", "no 1-3", "2-4 same,")
		has(target+"c1", "no 1-3", "no 2-4")
		has(target+"f1", "no 1-3")
		has(target+"c2", "1-3 same,")
		has(target+"c2&decisions=3", "no 1-3")
	}
	has(by+"&match=one_to_one&commit=c1&decisions=4", "2-4 same,", "no 1-3", "no 1-2", "no 4-5")
	has(by+"&match=mutual&commit=c1&decisions=4", "2-4 same,", "no 1-3")
	if got := l.told(words + "c1&decisions=none"); got != pure {
		t.Errorf("without decisions %s, want %s", got, pure)
	}
	// By distance they count where they are asked for.
	if got := l.get("/duplicates?domain=org/db&commit=c1&threshold=.9"); got.body != threshold || got.header.Get("X-Vectorlink-Decisions") != "" {
		t.Errorf("by distance: %s, want %s; %v", got.body, threshold, got.header)
	}
	has("&commit=c1&threshold=.9&decisions=newest", "no 1-3", "4-5 later,", "2-4 later,")
	has("&commit=c1&threshold=0&decisions=4", "no 1-3", "4-5 later,", "2-4 same,")
	if got := l.get("/duplicates?domain=org/db&commit=c1&threshold=0&decisions=4&format=pairs").body; !strings.Contains(got, `["d/P/2","d/P/4"]`) || !strings.Contains(got, `["d/P/4","d/P/5"]`) {
		t.Errorf("in one piece by distance: %s", got)
	}
	if got := l.get("/duplicates?domain=org/db&commit=c1&threshold=.9&decisions=4&format=pairs").body; strings.Contains(got, `["d/P/1","d/P/3"]`) {
		t.Errorf("decided to be different, by distance: %s", got)
	}
	// Groups hold together what was decided same, and apart what was not.
	if got := l.get("/duplicates?domain=org/db&commit=c1&decisions=4" + by).body; !strings.Contains(got, `"decided":"same"`) || strings.Contains(got, `"group":[{"id":"d/P/1"},{"id":"d/P/3"}]`) {
		t.Errorf("groups: %s", got)
	}

	// The number stands in the answer and in its tag.
	now := l.get("/duplicates?domain=org/db&commit=c1" + by)
	if got := now.header.Get("X-Vectorlink-Decisions"); got != "5" || old.header.Get("X-Vectorlink-Decisions") != "0" {
		t.Errorf("X-Vectorlink-Decisions is %q, and was %q", got, old.header.Get("X-Vectorlink-Decisions"))
	}
	if now.header.Get("Cache-Control") != "private, no-cache" || now.header.Get("ETag") == old.header.Get("ETag") {
		t.Errorf("of the newest: %v", now.header)
	}
	one, two := l.get("/duplicates?domain=org/db&commit=f1&decisions=3"), l.get("/duplicates?domain=org/db&commit=f1&decisions=4")
	if one.body != two.body || one.header.Get("ETag") == two.header.Get("ETag") || one.header.Get("Cache-Control") != "private, max-age=300" {
		t.Errorf("up to 3 and 4: %v, %v", one.header, two.header)
	}
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		q := request{target: "/duplicates?domain=org/db&commit=c1", header: map[string]string{"Accept": accept}}
		q.header["If-None-Match"] = l.do(q).header.Get("ETag")
		if got := l.do(q); got.status != 304 || got.header.Get("X-Vectorlink-Decisions") == "" {
			t.Errorf("%s, asked again: %d, %v", accept, got.status, got.header)
		}
		l.decide("c1", "1", "4", "different")
		if got := l.do(q); got.status != 200 {
			t.Errorf("%s, after another decision: %d", accept, got.status)
		}
		l.decide("c1", "1", "4", "later")
	}
	for target, want := range map[string]int{"99": 404, "-1": 400, "all": 400} {
		if got := l.get("/duplicates?domain=org/db&commit=c1&decisions=" + target); got.status != want {
			t.Errorf("decisions=%s: %d, want %d", target, got.status, want)
		}
	}
	for _, body := range []string{`"likeness":"trigrams"`, `"threshold_set":0.9,"decisions":4`} {
		got := l.postJSON("/candidates", `{"domain":"org/db","commit":"c1","k":9,`+body+`}`)
		if got.status != 200 || !strings.Contains(got.body, `"decided":"`) || strings.Contains(got.body, `"d/P/3":[{"id":"d/P/1"`) {
			t.Errorf("candidates %s: %s", body, got.body)
		}
	}
	// What is taken back was never said.
	l.decide("c1", "1", "3", "open")
	l.decide("c1", "5", "4", "open")
	has(by+"&commit=c1", "1-3,", "4-5,")
	has("&commit=c1&threshold=.9&decisions=newest", "1-3,", "4-5,", "2-4 later,")
}

// TestProfile: pairs are counted by their scores with their texts, and decisions
// estimate how many of them are true.
func TestProfile(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", drills)
	at := "c1"
	profile := func(query string) (p struct {
		Commit    string
		Documents int
		MinScore  float32 `json:"min_score"`
		Steps     []struct {
			From                              float32
			Documents, Pairs, Same, Different int
			Precision                         *float32
			Examples                          []api.Group
		}
	}) {
		t.Helper()
		got := l.get("/duplicates/profile?domain=org/db&commit=" + at + query)
		if err := json.Unmarshal([]byte(got.body), &p); err != nil || got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return p
	}
	const by = "&likeness=trigrams"
	p := profile(by)
	top, pairs, documents := p.Steps[0], 0, 0
	if p.Commit != at || p.Documents != 5 || p.MinScore != .45 || len(p.Steps) != 16 || p.Steps[15].From != .2 {
		t.Errorf("%+v", p)
	}
	// 4 and 5 are one text, 1 and 2 differ in a letter.
	if top.From != .95 || top.Documents != 2 || top.Pairs != 1 || len(top.Examples) != 1 || top.Precision != nil ||
		*top.Examples[0].Group[0].Snippet != "an electric kettle made of stainless steel" || top.Examples[0].Group[1].ID != "d/P/5" || top.Examples[0].Score != 1 {
		t.Errorf("best step %+v", top)
	}
	for i, step := range p.Steps {
		pairs, documents = pairs+step.Pairs, documents+step.Documents
		for _, e := range step.Examples {
			if above := i > 0 && e.Score >= p.Steps[i-1].From; e.Score < step.From || above {
				t.Errorf("%v in the step from %v", e.Score, step.From)
			}
		}
	}
	if pairs != 4 || documents != 5 {
		t.Errorf("%d pairs, %d documents, want those of 1, 2 and 3, and 4 with 5: %+v", pairs, documents, p.Steps)
	}
	if few := profile(by + "&min_score=.98&examples=0"); len(few.Steps) != 1 || few.Steps[0].From != .98 || len(few.Steps[0].Examples) != 0 {
		t.Errorf("%+v", few)
	}
	etag := l.get("/duplicates/profile?domain=org/db&commit=c1" + by).header.Get("ETag")
	l.decide("c1", "4", "5", "same")
	l.decide("c1", "1", "2", "different")
	l.decide("c1", "1", "3", "later")
	after := profile(by)
	same, different := 0, 0
	for i, step := range after.Steps {
		same, different = same+step.Same, different+step.Different
		if step.Pairs != p.Steps[i].Pairs || step.Documents != p.Steps[i].Documents {
			t.Errorf("a decision changed the counts of the step from %v", step.From)
		}
		want := float32(same) / float32(same+different) // one pair in either step
		if step.Precision == nil || *step.Precision != want {
			t.Errorf("from %v: precision %v, want %v", step.From, step.Precision, want)
		}
	}
	if same != 1 || different != 1 {
		t.Errorf("%d same, %d different", same, different)
	}
	if now := l.get("/duplicates/profile?domain=org/db&commit=c1" + by).header.Get("ETag"); now == etag || etag == "" {
		t.Errorf("the answer has the tag %q with decisions and without", now)
	}
	if pure := profile(by + "&decisions=none"); pure.Steps[0].Precision != nil || pure.Steps[0].Same != 0 {
		t.Errorf("without decisions %+v", pure.Steps[0])
	}
	// Steps count as they have pairs: three of one text, of which one is decided.
	l.mustPush("c2", inserted("d/P/6", "an electric kettle made of stainless steel"), "parent_commit", "c1")
	at = "c2"
	if p = profile(by); p.Steps[0].Pairs != 3 || p.Steps[0].Same != 1 || *p.Steps[15].Precision != .75 || p.Documents != 6 {
		t.Errorf("with three of one text %+v", p)
	}
	at = "c1"
	for query, word := range map[string]string{"&likeness=cosine": "likeness", "&examples=21": "examples", "&min_score=2": "min_score", "&threshold=.1": "threshold", "&same=none": "same"} {
		if got := l.get("/duplicates/profile?domain=org/db&commit=c1" + query); got.status != 400 || !strings.Contains(got.body, word) {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	for _, query := range []string{"", "&match=one_to_one", "&target_doc_id=d/P/3"} {
		if p := profile(query); len(p.Steps) == 0 {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// TestDecisionsSince: since names what a commit brought, decided pairs too.
func TestDecisionsSince(t *testing.T) {
	l := newLive(t, vfstest.NewMem())
	l.mustPush("c1", drills)
	l.mustPush("c2", inserted("d/P/6", "Makita cordless drill K8864X, 18 V, red, with two batteries and a case", "d/P/7", "a green door"), "parent_commit", "c1")
	l.decide("c2", "6", "1", "different")
	l.decide("c2", "4", "7", "same")
	l.decide("c2", "2", "4", "same")
	for _, target := range []string{"&likeness=trigrams", "&likeness=trigrams&match=all", "&threshold=.05&decisions=newest"} {
		got := l.told("&commit=c2&since=c1" + target)
		if strings.Contains(got, "1-6") || !strings.Contains(got, "4-7 same") || strings.Contains(got, "2-4") || strings.Contains(got, "4-5") {
			t.Errorf("%s: %s", target, got)
		}
	}
}

// TestDecisionsLists: what was decided is listed by pages, as lines that can be sent
// again, and as a table in which nothing is a formula.
func TestDecisionsLists(t *testing.T) {
	files := vfstest.NewMem()
	l := newLive(t, files)
	l.get("/decisions?domain=org/db").wantError(t, 404, "not_found", "org/db")
	l.mustPush("c1", inserted("=A1", "one", "d/2", "two", "d/3", "three"))
	l.get("/decisions?domain=org/db").wantBody(t, `{"decisions":[],"newest":0}`)
	post := func(body string) reply {
		t.Helper()
		return l.do(request{method: "POST", target: "/decisions?domain=org/db&branch=main", body: body, media: "application/x-ndjson"})
	}
	if got := post(`{"a":"d/2","b":"=A1","decision":"same","note":"+1, \"so\"","by":"@ann","at":"2026-01-02T03:04:05Z"}` + "\n\n" +
		`{"n":77,"a":"d/3","b":"d/2","decision":"later","commit":"c1","branch":"x","version":9}`); got.status != 200 || strings.Count(got.body, "\n") != 2 {
		t.Fatalf("lines: %d %s", got.status, got.body)
	}
	for target, want := range map[string]string{"&count=1": `"newest":2,"next":2}`, "&from=2&count=1": `{"decisions":[{"n":2,"a":"d/2"`} {
		if got := l.get("/decisions?domain=org/db" + target); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want %s", target, got.body, want)
		}
	}
	table := l.get("/decisions?domain=org/db&format=csv")
	want := "n,a,b,decision,by,note,commit,branch,at\n1,'=A1,d/2,same,'@ann,\"'+1, \"\"so\"\"\",c1,main,2026-01-02T03:04:05Z\n2,d/2,d/3,later,,,c1,main,"
	if !strings.HasPrefix(table.body, want) || !strings.HasPrefix(table.header.Get("Content-Type"), "text/csv") {
		t.Errorf("the table is %s, want %s", table.body, want)
	}
	lines := l.do(request{target: "/decisions?domain=org/db", header: map[string]string{"Accept": "application/x-ndjson"}})
	if got := post(lines.body); got.status != 200 || !strings.Contains(got.body, `"n":4`) {
		t.Errorf("what was exported: %d %s", got.status, got.body)
	}
	for body, want := range map[string]string{
		`{"a":"d/2"}`: "line 1", `{"a":"d/2","b":"d/3","decision":"same"}` + "\n[]": "line 2", `{"a":"d/2","b":"d/3","decision":"same","x":1}`: "line 1",
	} {
		post(body).wantError(t, 400, "bad_request", want)
	}
	for body, status := range map[string]int{
		`{"domain":"org/db","branch":"main","a":"d/2","b":"d/3"}`:                                400,
		`{"domain":"org/db","branch":"main","a":"d/2","b":"d/2","decision":"same"}`:              400,
		`{"domain":"org/db","branch":"main","a":"d/2","b":"d/3","decision":"yes"}`:               400,
		`{"domain":"org/db","branch":"main","a":"d/2","b":"d/9","decision":"same"}`:              404,
		`{"domain":"org/db","commit":"none","a":"d/2","b":"d/3","decision":"same"}`:              404,
		`{"domain":"org/no","branch":"main","a":"d/2","b":"d/3","decision":"same"}`:              404,
		`{"domain":"org/db","branch":"main","a":"d/2","b":"d/3","decision":"same","colour":"x"}`: 400,
	} {
		if got := l.postJSON("/decisions", body); got.status != status {
			t.Errorf("%s: %d %s, want %d", body, got.status, got.body, status)
		}
	}

	// A server that only reads lists them and notes none.
	reader, err := search.OpenReadOnly(search.ReaderConfig{FS: files, Embedder: l.emb})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.New(api.Config{SearchReady: true}, service.New(reader, nil)))
	defer func() {
		srv.Close()
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}()
	writer := l.url
	for range 2 {
		all := l.get("/decisions?domain=org/db")
		l.url = srv.URL
		l.get("/decisions?domain=org/db").wantBody(t, all.body)
		post(`{"a":"d/2","b":"d/3","decision":"same"}`).wantError(t, 403, "read_only", "only reads")
		l.url = writer
		post(`{"a":"d/2","b":"d/3","decision":"same"}`)
	}
}
