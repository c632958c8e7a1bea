package textindex_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/vectorlink/vectorlink/textindex"
)

// finds is a text that a plain query finds, and one that it does not.
type finds struct{ language, text, query, not string }

func (f finds) check(t *testing.T) {
	t.Helper()
	if f.language == "" {
		f.language = textindex.English
	}
	x := newIndex(t, textindex.Part{Segment: build(t, in(f.language), f.text, "other", f.not)})
	if got := chunks(search(t, x, f.query, 10)); !slices.Equal(got, []uint32{0}) {
		t.Errorf("%s: %+q finds %v of %+q and %+q, want the first", f.language, f.query, got, f.text, f.not)
	}
}

// What Unicode can write in several ways is one word in all of them.
func TestUnicodeSpellings(t *testing.T) {
	for _, tt := range []finds{
		{"de", "alte Ha\u0308user", "Häuser", ""},
		{"de", "alte Häuser", "Ha\u0308user", ""},
		{"en", "alte Ha\u0308user", "Häuser", "alte H user"},
		{"en", "Tie\u0302\u0301ng Vie\u0323\u0302t", "Việt", "Vi t"},
		{"fr", "re\u0301seau", "réseau", ""},
		{"hu", "ha\u0301zakban", "házban", ""},
		{"tr", "I\u0307zmir", "izmir", "ızmır"},
		{"cjk", "か\u3099くせい", "がく", "かく"},
		{"cjk", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국", ""},
		{"en", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국", ""},
		{"en", "Å Ångström", "A\u030angstro\u0308m", "ngstr"},
		{"en", "Ge\u00adsamt\u00adkon\u00adzept", "Gesamtkonzept", "samt"},
		{"de", "Ge\u00adsamt\u00adkon\u00adzept", "Gesamtkonzept", "samt"},
		{"en", "Gesamt\u00ad\n  konzept", "Gesamtkonzept", "Gesamt"},
		{"en", "hyper\u2060drive", "hyperdrive", "drive"},
		{"en", "\ufeffhyper\ufeffdrive", "hyperdrive", "drive"},
		{"sv", "hyper\u200ddrive", "hyperdrive", "drive"},
		{"en", "hyper\u200cdrive", "hyperdrive", "drive"},
		{"hi", "क्\u200dष", "क्ष", ""},
		{"en", "hyperdrive", "hy\u00adper\u00addrive", "drive"},
		{"en", "hyperdrive\ufe0f", "hyperdrive", ""},
		{"en", "send your résumé", "resume", ""},
		{"en", "send your resume", "résumés", ""},
		{"en", "the naïve protégés' soufflés", "protege", ""},
		{"en", "a cliché", "cliches", ""},
		{"en", "Ἑλλάς ΕΛΛΆΣ", "ελλας", ""},
		{"en", "the oﬃce is eﬃcient", "efficient", ""},
		{"en", "the oﬃces", "office", ""},
		{"en", "the ﬁnancial ﬂow", "financially", ""},
		{"en", "ﬁnances", "finance", ""},
		{"de", "die Aﬀen", "Affe", ""},
		{"en", "ｆｕｌｌ ｗｉｄｔｈ", "width", ""},
		{"en", "𝐁𝐨𝐥𝐝 Ⅷ", "bold", ""},
		{"en", "chapter Ⅷ", "VIII", ""},
		{"en", "שָׁלוֹם", "שלום", "ש"},
		{"de", "שָׁלוֹם", "שלום", "ש"},
		{"en", "مُحَمَّد", "محمد", ""},
		{"en", "हिन्दी", "हिन्दी", "दी"},
		{"en", "தமிழ்", "தமிழ்", "தமிழ"},
		{"en", "Ge\u200bsamt\u200bkon\u200bzept", "Gesamtkonzept", "Gesamt"},
		{"de", "Gesamtkonzept", "Ge\u200bsamt\u200bkonzept", "zept"},
		{"fr", "12 m² de CO₂", "m2", "m"},
		{"de", "CO₂", "CO2", "CO"},
		{"cjk", "CO2", "CO₂", "CO"},
		{"ru", "Стр. １２", "12", "1 2"},
		{"ar", "سنة ٢٠٢٤", "2024", "٢٠٢٣"},
		{"fa", "سال 1403", "۱۴۰۳", ""},
		{"en", "साल २०२४", "2024", ""},
	} {
		tt.check(t)
	}
}

// A text and its decomposed form are the same words, and find each other.
func TestDecomposedIsComposed(t *testing.T) {
	letters := []rune("aeoucnAEØßéüñçőțșżÅİıЙёάΰがパ한글क़ड़ไมក្កလို fiⅣ½ﬁ.-'\u0301\u0308\u0323\u3099")
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.SampledFrom(letters), 0, 12).Draw(t, "text"))
		language := rapid.SampledFrom(textindex.Languages()).Draw(t, "language")
		seen := func(text string) string {
			s := textindex.Look(language, text)
			for i := range s.Words {
				s.Words[i].Start, s.Words[i].End = 0, 0
			}
			return fmt.Sprintf("%+v", s)
		}
		if c, d := seen(norm.NFC.String(text)), seen(norm.NFD.String(text)); c != d {
			t.Fatalf("%s: %+q is %s, decomposed %s", language, text, c, d)
		}
	})
}

