package vectorlink_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWireCitations checks that the sections of the wire contract that code
// cites are in docs/wire.md.
func TestWireCitations(t *testing.T) {
	contract, err := os.ReadFile(filepath.Join("docs", "wire.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^(?:## (\d+)\. |\*\*(\d+\.\d+)[ *])`).FindAllSubmatch(contract, -1) {
		sections[string(m[1])+string(m[2])] = true
	}
	// A citation may go on in the next line of its comment.
	citation := regexp.MustCompile(`wire contract(?:\s|//)+§[\d.]*\d(?:(?:,|\s|//|and|to)+§[\d.]*\d)*`)
	section := regexp.MustCompile(`§([\d.]*\d)`)
	cited := 0
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, c := range citation.FindAll(source, -1) {
			for _, m := range section.FindAllSubmatch(c, -1) {
				cited++
				if !sections[string(m[1])] {
					t.Errorf("%s cites wire contract §%s, which docs/wire.md does not have", path, m[1])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cited < 20 {
		t.Errorf("only %d citations were found", cited)
	}
}
