package embed_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

// words is a tokenizer of whole words, with two special tokens around a text
// or none. "search_document: " has four tokens, as in nomic's own.
func words(t testing.TB, special bool) string {
	t.Helper()
	post := ""
	if special {
		post = `,"post_processor":{"type":"BertProcessing","sep":["u",0],"cls":["u",0]}`
	}
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	err := os.WriteFile(path, []byte(`{"normalizer":{"type":"BertNormalizer","lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},
		"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"search":1,"document":2,"_":3,":":4,"word":5}}`+post+`}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTokenizer holds the windows of models whose tokenizer is there.
func TestTokenizer(t *testing.T) {
	for _, test := range []struct {
		name, model   string
		special       bool
		size, overlap int
		fingerprint   string
	}{
		{"nomic", "nomic-embed-text-v2-moe", false, 508, 72, "openai_compatible/nomic-embed-text-v2-moe/768/w508/nomic"},
		{"nomic with special tokens", "nomic-ai/nomic-embed-text-v2-moe", true, 508, 72, "openai_compatible/nomic-ai/nomic-embed-text-v2-moe/768/w508/nomic"},
		{"another", "e5", false, 512, 73, "openai_compatible/e5/native/w512"},
		{"another with special tokens", "e5", true, 510, 72, "openai_compatible/e5/native/w510"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := embed.OpenAI(embed.Config{Provider: "openai_compatible", URL: "http://localhost:1", Model: test.model, TokenizerPath: words(t, test.special)})
			if err != nil {
				t.Fatal(err)
			}
			if e.Fingerprint() != test.fingerprint {
				t.Errorf("fingerprint %s, want %s", e.Fingerprint(), test.fingerprint)
			}
			step := test.size - test.overlap
			for n, want := range map[int]int{0: 1, 1: 1, test.size: 1, test.size + 1: 2, test.size + step: 2, test.size + step + 1: 3, 5000: 1 + (5000-test.size+step-1)/step} {
				text := strings.Repeat("word ", n)
				chunks, tokens := e.Split(text)
				if tokens != n || e.Tokens(text) != n || len(chunks) != want {
					t.Errorf("%d words: %d tokens in %d chunks, want %d", n, tokens, len(chunks), want)
				}
				checkChunks(t, text, chunks, tokens, test.size, test.overlap)
				if end := chunks[len(chunks)-1].End; n > 0 && end < len(text)-1 {
					t.Errorf("%d words: the last %d bytes are in no chunk", n, len(text)-end)
				}
			}
		})
	}
}

// TestTokenizerKinds: chunks of every kind of tokenizer have text and leave
// none out, but for what the tokenizer drops.
func TestTokenizerKinds(t *testing.T) {
	paths, err := filepath.Glob("subword/testdata/cases/*")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d tokenizers, %v", len(paths), err)
	}
	texts := []string{
		strings.Repeat("Der Leuchtturmwärter zählt 東京 Schiffe, größere 🚢. ", 200),
		strings.Repeat(" ", 3000), strings.Repeat("\n", 3000), strings.Repeat("e\u0301\u0323", 1500), strings.Repeat("ﷺ", 800), strings.Repeat("\xff", 3000),
	}
	for _, path := range paths {
		e, err := embed.OpenAI(embed.Config{Provider: "openai_compatible", URL: "http://localhost:1", Model: "m", TokenizerPath: path})
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			chunks, tokens := e.Split(text)
			for k, c := range chunks {
				if c.Start < 0 || c.Start >= c.End || c.End > len(text) || c.Tokens > 512 || k > 0 && (c.Start < chunks[k-1].Start || c.Start > chunks[k-1].End) {
					t.Errorf("%s, text %d: chunk %d %+v after %+v", path, i, k, c, chunks[max(k-1, 0)])
					break
				}
			}
			if i == 0 && tokens > 512 && (len(chunks) < 2 || chunks[0].Start > 1 || chunks[len(chunks)-1].End < len(text)-8) {
				t.Errorf("%s: %d chunks of %d tokens, from %d to %d of %d", path, len(chunks), tokens, chunks[0].Start, chunks[len(chunks)-1].End, len(text))
			}
		}
	}
}

func TestTokenizerBad(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, bad + ".none"} {
		_, err := embed.OpenAI(embed.Config{TokenizerPath: path})
		if !errors.Is(err, contract.ErrInvalid) || !strings.Contains(err.Error(), "tokenizer") {
			t.Errorf("got %v, want ErrInvalid", err)
		}
	}
}
