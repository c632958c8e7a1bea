package indexer_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// observer keeps what it is told.
type observer struct {
	mu     sync.Mutex
	tasks  []indexer.Task
	merges []error
}

func (o *observer) TaskEnded(t indexer.Task) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tasks = append(o.tasks, t)
}

func (o *observer) Merged(took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if took <= 0 {
		err = errors.New("it took no time")
	}
	o.merges = append(o.merges, err)
}

func (o *observer) Pruned(int, int64) {}

// TestObserver checks that every task that ended and every merge is told once.
func TestObserver(t *testing.T) {
	o := &observer{}
	mem := vfstest.NewMem()
	h := openPush(t, mem, &indexertest.Embedder{}, func(c *indexer.Config) {
		c.Observer, c.Graph = o, indexer.Graph{MinVectors: 30}
	})
	h.mustPush("", "", "c1", numbered(40)...)
	if task := h.index("nowhere", ""); task.State != indexer.TaskFailed {
		t.Fatalf("%+v", task)
	}
	waitGraph(t, mem, snapshot.FileName(domain, "c1"))
	h.close()
	if len(o.tasks) != 2 || o.tasks[0].Indexed != 40 || o.tasks[0].State != indexer.TaskComplete || o.tasks[1].State != indexer.TaskFailed {
		t.Errorf("told of %+v", o.tasks)
	}
	if len(o.merges) != 1 || o.merges[0] != nil {
		t.Errorf("told of merges: %v", o.merges)
	}
}
