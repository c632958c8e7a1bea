package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func query(commit, text string) search.SearchRequest {
	return search.SearchRequest{
		Domain: domain, Ref: search.Ref{Commit: commit}, Text: text, Options: search.Options{Page: search.Page{Count: 10}},
	}
}

// TestEqualQueriesAreEmbeddedOnce counts what is embedded of equal queries.
func TestEqualQueriesAreEmbeddedOnce(t *testing.T) {
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb)
	h.mustPush("main", "", "c1", puts("d/A/1", "one fish", "d/A/2", "two fish")...)
	h.mustPush("main", "", "c2", puts("d/A/3", "red fish")...)
	emb.Reset()
	ask := func(req search.SearchRequest) {
		t.Helper()
		if _, err := h.Search(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	wantTexts := func(want ...string) {
		t.Helper()
		if got := emb.Texts(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("embedded %q, want %q", got, want)
		}
		emb.Reset()
	}
	ask(query("c1", "fish"))
	ask(query("c1", "fish"))
	ask(query("c2", "fish"))
	hybrid := query("c2", "fish")
	hybrid.Mode = search.ModeHybrid
	ask(hybrid)
	wantTexts("fish")
	// Another role is another question.
	asDocument := query("c1", "fish")
	asDocument.Role = contract.RoleDocument
	ask(asDocument)
	ask(asDocument)
	wantTexts("fish")
	// A comparison asks the same questions.
	distance, err := h.Compare(t.Context(), search.CompareRequest{
		Source: "fish", Target: "fowl", SourceRole: contract.RoleQuery, TargetRole: contract.RoleDocument,
	})
	if err != nil || distance <= 0 {
		t.Errorf("Compare: %v, %v", distance, err)
	}
	wantTexts("fowl")
	st, err := h.Statistics("")
	if a := st.Usage; err != nil || a.Queries != 3 || a.QueryHits != 5 || a.QueryMisses != 3 || a.QueryBytes < 3*4*32 {
		t.Errorf("statistics %+v, %v", a, err)
	}
}

// TestAnotherModelIsAskedAnew: the vectors of one model are not another's.
func TestAnotherModelIsAskedAnew(t *testing.T) {
	files := vfstest.NewMem()
	for _, name := range []string{"a", "b"} {
		emb := &indexertest.Embedder{Name: name}
		h := openPush(t, files, emb)
		if _, err := h.Compare(t.Context(), search.CompareRequest{Source: "x", Target: "y", SourceRole: contract.RoleQuery, TargetRole: contract.RoleQuery}); err != nil {
			t.Fatal(err)
		}
		if n := len(emb.Texts()); n != 2 {
			t.Errorf("model %s embedded %d texts, want 2", name, n)
		}
		h.close()
	}
}

// TestQueryCacheIsBounded checks the limit of bytes, and that the least recently
// used goes first.
func TestQueryCacheIsBounded(t *testing.T) {
	const limit = 4 * (200 + 4*32)
	emb := &indexertest.Embedder{}
	h := openPush(t, vfstest.NewMem(), emb, func(c *indexer.Config) { c.QueryCacheBytes = limit })
	h.mustPush("main", "", "c1", puts("d/A/1", "one")...)
	emb.Reset()
	for i := range 50 {
		for _, text := range []string{"often", fmt.Sprint("once ", i)} {
			if _, err := h.Search(t.Context(), query("c1", text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := strings.Count(strings.Join(emb.Texts(), ";"), "often"); n != 1 {
		t.Errorf("what is asked for often was embedded %d times", n)
	}
	if st, err := h.Statistics(""); err != nil || st.QueryBytes > limit || st.Queries != 4 {
		t.Errorf("%d entries of %d bytes, %v", st.Queries, st.QueryBytes, err)
	}
	off := openPush(t, vfstest.NewMem(), emb, func(c *indexer.Config) { c.QueryCacheBytes = -1 })
	off.mustPush("main", "", "c1", puts("d/A/1", "one")...)
	emb.Reset()
	for range 3 {
		if _, err := off.Search(t.Context(), query("c1", "often")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(emb.Texts()); n != 3 {
		t.Errorf("without a cache %d texts were embedded, want 3", n)
	}
}

// TestACrowdAsksOnce checks that many who search with one text at once cost one
// call, that its failure is everybody's and is not kept, and that who leaves
// takes nobody along.
func TestACrowdAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		var outcome func(call int64) error
		gate := make(chan struct{})
		emb := &indexertest.Embedder{Fail: func([]string) error {
			n := calls.Add(1)
			<-gate
			return outcome(n)
		}}
		h := openPush(t, vfstest.NewMem(), emb)
		crowd := func(n int, ctx context.Context) (failed *atomic.Int64, done *sync.WaitGroup) {
			failed, done = new(atomic.Int64), new(sync.WaitGroup)
			for range n {
				done.Go(func() {
					_, err := h.Compare(ctx, search.CompareRequest{Source: "x", Target: "x ", SourceRole: contract.RoleQuery, TargetRole: contract.RoleQuery})
					if err != nil {
						failed.Add(1)
					}
				})
			}
			synctest.Wait()
			return failed, done
		}
		outcome = func(int64) error { return fmt.Errorf("%w: down", contract.ErrProvider) }
		failed, done := crowd(100, t.Context())
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls for two texts of 100 callers", n)
		}
		close(gate)
		done.Wait()
		if n := failed.Load(); n != 100 {
			t.Errorf("%d of 100 saw the failure", n)
		}
		// The one who asks for all of them leaves.
		gate = make(chan struct{})
		calls.Store(0)
		outcome = func(call int64) error {
			if call <= 2 { // those of the one who leaves
				return context.Canceled
			}
			return nil
		}
		leaving, leave := context.WithCancel(t.Context())
		_, gone := crowd(1, leaving)
		failed, done = crowd(10, t.Context())
		leave()
		close(gate)
		gone.Wait()
		done.Wait()
		if n := failed.Load(); n != 0 {
			t.Errorf("%d of 10 failed because another left", n)
		}
		if n := calls.Load(); n != 4 {
			t.Errorf("%d calls, want two of the one who left and two of the others", n)
		}
	})
}

// served is an embedder behind a service that can be down.
type served struct {
	*indexertest.Embedder
	err    atomic.Pointer[error] // what every call and probe ends with
	probes atomic.Int64
}

func newServed() *served {
	s := &served{}
	s.Embedder = &indexertest.Embedder{Fail: func([]string) error { return s.fault() }}
	return s
}

func (s *served) fault() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *served) set(err error) { s.err.Store(&err) }

func (s *served) Probe(context.Context) error {
	s.probes.Add(1)
	return s.fault()
}

// openServed opens an indexer over a guarded service.
func openServed(t *testing.T, service embed.Service, emb *indexertest.Embedder) *harness {
	guard := embed.NewGuard(service, embed.GuardConfig{})
	t.Cleanup(guard.Close)
	return openPush(t, vfstest.NewMem(), emb, func(c *indexer.Config) { c.Embedder = guard })
}

// TestReadinessLooksAtTheProvider walks through a provider's failure: it is
// noticed by a call, probed until it is back, and costs nothing before and after.
func TestReadinessLooksAtTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newServed()
		h := openServed(t, p, p.Embedder)
		h.mustPush("main", "", "c1", puts("d/A/1", "one fish")...)
		find := func(text string, mode search.Mode) error {
			req := query("c1", text)
			req.Mode = mode
			_, err := h.Search(t.Context(), req)
			return err
		}
		want := func(when string, ready bool, probes int64) {
			t.Helper()
			synctest.Wait()
			if got := h.Ready(); got.Search != ready || !got.Index {
				t.Errorf("%s: ready %+v, want search %t", when, got, ready)
			}
			if n := p.probes.Load(); n != probes {
				t.Errorf("%s: %d probes, want %d", when, n, probes)
			}
		}
		time.Sleep(time.Hour)
		for i := range 100 {
			if err := find(fmt.Sprint("q", i), search.ModeVector); err != nil {
				t.Fatal(err)
			}
		}
		want("while all is well", true, 1) // the one at the start

		p.set(fmt.Errorf("%w: connection refused", contract.ErrUnavailable))
		want("before anybody has noticed", true, 1)
		if err := find("fish", search.ModeVector); !errors.Is(err, contract.ErrProvider) || !errors.Is(err, contract.ErrDown) {
			t.Errorf("the first to notice: %v", err)
		}
		want("one failure and a probe", true, 2)
		time.Sleep(time.Second)
		want("confirmed", false, 3)
		calls := p.Texts()
		if err := find("fish", search.ModeVector); !errors.Is(err, contract.ErrDown) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("while down: %v", err)
		}
		req := query("c1", "fish")
		req.Mode = search.ModeHybrid
		if hits, err := h.Search(t.Context(), req); err != nil || !hits.Fallback || len(hits.Warnings) != 1 || len(hits.Hits) != 1 {
			t.Errorf("hybrid while down: %+v, %v", hits, err)
		}
		req.Fallback = search.FallbackOff
		if _, err := h.Search(t.Context(), req); !errors.Is(err, contract.ErrDown) {
			t.Errorf("hybrid without a fallback while down: %v", err)
		}
		if len(p.Texts()) != len(calls) {
			t.Error("the provider was asked although it is known to be down")
		}
		// What needs no embedding goes on.
		if err := find("fish", search.ModeText); err != nil {
			t.Errorf("by words: %v", err)
		}
		if err := find("q1", search.ModeVector); err != nil {
			t.Errorf("a text that is remembered: %v", err)
		}
		if _, err := h.Similar(t.Context(), search.SimilarRequest{Domain: domain, Ref: search.Ref{Commit: "c1"}, ID: "d/A/1", Options: search.Options{Page: search.Page{Count: 1}}}); err != nil {
			t.Errorf("by id: %v", err)
		}
		byVector := query("c1", "")
		byVector.Vector = indexertest.Vector("fish", 32)
		if _, err := h.Search(t.Context(), byVector); err != nil {
			t.Errorf("by vector: %v", err)
		}
		if d, err := h.Compare(t.Context(), search.CompareRequest{Source: "x", Target: "x"}); d != 0 || err != nil {
			t.Errorf("equal texts: %v, %v", d, err)
		}
		time.Sleep(25 * time.Second)
		want("still down", false, 5)

		p.set(nil)
		time.Sleep(10 * time.Second)
		want("back", true, 6)
		if err := find("fish", search.ModeVector); err != nil {
			t.Errorf("back: %v", err)
		}
		time.Sleep(time.Hour)
		want("long after", true, 6)
		h.close()
	})
}