// Offsets are those of the text as it was given.
func TestOffsetsOfCleanedText(t *testing.T) {
	for _, text := range []string{"ein Ha\u0308user|user| x", "Ge\u00adsamt|samt| e\u0301t"} {
		before, rest, _ := strings.Cut(text, "|")
		_, after, _ := strings.Cut(rest, "|")
		text = before + after
		tokens := analyze(t, text)
		var got []string
		for _, tok := range tokens {
			got = append(got, text[tok.Start:tok.End])
		}
		if want := strings.Fields(text); !slices.Equal(got, want) {
			t.Errorf("tokens of %+q stand for %+q", text, got)
		}
	}
}

func TestLongWords(t *testing.T) {
	hash := strings.Repeat("da39a3ee5e6b4b0d", 8)
	for _, tt := range []finds{
		{"en", "fixed in da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80708"},
		{"en", "sha512 " + hash, hash, hash[1:]},
		{"de", "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", "rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", ""},
		{"en", strings.Repeat("ж", 45), strings.Repeat("Ж", 45), strings.Repeat("ж", 44)},
		{"ru", strings.Repeat("ж", 120), strings.Repeat("Ж", 120), strings.Repeat("ж", 119)},
		{"en", strings.Repeat("x", 5000), strings.Repeat("x", 5000), strings.Repeat("x", 100)},
		{"fi", strings.Repeat("ö", 500), strings.Repeat("ö", 500), "ö"},
		{"cjk", strings.Repeat("q", 161), strings.Repeat("q", 161), strings.Repeat("q", 159)},
	} {
		tt.check(t)
	}
}

