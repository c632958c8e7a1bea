package subword_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/embed/subword"
)

// golden is what the reference says of one file.
type golden struct {
	Name    string
	Special int
	Tokens  [][][3]int // id, start and end of each token of each text
}

// goldens returns the texts and what the reference makes of them.
func goldens(t testing.TB) (texts []string, files []golden) {
	t.Helper()
	f, err := os.Open("testdata/golden.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(z)
	var head struct{ Texts []string }
	if err := d.Decode(&head); err != nil {
		t.Fatal(err)
	}
	for {
		var g golden
		if err := d.Decode(&g); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files = append(files, g)
	}
	if len(head.Texts) < 300 || len(files) != len(cases(t)) {
		t.Fatalf("%d texts, %d files for %d tokenizers", len(head.Texts), len(files), len(cases(t)))
	}
	return head.Texts, files
}

// cases returns the paths of the tokenizers by name.
func cases(t testing.TB) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d tokenizers, %v", len(paths), err)
	}
	byName := map[string]string{}
	for _, p := range paths {
		name, _, _ := strings.Cut(filepath.Base(p), ".")
		byName[name] = p
	}
	return byName
}

func open(t testing.TB, path string) *subword.Tokenizer {
	t.Helper()
	tok, err := subword.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// elsewhere are texts of which the reference places some tokens wrongly, or
// as well as we do: it shifts all places by what a character map drops at the
// very beginning, gives no place to a token after an added one, and goes
// another way where accents are put in order and joined.
var elsewhere = map[string][]int{
	"bpe-qwen":       {153},
	"bpe-roberta":    {60, 62},
	"unigram-albert": {238},
	"unigram-bytes":  {153, 175},
	"unigram-t5":     {238},
	"unigram-xlmr":   {71, 140, 228, 330},
}

// TestReference holds the tokens and their places against the reference's.
func TestReference(t *testing.T) {
	texts, files := goldens(t)
	paths := cases(t)
	for _, g := range files {
		t.Run(g.Name, func(t *testing.T) {
			tok := open(t, paths[g.Name])
			if tok.Special() != g.Special {
				t.Errorf("%d special tokens, want %d", tok.Special(), g.Special)
			}
			for i, text := range texts {
				got := tok.Tokens(text)
				ids := slices.EqualFunc(got, g.Tokens[i], func(t subword.Token, want [3]int) bool { return int(t.ID) == want[0] })
				places := slices.EqualFunc(got, g.Tokens[i], func(t subword.Token, want [3]int) bool { return t.Start == want[1] && t.End == want[2] })
				if !ids || places == slices.Contains(elsewhere[g.Name], i) {
					t.Errorf("text %d %q: same tokens: %v, same places: %v\n got %v\nwant %v", i, text, ids, places, got, g.Tokens[i])
				}
			}
		})
	}
}

// check holds what every token promises.
func check(t *testing.T, text string, tokens []subword.Token) {
	t.Helper()
	boundary := func(i int) bool { return i == len(text) || utf8.RuneStart(text[i]) || !utf8.ValidString(text) }
	for i, tok := range tokens {
		if tok.Start < 0 || tok.Start > tok.End || tok.End > len(text) || !boundary(tok.Start) || !boundary(tok.End) {
			t.Fatalf("token %d %+v of %d bytes", i, tok, len(text))
		}
		if i > 0 && tok.Start < tokens[i-1].Start {
			t.Fatalf("token %d begins at %d, the one before it at %d", i, tok.Start, tokens[i-1].Start)
		}
	}
}

func TestBrokenText(t *testing.T) {
	for name, path := range cases(t) {
		tok := open(t, path)
		for _, text := range []string{"\xff", "a\xc3", "\xe2\x82 \xf0\x9f\x91 x", strings.Repeat("\x80", 300)} {
			tokens := tok.Tokens(text)
			check(t, text, tokens)
			if want := len(tok.Tokens(strings.ToValidUTF8(text, "\uFFFD"))); len(tokens) < want {
				t.Errorf("%s: %q: %d tokens, want %d or more", name, text, len(tokens), want)
			}
		}
	}
}

func TestRead(t *testing.T) {
	const tokenizer = `{"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"a":1,"##b":2}}`
	tok, err := subword.Read(strings.NewReader(tokenizer + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Tokens("abb"); len(got) != 3 || got[2] != (subword.Token{ID: 2, Start: 2, End: 3}) {
		t.Errorf("got %v", got)
	}
	for _, bad := range []string{
		"", "null", "[]", "{}", "BZh91AY", "\x1f\x8b", `{"model":{}}`, `{"model":{"type":"WordLevel"}}`,
		`{"model":{"type":"WordPiece","unk_token":"u","vocab":{}}}`,
		`{"model":{"type":"WordPiece","unk_token":"x","vocab":{"u":0}}}`,
		`{"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":"0"}}}`,
		`{"model":{"type":"Unigram","unk_id":0,"vocab":{}}}`,
		`{"model":{"type":"Unigram","unk_id":0,"vocab":[["a"]]}}`,
		`{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",1,2]]}}`,
		`{"model":{"type":"Unigram","unk_id":1,"vocab":[["a",1]]}}`,
		`{"model":{"type":"Unigram","vocab":[["a",1]]}}`,
		`{"model":{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["a",1]]}}`,
		`{"model":{"type":"BPE","vocab":{"a":0}}}`,
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`,
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}`,
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}}`,
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"byte_fallback":true}}`,
		tokenizer + `,"normalizer":{"type":"Magic"}}`,
		tokenizer + `,"normalizer":{"type":"Sequence","normalizers":[{"type":"Magic"}]}}`,
		tokenizer + `,"normalizer":{"type":"Replace","content":"x"}}`,
		tokenizer + `,"normalizer":{"type":"Replace","pattern":{"String":""},"content":"x"}}`,
		tokenizer + `,"normalizer":{"type":"Replace","pattern":{"Regex":"("},"content":"x"}}`,
		tokenizer + `,"normalizer":{"type":"Precompiled","precompiled_charsmap":"AA"}}`,
		tokenizer + `,"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}}`,
		tokenizer + `,"pre_tokenizer":{"type":"Magic"}}`,
		tokenizer + `,"pre_tokenizer":{"type":"Split","pattern":" ","behavior":"Magic"}}`,
		tokenizer + `,"pre_tokenizer":{"type":"Metaspace","replacement":"__"}}`,
		tokenizer + `,"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"often"}}`,
		tokenizer + `,"post_processor":{"type":"Magic"}}`,
	} {
		if _, err := subword.Read(strings.NewReader(bad)); !errors.Is(err, subword.ErrFormat) {
			t.Errorf("%.100s: got %v, want ErrFormat", bad, err)
		}
	}
	if _, err := subword.Open("testdata/none.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

// TestOlderFiles: what the current reference writes in another way.
func TestOlderFiles(t *testing.T) {
	for name, path := range cases(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file map[string]any
		if strings.HasSuffix(path, ".bz2") {
			continue
		} else if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		model := file["model"].(map[string]any)
		merges, ok := model["merges"].([]any)
		if !ok {
			continue
		}
		for i, pair := range merges { // ["a","b"] was "a b"
			merges[i] = pair.([]any)[0].(string) + " " + pair.([]any)[1].(string)
		}
		if slices.ContainsFunc(merges, func(m any) bool { return strings.Count(m.(string), " ") != 1 }) {
			continue
		}
		older, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := subword.Read(bytes.NewReader(older))
		if err != nil {
			t.Fatal(err)
		}
		const text = "They're sure it's what we've wanted: größere Namen, 東京."
		if got, want := tok.Tokens(text), open(t, path).Tokens(text); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	var all []*subword.Tokenizer
	for _, path := range cases(f) {
		all = append(all, open(f, path))
	}
	f.Add("plain words and, some punctuation! ", 3)
	f.Add("각나다라 東京 \xff e\u0301\u0323 \u0344 ﬁ½", 2)
	f.Add("<s> <mask>\t keeper ship  ▁Ġ", 1)
	f.Fuzz(func(t *testing.T, text string, times int) {
		text = strings.Repeat(text, max(0, min(times, 20, 1<<11/(len(text)+1))))
		for _, tok := range all {
			check(t, text, tok.Tokens(text))
		}
	})
}

// FuzzRead: whatever the file says, reading it and using it do not panic.
func FuzzRead(f *testing.F) {
	for name, path := range cases(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 11_000 {
			f.Add(data, name)
		}
	}
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",1],["ab",-1]]},"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAA="}}`), "abc é")
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]},"pre_tokenizer":{"type":"ByteLevel"}}`), "abab ab")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := subword.Read(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, subword.ErrFormat) {
				t.Fatalf("got %v, want ErrFormat", err)
			}
			return
		}
		for _, token := range tok.Tokens(text[:min(len(text), 1000)]) {
			if token.Start < 0 || token.Start > token.End || token.End > len(text) {
				t.Fatalf("token %+v of %d bytes", token, len(text))
			}
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	texts, _ := goldens(b)
	text := strings.Join(texts[:9], " ") // plain sentences
	for name, path := range cases(b) {
		tok := open(b, path)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Tokens(text)
			}
		})
	}
}
