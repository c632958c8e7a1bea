package indexer

import (
	"fmt"
	"slices"

	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/tasks"
)

// unreadableShare is how many times as many documents as the model cannot read a
// task may index without a warning.
const unreadableShare = 10

// isUnreadable reports whether the model cannot read the text of a slot that the
// builder gave to a document.
func (b *builder) isUnreadable(slot uint32) bool {
	_, ok := b.unreadable[slot]
	return ok
}

// reportUnreadable names the documents that the operations brought, changed or as
// they were, of whose texts the model knows next to nothing, and warns where they
// are many.
func (b *builder) reportUnreadable(changed []snapshot.Key) {
	var ids []string
	for _, key := range changed {
		if c := b.changes[key]; len(c.unreadable) > 0 && len(c.unreadable) == len(c.entry.Chunks) {
			ids = append(ids, key.ID)
		}
	}
	for key := range b.same {
		if e, ok := b.base.View().LookupKey(key); ok && b.base.Unreadable(e) {
			ids = append(ids, key.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	of := len(changed) + len(b.same)
	b.report(func(t *Task) {
		t.Unreadable, t.UnreadableTotal = ids[:min(len(ids), tasks.MaxUnreadable)], len(ids)
		if len(ids)*unreadableShare > of {
			warning := fmt.Sprintf("the model cannot read %d of %d documents: it knows next to nothing of their scripts or signs, so their vectors say nothing; use a model that does", len(ids), of)
			t.Warnings = append(slices.Clip(t.Warnings), warning)
			b.ix.log.Warn(warning, "task", t.ID, "domain", t.Domain, "commit", t.Commit)
		}
	})
}
