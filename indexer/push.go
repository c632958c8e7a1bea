package indexer

import "errors"

// errCutPush is why a push fails that the end of the process cut short: its
// operations are gone.
var errCutPush = errors.New("the server was stopped before the push was complete: push the commit again")

// endCutPush ends a push that was running when the process ended: as failed,
// unless its commit had been written.
func (ix *Indexer) endCutPush(j *job) {
	if d, err := ix.domain(j.task.Domain); err == nil {
		if info, ok := d.commit(j.task.Commit); ok {
			ix.tasks.update(j, func(t *Task) {
				t.Documents, t.Base, t.HeadMoved = int(info.Documents), info.Base, true
				t.Indexed, t.Deleted = int(info.Indexed), int(info.Deleted)
				t.Embedded, t.Reused, t.Tokens = int(info.Embedded), int(info.Reused), int(info.Tokens)
			})
			ix.endTask(j, nil)
			return
		}
	}
	ix.endTask(j, errCutPush)
}
