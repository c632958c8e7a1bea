package pairs

import (
	"slices"
	"strings"
	"unicode"

	"github.com/vectorlink/vectorlink/internal/edit"
	"github.com/vectorlink/vectorlink/textindex"
)

// record is a text as its numbers and words, in order, to tell what differs between
// two that are alike: "K8864X" and "K8864Y" are two products.
type record struct {
	tokens []recordToken
	// spans are stretches of tokens, at least one of which is a number, by what
	// they are written without what stands between: a number may be written in
	// parts.
	spans map[string]recordSpan // nil: not made yet
	words map[string]struct{}   // and numbers
}

type recordToken struct {
	text   string
	number bool // or a code: a digit is in it
	part   bool // a short word beside a number, perhaps of a code
}

type recordSpan struct{ from, to int }

// Bounds of a record's spans, and of the words that may be parts of codes.
const (
	maxSpan      = 6  // tokens
	maxSpanBytes = 24 // of a span's text
	maxPart      = 4
	// maxRecord is how many tokens of a text are looked at.
	maxRecord = 2000
)

// newRecord takes a text apart. A number is a run of letters and digits with a digit
// in it, and what is joined to it by a sign without a blank: "12.50", "AB-12",
// "1986-04-23". What is a date is written in one way, and so is a number with
// decimals.
func newRecord(text string) *record {
	r := &record{words: make(map[string]struct{})}
	text = strings.ToLower(textindex.Fold(text))
	for len(r.tokens) < maxRecord {
		from := strings.IndexFunc(text, alphanumeric)
		if from < 0 {
			break
		}
		text = text[from:]
		parts, signs, rest := joined(text)
		switch {
		case !strings.ContainsAny(text[:len(text)-len(rest)], digits):
			for _, p := range parts {
				r.tokens = append(r.tokens, recordToken{text: p})
			}
		default:
			r.tokens = append(r.tokens, recordToken{text: canonical(parts, signs), number: true})
		}
		text = rest
		r.joinDate()
	}
	for i := range r.tokens {
		t := &r.tokens[i]
		t.part = !t.number && len(t.text) <= maxPart &&
			(i > 0 && r.tokens[i-1].number || i+1 < len(r.tokens) && r.tokens[i+1].number)
		r.words[t.text] = struct{}{}
	}
	return r
}

