package vfs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/vfs"
)

func TestFileName(t *testing.T) {
	long := strings.Repeat("a", 194)
	tests := []struct {
		domain, commit, ext string
		want                string
	}{
		{"admin/star_wars", "", "vecs", "admin%2Fstar_wars.vecs"},
		{"admin/star_wars", "o2uq7k1mrun1vp4urktmw55962vlpto", "hnsw", "admin%2Fstar_wars@o2uq7k1mrun1vp4urktmw55962vlpto.hnsw"},
		{"a@b", "c~d", "zap", "a%40b@c%7Ed.zap"},
		{"../etc/passwd", "..", "hnsw", "%2E.%2Fetc%2Fpasswd@%2E..hnsw"},
		{"é\x00 %", "", "vecs", "%C3%A9%00%20%25.vecs"},
		{"", "", "vecs", "%.vecs"},
		{"", "k", "hnsw", "%@k.hnsw"},
		{"a.b", "", "vecs", "a.b.vecs"},
		{"Admin/db", "", "vecs", "Admin%2Fdb~8948ba8262fd96811ec13c498ab53a71.vecs"},
		{"admin/DB", "", "vecs", ""},
		{long, "", "hnsw", long + ".hnsw"},
		{long + "aa", "", "hnsw", ""},
	}
	for _, tt := range tests {
		got := vfs.FileName(tt.domain, tt.commit, tt.ext)
		if tt.want == "" { // carries a hash
			if _, hash, ok := strings.Cut(got, "~"); !ok || len(hash) != 33+len(tt.ext) {
				t.Errorf("FileName(%q, %q, %q) = %q, want a hash", tt.domain, tt.commit, tt.ext, got)
			}
		} else if got != tt.want {
			t.Errorf("FileName(%q, %q, %q) = %q, want %q", tt.domain, tt.commit, tt.ext, got, tt.want)
		}
	}
}

func TestTempName(t *testing.T) {
	name := vfs.FileName(strings.Repeat("/", 500), strings.Repeat("É", 500), "hnsw")
	temp := vfs.TempName(name)
	if !vfs.IsTemp(temp) || vfs.IsTemp(name) || temp == name {
		t.Errorf("TempName(%q) = %q, IsTemp = %t and %t", name, temp, vfs.IsTemp(name), vfs.IsTemp(temp))
	}
	if err := vfs.CheckName(temp); err != nil {
		t.Error(err)
	}
}

// FuzzFileName: names are plain, shown, bounded, and differ whenever what they
// stand for differs, even where case is ignored.
func FuzzFileName(f *testing.F) {
	for _, s := range [][4]string{
		{"admin/star_wars", "", "admin/star_wars", "k7"},
		{"admin/db", "", "Admin/db", ""},
		{"a@b", "", "a", "b"},
		{"a", "", "a.", ""},
		{"", "", ".", ""},
		{"%2f", "", "/", ""},
		{"../..", "..", `..\..`, "CON"},
		{strings.Repeat("x", 300), "", strings.Repeat("x", 301), ""},
		{strings.Repeat("x", 300), "a", strings.Repeat("x", 300) + "@a", ""},
		{"K", "", "\u212a", ""}, // the Kelvin sign folds to k
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, d1, c1, d2, c2 string) {
		a, b := vfs.FileName(d1, c1, "hnsw"), vfs.FileName(d2, c2, "hnsw")
		for _, name := range []string{a, vfs.TempName(a)} {
			if err := vfs.CheckName(name); err != nil || name[0] == '.' || len(name) > 204 {
				t.Fatalf("FileName(%q, %q) = %q: %v", d1, c1, a, err)
			}
		}
		if strings.Trim(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%@~") != "" {
			t.Fatalf("FileName(%q, %q) = %q holds other characters", d1, c1, a)
		}
		same := d1 == d2 && c1 == c2
		if got := strings.EqualFold(a, b); got != same {
			t.Fatalf("names %q and %q of (%q, %q) and (%q, %q)", a, b, d1, c1, d2, c2)
		}
		if other := vfs.FileName(d1, c1, "vecs"); other == a {
			t.Fatalf("extensions share %q", a)
		}
	})
}

func ExampleFileName() {
	fmt.Println(vfs.FileName("admin/star_wars", "", "vecs"))
	fmt.Println(vfs.FileName("admin/star_wars", "k7", "hnsw"))
	fmt.Println(vfs.FileName("Admin/star_wars", "", "vecs"))
	// Output:
	// admin%2Fstar_wars.vecs
	// admin%2Fstar_wars@k7.hnsw
	// Admin%2Fstar_wars~2903b4dfa02e03fb57dce8d0cd85edd3.vecs
}
