package main

import (
	"cmp"
	"math"
	"runtime/debug"
)

// minMemory is the least memory-limit: the program and its model take a part of it.
const minMemory = 256 << 20

// memory is what the memory of the process allows.
type memory struct {
	heap   int64 // of the runtime's limit, MaxInt64 for none
	atOnce int   // requests that compare many documents, pulls, and merges
}

// divide divides MemoryLimit among the pools that have no size of their own, and
// bounds what is built at once. What is left is for requests, pushes and builds, and
// for what grows with the number of commits.
func (c *Config) divide(bad *complaints) memory {
	if c.MemoryLimit == 0 {
		c.PagePoolBytes = cmp.Or(c.PagePoolBytes, 256<<20)
		c.IndexPoolBytes = cmp.Or(c.IndexPoolBytes, 1<<30)
		return memory{heap: math.MaxInt64}
	}
	limit := c.MemoryLimit
	if limit < minMemory {
		bad.add("memory-limit: %s is less than %s", limit, Bytes(minMemory))
	}
	c.PagePoolBytes = cmp.Or(c.PagePoolBytes, limit/8)
	c.IndexPoolBytes = cmp.Or(c.IndexPoolBytes, limit/4)
	c.QueryCacheBytes = min(c.QueryCacheBytes, limit/32)
	c.PushLineBytes = min(c.PushLineBytes, limit/16)
	if taken := c.PagePoolBytes + c.IndexPoolBytes + c.QueryCacheBytes; taken > limit*3/4 {
		bad.add("memory-limit: the pools take %s of %s: leave out page-pool-bytes and index-pool-bytes, and they are divided", taken, limit)
	}
	// Codes of graphs are beside the runtime's memory, in the index pool, and the
	// program itself is.
	return memory{heap: int64(limit) * 3 / 4, atOnce: min(max(int(limit>>30), 1), 4)}
}

// apply sets the limit of the runtime.
func (m memory) apply() { debug.SetMemoryLimit(m.heap) }
