package contract_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
)

// TestSecret tries every way in which a secret could be shown by accident.
func TestSecret(t *testing.T) {
	const canary = "canary-Xq7"
	s := contract.NewSecret(canary)
	type open struct{ Key contract.Secret }
	type closed struct {
		key  contract.Secret
		keys map[contract.Secret]contract.Secret
	}
	var shown strings.Builder
	for _, v := range []any{s, &s, []any{s}, open{s}, &open{s}, closed{s, map[contract.Secret]contract.Secret{s: s}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%p", "%w"} {
			fmt.Fprintf(&shown, verb, v)
		}
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&shown, nil), slog.NewTextHandler(&shown, nil)} {
			slog.New(handler).Info("x", "value", v)
		}
		if _, isClosed := v.(closed); isClosed {
			continue // has no members in JSON
		}
		b, err := json.Marshal(v)
		if err != nil || !strings.Contains(string(b), "***") {
			t.Errorf("%T as JSON: %s, %v", v, b, err)
		}
		shown.Write(b)
	}
	shown.WriteString(s.String() + s.GoString())
	for _, form := range []string{canary, "canary", fmt.Sprintf("%x", "canary"), fmt.Sprintf("%X", "canary")} {
		if strings.Contains(shown.String(), form) {
			t.Errorf("the secret shows as %q in %s", form, shown.String())
		}
	}
	var read contract.Secret
	if err := read.UnmarshalText([]byte(canary)); err != nil || read != s || read.Reveal() != canary {
		t.Errorf("read from a setting: %v, %v", read.Reveal() == canary, err)
	}
	none := contract.NewSecret("")
	if !none.IsZero() || none != (contract.Secret{}) || none.Reveal() != "" || fmt.Sprintf("%v%s%x", none, none, none) != "" || s.IsZero() {
		t.Error("no secret shows as one")
	}
}
