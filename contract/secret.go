package contract

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unique"
)

// A Secret is a password or key that no formatting, encoding or logging shows,
// not even as an unexported field, which package fmt prints without asking:
// therefore it holds a pointer. Secrets of one value are equal.
type Secret struct{ value unique.Handle[string] }

// hidden is shown in the place of a secret.
const hidden = "***"

// NewSecret returns the secret of that value; of "" it is the zero Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.value.Value()
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// String returns "***", or "" for the zero Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// GoString returns String in quotes.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format writes String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText encodes String, for JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the value, as settings bring it, without the line breaks at
// its end, which files and `echo` put there. Other control characters, which no
// header can carry, are refused, and so is what is line breaks alone: it would be
// no secret at all. The error does not quote the text.
func (s *Secret) UnmarshalText(text []byte) error {
	value := strings.TrimRight(string(text), "\r\n")
	switch {
	case value == "" && len(text) > 0:
		return errors.New("is a line break and nothing else")
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("has a line break or another control character within it")
	}
	*s = NewSecret(value)
	return nil
}

// LogValue logs String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