// stretches returns the record's spans.
func (r *record) stretches() map[string]recordSpan {
	if r.spans != nil {
		return r.spans
	}
	r.spans = make(map[string]recordSpan)
	for i := range r.tokens {
		span, number := "", false
		for k := i; k < min(i+maxSpan, len(r.tokens)); k++ {
			span, number = span+r.tokens[k].text, number || r.tokens[k].number
			if len(span) > maxSpanBytes {
				break
			}
			if _, ok := r.spans[span]; number && !ok {
				r.spans[span] = recordSpan{i, k + 1}
			}
		}
	}
	return r.spans
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyz"
)

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// joined returns the runs of letters and digits at the beginning of a text that
// are joined by single signs, these, and the rest of the text.
func joined(text string) (parts []string, signs, rest string) {
	for {
		n := strings.IndexFunc(text, func(r rune) bool { return !alphanumeric(r) })
		if n < 0 {
			return append(parts, text), signs, ""
		}
		parts = append(parts, text[:n])
		next := strings.IndexFunc(text[n+1:], alphanumeric)
		comma := text[n] == ',' && next == 0 && (!isDigit(text[n-1]) || !isDigit(text[n+1]))
		if next != 0 || comma || !strings.ContainsRune("-./,_", rune(text[n])) {
			return parts, signs, text[n:]
		}
		signs += text[n : n+1]
		text = text[n+1:]
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// canonical returns the one way to write a number.
func canonical(parts []string, signs string) string {
	last := len(parts) - 1
	if number := strings.TrimRight(parts[last], letters); number != "" && number != parts[last] && last > 0 {
		unit := parts[last][len(number):] // "2.0l" is "2.0 l"
		return canonical(append(slices.Clone(parts[:last]), number), signs) + unit
	}
	for _, p := range parts {
		if strings.Trim(p, digits) != "" {
			return strings.TrimLeft(strings.Join(parts, ""), "0")
		}
	}
	if date := date(parts); date != "" {
		return date
	}
	if len(parts) == 1 && len(parts[0]) == 8 {
		if d := date([]string{parts[0][:4], parts[0][4:6], parts[0][6:]}); d != "" {
			return d
		}
	}
	fraction := ""
	if last > 0 && len(parts[last]) <= 2 && (signs[last-1] == '.' || signs[last-1] == ',') {
		fraction = strings.TrimRight(parts[last], "0")
		parts = parts[:last]
	}
	whole := strings.TrimLeft(strings.Join(parts, ""), "0")
	if fraction != "" {
		return whole + "." + fraction
	}
	if whole == "" {
		return "0"
	}
	return whole
}

// date returns the one way to write a date of three numbers, "" if they are none:
// which of the others is the month does not show.
func date(parts []string) string {
	if len(parts) != 3 {
		return ""
	}
	year, others := "", []string(nil)
	for i, p := range parts {
		if len(p) == 4 && i != 1 && year == "" && "1500" < p && p < "2200" {
			year = p
		} else if len(p) <= 2 {
			others = append(others, strings.TrimLeft(p, "0"))
		}
	}
	if year == "" || len(others) != 2 {
		return ""
	}
	slices.Sort(others)
	small, large := others[0], others[1]
	if len(small) > 1 && small > "31" || len(large) > 1 && large > "31" || small == "" || large == "" ||
		len(small) > 1 && small > "12" && len(large) > 1 && large > "12" {
		return ""
	}
	return year + "/" + small + "/" + large
}

// months are the beginnings of their names in English, German, Spanish and French.
var months = map[string]string{
	"jan": "1", "feb": "2", "mar": "3", "apr": "4", "may": "5", "jun": "6", "jul": "7", "aug": "8", "sep": "9", "oct": "10", "nov": "11", "dec": "12",
	"mai": "5", "okt": "10", "dez": "12", "ene": "1", "abr": "4", "ago": "8", "dic": "12", "fev": "2", "avr": "4", "aou": "8", "mae": "3",
}

// joinDate makes one number of the last three tokens where they are a date with a
// month's name in it.
func (r *record) joinDate() {
	n := len(r.tokens)
	if n < 3 || !r.tokens[n-1].number || len(r.tokens[n-1].text) != 4 {
		return
	}
	day, month := r.tokens[n-3], r.tokens[n-2]
	if month.number {
		day, month = month, day
	}
	if !day.number || month.number || len(month.text) < 3 {
		return
	}
	number := months[month.text[:3]]
	if number == "" {
		return
	}
	if d := date([]string{r.tokens[n-1].text, number, day.text}); d != "" {
		r.tokens = append(r.tokens[:n-3], recordToken{text: d, number: true})
	}
}

// difference is what two records do not have in common.
type difference struct {
	numbers bool    // both have numbers that the other one has not
	share   float32 // of these among all numbers
	words   bool    // both have words that the other one has not
	typing  bool    // and some of them are much alike, as if mistyped
}

// compare says how two records differ. rare reports whether few documents have a
// word.
func (r *record) compare(other *record, rare func(word string) bool) difference {
	left, right := r.unmatched(other), other.unmatched(r)
	if r.lacks(left) && other.lacks(right) { // unless they are the same, written in parts
		r.matchSpans(left, other, right)
		other.matchSpans(right, r, left)
	}
	count := func(r *record, missing []bool) (numbers, parts, shared int, words []string) {
		for i, t := range r.tokens {
			switch {
			case !missing[i] && t.number:
				shared++
			case !missing[i]:
			case t.number:
				numbers++
			case t.part && rare(t.text):
				parts++
				fallthrough
			default:
				words = append(words, t.text)
			}
		}
		return numbers, parts, shared, words
	}
	numbersL, partsL, sharedL, wordsL := count(r, left)
	numbersR, partsR, sharedR, wordsR := count(other, right)
	if partsL > 0 && partsR > 0 { // codes whose letters differ
		numbersL, numbersR = numbersL+partsL, numbersR+partsR
	} else {
		partsL, partsR = 0, 0
	}
	d := difference{numbers: numbersL > 0 && numbersR > 0, words: len(wordsL) > partsL && len(wordsR) > partsR}
	if n := min(numbersL, numbersR); n > 0 {
		d.share = float32(n) / (float32(n) + float32(sharedL+sharedR)/2)
	}
	d.typing = d.words && slices.ContainsFunc(wordsL, func(a string) bool {
		return slices.ContainsFunc(wordsR, func(b string) bool { return mistyped(a, b) })
	})
	return d
}

// unmatched marks the tokens that the other record has not.
func (r *record) unmatched(other *record) []bool {
	missing := make([]bool, len(r.tokens))
	for i, t := range r.tokens {
		_, ok := other.words[t.text]
		missing[i] = !ok
	}
	return missing
}

// lacks reports whether a number is marked.
func (r *record) lacks(missing []bool) bool {
	for i, t := range r.tokens {
		if t.number && missing[i] {
			return true
		}
	}
	return false
}

// matchSpans takes the marks off the numbers that the other record has in parts, and
// off those parts.
func (r *record) matchSpans(missing []bool, other *record, others []bool) {
	spans := other.stretches()
	for i, t := range r.tokens {
		if span, ok := spans[t.text]; ok && t.number && missing[i] {
			missing[i] = false
			clear(others[span.from:span.to])
		}
	}
}

// mistyped reports whether one word is the other with a mistake or two.
func mistyped(a, b string) bool {
	most := 1
	if len(a) >= 7 && len(b) >= 7 || len(a) >= 4 && len(a) == len(b) { // two change places
		most = 2
	}
	return min(len(a), len(b)) >= 3 && max(len(a), len(b))-min(len(a), len(b)) <= most && len(a) < 40 && edit.Distance(a, b) <= most
}
