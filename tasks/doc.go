// Package tasks keeps the tasks of an indexer: one for each commit that is
// being made or was made lately, so that the id a client was given means
// something until an hour after the task's end, over restarts too.
//
// A [Registry] holds all tasks in memory and answers from there. Changes go to
// a journal, which one goroutine writes; no lock is held over its reads and
// writes, and changes that come while it writes share the next write. The
// format of the file is in FORMAT.md. Losing it loses no commit.
//
// # Durability
//
// A task that can run again after a restart ([Spec].Resume) is on the disk when
// Start returns. So are the ends of cancelled tasks when Cancel returns: what
// was cancelled by a deletion must not come back. Everything else (tasks that
// cannot run again, ends) is written at once and not synced: it survives the
// end of the process, and usually a power cut. An end that is lost leaves a
// pending task, which [Registry.Pending] returns at the next start; its run
// finds that its commit is there. Progress is in memory alone.
package tasks
