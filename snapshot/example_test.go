package snapshot_test

import (
	"fmt"
	"log"
	"os"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs"
)

// A commit is indexed from nothing, another on top of it, and both are read.
func Example() {
	dir, err := os.MkdirTemp("", "snapshot")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fsys, err := vfs.NewOS(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = fsys.Close() }()

	entry := func(id, text string, slot uint32) snapshot.EntryText {
		chunk := snapshot.Chunk{Slot: slot, End: uint32(len(text))}
		return snapshot.EntryText{Entry: snapshot.Entry{ID: id, Type: "People", Chunks: []snapshot.Chunk{chunk}}, Text: text}
	}
	first := snapshot.Header{
		Kind: snapshot.Checkpoint, Domain: "admin/star_wars", Commit: "k1", Branch: "main", Seq: 1,
		Vectors: snapshot.Vectors{Fingerprint: "local:all-MiniLM-L6-v2", Dim: 384, Vecs: vfs.FileName("admin/star_wars", "", "vecs")},
	}
	_, err = snapshot.Write(fsys, first, snapshot.Contents{Changed: seq(entry("People/1", "Luke", 0), entry("People/20", "a wise old man", 1))})
	if err != nil {
		log.Fatal(err)
	}
	base, err := chain(fsys, "k1")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = base.Close() }()
	_, err = base.WriteDelta(fsys, snapshot.Header{Commit: "k2", Branch: "main", Seq: 2}, snapshot.Contents{Changed: seq(entry("People/1", "Luke, a farm boy", 2)), Removed: []snapshot.Key{{ID: "People/20"}}}, "")
	if err != nil {
		log.Fatal(err)
	}

	file, err := snapshot.Open(fsys, snapshot.FileName("admin/star_wars", "k2"))
	if err != nil {
		log.Fatal(err)
	}
	view, err := base.Extend(file)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = view.Close() }()
	_ = file.Close() // the view has its own reference

	for _, v := range []*snapshot.View{base, view} {
		fmt.Println(v.Header().Commit, "tail", v.Tail())
		for et, err := range v.Texts() {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("  %s: %s\n", et.ID, et.Text)
		}
	}
	// Output:
	// k1 tail []
	//   People/1: Luke
	//   People/20: a wise old man
	// k2 tail [2]
	//   People/1: Luke, a farm boy
}
