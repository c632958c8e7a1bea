package space

import (
	"testing"

	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestRewriteKeepsIntent writes a journal anew while a commit of another branch is in the
// making: what tells that its writes are in it stays.
func TestRewriteKeepsIntent(t *testing.T) {
	files := vfstest.NewMem()
	sp := (&Spaces{cfg: Config{FS: files}}).make("s", Schema{Dims: 1})
	sp.journal = &journal{files: files, name: FileName("s")}
	if err := sp.journal.rewrite("s", []byte(`{"dims":1}`), nil); err != nil {
		t.Fatal(err)
	}
	h := sp.head("main")
	h.put(&write{key: IntKey(1), seq: 7, vector: []float32{1}})
	h.doing = &record{kind: recIntent, branch: "main", commit: "c", through: 7}
	if err := sp.compact(); err != nil {
		t.Fatal(err)
	}
	if err := sp.journal.close(); err != nil {
		t.Fatal(err)
	}
	j, _, err := openJournal(files, "s", vfs.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer j.file.Close()
	size, err := j.file.Size()
	if err != nil {
		t.Fatal(err)
	}
	intents, writes := 0, 0
	if _, err := j.scan(size, func(r record) error {
		if r.kind == recIntent && r.commit == "c" && r.through == 7 {
			intents++
		}
		writes += len(r.writes)
		return nil
	}); err != nil || intents != 1 || writes != 1 {
		t.Errorf("%d intents, %d writes, %v", intents, writes, err)
	}
}
