package snapshot_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// damaged reports whether err is one of the package's for a bad file, and that
// it says so properly.
func damaged(t *testing.T, err error) bool {
	t.Helper()
	if !errors.Is(err, snapshot.ErrCorrupt) {
		return false
	}
	c, ok := errors.AsType[*snapshot.CorruptError](err)
	if !ok || c.File == "" || c.Section == "" || c.Reason == "" {
		t.Fatalf("error without its detail: %v", err)
	}
	return true
}

// use reads everything of a file as a search would: without Verify.
func use(fsys *vfstest.Mem, name string) error {
	f, err := snapshot.Open(fsys, name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Graph(); err != nil {
		return err
	}
	if f.Header().Kind != snapshot.Checkpoint {
		return nil
	}
	v, err := snapshot.NewView(f)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	_, err = contents(v)
	return err
}

// files returns small files of all kinds.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	mem := vfstest.NewMem()
	three(t, mem)
	out := map[string][]byte{}
	for _, c := range []string{"c1", "c2", "c3"} {
		name := snapshot.FileName(domain, c)
		data, err := mem.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = data
	}
	return out
}

func TestEveryBitFlipIsDetected(t *testing.T) {
	for name, data := range files(t) {
		mem := vfstest.NewMem()
		for i := range len(data) * 8 {
			data[i/8] ^= 1 << (i % 8)
			mem.WriteFile(name, data)
			if err := snapshot.Verify(mem, name); !damaged(t, err) {
				t.Errorf("%s: bit %d of byte %d: Verify returned %v", name, i%8, i/8, err)
			}
			// Reading, other than Verify, does not look at how the file begins; it
			// does notice whatever it uses.
			if err := use(mem, name); !damaged(t, err) && i/8 >= 96 && strings.Contains(name, "@c1") {
				t.Errorf("%s: bit %d of byte %d: reading returned %v", name, i%8, i/8, err)
			}
			data[i/8] ^= 1 << (i % 8)
		}
		mem.WriteFile(name, data)
		if err := snapshot.Verify(mem, name); err != nil {
			t.Errorf("%s: undamaged: %v", name, err)
		}
	}
}

func TestEveryLengthIsDetected(t *testing.T) {
	for name, data := range files(t) {
		mem := vfstest.NewMem()
		lengths := []int{len(data) + 1, len(data) + 8, len(data) + 4096}
		for n := range data {
			lengths = append(lengths, n)
		}
		long := append(data[:len(data):len(data)], make([]byte, 4096)...)
		for _, n := range lengths {
			mem.WriteFile(name, long[:n])
			if _, err := snapshot.Open(mem, name); !damaged(t, err) {
				t.Errorf("%s: %d of %d bytes: Open returned %v", name, n, len(data), err)
			}
			infos, bad, err := snapshot.List(mem)
			if len(infos) != 0 || len(bad) != 1 || !damaged(t, bad[0].Err) || err != nil {
				t.Errorf("%s: %d of %d bytes: List returned %v, %v, %v", name, n, len(data), infos, bad, err)
			}
		}
	}
}

// TestBlocksInTheWrongPlace swaps sound bytes between sound files.
func TestBlocksInTheWrongPlace(t *testing.T) {
	mem := vfstest.NewMem()
	texts := [2]string{"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"}
	var data [2][]byte
	for i, commit := range []string{"x1", "x2"} {
		write(t, mem, header(snapshot.Checkpoint, commit, "", 1), seq(doc("id", texts[i], uint32(7+i))), nil, nil)
		b, err := mem.ReadFile(snapshot.FileName(domain, commit))
		if err != nil {
			t.Fatal(err)
		}
		data[i] = b
	}
	if len(data[0]) != len(data[1]) {
		t.Fatal("the files should be alike")
	}
	name := snapshot.FileName(domain, "x1")
	rows, start, _, err := snapshot.Rows(data[0])
	if err != nil {
		t.Fatal(err)
	}
	swapped := 0
	for _, r := range rows {
		// The section, and its row in the header with the header resealed.
		d := append([]byte(nil), data[0]...)
		copy(d[r.Offset:r.Offset+int(r.Length)], data[1][r.Offset:])
		mem.WriteFile(name, d)
		if err := snapshot.Verify(mem, name); !damaged(t, err) {
			t.Errorf("section %s of another commit passes: %v", r.Name, err)
		}
		swapped++
	}
	if swapped != 3 || start == 0 {
		t.Fatalf("swapped %d sections", swapped)
	}
	mem.WriteFile(name, data[1])
	if err := use(mem, name); !damaged(t, err) {
		t.Errorf("the file of another commit passes: %v", err)
	}
}

