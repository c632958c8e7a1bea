package vectorlink_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/vectorlink/vectorlink"

// layers is the import order: a package imports only from layers to its right
// (below it), never a sibling and never to the left.
var layers = [][]string{
	{"cmd"},
	{"workshop"},
	{"api", "page", "door", "docdb", "embed", "templates", "backup"},
	{"space"},
	{"service"},
	{"indexer"},
	{"overview", "pairs"},
	{"search"},
	{"catalog", "tasks", "bundle"},
	{"snapshot", "hnsw", "vecstore", "textindex", "fields", "cluster"},
	{"vfs", "contract"},
	{"vector"},
	{"internal"},
}

// outside are packages of the project that stand outside the order: data and
// tools, imported by programs and tests alone.
var outside = []string{"testdata", "bench"}

// owners names, for each third-party module, the only packages whose
// production code imports it.
var owners = map[string][]string{
	"connectrpc.com/connect":                       {"door"},
	"google.golang.org/protobuf":                   {"door"},
	"github.com/modelcontextprotocol/go-sdk":       {"door"},
	"github.com/alecthomas/kong":                   {"cmd"},
	"go.yaml.in/yaml/v3":                           {"cmd", "page"},
	"golang.org/x/term":                            {"cmd"},
	"github.com/go-chi/chi":                        {"api"},
	"github.com/hasura/go-graphql-client":          {"docdb"},
	"github.com/vektah/gqlparser":                  {"docdb"},
	"github.com/aymerick/raymond":                  {"templates"},
	"github.com/sashabaranov/go-openai":            {"embed", "workshop"},
	"github.com/tiktoken-go/tokenizer":             {"embed"},
	"github.com/dlclark/regexp2":                   {"embed"},
	"github.com/rivo/uniseg":                       {"embed", "textindex", "internal"},
	"github.com/cenkalti/backoff":                  {"embed"},
	"golang.org/x/net":                             {"api"},
	"golang.org/x/text":                            {"embed", "textindex"},
	"golang.org/x/time":                            {"indexer"},
	"github.com/hashicorp/golang-lru":              {"search"},
	"github.com/klauspost/compress":                {"snapshot", "backup"},
	"golang.org/x/sys":                             {"vfs", "vector", "embed"},
	"github.com/mmcloughlin/avo":                   {}, // generators alone
	"github.com/blevesearch":                       {"textindex"},
	"github.com/tidwall/btree":                     {"catalog", "space"},
	"github.com/RoaringBitmap/roaring":             {"textindex", "fields"},
	"github.com/expr-lang/expr":                    {"fields"},
	"github.com/getkin/kin-openapi":                {},
	"github.com/chromedp":                          {}, // the page's tests alone
	"github.com/prometheus/client_golang":          {"api"},
	"github.com/hashicorp/golang-lru/v2/expirable": {}, // faults: its callbacks deadlock and are missed
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Doc        string
	Imports    []string
	Name       string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,Name", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list names %d packages; the check would be empty", len(list))
	}
	return list
}

// top is the first path element of a package of ours, "" for others.
func top(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func layerOf(name string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, name) })
}

// order spells the import order out.
func order() string {
	rooms := make([]string, len(layers))
	for i, l := range layers {
		rooms[i] = strings.Join(l, ", ")
	}
	return strings.Join(rooms, " → ")
}

// helper packages (…test, generators, converters) serve tests and developers;
// they are not part of the program.
func helper(p listed) bool {
	return strings.HasSuffix(path.Base(p.ImportPath), "test") || p.Name == "main" && top(p.ImportPath) != "cmd"
}

func TestImportOrder(t *testing.T) {
	for _, p := range packages(t) {
		from := top(p.ImportPath)
		if from == "" || slices.Contains(outside, from) {
			continue
		}
		at := layerOf(from)
		if at < 0 {
			t.Errorf("%s has no place in the import order", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			to := top(imp)
			if to == "" || to == from {
				continue
			}
			if slices.Contains(outside, to) {
				if from != "cmd" && !helper(p) {
					t.Errorf("%s imports %s, which is for programs and tests", p.ImportPath, imp)
				}
				continue
			}
			if layerOf(to) <= at {
				t.Errorf("%s imports %s: the order is %s; siblings do not import each other", p.ImportPath, imp, order())
			}
		}
	}
}

func TestModuleOwners(t *testing.T) {
	for _, p := range packages(t) {
		from := top(p.ImportPath)
		if helper(p) || slices.Contains(outside, from) {
			continue
		}
		for _, imp := range p.Imports {
			if !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") || strings.HasPrefix(imp, module) {
				continue
			}
			owner, known := "", false
			for m := range owners {
				if (imp == m || strings.HasPrefix(imp, m+"/")) && len(m) > len(owner) {
					owner, known = m, true
				}
			}
			switch {
			case !known:
				t.Errorf("%s imports %s, which has no owner: name one in this test", p.ImportPath, imp)
			case !slices.Contains(owners[owner], from):
				t.Errorf("%s imports %s, which only %v may", p.ImportPath, imp, owners[owner])
			}
		}
	}
}

func TestNoTestingInProduction(t *testing.T) {
	for _, p := range packages(t) {
		if !helper(p) && slices.Contains(p.Imports, "testing") {
			t.Errorf("%s imports testing", p.ImportPath)
		}
	}
}

func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
