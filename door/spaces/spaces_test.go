package spaces_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/door/spaces"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/internal/npy"
	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/templates"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// open returns what calls a door: its answer, or its error.
func open(t *testing.T) func(path, mediaType string, body io.Reader) (string, error) {
	t.Helper()
	files := vfstest.NewMem()
	ix, err := indexer.Open(indexer.Config{FS: files, Embedder: &indexertest.Embedder{}, Renderer: templates.New(templates.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	live := space.New(space.Config{FS: files, Service: service.New(ix.Reader, ix)})
	t.Cleanup(func() {
		if err := errors.Join(live.Close(), ix.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	routes := spaces.Routes(live, 1<<20)
	return func(path, mediaType string, body io.Reader) (string, error) {
		r := httptest.NewRequest(http.MethodPost, path, body)
		r.Header.Set("Content-Type", mediaType)
		w := httptest.NewRecorder()
		i := slices.IndexFunc(routes, func(rt service.Route) bool {
			return slices.Contains(rt.Methods, http.MethodPost) && strings.HasSuffix(rt.Path, "*") == (path != "/spaces")
		})
		err := routes[i].Answer(w, r)
		return w.Body.String(), err
	}
}

// TestStrict refuses bodies with more behind their end.
func TestStrict(t *testing.T) {
	call := open(t)
	if _, err := call("/spaces", "", strings.NewReader(`{"name":"s","dims":1}`)); err != nil {
		t.Fatal(err)
	}
	array := string(npy.Header{Type: npy.Int64, Rows: 1}.Append(nil)) + "\x01\x00\x00\x00\x00\x00\x00\x00" +
		string(npy.Header{Type: npy.Float32, Rows: 1, Cols: 1}.Append(nil)) + "\x00\x00\x80\x3f"
	for _, c := range []struct {
		call, mediaType, body string
		ok                    bool
	}{
		{"set", "", `{"key":1,"vector":[1]}`, true},
		{"set", "", `{"key":1,"vector":[1]}}`, false},
		{"set", "", `{"key":1,"vector":[1]} {}`, false},
		{"nearest", "", `{"vector":[1]}`, true},
		{"nearest", "", `{"vector":[3e38]}`, false},
		{"multiset", "application/x-npy", array, true},
		{"multiset", "application/x-npy", array + "more", false},
		{"multiset", "application/x-npy", array[:len(array)-1], false},
	} {
		got, err := call("/spaces/s/"+c.call, c.mediaType, strings.NewReader(c.body))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%s %.40q: %s, %v", c.call, c.body, got, err)
		}
	}
}

// TestSlowSender has one half of a small stream arrive: others are committed meanwhile.
func TestSlowSender(t *testing.T) {
	call := open(t)
	if _, err := call("/spaces", "", strings.NewReader(`{"name":"s","dims":1}`)); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	slow := make(chan error)
	go func() {
		_, err := call("/spaces/s/multiset", "application/x-ndjson", r)
		slow <- err
	}()
	if _, err := io.WriteString(w, `{"key":1,"vector":[1]}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := call("/spaces/s/multiset", "application/x-ndjson", strings.NewReader(`{"key":2,"vector":[2]}`)); err != nil {
		t.Errorf("beside a slow sender: %v", err)
	}
	if err := errors.Join(w.Close(), <-slow); err != nil {
		t.Error(err)
	}
}
