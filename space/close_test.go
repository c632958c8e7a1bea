package space_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/service"
	"github.com/vectorlink/vectorlink/space"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// TestCloseWaits: a Close that has no time commits nothing, and loses nothing.
func TestCloseWaits(t *testing.T) {
	ctx, files := t.Context(), vfstest.NewMem()
	w := open(t, files)
	must(t, w.Close())
	w.Spaces = space.New(space.Config{FS: files, Service: service.New(w.ix.Reader, w.ix), CloseWait: time.Nanosecond})
	for i := range 3 {
		sp := w.make(fmt.Sprint("s", i), space.Schema{Dims: 1})
		must(t, sp.Set(ctx, main_, space.Item{Key: str("a"), Vector: []float32{1}}))
	}
	must(t, errors.Join(w.Close(), w.ix.Close(context.Background())))
	names, err := files.List()
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".hnsw") {
			t.Errorf("there is a commit: %s", name)
		}
	}
	w = open(t, files)
	defer w.shut()
	for i := range 3 {
		sp, at, err := w.Find(ctx, fmt.Sprint("s", i))
		must(t, err)
		if info, err := sp.Info(ctx, at); err != nil || info.Keys != 1 {
			t.Errorf("%+v, %v", info, err)
		}
	}
}
