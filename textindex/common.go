package textindex

import (
	"slices"
	"sync"
)

// common remembers the postings of a block's terms that many chunks have: to
// read them from a zap file takes ten times as long, and they are asked for
// again and again.
type common struct {
	mu    sync.RWMutex // guards the two below
	lists map[string][]posting
	bytes int64
}

const (
	// commonLength is the number of postings from which they are remembered.
	commonLength = 256
	// postingSize is the size of a posting in memory.
	postingSize = 8
)

// commonLimit is the memory for a block of so many bytes.
func commonLimit(block int64) int64 { return block / 8 }

// get returns the postings of a term, nil if they are not remembered.
func (c *common) get(term []byte) []posting {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.lists[string(term)]
}

// put remembers a copy of the postings, if there are enough of them. What does
// not fit beside the others takes their place.
func (c *common) put(term []byte, list []posting, block int64) {
	size := int64(len(list))*postingSize + int64(len(term))
	if len(list) < commonLength || size > commonLimit(block) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.lists[string(term)]; ok {
		return
	}
	if c.lists == nil || c.bytes+size > commonLimit(block) {
		c.lists, c.bytes = map[string][]posting{}, 0
	}
	c.lists[string(term)] = slices.Clone(list)
	c.bytes += size
}
