package indexer

import (
	"sync"

	"github.com/vectorlink/vectorlink/vecstore"
)

// flights are the texts that tasks are embedding. A task claims a batch in one
// step: the texts without a vector that no other task has claimed, which it then
// embeds in one request. So this is no single flight by text, as of
// golang.org/x/sync/singleflight or package search, whose work is on one key: the
// claims of a batch begin together, and its work is shared by keys that others
// wait for one by one.
type flights struct {
	mu    sync.Mutex
	inAir map[vecstore.Key]chan struct{} // closed when the text has its vector, or not
}

// claimed is a text that another task embeds.
type claimed struct {
	piece  piece
	landed chan struct{}
}

// claim takes the texts of a batch that have no vector and that no task embeds,
// and returns them and those that other tasks embed.
func (b *builder) claim(batch []piece) (mine []piece, others []claimed) {
	f := &b.ix.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	texts, tokens := 0, 0
	defer func() { b.countReused(texts, tokens) }()
	for _, p := range batch {
		// A task stores a text's vector before it lands.
		landed := f.inAir[p.key]
		switch {
		case landed != nil:
			others = append(others, claimed{p, landed})
		case b.stored(p.key):
			texts, tokens = texts+1, tokens+p.tokens
		default:
			if f.inAir == nil {
				f.inAir = make(map[vecstore.Key]chan struct{})
			}
			f.inAir[p.key] = make(chan struct{})
			mine = append(mine, p)
		}
	}
	return mine, others
}

// release ends what claim began.
func (f *flights) release(pieces []piece) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range pieces {
		close(f.inAir[p.key])
		delete(f.inAir, p.key)
	}
}