// Stop words and symbols are found where there is nothing else to find, and in
// phrases; they change no score of other queries.
func TestSilentWords(t *testing.T) {
	for _, tt := range []finds{
		{"en", "To be, or not to be", "to be or not to be", "nothing else"},
		{"en", "the airport THE", "THE", "to it"},
		{"de", "der die das", "die", "oder"},
		{"ru", "быть или не быть", "или", "дом"},
		{"en", "great pizza 🍕 tonight", "🍕", "great pizza 🍔 tonight"},
		{"de", "🍕 Pizza", "🍕", "Pizza"},
		{"cjk", "寿司🍣", "🍣", "寿司"},
		{"en", "ok 👍🏽", "👍", "ok 👎"},
		{"en", "ok 👍", "👍🏽", "ok 👎🏽"},
		{"en", "by 👩🏽\u200d💻 and", "👩\u200d💻", "👨\u200d🍳"},
		{"en", "☎\ufe0f call", "☎", "☏"},
		{"en", "from 🇩🇪 to", "🇩🇪", "🇩🇰 🇪🇸"},
		{"en", "press *\ufe0f⃣ now", "*\ufe0f⃣", "press 3"},
		{"en", "500 €", "€", "500 $"},
		{"en", "a → b", "→", "a ← b"},
		{"en", "a ≠ b", "≠", "a = b"},
		{"en", "a =\u0338 b", "≠", "a = b"},
		{"en", "24 °C, ½", "°", "24"},
		{"fr", "½ pomme", "½", "pomme"},
		{"en", "the 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f flag", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "🏳\ufe0f"},
	} {
		tt.check(t)
	}
	with := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "the pizza 🍕 is to be had", "pizza", "a moon")})
	without := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "pizza had", "pizza", "moon")})
	for _, query := range []string{"pizza", "the pizza", "is pizza to be 🍕", "had the moon €"} {
		if got, want := search(t, with, query, 10), search(t, without, query, 10); !slices.Equal(got, want) {
			t.Errorf("%s: %v, without silent words %v", query, got, want)
		}
	}
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"),
		/* 0 */ "To be, or not to be" /* 1 */, "not to be or" /* 2 */, "🍕 pizza tonight" /* 3 */, "pizza 🍕 tonight",
		/* 4 */ "pizza tonight" /* 5 */, "pizza 🍕🍺 tonight")})
	for query, want := range map[string][]uint32{
		`"to be or not to be"`: {0}, `"not to be"`: {0, 1}, `"be to"`: nil,
		`"🍕 pizza"`: {2}, `"pizza 🍕"`: {3, 5}, `"pizza tonight"`: {2, 3, 4, 5}, `"🍕 tonight"`: {3, 5}, `"🍕🍺"`: {5},
		`+🍕 pizza`: {2, 3, 5}, `pizza -🍕`: {4}, `🍕`: {2, 3, 5}, `pizza AND 🍺`: {5}, `pizza 🍺`: {2, 3, 4, 5}, `🍕 AND 🍺`: {5},
		`not AND be`: {0, 1}, `be -pizza`: {0, 1},
	} {
		if got := find(t, x, query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
}

// The ways to write one thing find each other, in plain queries and as words of
// a query with operators.
func TestOtherSpellings(t *testing.T) {
	for _, tt := range [][]string{
		{"PS-LX350H", "PSLX350H", "pslx350h", "PS-LX-350H", "PS LX350H"},
		{"wifi", "Wi-Fi", "WiFi", "wi_fi", "WI‑FI"},
		{"iphone 12", "iPhone12", "iPhone 12", "iphone-12"},
		{"256 GB", "256GB", "256\u00a0gb", "256-GB"},
		{"1000", "1,000", "1.000", "1\u202f000", "1’000"},
		{"1234567", "1,234,567", "1 234 567"},
		{"1234.56", "1,234.56"},
		{"1234567,8", "1.234.567,8"},
		{"email", "e-mail", "E-mails"},
		{"nodejs", "Node.js"},
		{"dont", "don't", "don’t"},
		{"USA", "U.S.A."},
		{"ACDC", "AC/DC"},
		{"5551234", "555-1234"},
		{"MP3", "mp-3"},
		{"USB3", "USB 3"},
		{"iPhone12Pro", "iPhone 12 Pro", "iphone-12-pro"},
		{"HTTPServer", "HTTP server", "http_server"},
		{"covid19", "COVID-19", "Covid 19"},
		{"x-ray", "xray"},
		{"coop", "co-op", "co-\n  op"},
	} {
		for _, language := range []string{"en", "nl"} {
			for _, text := range tt {
				x := newIndex(t, textindex.Part{Segment: build(t, in(language), text, "of another", "thing")})
				for _, query := range tt {
					if language == "nl" && (strings.Contains(query+text, "E-mails") || strings.Contains(query+text, "U.S.A.")) {
						continue
					}
					if got := chunks(search(t, x, query, 10)); !slices.Equal(got, []uint32{0}) {
						t.Errorf("%s: %q finds %v, not %q", language, query, got, text)
					}
					if strings.ContainsAny(query, " ’'/\u202f\u00a0\n") || language == "en" && strings.ContainsAny(query+text, "68") {
						continue
					}
					if got := find(t, x, "+"+query); !slices.Equal(got, []uint32{0}) && !strings.Contains(text, "PS LX") {
						t.Errorf("%s: +%s finds %v, not %q", language, query, got, text)
					}
				}
			}
		}
	}
	// What is written as asked comes first.
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "a Wi-Fi router", "a wifi router", "the wi and fi router", "router")})
	if got := chunks(search(t, x, "wifi", 10)); !slices.Equal(got, []uint32{1, 0}) {
		t.Errorf("wifi finds %v", got)
	}
	if got := find(t, x, `"wifi"`); !slices.Equal(got, []uint32{1}) {
		t.Errorf("quoted wifi finds %v", got)
	}
	if got := find(t, x, `router -wifi`); !slices.Equal(got, []uint32{2, 3}) {
		t.Errorf("router -wifi finds %v", got)
	}
}

