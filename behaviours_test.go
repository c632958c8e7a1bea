package vectorlink_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestBehaviours checks docs/behaviours.md: its numbers run on without a gap,
// and every test that it names is there.
func TestBehaviours(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("docs", "behaviours.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^\| (\d+) \| (.+) \| (.+) \|$`)
	name := regexp.MustCompile(`^([a-z0-9/]+)\.((?:Test|Fuzz)\w+)$`)
	declared := make(map[string]string) // the source of a package's tests
	last := 0
	for line := range strings.Lines(string(data)) {
		m := row.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		number, err := strconv.Atoi(m[1])
		if err != nil || number != last+1 {
			t.Errorf("rule %s comes after rule %d", m[1], last)
		}
		last = number
		if strings.HasPrefix(m[3], "not tested: ") {
			continue // the rest says why
		}
		for test := range strings.SplitSeq(m[3], ", ") {
			parts := name.FindStringSubmatch(test)
			if parts == nil {
				t.Errorf("rule %d: %q is no test", number, test)
				continue
			}
			dir := filepath.FromSlash(parts[1])
			if _, ok := declared[dir]; !ok {
				declared[dir] = testSource(t, dir)
			}
			if !strings.Contains(declared[dir], "\nfunc "+parts[2]+"(") {
				t.Errorf("rule %d: there is no test %s", number, test)
			}
		}
	}
	if last < 150 {
		t.Errorf("the list ends with rule %d", last)
	}
}

// TestReliability checks that the tests named in docs/reliability.md are there.
func TestReliability(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := make(map[string]string)
	names := regexp.MustCompile(`([a-z0-9/]+)\.(Test\w+)`).FindAllSubmatch(data, -1)
	for _, m := range names {
		dir := filepath.FromSlash(string(m[1]))
		if _, ok := declared[dir]; !ok {
			declared[dir] = testSource(t, dir)
		}
		if !strings.Contains(declared[dir], "\nfunc "+string(m[2])+"(") {
			t.Errorf("there is no test %s", m[0])
		}
	}
	if len(names) < 40 {
		t.Errorf("docs/reliability.md names %d tests", len(names))
	}
}

func testSource(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", dir, err)
	}
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}
