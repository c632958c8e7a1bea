package textindex_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/textindex"
)

func analyze(t testing.TB, text string) []textindex.Token {
	t.Helper()
	tokens, err := textindex.Analyze(textindex.English, text)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func terms(t testing.TB, text string) []string {
	t.Helper()
	var terms []string
	for _, tok := range analyze(t, text) {
		terms = append(terms, tok.Term)
	}
	return terms
}

func TestAnalyze(t *testing.T) {
	long := strings.Repeat("a", 160)
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"separators alone", " \t\n.,;:!?–—…", ""},
		{"words", "Smuggler freighter", "smuggler freighter"},
		{"punctuation splits", "hyper-drive_motivator's R2-D2 (v1.2)", "hyper drive motiv s r2 d2 v1 2"},
		{"lower-cased", "TIE Fighter ÉCOLE ΟΔΟΣ", "tie fighter ecol οδοσ"},
		{"stems", "running runs ran connection connected happily skies dying news", "run run ran connect connect happili sky die news"},
		{"every stop word", "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with", ""},
		{"stop words in capitals", "The AND of", ""},
		{"not on the list", "from he we you what how", "from he we you what how"},
		{"stop words are compared after stemming", "being buts", ""},
		{"no stop word has an accent", "thé café über Ærø straße ｔｈｅ", "the cafe uber aero strass"},
		{"folding comes before stemming", "naïvely résumé ﬁnancial oﬃces", "naiv resum financi offic"},
		{"160 letters stay", long, long},
		{"what is longer is cut", long + "b " + "ok", long + " ok"},
		{"letters count, not bytes", strings.Repeat("д", 160) + " " + strings.Repeat("д", 161), strings.Repeat("д", 160) + " " + strings.Repeat("д", 160)},
		{"numbers of all kinds", "１２ Ⅷ ½ x²", "12 viii ½ x2"},
		{"a combining accent is one", "cafe\u0301s", "cafe"},
		{"neither do vowel signs split", "हिन्दी", "हिन्दी"},
		{"no spaces between words", "超空間航行 テスト", "超空間航行 テスト"},
		{"U+FFFD splits and ends nothing", "one\uFFFDtwo \uFFFD three", "one two three"},
		{"so do bytes that are not UTF-8", "one\xfftwo\xc3(three\xe2\x82", "one two three"},
		{"emoji", "ship🚀launch", "ship launch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := terms(t, tt.text), strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("Analyze(%q) = %q, want %q", tt.text, got, want)
			}
		})
	}
}

func TestAnalyzeOffsets(t *testing.T) {
	text := "The hyperdrive’s École is failing"
	want := []string{"hyperdrive", "s", "École", "failing"}
	var got []string
	for _, tok := range analyze(t, text) {
		got = append(got, text[tok.Start:tok.End])
	}
	if !slices.Equal(got, want) {
		t.Errorf("tokens stand for %q, want %q", got, want)
	}
}

// What an analyzer remembers changes nothing, also when it has forgotten.
func TestAnalyzeMemo(t *testing.T) {
	n := textindex.MaxMemo + 1000
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Driving%d ", i)
	}
	text := b.String()
	got := terms(t, text+text)
	if len(got) != 2*n || !slices.Equal(got[:n], got[n:]) {
		t.Fatalf("%d terms, want %d twice", len(got), n)
	}
	for i := 0; i < n; i += 997 {
		if want := terms(t, fmt.Sprintf("Driving%d", i)); len(want) != 1 || got[i] != want[0] {
			t.Errorf("term %d = %q, alone %q", i, got[i], want)
		}
	}
}

func TestAnalyzerUnknown(t *testing.T) {
	if _, err := textindex.Analyze("tlh", "Qapla'"); !errors.Is(err, textindex.ErrAnalyzer) {
		t.Errorf("Analyze: %v, want ErrAnalyzer", err)
	}
	other := id("c1")
	other.Analyzer = "tlh"
	if _, err := textindex.Build(other, seq("x")); !errors.Is(err, textindex.ErrAnalyzer) {
		t.Errorf("Build: %v, want ErrAnalyzer", err)
	}
}

// Tokens follow one another, overlapping at most, none is long or empty, and texts that a separator
// joins have the terms of both.
func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{"", "The quick brown fox's", "É\xffx\uFFFDy", "İSTANBUL Σας ΟΔΟΣ", "ﬃ ⑴ ÆØÅ ½", "กินข้าว C++ x\u00ad\ny \u0301a\u0301", "👩🏽\u200d💻 1️⃣ $5", "yyyy's sses ing eed", strings.Repeat("a", 41)} {
		f.Add(s, "skies")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		left, start, position := analyze(t, a), -1, -1
		for _, tok := range left {
			if tok.Position <= position {
				t.Fatalf("token %+v after the position %d in %q", tok, position, a)
			}
			position = tok.Position
			if tok.Start <= start || tok.End <= tok.Start || tok.End > len(a) || len(tok.Term) > 4*160 {
				t.Fatalf("token %+v after %d in %q", tok, start, a)
			}
			if tok.Term == "" || !utf8.ValidString(tok.Term) {
				t.Fatalf("term %q in %q", tok.Term, a)
			}
			start = tok.Start
		}
		counted := analyze(t, a+" . x")
		words := counted[len(counted)-1].Position
		want := left
		for _, tok := range analyze(t, b) {
			tok.Start += len(a) + 3
			tok.End += len(a) + 3
			tok.Position += words
			want = append(want, tok)
		}
		if got := analyze(t, a+" . "+b); !slices.Equal(got, want) {
			t.Fatalf("Analyze(%q) = %v, want %v", a+" . "+b, got, want)
		}
	})
}