func TestPartsOfWords(t *testing.T) {
	for _, tt := range []finds{
		{"en", "call read_file now", "file", "call readable"},
		{"de", "call read_file now", "file", ""},
		{"nl", "call read_file now", "readfile", ""},
		{"en", "call readFile now", "file", ""},
		{"en", "an HTTPServer", "server", ""},
		{"en", "an HTTPServer", "http", ""},
		{"fr", "maxRetryCount", "retry", ""},
		{"en", "256GB", "gb", ""},
		{"en", "the Terminus DB", "TerminusDB", "db of Terminus"},
		{"de", "in Node JS", "node.js", "js"},
		{"en", "iPhone12", "iphone", ""},
		{"es", "iPhone12", "iphone", "phone"},
		{"cjk", "超空間", "超", "空間"},
		{"cjk", "超空間", "空", "超"},
		{"cjk", "超空間", "間", "超空"},
		{"cjk", "한국어", "어", "한국"},
		{"en", "กข้าว", "ว", ""},
		{"en", "ฉันชอบกินข้าวผัด", "ข้าว", "วันนี้ฝนตกหนักมาก"},
		{"de", "ฉันชอบกินข้าวผัด", "ข้าว", ""},
		{"cjk", "ฉันชอบกินข้าวผัด", "ข้าว", ""},
		{"en", "សួស្តីពិភពលោក", "ពិភព", ""},
		{"en", "မင်္ဂလာပါ", "ဂလာ", ""},
		{"en", "ສະບາຍດີ", "ບາຍ", ""},
	} {
		tt.check(t)
	}
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "written in C", "written in C++", "written in C#", "C++11 and", "F#", "vitamin C.", "notepad++", "notepad", "a+b c+1", "i++")})
	for query, want := range map[string][]uint32{
		"C": {0, 5, 8}, "c++": {1, 3}, "C#": {2}, "C♯": {2}, "F#": {4}, "f": nil, "i++": {9},
		"notepad++": {6, 7}, "notepad": {7, 6}, "b": {8}, "11": {3},
	} {
		got := chunks(search(t, x, query, 10))
		if strings.HasPrefix(query, "notepad") {
			if query == "notepad++" && got[0] != 6 || len(got) != 2 {
				t.Errorf("%s finds %v", query, got)
			}
			continue
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
	for language, want := range map[string][]uint32{"de": {1}, "cjk": {1}} {
		x := newIndex(t, textindex.Part{Segment: build(t, in(language), "Programme in C", "Programme in C++", "Programme in C#")})
		if got := chunks(search(t, x, "C++", 10)); !slices.Equal(got, want) {
			t.Errorf("%s: C++ finds %v", language, got)
		}
	}
}

// A word that a query repeats counts as often as it stands there.
func TestRepeatedWordsCount(t *testing.T) {
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "moon ship", "moon moon droid", "star")})
	score := func(query string) float64 { return float64(search(t, x, query, 10)[0].Score) }
	if once, thrice := score("droid"), score("droid droids DROID"); math.Abs(thrice-3*once) > 1e-6 {
		t.Errorf("thrice scores %g, once %g", thrice, once)
	}
}

