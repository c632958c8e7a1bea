package catalog_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/snapshot"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// TestFormatDocument compares the numbers of FORMAT.md with the code's.
func TestFormatDocument(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\w+) \| (\d+) \| .*\|$`).FindAllStringSubmatch(string(text), -1)
	got := map[string]string{}
	for _, row := range rows {
		if _, err := strconv.Atoi(row[1]); err != nil {
			got[row[1]] = row[2]
		}
	}
	for name, want := range catalog.Constants {
		if got[name] != strconv.Itoa(want) {
			t.Errorf("FORMAT.md says %s is %q, the code %d", name, got[name], want)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("FORMAT.md gives %s, which is not compared with the code", name)
	}
}

// golden is a catalog file with a record of each type.
func golden() []byte {
	delta := info("admin/star_wars", "c2", "c1", "main", 2)
	delta.Kind, delta.On, delta.Settings = snapshot.Delta, "c1", "metric=ip"
	return catalog.Golden(info("admin/star_wars", "c1", "", "main", 1), delta)
}

// TestGolden holds the bytes of a file.
func TestGolden(t *testing.T) {
	const name = "testdata/catalog.golden"
	data := golden()
	if *update {
		if err := os.WriteFile(name, []byte(hex.Dump(data)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.Dump(data); got != string(want) {
		t.Errorf("the bytes have changed; bump the version:\n%s", got)
	}
	again, ends, err := catalog.Parse(data)
	if err != nil || !bytes.Equal(again, data) || len(ends) != 6 {
		t.Errorf("Parse: %d ends, %v", len(ends), err)
	}
	if !strings.Contains(string(data), "metric=ip") {
		t.Error("no settings")
	}
}