// refused checks that everything refuses the file for its version, naming why,
// and does not overwrite it.
func refused(t *testing.T, mem *vfstest.Mem, name string, why ...string) {
	t.Helper()
	_, err := snapshot.Open(mem, name)
	if !errors.Is(err, snapshot.ErrVersion) || errors.Is(err, snapshot.ErrCorrupt) {
		t.Fatalf("Open: %v", err)
	}
	for _, w := range why {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open does not say %q: %v", w, err)
		}
	}
	if err := snapshot.Verify(mem, name); !errors.Is(err, snapshot.ErrVersion) {
		t.Errorf("Verify: %v", err)
	}
	_, bad, _ := snapshot.List(mem)
	if len(bad) != 1 || !errors.Is(bad[0].Err, snapshot.ErrVersion) {
		t.Errorf("List: %v", bad)
	}
	commit := strings.TrimSuffix(name[strings.Index(name, "@")+1:], ".hnsw")
	if _, err := snapshot.Write(mem, header(snapshot.Checkpoint, commit, "", 9), snapshot.Contents{}); !errors.Is(err, snapshot.ErrVersion) {
		t.Errorf("Write: %v", err)
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	for name, data := range files(t) {
		mem := vfstest.NewMem()
		copy(data[len(data)-4:], "FCL7")
		binary.LittleEndian.PutUint16(data[4:], 7)
		mem.WriteFile(name, data)
		_, err := snapshot.Open(mem, name)
		if !damaged(t, err) || errors.Is(err, snapshot.ErrVersion) || !strings.Contains(err.Error(), "version 7") {
			t.Errorf("Open of a version damaged to 7: %v", err)
		}
		binary.LittleEndian.PutUint32(data[92:], crc32.Checksum(data[:92], crc32.MakeTable(crc32.Castagnoli)))
		mem.WriteFile(name, data)
		refused(t, mem, name, "version 7", "up to 3")
	}
}

// TestUnknownSections: optional ones do no harm, required ones are named.
func TestUnknownSections(t *testing.T) {
	for name, data := range files(t) {
		mem := vfstest.NewMem()
		mem.WriteFile(name, snapshot.AddSection(data, 900, 2, false, []byte("something new")))
		if err := snapshot.Verify(mem, name); err != nil {
			t.Errorf("%s with an optional section: %v", name, err)
		}
		if strings.Contains(name, "@c1") {
			if err := use(mem, name); err != nil {
				t.Errorf("%s with an optional section: %v", name, err)
			}
		}
		mem.WriteFile(name, snapshot.AddSection(data, 900, 2, true, []byte("something new")))
		refused(t, mem, name, "section 900", "version 2")
		// A known type in a version that is not.
		mem.WriteFile(name, snapshot.AddSection(data, 1, 9, true, []byte("other texts")))
		refused(t, mem, name, "section texts", "version 9")
	}
}

// TestDamageStaysWhereItIs damages one section and uses the others.
func TestDamageStaysWhereItIs(t *testing.T) {
	for _, section := range []string{"texts", "graph"} {
		mem := vfstest.NewMem()
		three(t, mem)
		name := snapshot.FileName(domain, "c1")
		data, err := mem.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, _, _, err := snapshot.Rows(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Name == section {
				data[r.Offset] ^= 1
			}
		}
		mem.WriteFile(name, data)
		v := view(t, mem, "c3")
		if v.Len() != 3 || !v.Live(3) {
			t.Errorf("%s damaged: the view holds %d documents", section, v.Len())
		}
		_, graphErr := v.Checkpoint().Graph()
		c, _ := v.Lookup("c")
		_, oldText := v.Text(c)
		d, _ := v.Lookup("d")
		text, newText := v.Text(d)
		if damaged(t, graphErr) != (section == "graph") || damaged(t, oldText) != (section == "texts") || newText != nil || text != "Yoda" {
			t.Errorf("%s damaged: graph %v, text below %v, text above %q %v", section, graphErr, oldText, text, newText)
		}
		if err := snapshot.Verify(mem, name); !damaged(t, err) || !strings.Contains(err.Error(), section) {
			t.Errorf("%s damaged: Verify returned %v", section, err)
		}
		// What is damaged inside may be indexed again, and only that.
		if _, err := snapshot.Write(mem, header(snapshot.Checkpoint, "c1", "", 9), snapshot.Contents{Changed: seq(doc("z", "new", 1))}); err != nil {
			t.Errorf("%s damaged: replacing it: %v", section, err)
		}
		if _, err := snapshot.Write(mem, header(snapshot.Checkpoint, "c1", "", 10), snapshot.Contents{Changed: seq(doc("z", "new", 1))}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s mended: replacing it: %v", section, err)
		}
	}
}

// TestNoTextInErrors damages a text and looks for it in the error.
func TestNoTextInErrors(t *testing.T) {
	mem := vfstest.NewMem()
	const secret = "canary text that must not show"
	write(t, mem, header(snapshot.Checkpoint, "c1", "", 1), seq(doc("a", secret, 0)), nil, nil)
	name := snapshot.FileName(domain, "c1")
	data, err := mem.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] ^= 0x10
		mem.WriteFile(name, data)
		if err := snapshot.Verify(mem, name); err == nil || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("byte %d: %v", i, err)
		}
		data[i] ^= 0x10
	}
}