// near returns what a query finds that may be misspelt, with the words.
func near(t *testing.T, x *textindex.Index, q textindex.Query) (list []string) {
	t.Helper()
	hits, err := x.Search(t.Context(), q, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hits {
		list = append(list, fmt.Sprint(h.Chunk, " ", h.Matched))
	}
	slices.Sort(list)
	return list
}

func TestFuzzy(t *testing.T) {
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"),
		/* 0 */ "the universities of Berlin" /* 1 */, "a university" /* 2 */, "smuggler freighter" /* 3 */, "form and from",
		/* 4 */ "foam rubber" /* 5 */, "accommodation available" /* 6 */, "order PSLX350H" /* 7 */, "Москва" /* 8 */, "the café")})
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"universty", []string{"0 university", "1 university"}},
		{"Berln", []string{"0 berlin"}},
		{"Berlni", []string{"0 berlin"}},
		{"Bberlin", []string{"0 berlin"}},
		{"Perlin", nil},
		{"Brln", nil}, // two edits
		{"Berln smugler", []string{"0 berlin", "2 smuggler"}},
		{"frmo", []string{"3 from"}},
		{"fom", nil},
		{"universit", []string{"0 university", "1 university"}},
		{"foat", []string{"4 foam"}},
		{"acomodation", []string{"5 accommodation"}},
		{"acomodatoin", nil},
		{"PSLX351H", nil},
		{"Масква", []string{"7 москва"}},
		{"Мосвка", []string{"7 москва"}},
		{"cafés", []string{"8 "}},
		{"freighter", []string{"2 "}},
		{"availabel", []string{"5 available"}},
		{"freightr smuggler", []string{"2 freighter"}},
	} {
		if got := near(t, x, textindex.Plain(tt.query).Fuzzy(textindex.FuzzyAuto)); !slices.Equal(got, tt.want) {
			t.Errorf("%s finds %q, want %q", tt.query, got, tt.want)
		}
		if got := near(t, x, textindex.Plain(tt.query)); strings.Contains(fmt.Sprint(got), "berlin") {
			t.Errorf("%s finds %q though it is not fuzzy", tt.query, got)
		}
	}
	for query, want := range map[string][]string{
		`+Berln`: {"0 berlin"}, `universities -Berln`: {"0 ", "1 "}, `"Berln"`: nil, `"Berln city"`: nil, `Berl*`: {"0 "},
		`rubber OR Berln`: {"0 berlin", "4 "}, `university AND Berln`: {"0 berlin"},
	} {
		if got := near(t, x, parse(t, query).Fuzzy(textindex.FuzzyAuto)); !slices.Equal(got, want) {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	if got, want := near(t, x, textindex.Plain("form").Fuzzy(textindex.FuzzyOn)), []string{"3 from", "4 foam"}; !slices.Equal(got, want) {
		// from is one transposition away, foam one change.
		t.Errorf("form, on: %q, want %q", got, want)
	}
	// A word that only dead chunks have is absent, and stands in for none.
	dead := new(textindex.Bitmap)
	dead.Add(0)
	s := build(t, id("c1"), "Berlin", "Berlim", "Bernin")
	x = newIndex(t, textindex.Part{Segment: s, Dead: dead})
	if got := near(t, x, textindex.Plain("Berlin").Fuzzy(textindex.FuzzyAuto)); !slices.Equal(got, []string{"1 berlim", "2 bernin"}) {
		t.Errorf("got %q", got)
	}
}

// A misspelt word costs little memory, and so do many: those after the first
// are not looked for.
func TestFuzzyMemory(t *testing.T) {
	x := newIndex(t, textindex.Part{Segment: build(t, id("c1"), "Berlin", "somethings")})
	cost := func(query string) uint64 {
		q := textindex.Plain(query).Fuzzy(textindex.FuzzyAuto)
		near(t, x, q) // the builders are made
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		near(t, x, q)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := cost("Berln"); n > 200<<10 {
		t.Errorf("one edit takes %d bytes", n)
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "some%sthings ", strings.Repeat(string(rune('a'+i%26)), 1+i/26%20))
	}
	if n := cost(many.String()); n > 20<<20 {
		t.Errorf("a thousand misspelt words take %d bytes", n)
	}
}
