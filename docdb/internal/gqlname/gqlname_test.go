package gqlname_test

import (
	"testing"

	"github.com/vectorlink/vectorlink/docdb/internal/gqlname"
)

// TestOf has the server's own examples and those that were seen on one.
func TestOf(t *testing.T) {
	for name, want := range map[string]string{
		"Document-TF-IDF": "Document_TF_IDF", "doc:Document": "doc_Document", "SørenLorenson": "SorenLorenson", "ÖBB": "OEBB",
		"gehört": "gehoert", "Gerät": "Geraet", "Star-Ship": "Star_Ship", "ex:Person": "ex_Person", "2nd…": "_nd_", "2ndOwner": "_ndOwner",
		"__x": "_x", "__": "_", "ẞ": "_", "ß": "SS", "Ǽǿ": "AEo", "漢字": "_", "a漢字": "a__", "sci fi": "sci_fi", "a_b2": "a_b2", "١": "_",
	} {
		if got := gqlname.Of(name); got != want {
			t.Errorf("%s is called %s, want %s", name, got, want)
		}
	}
	for _, c := range [][3]string{{"gehört", "Ding", "_gehoert_of_Ding"}, {"2nd", "A", "__nd_of_A"}, {"__x", "A", "__x_of_A"}, {"_x", "A", "__x_of_A"}, {"ex:maker", "ex:W", "_ex_maker_of_ex_W"}} {
		if got := gqlname.Backlink(c[0], c[1]); got != c[2] {
			t.Errorf("the backlink of %s of %s is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
