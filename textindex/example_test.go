package textindex_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

func Example() {
	fsys := vfstest.NewMem()
	// The commit file of c1 lists three chunks, that of c2, which stands on
	// it, a new text of the second.
	segment := func(id textindex.Identity, chunks ...string) *textindex.Segment {
		s, err := textindex.Open(fsys, id)
		if err == nil {
			return s
		}
		fmt.Println("build", id.Commit)
		if s, err = textindex.Build(id, seq(chunks...)); err != nil {
			panic(err)
		}
		if err := s.Write(fsys); err != nil {
			fmt.Println("it will have to be built again:", err)
		}
		return s
	}
	c1 := segment(textindex.Identity{Domain: "org/db", Commit: "c1", Seq: 1, Checkpoint: true, Analyzer: textindex.English},
		"a smuggler's freighter", "the moon", "two moons and a ship")
	c2 := segment(textindex.Identity{Domain: "org/db", Commit: "c2", Seq: 2, Analyzer: textindex.English}, "no moon, a station")

	dead := new(textindex.Bitmap)
	dead.Add(1)
	before, err1 := textindex.NewIndex(textindex.Part{Segment: c1})
	after, err2 := textindex.NewIndex(textindex.Part{Segment: c1, Dead: dead}, textindex.Part{Segment: c2})
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	for _, x := range []*textindex.Index{before, after} {
		hits, err := x.Search(context.Background(), textindex.Plain("moon"), 10, nil)
		if err != nil {
			panic(err)
		}
		for _, h := range hits {
			fmt.Printf("part %d chunk %d score %.3f\n", h.Part, h.Chunk, h.Score)
		}
	}
	// Output:
	// build c1
	// build c2
	// part 0 chunk 1 score 0.613
	// part 0 chunk 2 score 0.421
	// part 1 chunk 0 score 0.524
	// part 0 chunk 2 score 0.447
}
