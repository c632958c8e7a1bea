package textindex

import "testing"

// TestTelling: stop words and single letters label nothing; a stop word of one language
// may be a word of another.
func TestTelling(t *testing.T) {
	for word, want := range map[string]bool{
		"card": true, "c": false, "7": false, "カ": true, "the": false, "my": false, "can": false, "will": false, "how": false, "canal": true,
	} {
		if Telling(English, word) != want {
			t.Errorf("%q can be a label: %v", word, !want)
		}
	}
	if !Telling("de", "will") {
		t.Error("a stop word of English is none of German labels")
	}
}
