package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFlags: what is given as flags and arguments is sent, by the API's names and
// types, and nothing else but what a command always sends. 0 is not the same as
// nothing.
func TestFlags(t *testing.T) {
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.RequestURI() + " " + string(body)
		if strings.HasPrefix(r.URL.Path, "/duplicates") || r.URL.Path == "/similar" || r.URL.Path == "/search" {
			io.WriteString(w, "[]")
			return
		}
		io.WriteString(w, "{}")
	}))
	defer srv.Close()
	for _, c := range []struct{ args, want string }{
		{"search --domain a/b --commit c hello", `POST /search {"commit":"c","domain":"a/b","q":"hello","snippet":true}`},
		{"search --domain a/b --branch x --mode hybrid --rank rrf --weight 0 --explain --feedback 3 --max-distance 0.5 --fuzzy off " +
			"--fallback off --syntax query --ef 9 --start 0 --count 2 --type A --type B,C --doc-id i --filter f>1 --field * --texts hello",
			`POST /search {"branch":"x","count":2,"doc_id":["i"],"doc_type":["A","B,C"],"domain":"a/b","ef":9,"explain":true,"fallback":"off","feedback":3,` +
				`"filter":"f\u003e1","fuzzy":"off","max_distance":0.5,"mode":"hybrid","output_fields":["*"],"q":"hello","rank":"rrf","snippet":true,"start":0,"syntax":"query","texts":true,"weight":0}`},
		{"search --domain a/b --from c --to d --weight 0.25 hello", "GET /search/diff?domain=a%2Fb&from=c&q=hello&snippet=true&to=d&weight=0.25 "},
		{"similar --domain a/b --commit c --ids i --ids j --include-self", `POST /similar {"commit":"c","domain":"a/b","ids":["i","j"],"include_self":true,"snippet":true}`},
		{"duplicates --domain a/b --commit c", "GET /duplicates?commit=c&domain=a%2Fb "},
		{"duplicates --domain a/b --commit c --min-score 0 --likeness words --match all --same x --differ y --differ z --since d --decided 3 --type A --count 3",
			"GET /duplicates?commit=c&count=3&decisions=3&differ=y&differ=z&doc_type=A&domain=a%2Fb&likeness=words&match=all&min_score=0&same=x&since=d "},
		{"duplicates --domain a/b --commit c --threshold 0.1 --fail-over 0.25", "GET /duplicates?commit=c&domain=a%2Fb&threshold=0.25 "},
		{"duplicates --domain a/b --commit c --threshold 0.3 --fail-over 0 --snippet", "GET /duplicates?commit=c&domain=a%2Fb&snippet=true&threshold=0.3 "},
		{"duplicates --domain a/b --commit c --summary md", "GET /duplicates?commit=c&domain=a%2Fb&snippet=true "},
		{"candidates --domain a/b --commit c --set-type A --target-type B --target-filter x --k 2", `POST /candidates {"commit":"c","doc_type":["A"],"domain":"a/b","k":2,"likeness":"mixed","target_doc_type":["B"],"target_filter":"x"}`},
		{"candidates --domain a/b --commit c --threshold 0 --target-threshold 0.5", `POST /candidates {"commit":"c","domain":"a/b","threshold_set":0,"threshold_target":0.5}`},
		{"clusters --domain a/b --branch x --resolution 2 --min-size 3", "GET /clusters?branch=x&domain=a%2Fb&min_size=3&resolution=2 "},
		{"clusters --domain a/b --from x --to y --k 3", "GET /clusters/diff?domain=a%2Fb&from=x&k=3&to=y "},
		{"decide --domain a/b --branch x i j later --by me --note why", `POST /decisions {"a":"i","b":"j","branch":"x","by":"me","decision":"later","domain":"a/b","note":"why"}`},
		{"decisions --domain a/b --count 3", "GET /decisions?count=3&domain=a%2Fb&format=ndjson "},
		{"assign --domain a/b c d", `POST /assign {"domain":"a/b","source_commit":"c","target_commit":"d"}`},
		{"compare --role document x y", `POST /compare {"method":"embedding","role":"document","source":"x","target":"y"}`},
		{"domains", "GET /domains "},
	} {
		asked = ""
		_, stdout, stderr := call(t.Context(), []string{"VECTORLINK_SERVER=" + srv.URL}, strings.Fields(c.args)...)
		if asked != c.want {
			t.Errorf("%s\nasked %s\nwant  %s\n%s%s", c.args, asked, c.want, stdout, stderr)
		}
	}
}

// TestGrid: numbers are aligned right under their titles, and nothing in a text means
// anything to a page or a terminal.
func TestGrid(t *testing.T) {
	g := grid{{"NAME", "N", "NEAR"}, {"a|`b`\x1b[1m", 7, float32(0.5)}, {word("plain"), nil, number("far")}, {"c", 100, nil}}
	var text, md strings.Builder
	g.text(&text)
	g.markdown(&md)
	const wantText = "NAME        N    NEAR\na|`b`[1m    7  0.5000\nplain             far\nc         100        \n"
	const wantMD = "| NAME | N | NEAR |\n| --- | ---: | ---: |\n| `a\\|'b'[1m` | 7 | 0.5000 |\n| plain |  | far |\n| `c` | 100 |  |\n\n"
	if text.String() != wantText || md.String() != wantMD {
		t.Errorf("got\n%q\n%q\nwant\n%q\n%q", text.String(), md.String(), wantText, wantMD)
	}
}

// TestMarkedPair: words that differ are marked, and what is alike is cut far from them.
func TestMarkedPair(t *testing.T) {
	mark := func(s string) string { return "<" + s + ">" }
	plain := func(s string) string { return s }
	long := strings.TrimSpace(strings.Repeat("word ", 60))
	for _, c := range []struct{ a, b, wantA, wantB string }{
		{"one two", "one two", "one two", "one two"},
		{"one\n\t two", "one three", "one <two>", "one <three>"},
		{long + " x", long + " y", "…word word word word word word word word word word word word <x>", "…word word word word word word word word word word word word <y>"},
		{"x " + long, long, "<x >" + long[:2*maxAlike] + "…", long[:2*maxAlike] + "…"},
	} {
		a, b := markedPair(c.a, c.b, mark, mark, plain)
		if a != c.wantA || b != c.wantB {
			t.Errorf("got\n%q\n%q\nwant\n%q\n%q", a, b, c.wantA, c.wantB)
		}
	}
	if text := shortened(long, true, true); text != long[:maxAlike]+"…"+long[len(long)-maxAlike:] {
		t.Errorf("in the middle: %q", text)
	}
}
