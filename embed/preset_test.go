package embed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

// TestPresets holds what each provider is sent, and what it is called in a
// fingerprint.
func TestPresets(t *testing.T) {
	const dims = `"dimensions":256`
	for _, test := range []struct {
		name, url, fingerprint string
		batch                  int
		documents, queries     string // members beside model and input
		key                    string // the header that carries it
	}{
		{"openai", "https://api.openai.com/v1/embeddings", "openai/m/256/w480", 256, dims + `,"encoding_format":"base64"`, dims + `,"encoding_format":"base64"`, "Authorization"},
		{"openai_compatible", "https://given.test/v1/embeddings", "openai_compatible/m/256/w480", 32, dims, dims, "Authorization"},
		{"azure", "https://given.test/openai/deployments/m/embeddings?api-version=2024-10-21", "azure/m/256/w480", 256, dims + `,"encoding_format":"base64"`, dims + `,"encoding_format":"base64"`, "Api-Key"},
		{"voyage", "https://api.voyageai.com/v1/embeddings", "voyage/m/256/w480/input_type", 128,
			`"output_dimension":256,"encoding_format":"base64","input_type":"document","truncation":false`,
			`"output_dimension":256,"encoding_format":"base64","input_type":"query","truncation":false`, "Authorization"},
		{"vllm", "http://localhost:8000/v1/embeddings", "vllm/m/256/w480", 32, dims + `,"encoding_format":"base64"`, dims + `,"encoding_format":"base64"`, "Authorization"},
		{"tei", "http://localhost:3000/v1/embeddings", "tei/m/256/w480", 32, dims + `,"encoding_format":"base64"`, dims + `,"encoding_format":"base64"`, "Authorization"},
		{"ollama", "http://localhost:11434/v1/embeddings", "ollama/m/256/w480", 32, dims, dims, "Authorization"},
		{"lmstudio", "http://localhost:1234/v1/embeddings", "lmstudio/m/256/w480", 32, "", "", "Authorization"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, ok := embed.Preset(test.name)
			if !ok || p.Name != test.name || p.Batch != test.batch || p.Batch > p.MostTexts {
				t.Fatalf("preset %+v, %v", p, ok)
			}
			c := embed.Config{Provider: test.name, Model: "m", Dimensions: 256, Key: contract.NewSecret(canaryKey)}
			if p.URL == "" {
				if _, err := embed.OpenAI(c); !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "url") {
					t.Errorf("without an address: got %v, want ErrInvalid", err)
				}
				c.URL = "https://given.test"
			}
			e, err := embed.OpenAI(c)
			if err != nil {
				t.Fatal(err)
			}
			if e.Fingerprint() != test.fingerprint {
				t.Errorf("fingerprint %s, want %s", e.Fingerprint(), test.fingerprint)
			}
			if e.Batch() != 4*test.batch {
				t.Errorf("batch %d, want four of %d", e.Batch(), test.batch)
			}
			for role, want := range map[contract.Role]string{contract.RoleDocument: test.documents, contract.RoleQuery: test.queries} {
				var sent *http.Request
				var members map[string]any
				e.SetTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
					sent = r
					if err := json.NewDecoder(r.Body).Decode(&members); err != nil {
						t.Error(err)
					}
					return nil, errors.New("no network")
				}))
				e.RetryQuickly(1)
				_, _ = e.Embed(t.Context(), contract.EmbedRequest{Role: role, Texts: []string{"x"}})
				if want != "" {
					want = "," + want
				}
				var wanted map[string]any
				if err := json.Unmarshal([]byte(`{"model":"m","input":["x"]`+want+`}`), &wanted); err != nil {
					t.Fatal(err)
				}
				if sent.URL.String() != test.url || fmt.Sprint(members) != fmt.Sprint(wanted) {
					t.Errorf("%v: sent %v to %s,\nwant %v to %s", role, members, sent.URL, wanted, test.url)
				}
				if !strings.Contains(sent.Header.Get(test.key), canaryKey) {
					t.Errorf("%v: no key in %s", role, test.key)
				}
			}
			// Without a key, those that want one are not asked.
			c.Key = contract.Secret{}
			if e, err = embed.OpenAI(c); err != nil {
				t.Fatal(err)
			}
			asked := false
			e.SetTransport(roundTripper(func(*http.Request) (*http.Response, error) {
				asked = true
				return nil, errors.New("no network")
			}))
			e.RetryQuickly(1)
			_, err = e.Embed(t.Context(), queries("x"))
			if asked == p.Key || p.Key != errors.Is(err, contract.ErrNotConfigured) {
				t.Errorf("without a key: asked is %v, %v", asked, err)
			}
			// Its own model, or none.
			c.Model = ""
			if _, err := embed.OpenAI(c); (err == nil) != (p.Model != "") {
				t.Errorf("without a model: %v", err)
			}
		})
	}
	if names := embed.Presets(); len(names) != 8 || !slices.IsSorted(names) {
		t.Errorf("presets %v", names)
	}
	if _, ok := embed.Preset("magic"); ok {
		t.Error("there is a preset of magic")
	}
	_, err := embed.OpenAI(embed.Config{Provider: "magic"})
	if !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "magic") {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// TestEncoding: a provider that refuses base64 is asked for it once, and answers are never asked for twice for their encoding.
func TestEncoding(t *testing.T) {
	for name, test := range map[string]struct {
		fault fault
		want  []string // what is asked for in the first requests
	}{
		"understood": {nil, []string{"base64", "base64", "base64"}},
		"ignored":    {only("float"), []string{"base64", "base64", "base64"}},
		"refused":    {refusing(400), []string{"base64", "", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.play(test.fault)
			e := p.remote(t)
			for i := range 3 {
				texts := []string{fmt.Sprint("text ", i)}
				v, err := e.Embed(t.Context(), documents(texts...))
				if err != nil || !isFake(v[0], texts[0]) {
					t.Fatalf("got %v, %v", v, err)
				}
			}
			var got []string
			for _, r := range p.requests {
				got = append(got, r.EncodingFormat)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("asked for %q, want %q", got, test.want)
			}
		})
	}
}

// TestEncodingPoison: a text that is refused does not make a provider that
// understands base64 one that does not.
func TestEncodingPoison(t *testing.T) {
	p := newProvider(t)
	p.play(func(w http.ResponseWriter, r request) bool {
		return slices.Contains(r.Input, "poison") && answer(400, apiError)(w, r)
	})
	e := p.remote(t)
	_, err := e.Embed(t.Context(), documents("a", "poison"))
	var refused *contract.RefusedError
	if !errors.As(err, &refused) || slices.Collect(maps.Keys(refused.Texts))[0] != 1 {
		t.Errorf("got %v, want text 1 refused", err)
	}
	if last := p.requests[len(p.requests)-1]; last.EncodingFormat != "base64" {
		t.Errorf("asked for %q at last, want base64", last.EncodingFormat)
	}
}
