package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// cost is what indexing a commit of Star Wars takes, as its README says.
type cost struct{ documents, embedded int }

var costRow = regexp.MustCompile("(?m)^\\|[^|]*\\| `([a-z]+)` \\| ([0-9]+) \\| ([0-9]+) \\|")

// costs reads the table of the data set's README.
func costs(t *testing.T, data *starwars.Data) map[string]cost {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "starwars", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]cost)
	for _, m := range costRow.FindAllStringSubmatch(string(text), -1) {
		documents, _ := strconv.Atoi(m[2]) // digits
		embedded, _ := strconv.Atoi(m[3])
		table[m[1]] = cost{documents, embedded}
	}
	if len(table) != len(data.Commits) || table["load"].embedded == 0 {
		t.Fatalf("the README's table has %d commits, the data %d: %v", len(table), len(data.Commits), table)
	}
	return table
}

// checkQueries compares searches with what the data set expects of them.
func checkQueries(t *testing.T, data *starwars.Data, hits func(q starwars.Query) []string) {
	t.Helper()
	checked := 0
	for _, q := range data.Queries {
		if q.Expect == nil {
			continue
		}
		checked++
		got := hits(q)
		if i := slices.Index(got, q.Expect.ID); i < 0 || i >= q.Expect.Within {
			t.Errorf("%q at commit %s gives %v; want %s among the first %d", q.Text, q.Commit, got, q.Expect.ID, q.Expect.Within)
		}
	}
	if checked == 0 {
		t.Error("the data set expects nothing of any search")
	}
}

// demoOutput is what demo prints with --json.
type demoOutput struct {
	Queries []struct {
		Q, Commit, Name string
		Hits            []struct {
			ID       string
			Distance float64
		}
	}
	Commits []struct {
		Commit, Name                         string
		Documents, Embedded, Reused, Skipped int
	}
}

func TestDemo(t *testing.T) {
	data, err := starwars.Load()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	cmd := exec.Command(builtProgram(t), "demo", "--once", "--json", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Env = t.TempDir(), environ("TMPDIR="+tmp, "OPENAI_API_KEY=not-to-be-used")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var out demoOutput
	dec := json.NewDecoder(&stdout)
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		t.Error("there is more than one JSON value on standard output")
	}
	want := costs(t, data)
	if len(out.Commits) != len(want) {
		t.Errorf("got %d commits, want %d", len(out.Commits), len(want))
	}
	for _, c := range out.Commits {
		if got := (cost{c.Documents, c.Embedded}); got != want[c.Name] || c.Skipped != 0 {
			t.Errorf("commit %s: got %+v and %d skipped, want %+v", c.Name, got, c.Skipped, want[c.Name])
		}
	}
	checkQueries(t, data, func(q starwars.Query) []string {
		for _, got := range out.Queries {
			if got.Q == q.Text && got.Name == q.Commit {
				var ids []string
				for i, h := range got.Hits {
					ids = append(ids, h.ID)
					if i > 0 && h.Distance < got.Hits[i-1].Distance {
						t.Errorf("%q: hits are not in order of distance", q.Text)
					}
				}
				return ids
			}
		}
		return nil
	})
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind in the temporary directory: %v, %v", left, err)
	}
}

// TestDemoOnce checks that a demo that ends prints no requests to paste.
func TestDemoOnce(t *testing.T) {
	for _, once := range []bool{true, false} {
		var out bytes.Buffer
		d := &demo{p: &program{stdout: &output{Writer: &out}}, data: &starwars.Data{}, client: newClient("http://x", "", contract.Secret{}), once: once}
		d.print([]demoCommit{{Name: "load"}}, []demoQuery{{Q: "q", Hits: []api.Hit{{ID: "a", Chunk: api.HitChunk{Snippet: new("text")}}}}})
		if got := pasted.MatchString(out.String()); got == once {
			t.Errorf("once %t: requests to paste are there: %t\n%s", once, got, out.String())
		}
	}
}

var pasted = regexp.MustCompile(`(?m)^curl (?:(-X POST|-d '[^']*') )?'(http://[^']+)'$`)

// TestDemoServes checks the demo for people: another port where the first is
// taken, lines to paste that work, and nothing left behind after Ctrl-C.
func TestDemoServes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tmp := t.TempDir()
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	serving := regexp.MustCompile(`^Serving on (http://\S+) until Ctrl-C`)
	p := launch(t, environ("TMPDIR="+tmp), stdout, func(line []byte) string {
		if m := serving.FindSubmatch(line); m != nil {
			return string(m[1])
		}
		return ""
	}, "demo", "--listen", taken.Addr().String())
	if p.url == "http://"+taken.Addr().String() {
		t.Errorf("serves on %s, which is taken", p.url)
	}
	text, err := os.ReadFile(stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != p.url+"/ui/" {
		t.Errorf("the first line is %q, want the page's address", first)
	}
	// Templates are tried on the documents of its database.
	draft := url.Values{"class": {"Planet"}, "template": {"The world {{label}} {{nothing}}"}, "id": {"Planet/4 Planet/none"}}
	res, err := http.Get(p.url + "/ui/" + demoDomain + "/templates?" + draft.Encode())
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	for _, want := range []string{"</span>world", "Hoth", "there is no field &#34;nothing&#34; here", "there is no such document of the class", "4 tokens"} {
		if err != nil || !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page of templates lacks %q: %v\n%.3000s", want, err, page)
		}
	}
	lines := pasted.FindAllStringSubmatch(string(text), -1)
	if len(lines) != 5 {
		t.Errorf("there are %d lines to paste, want 5, in:\n%s", len(lines), text)
	}
	for _, l := range lines {
		method, body := http.MethodGet, ""
		if l[1] != "" {
			method, body = http.MethodPost, strings.Trim(strings.TrimPrefix(strings.TrimPrefix(l[1], "-X POST"), "-d "), "'")
		}
		req, err := http.NewRequestWithContext(t.Context(), method, l[2], strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(answer) < 3 {
			t.Errorf("%s: got %d %s, %v", l[0], resp.StatusCode, answer, err)
		}
	}
	if bytes.Contains(text, []byte("\x1b[")) {
		t.Error("there are colours in a file")
	}
	t.Run("newcomer", func(t *testing.T) { newcomer(t, p.url+"/ui/") })
	if code, took := p.stop(t, os.Interrupt); code != exitDone || took > 10*time.Second {
		t.Errorf("ended with %d after %v, want 0 within 10 s", code, took)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind in the temporary directory: %v, %v", left, err)
	}
}
