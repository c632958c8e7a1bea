package page_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/page"
	"github.com/vectorlink/vectorlink/pairs"
)

// TestRules holds the page to what users of other tools missed there, rule by rule. Those
// of the map, and of keys, are in TestBrowser besides.
func TestRules(t *testing.T) {
	s := newSite(t)
	rule := func(n int, what string, check func(t *testing.T, s *site)) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			here := *s
			here.t = t
			t.Log(what)
			check(t, &here)
		})
	}
	rule(1, "works behind a prefix of the path", behindPrefix)
	rule(2, "no vector is shown or sent", func(t *testing.T, s *site) {
		numbers := regexp.MustCompile(`(-?\d+\.\d+,\s*){8}`)
		for path, params := range all {
			if _, body, _ := s.get(path, params...); numbers.MatchString(body) {
				t.Errorf("%q has a row of numbers: %s", path, numbers.FindString(body))
			}
		}
		_, texts, _ := s.get("org/db/map/texts", "i", "1")
		if numbers.MatchString(texts) || strings.Contains(texts, "vector") {
			t.Errorf("a point of the map: %s", texts)
		}
		s.plot() // whose length leaves no room for any
	})
	rule(3, "a hit has its id, its text and why it is there; a view is told as a request", func(t *testing.T, s *site) {
		s.has("org/db/search", []string{"q", "wise"}, "People/20", "found by", "<mark>wise</mark>", "As a request")
		for _, view := range []string{"search?q=wise", "changes", "duplicates", "clusters", "map", "templates", "doc?id=" + url.QueryEscape(base+"People/20")} {
			s.has("org/db/"+view, nil, "<summary>As a request</summary>")
		}
	})
	rule(4, "nothing is cut in silence", func(t *testing.T, s *site) {
		s.has("org/db/search", []string{"q", "thing"}, "Hits 1 to 10 of 26 documents", `rel="next"`)
		s.has("org/db/doc", []string{"id", base + "Long/1"}, "of which a part is shown", "Show all")
		s.has("org/db/search", nil, "more values, by an expression") // of label
	})
	rule(5, "not looked, looking, nothing and failed are four texts", fourTexts)
	rule(6, "a decision can be changed and taken back, also later", func(t *testing.T, s *site) {
		pair := url.Values{"a": {base + "Planet/1"}, "b": {base + "Planet/61"}, "decision": {"same"}}
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", nil, "Last decisions", "Planet/1 – Planet/61", ">same</span>")
		pair.Set("decision", "different")
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", []string{"a", base + "Planet/1", "b", base + "Planet/61", "state", "different"}, `value="same"`, ">different</span>")
		pair.Set("decision", "undo")
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", []string{"state", "same"}, `same <span class="num">1`)
		pair.Set("decision", "open")
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", nil, "Nothing was decided yet")
	})
	rule(7, "the score is hidden until asked for, and never decides what is marked", func(t *testing.T, s *site) {
		seen, blind := s.has("org/db/duplicates", nil, `<details class="score"`, "!<details open class=\"score\""), s.has("org/db/duplicates", []string{"blind", "1"}, `!class="score"`)
		marks := regexp.MustCompile(`<mark class="differs">.*?</mark>`)
		if a, b := marks.FindAllString(seen, -1), marks.FindAllString(blind, -1); len(a) == 0 || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("marked %v, and %v where it is hidden", a, b)
		}
	})
	rule(8, "a member can be left out of a set, and doubtful sets can come first", func(t *testing.T, s *site) {
		s.has("org/db/duplicates", []string{"view", "groups"}, "compare, leave out", "Most doubtful first")
		s.has("org/db/duplicates", []string{"view", "groups", "order", "doubtful"}, "2 documents")
	})
	rule(9, "the next pair is asked for before this one is decided", func(t *testing.T, s *site) {
		s.has("org/db/duplicates", nil, `<link rel="prefetch" href="?a=`)
	})
	rule(10, "any two commits can be compared, and those that changed nothing are left out", func(t *testing.T, s *site) {
		for _, with := range []string{"first", "2026-03-01", "later"} {
			s.has("org/db/changes", []string{"at", "later", "with", with}, "From <span", "</h1>")
		}
		s.has("org/db/doc", []string{"id", base + "People/20", "history", "1"}, `<input type="hidden" name="id" value="`+base+`People/20"><label>Commit, branch or day <input name="at"`)
		s.has("org/db/search", []string{"q", "wise", "f.colour", `"red"`, "page", "1"}, `<input type="hidden" name="q" value="wise"><label>Commit, branch or day <input name="with"`, `name="f.colour" value="&#34;red&#34;"><input type="hidden" name="q"`)
		s.push("idle", "", "previous", "later", "branch", "side")
		s.push("busy", operation("Inserted", "Thing/77", "a new thing", nil), "previous", "idle", "branch", "side")
		s.has("org/db", []string{"at", "busy", "quiet", "1"}, "The commit before: idle")
		s.has("org/db", []string{"at", "idle"}, "The commit before: Mend", "The commit after: busy")
		s.has("org/db", nil, "1 commit that changed nothing is left out", "!>idle<", ">busy<")
		s.has("org/db", []string{"quiet", "1"}, ">idle<", "!left out")
		s.has("org/db", []string{"at", "idle"}, ">idle<")
	})
	rule(11, "a selection of the map has an address and an export", func(t *testing.T, s *site) {
		s.has("org/db/map", []string{"sel", "-99,-99;-99,99;99,99;99,-99"}, "Selected: 26", "map/ids?sel=")
	})
	rule(12, "the map has a way around it, and a place to say that it cannot be drawn", func(t *testing.T, s *site) {
		s.has("org/db/map", nil, `<noscript><p class="note">The map is drawn by a script.`, `id="map-problem"`)
	})
	rule(13, "keys stand on their buttons", func(t *testing.T, s *site) {
		body := s.has("org/db/duplicates", nil)
		keyed := regexp.MustCompile(`data-key="([a-z])"[^>]*>(?:<summary>)?<kbd>([a-z])</kbd>`).FindAllStringSubmatch(body, -1)
		if n := len(regexp.MustCompile(`data-key="[a-qs-z]"`).FindAllString(body, -1)); len(keyed) != n || n < 5 {
			t.Errorf("%d of %d keys are printed: %v", len(keyed), n, keyed)
		}
		for _, k := range keyed {
			if k[1] != k[2] {
				t.Errorf("%s is printed on the button of %s", k[2], k[1])
			}
		}
	})
	rule(14, "a class has one colour, on every page and at every commit", func(t *testing.T, s *site) {
		tag := regexp.MustCompile(`class="class hue(\d+)">Planet<|shape\d hue(\d+)"[^>]*></span><span class="grow" dir="auto">Planet<`)
		seen := make(map[string]bool)
		for _, where := range [][]string{{"org/db/search", "q", "tatooine"}, {"org/db/doc", "id", base + "Planet/1"}, {"org/db/map"}, {"org/db/map", "at", "first"}} {
			found := tag.FindStringSubmatch(s.has(where[0], where[1:]))
			if found == nil {
				t.Errorf("%v shows no class", where)
				continue
			}
			seen[found[1]+found[2]] = true
		}
		if len(seen) != 1 {
			t.Errorf("Planet has the colours %v", seen)
		}
	})
	rule(15, "what a person decided outranks likeness, and the page says so", func(t *testing.T, s *site) {
		s.has("org/db/duplicates", []string{"view", "groups"}, "Planet/61", "what people decided goes before it")
		pair := url.Values{"a": {base + "Planet/1"}, "b": {base + "Planet/61"}, "decision": {"different"}}
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", []string{"view", "groups"}, "!Planet/61")
		pair.Set("decision", "same")
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", []string{"view", "groups"}, "Planet/61")
		pair.Set("decision", "undo")
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", []string{"view", "groups"}, "!Planet/61")
		pair.Set("decision", "open")
		s.post("org/db/duplicates", "same-origin", pair)
		s.has("org/db/duplicates", []string{"view", "groups"}, "Planet/61")
	})
}

