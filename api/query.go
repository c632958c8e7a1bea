package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/service"
)

// pair is one name=value of a query string.
type pair struct {
	name  string // without its brackets
	index int    // of name[3]; noIndex and plain otherwise
	value string
}

const (
	plain   = -2 // name=value
	noIndex = -1 // name[]=value

	maxIndexDigits = 9
)

// parseQuery parses form-urlencoded text, keeping the order, which a map would
// lose: the order of ancestors means something.
func parseQuery(text string) ([]pair, error) {
	var pairs []pair
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, service.Failure(errSyntax, "the query string holds a bad %%-escape")
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, service.Failure(errSyntax, "the query string holds a bad %%-escape in a value")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, service.Failure(errSyntax, "the query string is not valid UTF-8")
		}
		name, index := splitIndex(name)
		pairs = append(pairs, pair{name, index, value})
	}
	return pairs, nil
}

// splitIndex takes the brackets off name[] and name[3].
func splitIndex(name string) (string, int) {
	open := strings.IndexByte(name, '[')
	if open < 0 || !strings.HasSuffix(name, "]") {
		return name, plain
	}
	digits := name[open+1 : len(name)-1]
	if digits == "" {
		return name[:open], noIndex
	}
	index, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || len(digits) > maxIndexDigits {
		return name, plain // no form that we know: another name
	}
	return name[:open], int(index)
}

// listed returns the values of a repeatable parameter, under any of its names.
// Where every one has an index, the indexes give the order; otherwise it is
// that of the text.
func listed(pairs []pair, names ...string) []string {
	var found []pair
	indexed := true
	for _, p := range pairs {
		if slices.Contains(names, p.name) {
			found = append(found, p)
			indexed = indexed && p.index >= 0
		}
	}
	if indexed {
		slices.SortStableFunc(found, func(a, b pair) int { return a.index - b.index })
	}
	values := make([]string, len(found))
	for i, p := range found {
		values[i] = p.value
	}
	return values
}
