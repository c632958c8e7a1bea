package indexer_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vector"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestEmbeddings checks which vectors are handed out, and their length.
func TestEmbeddings(t *testing.T) {
	h := openPush(t, vfstest.NewMem(), &indexertest.Embedder{Window: 2})
	h.mustPush("", "", "c1", puts("d/B/2", "two words and more", "d/A/1", "one", "d/A/3", "")...)
	h.mustPush("", "", "c2", append(puts("d/A/1", "uno"), remove("d/B/2"))...)
	tests := []struct {
		ref    search.Ref
		filter search.Filter
		want   []string // id and text of the first chunk
	}{
		{search.Ref{Commit: "c1"}, search.Filter{}, []string{"d/A/1", "one", "d/A/3", "", "d/B/2", "two words "}},
		{search.Ref{Branch: "main"}, search.Filter{}, []string{"d/A/1", "uno", "d/A/3", ""}},
		{search.Ref{Commit: "c9", Ancestors: []string{"c2"}}, search.Filter{}, []string{"d/A/1", "uno", "d/A/3", ""}},
		{search.Ref{Commit: "c1"}, search.Filter{Types: []string{"B", "Z"}}, []string{"d/B/2", "two words "}},
		{search.Ref{Commit: "c1"}, search.Filter{IDs: []string{"d/B/2", "d/none", "d/A/1", "d/B/2"}}, []string{"d/A/1", "one", "d/B/2", "two words "}},
		{search.Ref{Commit: "c1"}, search.Filter{IDs: []string{"d/B/2", "d/A/1"}, Types: []string{"A"}}, []string{"d/A/1", "one"}},
		{search.Ref{Commit: "c1"}, search.Filter{IDs: []string{"d/none"}}, nil},
	}
	for _, tt := range tests {
		called := false
		err := h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: tt.ref, Filter: tt.filter}, func(e *search.Embeddings) error {
			called = true
			if e.Count != len(tt.want)/2 || e.Dim != 32 || e.Commit != "c1" && e.Commit != "c2" {
				t.Errorf("%+v: %d vectors of %d numbers at %s", tt, e.Count, e.Dim, e.Commit)
			}
			i := 0
			for v, err := range e.Vectors {
				if err != nil {
					return err
				}
				if v.ID != tt.want[i] || !slices.Equal(v.Vector, indexertest.Vector(tt.want[i+1], 32)) {
					t.Errorf("%+v: vector %d is of %s", tt, i/2, v.ID)
				}
				if n := vector.Dot(v.Vector, v.Vector); math.Abs(float64(n)-1) > 1e-5 {
					t.Errorf("%s: length² %v", v.ID, n)
				}
				i += 2
			}
			if i != len(tt.want) {
				t.Errorf("%+v: %d vectors, want %d", tt, i/2, len(tt.want)/2)
			}
			return nil
		})
		if err != nil || !called {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	mine := errors.New("mine")
	if err := h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}}, func(*search.Embeddings) error { return mine }); err != mine {
		t.Errorf("the caller's error comes back as %v", err)
	}
	for _, ref := range []search.Ref{{Commit: "c9"}, {Branch: "dev"}} {
		if err := h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: ref}, nil); !errors.Is(err, contract.ErrNotFound) {
			t.Errorf("%+v: %v, want ErrNotFound", ref, err)
		}
	}
	h.mustPush("empty", "", "e1")
	if err := h.Embeddings(t.Context(), search.EmbeddingsRequest{Domain: domain, Ref: search.Ref{Commit: "e1"}}, func(e *search.Embeddings) error {
		for range e.Vectors {
			t.Error("a vector of nothing")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestCompare: equal texts are at 0, and roles are told.
func TestCompare(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	compare := func(a, b string, roles ...contract.Role) (float32, error) {
		if roles == nil {
			roles = []contract.Role{contract.RoleQuery, contract.RoleDocument}
		}
		return h.Compare(t.Context(), search.CompareRequest{Source: a, Target: b, SourceRole: roles[0], TargetRole: roles[1]})
	}
	far, err := compare("red apple", "blue whale")
	if err != nil || far <= 0 || far > 1 {
		t.Errorf("far: %v, %v", far, err)
	}
	near, err := compare("red apple", "red apples apple", contract.RoleClustering, contract.RoleClustering)
	if err != nil || near <= 0 || near >= far {
		t.Errorf("near: %v, far %v, %v", near, far, err)
	}
	// The test embedder takes words alone: another text, the same vector.
	if d, err := compare("red apple", "red  apple"); err != nil || d <= 0 || d > 1e-6 {
		t.Errorf("nearly equal: %v, %v", d, err)
	}
	emb.Reset()
	emb.Fail = func([]string) error { return fmt.Errorf("%w: down", contract.ErrProvider) }
	if d, err := compare("red apple", "red apple"); err != nil || d != 0 || len(emb.Texts()) != 0 {
		t.Errorf("equal: %v, %v, embedded %q", d, err, emb.Texts())
	}
	if _, err := compare("a", "b"); !errors.Is(err, contract.ErrProvider) {
		t.Errorf("provider down: %v", err)
	}
	for _, pair := range [][2]string{{"", "x"}, {"x", ""}, {"", ""}} {
		if _, err := compare(pair[0], pair[1]); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", pair, err)
		}
	}
	emb.Fail = nil
	emb.Refuse = func(text string) error {
		if strings.Contains(text, "poison") {
			return errors.New("refused")
		}
		return nil
	}
	if _, err := compare("poison", "b"); !errors.Is(err, contract.ErrProvider) {
		t.Errorf("refused: %v, want ErrProvider", err)
	}
}
