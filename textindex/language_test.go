package textindex_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/registry"

	"github.com/vectorlink/vectorlink/textindex"
)

func in(language string) textindex.Identity {
	id := id("c1")
	id.Analyzer = language
	return id
}

// Each language finds a form of a word by another, drops its stop words, and
// finds words by their beginnings.
func TestLanguages(t *testing.T) {
	samples := map[string]struct{ text, query, stop, prefix, absent string }{
		"ar":  {"الكتاب على الطاولة", "كتاب", "على", "كت*", "سيارة"},
		"cjk": {"超空間航行テスト", "空間", "", "航*", "空行"},
		"da":  {"skibene sejlede bort", "skib", "og", "sejl*", "hus"},
		"de":  {"Die Häuser der Städte", "haus", "der", "stä*", "schiff"},
		"en":  {"The smugglers were flying", "smuggler fly", "the", "smuggle*", "pilot"},
		"es":  {"las planetas espaciales", "planeta", "las", "espaci*", "casa"},
		"fa":  {"کتاب\u200cها روی میز", "کتاب", "از", "کتا*", "ماشین"},
		"fi":  {"taloissa asuttiin", "talo", "ja", "talois*", "laiva"},
		"fr":  {"L'empire des vaisseaux", "vaisseau", "des", "empi*", "maison"},
		"hi":  {"लड़कियों की किताबें", "किताब", "की", "किता*", "जहाज"},
		"hr":  {"brodovi su otplovili", "brod", "su", "brodo*", "kuća"},
		"hu":  {"a házakban laktak", "ház", "a", "házak*", "hajó"},
		"it":  {"dell'impero i pianeti spaziali", "pianeta impero", "le", "spazi*", "casa"},
		"nl":  {"de schepen van het keizerrijk", "keizerrijken", "het", "schep*", "huis"},
		"no":  {"skipene seilte bort", "skip", "og", "seil*", "hus"},
		"pt":  {"as naves espaciais", "nave", "as", "espaci*", "casa"},
		"ro":  {"navele imperiului", "nave", "și", "imperiu*", "casă"},
		"ru":  {"Космические корабли империи", "корабль", "и", "косми*", "дом"},
		"sv":  {"skeppen seglade bort", "skepp", "och", "segl*", "hus"},
		"tr":  {"kediler İstanbul'dan ayrıldı", "kedi", "ve", "istanb*", "ev"},
	}
	for _, name := range textindex.Languages() {
		t.Run(name, func(t *testing.T) {
			sample, ok := samples[name]
			if !ok {
				t.Fatal("no sample")
			}
			x := newIndex(t, textindex.Part{Segment: build(t, in(name), "nothing", sample.text, sample.text+" "+sample.absent)})
			for word := range strings.FieldsSeq(sample.query) {
				if got := find(t, x, word); !slices.Equal(got, []uint32{1, 2}) {
					t.Errorf("%s finds %v", word, got)
				}
			}
			if sample.stop != "" {
				if tokens, err := textindex.Analyze(name, sample.stop); err != nil || len(tokens) > 0 {
					t.Errorf("the stop word %s has the terms %v, %v", sample.stop, tokens, err)
				}
			}
			if got := find(t, x, sample.prefix); !slices.Equal(got, []uint32{1, 2}) {
				t.Errorf("%s finds %v", sample.prefix, got)
			}
			if got := find(t, x, `"`+sample.text+`"`); !slices.Equal(got, []uint32{1, 2}) {
				t.Errorf("the phrase of the whole text finds %v", got)
			}
			if got := find(t, x, sample.absent); !slices.Equal(got, []uint32{2}) && name != textindex.CJK {
				t.Errorf("%s finds %v", sample.absent, got)
			}
		})
	}
	if len(samples) != len(textindex.Languages()) {
		t.Errorf("%d samples for the languages %v", len(samples), textindex.Languages())
	}
}

// The terms are bleve's own, but for what the package says.
func TestLanguagesAreBleves(t *testing.T) {
	cache := registry.NewCache()
	text := "L'été, das Haus-Boot (größer)! Les naves españolas; brodovima, házakban, corações; e-mail 3.14 foo_bar R2-D2 " +
		"корабли империи الكتاب على الطاولة लड़कियों की skibene talojen schepen navelor perché città"
	for _, name := range textindex.Languages() {
		if slices.Contains([]string{textindex.English, textindex.CJK, "tr"}, name) {
			continue
		}
		a, err := cache.AnalyzerNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		var want []textindex.Token
		for _, tok := range a.Analyze([]byte(text)) {
			want = append(want, textindex.Token{Term: string(tok.Term), Start: tok.Start, End: tok.End, Position: tok.Position - 1})
		}
		got, err := textindex.Analyze(name, text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, bleve %v", name, got, err, want)
		}
	}
}

