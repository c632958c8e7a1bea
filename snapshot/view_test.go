package snapshot_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func TestViewRefusesWhatDoesNotFit(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	base := open(t, mem, "c1")
	v := view(t, mem, "c1")
	write(t, mem, header(snapshot.Checkpoint, "other", "c1", 9), nil, nil, nil)
	delta := func(commit, base string, change func(*snapshot.Header)) *snapshot.File {
		h := header(snapshot.Delta, commit, base, 9)
		h.SlotEnd, h.Documents, h.Chunks = 2, 3, 3
		if change != nil {
			change(&h)
		}
		write(t, mem, h, nil, nil, nil)
		return open(t, mem, commit)
	}
	tests := []struct {
		name string
		file *snapshot.File
	}{
		{"another base", delta("d1", "c9", nil)},
		{"a checkpoint", open(t, mem, "other")},
		{"documents miscounted", delta("d2", "c1", func(h *snapshot.Header) { h.Documents = 4 })},
		{"chunks miscounted", delta("d3", "c1", func(h *snapshot.Header) { h.Chunks = 2 })},
		{"another model", delta("d4", "c1", func(h *snapshot.Header) { h.Fingerprint = "x" })},
		{"another dimension", delta("d5", "c1", func(h *snapshot.Header) { h.Dim = 4 })},
		{"another file of vectors", delta("d6", "c1", func(h *snapshot.Header) { h.Vecs = "x" })},
	}
	for _, tt := range tests {
		if _, err := snapshot.NewView(base, tt.file); !damaged(t, err) {
			t.Errorf("%s: NewView: %v", tt.name, err)
		}
		if _, err := v.Extend(tt.file); !damaged(t, err) {
			t.Errorf("%s: Extend: %v", tt.name, err)
		}
		if n := tt.file.Users(); n != 1 {
			t.Errorf("%s: %d references are left", tt.name, n)
		}
	}
	if _, err := snapshot.NewView(tests[0].file); err == nil || errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("a view of a delta alone: %v", err)
	}
	if _, err := snapshot.NewView(base, delta("ok", "c1", nil)); err != nil {
		t.Errorf("a delta that fits: %v", err)
	}
	// The base was rewritten with slots given out after the delta was made.
	above, err := snapshot.NewView(base, delta("below", "c1", func(h *snapshot.Header) { h.SlotEnd = 1 }))
	if err != nil {
		t.Errorf("a delta whose slots end below its base's: %v", err)
	} else if got, want := above.SlotEnd(), base.Header().SlotEnd; got != want {
		t.Errorf("its view ends at slot %d, want the base's %d", got, want)
	} else if err := above.Close(); err != nil {
		t.Error(err)
	}
}

func TestFilesStayOpenWhileViewsUseThem(t *testing.T) {
	mem := vfstest.NewMem()
	three(t, mem)
	c1, c2, c3 := open(t, mem, "c1"), open(t, mem, "c2"), open(t, mem, "c3")
	v1 := must(t)(snapshot.NewView(c1))
	v2 := must(t)(v1.Extend(c2))
	v3 := must(t)(v2.Extend(c3))
	for _, f := range []*snapshot.File{c1, c2, c3, c1} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if c1.Users() != 3 || c2.Users() != 2 || c3.Users() != 1 {
		t.Errorf("%d, %d, %d references", c1.Users(), c2.Users(), c3.Users())
	}
	e, _ := v3.Lookup("c")
	for i, v := range []*snapshot.View{v1, v2, v1, v3} {
		if _, err := v3.Text(e); err != nil {
			t.Errorf("before closing view %d: %v", i, err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
	if c1.Users() != 0 || c2.Users() != 0 || c3.Users() != 0 {
		t.Errorf("%d, %d, %d references are left", c1.Users(), c2.Users(), c3.Users())
	}
	if _, err := snapshot.NewView(c1); err == nil {
		t.Error("a view of a closed file")
	}
	if _, err := v1.Extend(c2); err == nil {
		t.Error("a closed view was extended")
	}
}

// TestManyReaders reads a view and its extensions from many goroutines while
// they are made and closed; the race detector judges.
func TestManyReaders(t *testing.T) {
	mem := vfstest.NewMem()
	var docs []snapshot.EntryText
	for i := range 3000 {
		docs = append(docs, doc(fmt.Sprintf("id%05d", i), fmt.Sprintf("the text of document %d, at some length: %0100d", i, i), uint32(i)))
	}
	write(t, mem, header(snapshot.Checkpoint, "c0", "", 1), seq(docs...), nil, nil)
	v := must(t)(chain(mem, "c0"))
	var readers sync.WaitGroup
	for n := range 10 {
		commit := fmt.Sprintf("c%d", n+1)
		wrote(t)(v.WriteDelta(mem, header(0, commit, "", uint64(n+2)), snapshot.Contents{Changed: seq(doc(fmt.Sprintf("id%05d", n*7), commit, uint32(5000+n))), Removed: keys(fmt.Sprintf("id%05d", 2000+n))}, ""))
		f, err := snapshot.Open(mem, snapshot.FileName(domain, commit))
		if err != nil {
			t.Fatal(err)
		}
		next := must(t)(v.Extend(f))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		reader := v
		readers.Go(func() {
			i := 0
			for e := range reader.All() {
				if i++; i%97 != n {
					continue
				}
				text, err := reader.Text(e)
				if err != nil || snapshot.HashText(text) != e.TextHash || !reader.Live(e.Chunks[0].Slot) {
					t.Errorf("%s: %v", e.ID, err)
				}
			}
			if i != 3000-n {
				t.Errorf("commit %d holds %d documents", n, i)
			}
			if err := reader.Close(); err != nil {
				t.Error(err)
			}
		})
		v = next
	}
	readers.Wait()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// TestExtendIsSmall holds the memory of a view to what its commit changed.
func TestExtendIsSmall(t *testing.T) {
	mem := vfstest.NewMem()
	docs := make([]snapshot.EntryText, 20_000)
	for i := range docs {
		docs[i] = doc(fmt.Sprintf("id%05d", i), fmt.Sprint("text ", i), uint32(i))
	}
	write(t, mem, header(snapshot.Checkpoint, "c0", "", 1), seq(docs...), nil, nil)
	v := view(t, mem, "c0")
	var changed []snapshot.EntryText
	for i := range 100 {
		changed = append(changed, doc(fmt.Sprintf("id%05d", i*200), fmt.Sprint("new ", i), uint32(30_000+i)))
	}
	h := wrote(t)(v.WriteDelta(mem, header(0, "c1", "", 2), snapshot.Contents{Changed: seq(changed...)}, ""))
	x := must(t)(v.Extend(open(t, mem, h.Commit)))
	defer func() { _ = x.Close() }()
	// The delta's block of texts may be cached: 32 KiB of the limit.
	if got, limit := x.Bytes(), int64(128<<10); got > limit {
		t.Errorf("a view of 100 changes takes %d bytes, limit %d", got, limit)
	}
	if got, limit := v.Checkpoint().Bytes(), int64(20_000*(144+32+16)+5*32768); got > limit {
		t.Errorf("a checkpoint of 20,000 entries takes %d bytes, limit %d", got, limit)
	}
}
