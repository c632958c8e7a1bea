package space

import "github.com/tidwall/btree"

// tail holds the writes of a branch that are in no commit, by ascending key. A Copy takes
// the same time whatever it holds, and shares its nodes until either is written; reading
// one while the other is written is no race.
type tail = btree.BTreeG[*write]

func newTail() *tail {
	return btree.NewBTreeGOptions(func(a, b *write) bool { return a.key.Compare(b.key) < 0 }, btree.Options{NoLocks: true})
}

// written returns the write of a key, nil if there is none.
func written(t *tail, k Key) *write {
	w, _ := t.Get(&write{key: k})
	return w
}
