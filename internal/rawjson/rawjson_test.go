package rawjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/internal/rawjson"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]error{
		``: nil, `"plain"`: nil, `"\ud83c\udf55"`: nil, `"\uD83C\uDF55\ud83c\udf55"`: nil, `"\\ud800"`: nil, `"\u00e9\n\\"`: nil, `"\ufffd"`: nil,
		`{"\ud83c\udf55":["\ue000","\ud7ff"]}`: nil, `"\`: nil, `"\u12`: nil,
		`"\ud800"`: rawjson.ErrSurrogate, `"\udc00"`: rawjson.ErrSurrogate, `"\ud83cx\udf55"`: rawjson.ErrSurrogate, `"\ud83c\\udf55"`: rawjson.ErrSurrogate,
		`"\uDBFF\uDBFF\uDC00"`: rawjson.ErrSurrogate, `"\\\ud800"`: rawjson.ErrSurrogate, `{"a\udfffb":1}`: rawjson.ErrSurrogate, `"\ud83c\n"`: rawjson.ErrSurrogate,
	} {
		if got := rawjson.Check([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// FuzzCheck compares the check with the decoder's replacements.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`"\ud83c\udf55"`, `"a\ud800\\"`, `["\\ud800","\udfff"]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if strings.ContainsAny(text, "\ufffd") || strings.Contains(strings.ToLower(text), "fffd") || json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		replaced := strings.Contains(string(out), "\ufffd") || strings.Contains(string(out), `\ufffd`)
		if valid := json.Valid([]byte(text)); valid && strings.ToValidUTF8(text, "") == text && replaced != (rawjson.Check([]byte(text)) != nil) {
			t.Errorf("%q: replaced %t", text, replaced)
		}
	})
}
