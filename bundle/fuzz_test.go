package bundle_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/bundle"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vecstore"
)

// FuzzOpen reads any bytes as a file: an error, or a file that can be read to its end.
func FuzzOpen(f *testing.F) {
	f.Add(written(f, sample(f, 3, 4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := open(b)
		if err == nil {
			_, err = file.Check()
		}
		if err != nil && !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%v is no invalid request", err)
		}
	})
}

// FuzzMembers reads archives that are whole, of any members. What passes Check can be
// read, and written again.
func FuzzMembers(f *testing.F) {
	members := make(map[string][]byte)
	rezip(f, written(f, sample(f, 3, 4)), func(name string, data []byte) (string, []byte, bool) {
		members[name] = data
		return name, data, true
	})
	f.Add(members["manifest.json"], members[commitFile], members[aliasFile], members[vecsFile])
	f.Add([]byte(`{"format":1,"domain":"org/db","commit":"c1"}`), members[commitFile], []byte(nil), members[vecsFile])
	f.Fuzz(func(t *testing.T, manifest, commit, alias, vecs []byte) {
		holdsTogether(t, manifest, commit, alias, vecs)
	})
}

// holdsTogether reads an archive of these members, and reports whether it passes.
func holdsTogether(t *testing.T, manifest, commit, alias, vecs []byte) (sound bool) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, data := range [][]byte{manifest, commit, alias, vecs} {
		name := []string{"manifest.json", commitFile, aliasFile, vecsFile}[i]
		if i > 1 && len(data) == 0 {
			continue
		}
		m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		check(t, err)
		_, err = m.Write(data)
		check(t, err)
	}
	check(t, w.Close())
	file, err := open(b.Bytes())
	if err == nil {
		_, err = file.Check()
	}
	if err != nil {
		if !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%v is no invalid request", err)
		}
		return false
	}
	view, err := file.View()
	check(t, err)
	defer view.Close()
	var store *vecstore.Store
	if view.SlotEnd() > 0 {
		store, err = file.Vectors()
		check(t, err)
		defer store.Close()
	}
	out, err := bundle.New(bundle.Contents{View: view, Vectors: store})
	check(t, err)
	check(t, out.Write(io.Discard))
	return true
}

// TestMutations changes members by chance, where the archive's checksums do not tell.
func TestMutations(t *testing.T) {
	n := 600
	if os.Getenv("VECTORLINK_LONG") != "" {
		n = 1_000_000
	}
	var members [4][]byte
	rezip(t, written(t, sample(t, 3, 4)), func(name string, data []byte) (string, []byte, bool) {
		members[slices.Index([]string{"manifest.json", commitFile, aliasFile, vecsFile}, name)] = data
		return name, data, true
	})
	rng, passed := rand.New(rand.NewPCG(5, 6)), 0
	for range n {
		changed := members
		at := rng.IntN(len(changed))
		b := bytes.Clone(changed[at])
		for range 1 + rng.IntN(3) {
			switch i := rng.IntN(len(b)); rng.IntN(4) {
			case 0:
				b[i] ^= 1 << rng.IntN(8)
			case 1:
				b[i] = byte(rng.IntN(256))
			case 2:
				b = append(b[:i:i], b[min(i+1+rng.IntN(8), len(b)):]...)
			case 3:
				b = slices.Concat(b[:i], b[rng.IntN(i+1):])
			}
			if len(b) == 0 {
				break
			}
		}
		changed[at] = b
		if holdsTogether(t, changed[0], changed[1], changed[2], changed[3]) {
			passed++
		}
	}
	if passed == 0 || passed > n/2 {
		t.Errorf("%d of %d pass", passed, n)
	}
}
