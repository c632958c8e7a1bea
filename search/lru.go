package search

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// byteLRU holds values by key, in the order of their last use, and counts the
// bytes they take. Its owner says when there are too many: a value goes by shrink
// alone, never by an add. It has no lock of its own.
type byteLRU[K comparable, V any] struct {
	entries *simplelru.LRU[K, V]
	size    func(V) int64 // constant for a value
	bytes   int64         // of all entries
}

func newByteLRU[K comparable, V any](size func(V) int64) *byteLRU[K, V] {
	// The list underneath counts entries, not bytes, and has room for any number.
	entries, err := simplelru.NewLRU[K, V](math.MaxInt32, nil)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return &byteLRU[K, V]{entries: entries, size: size}
}

func (c *byteLRU[K, V]) len() int { return c.entries.Len() }

// keys returns all keys.
func (c *byteLRU[K, V]) keys() []K { return c.entries.Keys() }

// peek returns the key's value, which does not count as used.
func (c *byteLRU[K, V]) peek(key K) (V, bool) { return c.entries.Peek(key) }

// get returns the key's value, which counts as used.
func (c *byteLRU[K, V]) get(key K) (V, bool) { return c.entries.Get(key) }

// add adds a value under a key that has none.
func (c *byteLRU[K, V]) add(key K, v V) {
	c.entries.Add(key, v)
	c.bytes += c.size(v)
}

// remove removes the key and returns its value.
func (c *byteLRU[K, V]) remove(key K) (V, bool) {
	v, ok := c.entries.Peek(key)
	if ok {
		c.entries.Remove(key)
		c.bytes -= c.size(v)
	}
	return v, ok
}

// shrink removes and returns the value used least recently of those that may
// leave, if all values take more than limit bytes. Values passed over count as
// used.
func (c *byteLRU[K, V]) shrink(limit int64, mayLeave func(V) bool) (v V, ok bool) {
	if c.bytes <= limit {
		return v, false
	}
	for range c.entries.Len() {
		key, v, _ := c.entries.GetOldest()
		if mayLeave(v) {
			return c.remove(key)
		}
		c.entries.Get(key)
	}
	return v, false
}
