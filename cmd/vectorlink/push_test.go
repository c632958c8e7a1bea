package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/templates"
)

// realServer serves an indexer of its own, whose embedder costs nothing.
func realServer(t *testing.T) string {
	t.Helper()
	st, err := claim(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.open(indexer.Config{Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.New(api.Config{SearchReady: true}, service.New(st.Reader, st.Indexer)))
	t.Cleanup(func() {
		srv.Close()
		if err := st.close(context.WithoutCancel(t.Context()), nil); err != nil {
			t.Error(err)
		}
	})
	return srv.URL
}

// arrayFile returns an .npy file of float32.
func arrayFile(rows ...[]float32) string {
	b := npy.Header{Type: npy.Float32, Rows: len(rows), Cols: len(rows[0])}.Append(nil)
	for _, row := range rows {
		b = npy.AppendFloats(b, row)
	}
	return string(b)
}

// tensors returns a safetensors file of float16 whose second tensor has the rows.
func tensorFile(ids string, rows ...[]uint16) string {
	metadata, _ := json.Marshal(map[string]string{"ids": ids})
	head := fmt.Sprintf(`{"__metadata__":%s,"other":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"embeddings":{"dtype":"F16","shape":[%d,%d],"data_offsets":[4,%d]}}`,
		metadata, len(rows), len(rows[0]), 4+2*len(rows)*len(rows[0]))
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	b = append(b, 9, 9, 9, 9)
	for _, row := range rows {
		for _, x := range row {
			b = binary.LittleEndian.AppendUint16(b, x)
		}
	}
	return string(b)
}

// TestPush checks what files of every form become, and how a push ends that makes
// no commit.
func TestPush(t *testing.T) {
	server := "VECTORLINK_SERVER=" + realServer(t)
	for i, c := range []struct {
		name  string
		files map[string]string // by name; "-" is standard input
		args  string
		code  int
		want  string // documents with their fields, or what standard error says
	}{
		{"operations", map[string]string{"a.ndjson": "\ufeff" + `{"op":"Inserted","id":"a","string":"one","fields":{"n":1}}` + "\n\n" + `{"op":"Deleted","id":"b"}`}, "a.ndjson", 0, `a {"n":1}`},
		{"documents", map[string]string{"a.jsonl": `{"id":"a","text":"one","n":1,"t":"x","no":null,"none":[],"list":[1,2]}` + "\r\n" + `{"id":7,"string":"seven"}`}, "a.jsonl", 0, `7 | a {"list":[1,2],"n":1,"t":"x"}`},
		{"names", map[string]string{"a.json": " [\n{\"key\":\"a\",\n\"body\":\"one\",\"fields\":{\"k\":true},\"deep\":{\"x\":1}}\n]\n"}, "--id key --text body a.json", 0, `a {"k":true}`},
		{"standard input", map[string]string{"-": `[{"id":"a","text":"one"}]`}, "-", 0, "a"},
		{"two files", map[string]string{"a.json": `[{"id":"a","text":"one"}]`, "b.ndjson": `{"id":"b","text":"two"}`}, "a.json b.ndjson", 0, "a | b"},
		{"csv", map[string]string{"a.csv": "\ufeffid,text,year,code,ok\na,\"one\n\"\"1\"\"\",2024,007,true\nb,two,-1.5,8,\nc,,,,false\n"}, "a.csv", 0, `a {"code":"007","ok":true,"year":2024} | b {"code":"8","year":-1.5} | c {"ok":false}`},
		{"csv of standard input", map[string]string{"-": "id\ttext\na\tone\n"}, "--format tsv -", 0, "a"},
		{"npy", map[string]string{"v.npy": arrayFile([]float32{1, 0}, []float32{0, 1}), "ids.txt": "a\nb\r\n"}, "--dim 2 --ids ids.txt v.npy", 0, "a [1,0] | b [0,1]"},
		{"safetensors", map[string]string{"v.safetensors": tensorFile(`["a"]`, []uint16{0xbc00, 0})}, "--dim 2 v.safetensors", 0, "a [-1,0]"},

		{"line at fault", map[string]string{"a.ndjson": `{"op":"Inserted","id":"a","string":"one"}` + "\n\n" + `{"op":"Inserted","id":"b"}`}, "a.ndjson", 1, "malformed line 3: string is missing (record 3 of "},
		{"line of the second file", map[string]string{"a.json": `[{"id":"a","text":"one"}]`, "b.ndjson": `{"op":"Abort"}`}, "a.json b.ndjson", 1, "(record 1 of "},
		{"marks in the middle", map[string]string{"a.ndjson": "\ufeff" + `{"id":"a","text":"one"}` + "\n\ufeff" + `{"id":"b","text":"two"}`}, "a.ndjson", 0, "a | b"},
		{"half a character", map[string]string{"a.ndjson": `{"id":"a","text":"one"}` + "\n" + `{"id":"b","text":"\ud83c"}`}, "a.ndjson", 1, "line 2: a text has half of a surrogate pair"},
		{"half a character in an array", map[string]string{"a.json": `[{"id":"a\ud800","text":"one"}]`}, "a.json", 1, "record 1: a text has half"},
		{"half a character in ids", map[string]string{"v.npy": arrayFile([]float32{1, 0}), "ids.json": `["a\ud800"]`}, "--dim 2 --ids ids.json v.npy", 2, "half of a surrogate pair"},
		{"no UTF-8", map[string]string{"a.json": "[{\"id\":\"a\xff\",\"text\":\"one\"}]"}, "a.json", 1, "record 1: invalid UTF-8"},
		{"no id", map[string]string{"a.json": `[{"id":"a","text":"one"},{"text":"two"}]`}, "a.json", 1, `record 2: no text or number "id"`},
		{"no text", map[string]string{"a.ndjson": `{"id":"a"}`}, "a.ndjson", 1, `line 1: no text "text"`},
		{"nothing", map[string]string{"a.ndjson": "[]\n"}, "a.ndjson", 0, ""},
		{"cut array", map[string]string{"a.json": `[{"id":"a","text":"one"}`}, "a.json", 1, "not a JSON array"},
		{"column", map[string]string{"a.csv": "id,body\na,b\n"}, "a.csv", 1, `no column "text" among id, body`},
		{"row", map[string]string{"a.csv": "id,text\na\n"}, "a.csv", 1, "wrong number of fields"},
		{"empty id", map[string]string{"a.csv": "id,text\n,b\n"}, "a.csv", 1, "line 2: the id is empty"},
		{"rows without ids", map[string]string{"v.npy": arrayFile([]float32{1, 0})}, "--dim 2 v.npy", 1, "1 rows, and 0 ids"},
		{"cut rows", map[string]string{"v.npy": arrayFile([]float32{1, 0})[:130], "ids.txt": "a"}, "--dim 2 --ids ids.txt v.npy", 1, "row 1 is cut off"},
		{"no npy", map[string]string{"v.npy": "PK"}, "v.npy", 1, "not an .npy file"},
		{"other dimension", map[string]string{"v.npy": arrayFile([]float32{1, 0}), "ids.txt": "a"}, "--dim 3 --ids ids.txt v.npy", 1, "malformed line 1"},
		{"ending", map[string]string{"a.xlsx": ""}, "a.xlsx", 2, "what is it?"},
		{"missing", nil, "a.json", 2, "no such file"},
		{"taken", map[string]string{"a.json": "[]"}, "--domain t/0 a.json", 1, "is indexed already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			stdin := c.files["-"]
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			domain := fmt.Sprintf("t/%d", i)
			args := []string{"push", "--commit", "c"}
			for arg := range strings.FieldsSeq(c.args) {
				if strings.Contains(arg, ".") {
					arg = filepath.Join(dir, arg)
				}
				args = append(args, arg)
			}
			if !slices.Contains(args, "--domain") {
				args = append(args, "--domain", domain)
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), args, []string{server}, strings.NewReader(stdin), &stdout, &stderr)
			if code != c.code || code != 0 && !strings.Contains(stderr.String(), c.want) {
				t.Fatalf("exit %d, want %d and %q\n%s%s", code, c.code, c.want, stdout.String(), stderr.String())
			}
			if code != 0 {
				if stdout.Len() > 0 {
					t.Errorf("printed %s", stdout.String())
				}
				if code, _, stderr := call(t.Context(), []string{server}, "status", "--domain", domain, "--json"); code != 0 || strings.Contains(stderr, `"commits"`) {
					t.Errorf("there is a commit: %s", stderr)
				}
				return
			}
			if got := pushed(t, server, domain, strings.Contains(c.args, "--dim")); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// pushed returns the documents of a domain's commit c, with their fields or vectors.
func pushed(t *testing.T, server, domain string, vectors bool) string {
	t.Helper()
	p := &program{environ: []string{server}, stdout: &output{}, flags: make(map[string]string)}
	var ids []string
	q := values("domain", domain, "commit", "c", "format", "ids")
	if _, err := p.ask(t.Context(), ClientConfig{}, http.MethodGet, "/embeddings", q, nil, &ids); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, id := range ids {
		var hits []api.Hit
		output := []string{"*", "vector"}[map[bool]int{true: 1}[vectors]]
		body := map[string]any{"domain": domain, "commit": "c", "id": id, "include_self": true, "count": 1, "output_fields": []string{output}}
		if _, err := p.ask(t.Context(), ClientConfig{}, http.MethodPost, "/similar", nil, body, &hits); err != nil {
			t.Fatal(err)
		}
		text := hits[0].ID + " " + string(hits[0].Fields)
		if vectors {
			text = hits[0].ID + " " + strings.ReplaceAll(fmt.Sprint(hits[0].Vector), " ", ",")
		}
		list = append(list, strings.TrimSuffix(strings.TrimSpace(text), " {}"))
	}
	return strings.Join(list, " | ")
}

// TestPushToOldServer checks the push to a server that knows no strict ones: its
// task says how it ended.
func TestPushToOldServer(t *testing.T) {
	for end, want := range map[string]int{`{"status":"Complete","documents":1}`: exitDone, "": exitFailed} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/push":
				w.Header().Set("X-Task-Id", taskID("1"))
				fmt.Fprint(w, taskID("1"))
			case r.URL.Path == "/check" && end == "":
				w.Header().Set("X-Error-Code", "invalid_request")
				http.Error(w, "malformed line 1", http.StatusInternalServerError)
			default:
				fmt.Fprint(w, end)
			}
		}))
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"push", "--domain", "a/b", "--commit", "c", "-"}, []string{"VECTORLINK_SERVER=" + srv.URL},
			strings.NewReader(`{"id":"a","text":"one"}`), &stdout, &stderr)
		if code != want {
			t.Errorf("exit %d, want %d\n%s%s", code, want, stdout.String(), stderr.String())
		}
		srv.Close()
	}
}
