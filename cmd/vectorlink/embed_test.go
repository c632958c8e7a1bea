package main

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// embedRun runs the command embed over some lines.
func embedRun(t *testing.T, env []string, input string, args ...string) (code int, lines []embedded, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"embed"}, args...), env, strings.NewReader(input), &out, &errs)
	dec := json.NewDecoder(&out)
	for dec.More() {
		var l embedded
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return code, lines, errs.String()
}

func TestEmbed(t *testing.T) {
	code, lines, stderr := embedRun(t, nil, `"a wise old man"`+"\n\n"+`{"text":"an old and wise man","id":7}`+"\r\n"+`"\u0041 space station"`+"\n"+`""`,
		"--embed-batch-size", "3")
	if code != exitDone || stderr != "" || len(lines) != 4 {
		t.Fatalf("exit %d with %d lines, %s", code, len(lines), stderr)
	}
	for i, l := range lines {
		if n := math.Sqrt(dot(l.Embedding, l.Embedding)); l.Index != i || len(l.Embedding) != localDim || math.Abs(n-1) > 1e-4 {
			t.Errorf("line %d has index %d and %d numbers of length %g", i, l.Index, len(l.Embedding), n)
		}
	}
	near, far := dot(lines[0].Embedding, lines[1].Embedding), dot(lines[0].Embedding, lines[2].Embedding)
	if near < far+0.3 {
		t.Errorf("similarity %g of like texts, %g of unlike ones", near, far)
	}
	if code, lines, _ := embedRun(t, nil, ""); code != exitDone || len(lines) != 0 {
		t.Errorf("nothing: exit %d, %d lines", code, len(lines))
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// TestEmbedMarks checks that texts may begin with a byte order mark.
func TestEmbedMarks(t *testing.T) {
	var got []string
	for texts, err := range batches(t.Context(), strings.NewReader("\ufeff\"a\"\n{\"text\":\"b\"}\n\ufeff\n"), 1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, texts...)
	}
	if strings.Join(got, " ") != "a b" {
		t.Errorf("%q", got)
	}
}

func TestEmbedBadInput(t *testing.T) {
	for _, c := range []struct{ line, says string }{
		{`{"txt":"a"}`, `no member "text"`},
		{`{"text":null}`, `no member "text"`},
		{`"a\ud800"`, "surrogate"},
		{`null`, "not a JSON string"},
		{`7`, "not a JSON string"},
		{`plain text`, "not a JSON string"},
		{`"a" "b"`, "not a JSON string"},
		{`{"text":"a"`, "not a JSON string"},
		{"\"a\xff\"", "not valid UTF-8"},
		{`"` + strings.Repeat("a", maxLine) + `"`, "longer than 8MiB"},
	} {
		code, lines, stderr := embedRun(t, nil, "\"good\"\n"+c.line+"\n\"never read\"\n")
		if code != exitFailed || len(lines) != 1 || !strings.Contains(stderr, "line 2: ") || !strings.Contains(stderr, c.says) {
			t.Errorf("%.20q: exit %d, %d lines, %q; want 1, 1 and %q", c.line, code, len(lines), stderr, c.says)
		}
	}
}

// TestEmbedProvider checks roles, a refused text and a provider that does not
// let us in.
func TestEmbedProvider(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		type item struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		}
		var data []item
		for i, text := range req.Input {
			if strings.Contains(text, "poison") {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				w.Write([]byte(`{"error":{"message":"no","type":"invalid_request_error"}}`))
				return
			}
			v := []float32{1, 0}
			if strings.HasPrefix(text, "search_query: ") {
				v = []float32{0, 1}
			}
			data = append(data, item{i, v})
		}
		json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	defer srv.Close()
	env := []string{"VECTORLINK_EMBED_URL=" + srv.URL, "VECTORLINK_MODEL=nomic-embed-v2", "VECTORLINK_DIM=2"}
	code, lines, stderr := embedRun(t, env, "\"a\"\n\"poison\"\n\"b\"\n", "--role", "query")
	if code != exitFailed || !strings.Contains(stderr, "1 text refused") || len(lines) != 3 {
		t.Fatalf("exit %d, %d lines, %s", code, len(lines), stderr)
	}
	for i, l := range lines {
		if bad := l.Error != ""; bad != (i == 1) || !bad && l.Embedding[1] != 1 {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"bad key sk-canary"}}`, http.StatusUnauthorized)
	}))
	defer locked.Close()
	code, _, stderr = embedRun(t, append(env, "VECTORLINK_EMBED_KEY=sk-canary"), "\"a\"\n", "--embed-url", locked.URL)
	if code != exitUpstream || strings.Contains(stderr, "canary") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// TestNotice: what must accompany the model's weights can be had of every copy
// of the program.
func TestNotice(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"version", "--notice"}, nil, strings.NewReader(""), &out, &errs)
	if code != exitDone || !strings.Contains(out.String(), "all-MiniLM-L6-v2") || !strings.Contains(out.String(), "Apache License") {
		t.Errorf("exit %d, %d bytes, %s", code, out.Len(), errs.String())
	}
}