func TestTurkishLetters(t *testing.T) {
	x := newIndex(t, textindex.Part{Segment: build(t, in("tr"), "ISPARTA", "Isparta'ya", "ısparta", "İZMİR", "izmir", "ısı IŞIK", "isi")})
	for query, want := range map[string][]uint32{
		"ısparta": {0, 1, 2}, "ISPARTA": {0, 1, 2}, "İzmir": {3, 4}, "izm*": {3, 4}, "ışı*": {5}, "isi": {6}, "ısı": {5},
	} {
		if got := find(t, x, query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
}

func TestArabicLetters(t *testing.T) {
	// Alef with hamza, ta marbuta, the article, vowel signs, tatweel.
	x := newIndex(t, textindex.Part{Segment: build(t, in("ar"), "أحمد", "احمد", "مدرسة", "والمدرسة", "مُدَرِّسَة", "كـــتاب")})
	for query, want := range map[string][]uint32{"احمد": {0, 1}, "مدرسه": {2, 3, 4}, "كتاب": {5}} {
		if got := find(t, x, query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
}

// Any two characters that stand together are found, in all three scripts.
func TestCJK(t *testing.T) {
	texts := []string{"超空間航行の実験", "ハイパースペース", "ﾊｲﾊﾟｰｽﾍﾟｰｽ", "한국어를 배웁니다", "ひらがなで書く", "R2-D2とC-3PO", "中华人民共和国"}
	x := newIndex(t, textindex.Part{Segment: build(t, in("cjk"), texts...)})
	for query, want := range map[string][]uint32{
		"空間": {0}, "航行": {0}, "パー": {1, 2}, "ﾊﾟｰ": {1, 2}, "ペース": {1, 2}, "국어": {3}, "한국": {3}, "らが": {4}, "書く": {4},
		"D2": {5}, "3po": {5}, "人民": {6}, "民人": nil, "空航": nil,
		`"空間航"`: {0}, "空間航行": {0}, "航空": nil, "空*": {0},
	} {
		if got := find(t, x, query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
		if strings.ContainsAny(query, `"*`) {
			continue
		}
		// Plain text is any of its pairs.
		if got := chunks(search(t, x, query, 10)); len(want) > 0 && (len(got) == 0 || !slices.Contains(want, got[0])) {
			t.Errorf("plain %s finds %v, want one of %v first", query, got, want)
		}
	}
}

// The analysis of English is the contract's, and text indexes depend on it:
// what it says of these texts must never change.
func TestEnglishGolden(t *testing.T) {
	texts, err := os.ReadFile("testdata/english.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(texts)) {
		for _, tok := range analyze(t, line) {
			fmt.Fprintf(&got, "%s %d %d\n", tok.Term, tok.Start, tok.End)
		}
		got.WriteString("\n")
	}
	want, err := os.ReadFile("testdata/english.golden")
	if err != nil || len(want) < 1000 {
		t.Fatal(len(want), err)
	}
	if got.String() != string(want) {
		t.Errorf("the terms of testdata/english.txt are no longer those of testdata/english.golden")
	}
}

func FuzzLanguages(f *testing.F) {
	for _, s := range []string{"", "L'été d'Île", "İstanbul'da ışık", "超空間ﾊﾟーテスト\uFFFDx\xff漢", "الكتاب\u200cها", "한국어ﾞ", "ﾞﾞ", strings.Repeat("長", 200), "लड़कियों", "a_b'c’d.e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range textindex.Languages() {
			tokens, err := textindex.Analyze(name, text)
			if err != nil {
				t.Fatal(err)
			}
			position := -1
			for _, tok := range tokens {
				if tok.Term == "" || len(tok.Term) >= 4096 || strings.ContainsRune(tok.Term, 0) && !strings.ContainsRune(text, 0) || tok.Position <= position {
					t.Fatalf("%s: token %+v after the position %d in %q", name, tok, position, text)
				}
				if !utf8.ValidString(tok.Term) {
					t.Fatalf("%s: term %q in %q", name, tok.Term, text)
				}
				position = tok.Position
			}
			again, err := textindex.Analyze(name, text)
			if err != nil || !slices.Equal(again, tokens) {
				t.Fatalf("%s: %v, then %v, %v", name, tokens, again, err)
			}
		}
	})
}

func TestUnknownLanguage(t *testing.T) {
	_, err := textindex.Analyze("xx", "x")
	if !errors.Is(err, textindex.ErrAnalyzer) || !strings.Contains(err.Error(), "cjk, da, de, en") {
		t.Errorf("got %v", err)
	}
}

// A query in letters that the language does not analyse is told apart.
func TestUnanalyzed(t *testing.T) {
	for _, tt := range []struct{ language, text, want string }{
		{"en", "ships and droids, naïve Łódź", ""},
		{"en", "космические корабли", "Cyrillic"},
		{"en", "超空間航行 テスト", "Han Katakana"},
		{"en", "漢", "Han"},
		{"en", "α and β decay, 5 µm", ""},
		{"en", "ΟΔΟΣ שלום", "Greek Hebrew"},
		{"de", "한국어", "Hangul"},
		{"cjk", "한국어 漢字 かな API", ""},
		{"cjk", "корабль", "Cyrillic"},
		{"ru", "корабль", ""},
		{"ru", "the ship", "Latin"},
		{"ar", "الكتاب", ""},
		{"hi", "किताब", ""},
		{"en", "किताब", "Devanagari"},
		{"en", "กินข้าว ភាសា မြန်မာ", ""},
		{"en", "123 🍕 !?", ""},
		{"en", "", ""},
	} {
		if got := strings.Join(textindex.Unanalyzed(tt.language, tt.text), " "); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.language, tt.text, got, tt.want)
		}
	}
}
