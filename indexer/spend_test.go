package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestPlanSpendsNothing(t *testing.T) {
	src, emb := indexertest.NewSource(), &indexertest.Embedder{}
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "red apple", "d/A/2", "green pear", "d/A/3", "red apple")})
	src.Commit("main", "c2", indexertest.Change{Put: docs("d/A/1", "yellow plum", "d/A/4", "green pear"), Remove: []string{"d/A/3"}})
	files := vfstest.NewMem()
	h := open(t, files, src, emb, func(c *indexer.Config) { c.PricePerMillion = 2 })
	plan := func(commit string) indexer.Plan {
		t.Helper()
		p, err := h.Plan(t.Context(), indexer.IndexRequest{Domain: domain, Commit: commit})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	price := 4.0 * 2 / 1e6
	got := plan("c1")
	if got.Price == nil || *got.Price != price {
		t.Errorf("price %v, want %v", got.Price, price)
	}
	got.Price = nil
	if want := (indexer.Plan{Domain: domain, Commit: "c1", Documents: 3, Changed: 3, Texts: 3, Stored: 1, ToEmbed: 2, Tokens: 4, Skipped: []indexer.Skipped{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("plan %+v, want %+v", got, want)
	}
	if names, _ := files.List(); len(names) != 0 || len(emb.Texts()) != 0 {
		t.Errorf("a plan left %v and embedded %d texts", names, len(emb.Texts()))
	}
	task := h.mustIndex("c1", "")
	if task.Embedded != 2 || task.Tokens != 4 || task.TokensToEmbed != 4 {
		t.Errorf("the plan was %+v, the task did %+v", got, task)
	}
	got = plan("c2")
	got.Price = nil
	if want := (indexer.Plan{Domain: domain, Commit: "c2", Base: "c1", Documents: 3, Changed: 2, Deleted: 1, Texts: 3, Stored: 2, ToEmbed: 1, Tokens: 2, Skipped: []indexer.Skipped{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("plan %+v, want %+v", got, want)
	}
	if got := plan("c1"); !got.Indexed || got.ToEmbed != 0 {
		t.Errorf("plan of an indexed commit: %+v", got)
	}
	if _, err := h.Plan(t.Context(), indexer.IndexRequest{Domain: domain, Commit: "c9"}); !errors.Is(err, contract.ErrNotFound) {
		t.Errorf("plan of an unknown commit: %v", err)
	}
}

// TestDomainsAreApart checks that what is written to one domain opens nothing of
// any other: with a thousand of them, a push costs what it does with one.
func TestDomainsAreApart(t *testing.T) {
	mem := vfstest.NewMem()
	h := openPush(t, mem, &indexertest.Embedder{})
	for i := range 20 {
		h.pushInto(fmt.Sprintf("admin/copy%02d", i), "", "c", puts("d/A/1", "red apple")...)
	}
	h.close()
	h = openPush(t, mem, &indexertest.Embedder{})
	if n := h.OpenVectors(); n != 0 {
		t.Errorf("%d files of vectors are open after the start", n)
	}
	h.pushInto("admin/copy00", "c", "c1", puts("d/A/2", "red apple")...)
	if n := h.OpenVectors(); n != 1 {
		t.Errorf("%d files of vectors are open after a push into one domain", n)
	}
}

// halfway embeds the first half of each call and then fails.
type halfway struct {
	*indexertest.Embedder
	failing bool
}

func (e *halfway) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	if !e.failing {
		return e.Embedder.Embed(ctx, r)
	}
	texts := r.Texts
	r.Texts = texts[:len(texts)/2]
	some, err := e.Embedder.Embed(ctx, r)
	if err != nil {
		return nil, err
	}
	return append(some, make([][]float32, len(texts)-len(some))...), fmt.Errorf("%w: it went away", contract.ErrProvider)
}

func TestWhatCameBeforeAFailureIsKept(t *testing.T) {
	src := indexertest.NewSource()
	src.Commit("main", "c1", indexertest.Change{Put: docs("d/A/1", "one", "d/A/2", "two", "d/A/3", "three", "d/A/4", "four")})
	emb := &halfway{&indexertest.Embedder{}, true}
	h := open(t, vfstest.NewMem(), src, emb.Embedder, func(c *indexer.Config) { c.Embedder = emb })
	if task := h.index("c1", ""); task.State != indexer.TaskFailed || !strings.Contains(task.Error, "went away") {
		t.Fatalf("%s %q", task.State, task.Error)
	}
	emb.failing = false
	if task := h.mustIndex("c1", ""); task.Embedded != 2 || task.Documents != 4 {
		t.Errorf("then embedded %d of %d, want 2 of 4", task.Embedded, task.Documents)
	}
	if n := len(emb.Texts()); n != 4 {
		t.Errorf("%d texts were paid for, want 4", n)
	}
}
