package embed_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

// TestObserve checks what is told of requests: their texts and tokens, how they ended,
// and which of them repeat one that failed.
func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var told []string
	observe := func(c contract.EmbedCall) {
		mu.Lock()
		defer mu.Unlock()
		if c.Took <= 0 {
			t.Errorf("%+v took no time", c)
		}
		told = append(told, fmt.Sprint(c.Outcome, " ", c.Texts, " texts ", c.Tokens, " tokens ", c.Retry))
	}
	status := func(code int) fault {
		return func(w http.ResponseWriter, _ request) bool {
			w.WriteHeader(code)
			return true
		}
	}
	using := func(usage string) fault {
		return func(w http.ResponseWriter, _ request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"data":[{"index":0,"embedding":[1,2,3]}],"usage":`+usage+`}`)
			return true
		}
	}
	for _, tt := range []struct {
		name  string
		fault fault
		want  []string
	}{
		{"well", nil, []string{"ok 2 texts 4 tokens false"}},
		{"counted", using(`{"prompt_tokens":7,"total_tokens":9}`), []string{"ok 1 texts 9 tokens false"}},
		{"counted otherwise", using(`"many"`), []string{"ok 1 texts 2 tokens false"}},
		{"limited", status(429), []string{"limited 1 texts 0 tokens false", "limited 1 texts 0 tokens true"}},
		{"away", status(503), []string{"unavailable 1 texts 0 tokens false", "unavailable 1 texts 0 tokens true"}},
		{"refused", status(401), []string{"refused 1 texts 0 tokens false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.play(func(w http.ResponseWriter, r request) bool { return tt.fault != nil && tt.fault(w, r) })
			e := p.remote(t, func(c *embed.Config) { c.Observe = observe })
			e.RetryQuickly(2)
			told = nil
			texts := []string{"one tex"}
			if tt.fault == nil {
				texts = []string{"one text", "two"}
			}
			_, _ = e.Embed(t.Context(), queries(texts...))
			if !slices.Equal(told, tt.want) {
				t.Errorf("told %q, want %q", told, tt.want)
			}
		})
	}
	local, err := embed.Local(1)
	if err != nil {
		t.Fatal(err)
	}
	local.Observe(observe)
	told = nil
	if _, err := local.Embed(t.Context(), queries("a text")); err != nil || !slices.Equal(told, []string{"ok 1 texts 2 tokens false"}) {
		t.Errorf("%v, told %q", err, told)
	}
}
