// Package docdbtest holds document sources to what the pipeline builds on
// ([TestSource]), and reads recorded exchanges with a TerminusDB server, for
// tests that play them to the client or put the same questions to minidb.
package docdbtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Exchange is one recorded request and its answer.
type Exchange struct {
	Name   string // file name without .txt
	Method string
	URL    *url.URL // path and query
	Header http.Header
	Body   []byte

	Status       int
	AnswerHeader http.Header
	Answer       []byte
}

// Exchanges reads the recorded exchanges in dir whose file names match pattern,
// by name. It fails the test when there is none.
func Exchanges(t testing.TB, dir, pattern string) []Exchange {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no recorded exchange matches %s in %s", pattern, dir)
	}
	var list []Exchange
	for _, f := range files {
		list = append(list, read(t, f))
	}
	return list
}

// One reads the one exchange of a name; "50" stands for "50-…".
func One(t testing.TB, dir, name string) Exchange {
	t.Helper()
	list := Exchanges(t, dir, name+"-*")
	if len(list) != 1 {
		t.Fatalf("%d recorded exchanges are called %s", len(list), name)
	}
	return list[0]
}

func read(t testing.TB, file string) Exchange {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	request, rest, ok := bytes.Cut(raw, []byte("\n----- response"))
	_, answer, ok2 := bytes.Cut(rest, []byte("-----\n"))
	if !ok || !ok2 {
		t.Fatalf("%s: not a recorded exchange", file)
	}
	e := Exchange{Name: strings.TrimSuffix(filepath.Base(file), ".txt")}
	line, header, body := split(request)
	words := strings.Fields(line)
	if len(words) != 3 {
		t.Fatalf("%s: request line %q", file, line)
	}
	e.Method, e.Header, e.Body = words[0], header, body
	if e.URL, err = url.Parse(words[1]); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	line, e.AnswerHeader, e.Answer = split(answer)
	words = strings.Fields(line)
	if len(words) < 2 {
		t.Fatalf("%s: status line %q", file, line)
	}
	if e.Status, err = strconv.Atoi(words[1]); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return e
}

// split cuts a message into its first line, headers and trimmed body.
func split(message []byte) (first string, header http.Header, body []byte) {
	head, body, _ := bytes.Cut(message, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	header = http.Header{}
	for _, l := range lines[1:] {
		if name, value, ok := strings.Cut(l, ":"); ok {
			header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return lines[0], header, bytes.TrimSpace(body)
}

// Write answers a request as recorded.
func (e Exchange) Write(w http.ResponseWriter) {
	for name, values := range e.AnswerHeader {
		switch name {
		case "Date", "Connection", "Content-Length", "Transfer-Encoding":
		default:
			w.Header()[name] = values
		}
	}
	w.WriteHeader(e.Status)
	w.Write(e.Answer)
}

// Decode decodes one JSON value, or the values of a stream of lines as a list.
// Numbers keep their text.
func Decode(t testing.TB, body []byte) any {
	t.Helper()
	var list []any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for d.More() {
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("not JSON: %v: %.200q", err, body)
		}
		list = append(list, v)
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}