// behindPrefix has a proxy serve the page below a path, which the server knows nothing of.
func behindPrefix(t *testing.T, s *site) {
	const prefix = "/deep/down"
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host, r.RequestURI = target.Scheme, target.Host, ""
		path, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix)
		if r.URL.Path, r.URL.RawPath = path, ""; !ok {
			http.Error(w, "not below the prefix", http.StatusTeapot)
			return
		}
		if unescaped, err := url.PathUnescape(path); err == nil {
			r.URL.Path, r.URL.RawPath = unescaped, path
		}
		res, err := noRedirect.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		w.Header().Set("Location", res.Header.Get("Location"))
		w.WriteHeader(res.StatusCode)
	}))
	defer proxy.Close()
	address := regexp.MustCompile(` (?:href|src|action|hx-get)="([^"]*)"`)
	checked := make(map[string]bool)
	for path, params := range all {
		_, body, _ := s.get(path, params...)
		from, err := url.Parse(proxy.URL + prefix + "/ui/" + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range address.FindAllStringSubmatch(body, -1) {
			to, err := from.Parse(html.UnescapeString(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			kind := to.Path
			if checked[kind] || strings.Contains(to.RawQuery, "send=") {
				continue
			}
			checked[kind] = true
			res, err := noRedirect.Get(to.String())
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode >= 400 && res.StatusCode != http.StatusNotFound {
				t.Errorf("%q leads to %s: %d", path, to, res.StatusCode)
			}
			if !strings.HasPrefix(to.Path, prefix+"/") {
				t.Errorf("%q leads out of the prefix: %s", path, to)
			}
		}
	}
	if len(checked) < 15 {
		t.Errorf("only %d addresses were found: %v", len(checked), checked)
	}
	res, err := noRedirect.Get(proxy.URL + prefix + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if to := res.Header.Get("Location"); to != "./ui/" {
		t.Errorf("the root leads to %q", to)
	}
}

// held is a service that compares when it is let, and fails when it is told to.
type held struct {
	page.Service
	let  chan struct{}
	fail error
}

func (h *held) Duplicates(ctx context.Context, req pairs.DuplicatesRequest) (pairs.Pairs, error) {
	select {
	case <-h.let:
	case <-ctx.Done():
		return pairs.Pairs{}, context.Cause(ctx)
	}
	if h.fail != nil {
		return pairs.Pairs{}, h.fail
	}
	return h.Service.Duplicates(ctx, req)
}

func fourTexts(t *testing.T, _ *site) {
	h := &held{let: make(chan struct{})}
	s := newSite(t, func(c *page.Config, _ *api.Config) { h.Service, c.Service = c.Service, h })
	s.has("org/db/duplicates", []string{"min", "0.99"}, "Documents are being compared", "data-wait", "!alike enough")
	close(h.let)
	s.has("org/db/duplicates", []string{"min", "0.99"}, "No two documents are alike enough", "All 26 documents of", "were compared", "!being compared")
	h.fail = contract.ErrCorrupt
	status, body, _ := s.get("org/db/duplicates", "min", "0.98")
	if status < 500 || !strings.Contains(body, "Something went wrong") || strings.Contains(body, "alike enough") {
		t.Errorf("failed: %d %.600s", status, body)
	}
	s.has("org/db/doc", []string{"id", base + "People/20"}, "Look when it changed", "!first seen")
}
