package templates

import (
	"strings"
	"sync"
)

// A template of 64 KiB can parse to some 5 MB, so the cache is bounded by the
// templates' bytes: at worst two generations of about 40 MB, in a real schema a
// few hundred kilobytes.
const (
	cacheBytes   = 512 << 10 // per generation
	cacheEntries = 512       // per generation
)

// cache keeps what templates parsed to, bad ones included, so that each distinct
// text is parsed once while it is in use. It holds two generations: when the
// young one is full it becomes the old one, and the old one is dropped. What is
// used moves to the young one, so it survives.
type cache struct {
	mu         sync.Mutex // guards the rest
	young, old map[string]parsed
	bytes      int // of the young generation's keys
}

// parsed parses its template when it is first called.
type parsed = func() (*Program, error)

// entry returns what is kept of a template, or parse, which is run once: goroutines
// asking for the same new template wait for one parse, and others are not held up.
func (c *cache) entry(template string, parse parsed) parsed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.young[template]; e != nil {
		return e
	}
	e := c.old[template]
	if e == nil {
		e = sync.OnceValues(parse)
	}
	if c.young == nil || len(c.young) >= cacheEntries || c.bytes+len(template) > cacheBytes {
		c.old, c.young, c.bytes = c.young, make(map[string]parsed), 0
	}
	// Cloned, lest the key keep the whole schema alive that it was cut from.
	c.young[strings.Clone(template)] = e
	c.bytes += len(template)
	return e
}