// keyless is a service that embeds queries only for callers with a key of their
// own.
type keyless struct{ *served }

var errKeyless = fmt.Errorf("embed: %w: %w: wants a key", contract.ErrProvider, contract.ErrNotConfigured)

func (k keyless) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	if r.Role == contract.RoleQuery && r.Key.IsZero() {
		return nil, errKeyless
	}
	return k.served.Embed(ctx, r)
}

func (k keyless) Probe(context.Context) error { return errKeyless }

// TestCallersFaultsTakeNobodyDown: a caller who brings no key, or one that the
// provider refuses, or who meets its rate limit, hears so himself, however
// often he tries, and everybody else is served.
func TestCallersFaultsTakeNobodyDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newServed()
		h := openServed(t, keyless{p}, p.Embedder)
		h.mustPush("main", "", "c1", puts("d/A/1", "one fish")...)
		for i := range 20 {
			_, err := h.Search(t.Context(), query("c1", "fish"))
			if !errors.Is(err, contract.ErrNotConfigured) || errors.Is(err, contract.ErrDown) {
				t.Fatalf("without a key: %v", err)
			}
			req := query("c1", fmt.Sprint("fish ", i))
			req.CallerKey = contract.NewSecret("mine")
			for _, status := range []string{"HTTP 401", "HTTP 429"} {
				p.set(fmt.Errorf("%w: %s", contract.ErrProvider, status))
				if _, err := h.Search(t.Context(), req); !errors.Is(err, contract.ErrProvider) {
					t.Fatalf("%s: %v", status, err)
				}
			}
			p.set(nil)
			if _, err := h.Search(t.Context(), req); err != nil {
				t.Fatalf("a caller with a key: %v", err)
			}
			synctest.Wait()
			if !h.Ready().Search {
				t.Fatal("the provider is taken for down")
			}
			time.Sleep(time.Second)
		}
		h.close()
	})
}
