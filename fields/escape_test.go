package fields_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/fields"
)

// TestFilterEscapes checks that a text of a filter is the text that its escapes say,
// and that half a character is refused.
func TestFilterEscapes(t *testing.T) {
	tab := table(t, `{"s":"🍕 pizza","n":-9223372036854775808}`, `{"s":"𠮷野家","n":9223372036854775807}`, `{"s":"\\ud83c","n":0}`, `{"s":"�"}`)
	for expr, want := range map[string]string{
		`s == "\ud83c\udf55 pizza"`: "[0]", `s == '\uD83C\uDF55 pizza'`: "[0]", `s == "\U0001F355 pizza"`: "[0]", `s == "\u{1f355} pizza"`: "[0]",
		`s == "\u{d83c}\udf55 pizza"`: "[0]", `s startsWith "\ud842\udfb7\u91ce"`: "[1]", `s in ["\ud842\udfb7野家", "\ud83c\udf55 pizza"]`: "[0 1]",
		`s == "\\ud83c"`: "[2]", "s == `\\ud83c`": "[2]", `s == "\ufffd"`: "[3]", `s == "a\ud83c\udf55" or n == 0`: "[2]",
		"/* \"\\ud83c */ n == 0 // '\\ud83c": "[2]",

		`n == -9223372036854775808`: "[0]", `n <= - 9223372036854775808`: "[0]", `n in [-9223372036854775808, 0]`: "[0 2]", `n > -9223372036854775808`: "[1 2]",
		`-9223372036854775808 == n`: "[0]", `n == -9_223_372_036_854_775_808`: "[0]", `n == -0x8000000000000000`: "[0]", `n == -0x8000_0000_0000_0000`: "[0]",
		`n < 9223372036854775808`: "[0 1 2]", `n == 9223372036854775808`: "[]", `n == 9223372036854775807`: "[1]",
	} {
		got, err := selected(t.Context(), tab, expr)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v; want %s", expr, got, err, want)
		}
	}
	for expr, want := range map[string]string{
		`s == "\ud83c pizza"`: "surrogate", `s == "\udf55"`: "surrogate", `s == "\ud83c\ud83c\udf55"`: "surrogate", `s == "\U0000d83c"`: "surrogate", `s == "\u{dfff}"`: "surrogate", `s == '\ud83c"\udf55'`: "surrogate",
		`n == -9223372036854775809`: "64 bits", `n == 18446744073709551616`: "64 bits",
		// What comes behind keeps its place.
		`s == "\ud83c\udf55" and n ==`: "1:28", `s == "\ud83c\udf55" and n + 1 == 2`: "1:31", `n == -9_223_372_036_854_775_808 and n < nil`: "1:39",
		`s == null`: "nil", `NULL != s`: "nil", `s in [None]`: "nil", `s == undefined`: "nil", `n == True`: "small letters",
		`not s == "x"`: "write !=", `!s != "x"`: "write ==", `not s in ["x"]`: "write not in", `not s contains "x"`: "parentheses", `n == 0 and not n < 1`: "parentheses",
	} {
		_, err := selected(t.Context(), tab, expr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

// TestFilterHints checks that texts which look like dates and are none are told.
func TestFilterHints(t *testing.T) {
	for expr, want := range map[string]int{
		`d > "2024-03-09 22:30:00"`: 1, `d > "2024-03-09T22:30:00+0000"`: 1, `d > "2024-03-09T22:30"`: 1, `d > "2024/03/09"`: 1, `d in ["09.03.2024", "2024-3-9"]`: 2, `d == "20240309T2230"`: 1,
		`d > "2024-03-09"`: 0, `d > "2024-03-09T22:30:00Z"`: 0, `d > "2024"`: 0, `d == "1.2.3"`: 0, `d == "555-12-3456"`: 0, `d >`: 0, `d == "see 2024-03-09 22:30"`: 0,
	} {
		if got := fields.Hints(expr); len(got) != want {
			t.Errorf("%s: %q, want %d", expr, got, want)
		}
	}
}
