// Package indexer turns the commits of a document database into searchable
// snapshots, and answers searches on them.
//
// It owns the one pipeline of vectorlink: operations → texts → vectors →
// commit file. What feeds it and what it calls are interfaces declared here
// and implemented elsewhere: a [Source] of operations (package docdb), a
// [Renderer] from documents to text (templates), an [Embedder] from texts to
// vectors (embed). Underneath it joins packages that do not know each other:
// vecstore keeps the vectors, hnsw the graph over them, snapshot the commit
// files.
//
// # Durability
//
// A batch's vectors are synced to the .vecs file before the next batch is
// asked for, so a vector that was paid for survives any crash. A commit exists
// from the moment its commit file is renamed into place and the directory
// synced: everything else (tasks, open snapshots, graphs) can be derived again.
// When a task is Complete, its commit survives kill -9 and power loss.
//
// # Concurrency
//
// An [Indexer] may be used by many goroutines. Readers hold an immutable
// snapshot with a reference count and never wait for a writer. Pulls of one
// domain run one after another, those of different domains side by side; pushes
// to different branches run beside each other and beside pulls. A text that
// several tasks want at once is embedded by one of them. Tasks exclude each
// other only while they take hold of what they build on and while they write
// the commit file. A deletion ends the tasks that it concerns: they can write
// nothing any more once it has begun.
//
// Locks are taken in this order: domain.writing, Indexer.mu, domain.mu; a
// push's own before the task registry's, which is a leaf, as the pool's is.
//
// The goroutines an Indexer starts are waited for by [Indexer.Close].
package indexer
