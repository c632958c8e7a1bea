package page

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/internal/worddiff"
)

// functions are what templates call.
var functions = template.FuncMap{
	"asset": assetName, "short": shortIRI, "clip": clip, "num": thousands, "date": date, "iso": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"two":   func(x float32) string { return strconv.FormatFloat(float64(x), 'f', 2, 64) },
	"three": func(x *float32) string { return strconv.FormatFloat(float64(*x), 'f', 3, 32) },
	"inc":   func(i int) int { return i + 1 }, "pct": func(x float64) string { return strconv.Itoa(int(x)) + " %" },
	"size": bytesOf, "passages": passages, "plural": plural, "hue": hueOf, "shape": shapeOf, "list": func(x ...any) []any { return x },
	"diff":  func(a, b string) diffed { return diffed{worddiff.Diff(a, b)} },
	"first": func(a, b string) string { return min(a, b) }, "last": func(a, b string) string { return max(a, b) },
	"times": func(x *float32) float64 { return 100 * float64(*x) },
	"join":  strings.Join, "days": func(seconds float64) string { return ago(time.Duration(seconds) * time.Second) },
}

// diffed are the runs of two texts.
type diffed struct{ Runs []worddiff.Run }

// Removed and Added report what a run is.
func (diffed) Removed(r worddiff.Run) bool { return r.Kind == worddiff.Removed }
func (diffed) Added(r worddiff.Run) bool   { return r.Kind == worddiff.Added }

// shortIRI returns what tells a document from others of its database: the class and
// what follows.
func shortIRI(id string) string {
	if _, rest, ok := strings.Cut(id, "///"); ok {
		id = rest
	}
	parts := strings.Split(id, "/")
	if len(parts) > 2 {
		parts = parts[len(parts)-2:]
	}
	return clip(strings.Join(parts, "/"), 80)
}

// clip returns the beginning of a text, of so many characters.
func clip(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return strings.TrimRight(text[:i], " \n") + "…"
		}
		n++
	}
	return text
}

// plural returns a number with its noun.
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y") && !strings.HasSuffix(noun, "ay"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	case strings.HasSuffix(noun, "ch"):
		noun += "es"
	default:
		noun += "s"
	}
	return thousands(n) + " " + noun
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func bytesOf(n int64) string {
	x, unit := float64(n), 0
	for x >= 1024 && unit < 4 {
		x, unit = x/1024, unit+1
	}
	return strconv.FormatFloat(x, 'f', min(unit, 1), 64) + " " + []string{"bytes", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// date returns a time as it stands where no script puts it into the reader's zone.
func date(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// ago returns how long something has been.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return plural(int(d.Seconds()), "second")
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour")
	}
	return plural(int(d.Hours()/24), "day")
}

// hueOf returns one of sixteen colours for a name, the same on every page and at every
// commit.
func hueOf(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32()>>7) % hues
}

const hues = 16

// shapeOf returns one of four shapes for a name, so that few share both.
func shapeOf(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32()>>17) % 4
}

// span is a piece of a text, marked or not.
type span struct {
	Text string
	Mark bool
}

// marked returns a text with the words of a query marked, or what begins like them.
func marked(text string, query []string) []span {
	var out []span
	begin, at := 0, 0 // of the piece that is not marked, and of what is looked at
	for at < len(text) {
		n := strings.IndexFunc(text[at:], isWord)
		if n < 0 {
			break
		}
		at += n
		end := len(text)
		if n := strings.IndexFunc(text[at:], func(r rune) bool { return !isWord(r) }); n >= 0 {
			end = at + n
		}
		word := strings.ToLower(text[at:end])
		if slices.ContainsFunc(query, func(q string) bool { return sameStem(word, q) }) {
			if begin < at {
				out = append(out, span{text[begin:at], false})
			}
			out = append(out, span{text[at:end], true})
			begin = end
		}
		at = end
	}
	if begin < len(text) {
		out = append(out, span{text[begin:], false})
	}
	return out
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// queryWords returns the words of a query that say something.
func queryWords(query string) []string {
	words := strings.FieldsFunc(strings.ToLower(query), func(r rune) bool { return !isWord(r) })
	return slices.DeleteFunc(words, func(w string) bool { return utf8.RuneCountInString(w) < 2 || stopwords[w] })
}

var stopwords = func() map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq("a an and are as at be by for from has have in is it its of on or that the their they to was who with which") {
		set[w] = true
	}
	return set
}()

// sameStem reports whether two words differ in no more than an ending.
func sameStem(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == b || len(a) >= 4 && len(b)-len(a) <= 3 && strings.HasPrefix(b, a) ||
		len(a) >= 6 && len(b)-len(a) <= 2 && b[:len(a)-1] == a[:len(a)-1]
}

// Limits of what is shown of a text, in bytes: in a list, and on a page of its own.
const (
	maxExcerpt = 420
	maxShown   = 4000
)

// excerpt returns the part of a text in which a query's first word stands, of at most so
// many bytes, and whether something was left out.
func excerpt(text string, query []string, most int) ([]span, bool) {
	if len(text) <= most {
		return marked(text, query), false
	}
	at := 0
	for _, p := range marked(text[:min(len(text), 64<<10)], query) {
		if p.Mark {
			break
		}
		at += len(p.Text)
	}
	begin := 0
	if at < len(text) && at > most*2/3 {
		begin = at - most/3
		if i := strings.IndexByte(text[begin:at], ' '); i >= 0 {
			begin += i + 1
		}
	}
	end := min(begin+most, len(text))
	for begin < end && !utf8.RuneStart(text[begin]) {
		begin++
	}
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	if i := strings.LastIndexByte(text[begin:end], ' '); i > most/2 && end < len(text) {
		end = begin + i
	}
	out := marked(text[begin:end], query)
	if begin > 0 {
		out = append([]span{{"… ", false}}, out...)
	}
	if end < len(text) {
		out = append(out, span{" …", false})
	}
	return out, true
}

// titleFields name a document, the first of them that it has.
var titleFields = []string{"label", "name", "title"}

// field is a field of a document, its value as a text.
type field struct{ Name, Value string }

// maxFields bounds the fields shown in a list.
const maxFields = 6

// fieldsOf returns the fields of a document by name, and the one that names it, "" for
// none.
func fieldsOf(raw json.RawMessage) (list []field, title string) {
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&object) != nil {
		return nil, ""
	}
	for name, v := range object {
		list = append(list, field{name, valueOf(v)})
	}
	slices.SortFunc(list, func(a, b field) int { return cmp.Compare(a.Name, b.Name) })
	for _, name := range titleFields {
		if text, ok := object[name].(string); ok && strings.TrimSpace(text) != "" {
			return list, line(text, 120)
		}
	}
	return list, ""
}

func valueOf(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = valueOf(x)
		}
		return strings.Join(parts, ", ")
	case string:
		return v
	case nil:
		return "–"
	}
	return fmt.Sprint(v)
}

// telling returns the fields worth a place in a list: short ones that do not repeat the
// title.
func telling(list []field, title string) []field {
	var out []field
	for _, f := range list {
		if len(out) < maxFields && f.Value != title && len(f.Value) <= 60 && f.Value != "" && !strings.Contains(f.Value, "://") && !isTime(f.Value) {
			out = append(out, f)
		}
	}
	return out
}

func isTime(text string) bool { _, ok := parseTime(text); return ok }
