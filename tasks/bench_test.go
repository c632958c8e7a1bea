package tasks_test

import (
	"fmt"
	"testing"

	"github.com/vectorlink/vectorlink/tasks"
	"github.com/vectorlink/vectorlink/vfs"
)

// BenchmarkTask begins and ends tasks, on the disk of the temporary directory.
func BenchmarkTask(b *testing.B) {
	for _, kind := range []struct {
		name string
		spec func(string) tasks.Spec
	}{{"pull", pull}, {"push", push}} {
		b.Run(kind.name, func(b *testing.B) {
			files, err := vfs.NewOS(b.TempDir())
			must(b, err)
			defer files.Close()
			r := open(b, files)
			n := 0
			for b.Loop() {
				n++
				start(b, r, kind.spec(fmt.Sprint("c", n))).End(nil)
			}
			must(b, r.Close())
		})
	}
}
