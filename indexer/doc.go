// Package indexer writes the snapshots of a data directory: it turns the commits
// of a document database into commit files, and merges, repairs and deletes them.
// Package search reads them; an [Indexer] embeds a [search.Reader] and builds upon
// the snapshots that it opens.
//
// # Pipeline
//
// Operations become a commit in one place, the builder. They come from a
// [contract.Source], which is pulled from ([Indexer.Index]), or by a [Push]. For each operation
// it renders the document (a [contract.Renderer]), compares the text's hash with
// the base's entry, splits the text into chunks, and looks their content keys up in
// the vectors (package vecstore). Texts without a vector wait in a stage file and
// are embedded batch by batch (a [contract.Embedder]); each batch is appended and
// synced. Then the entries are written as a delta on the base, or as a checkpoint,
// by package snapshot. Graphs (hnsw) are made and extended by merges, afterwards.
//
// # Durability
//
// A batch's vectors are synced to the .vecs file before the next batch is
// asked for, so a vector that was paid for survives any crash. A commit exists
// from the moment its commit file is renamed into place and the directory
// synced: the catalog, graphs and full texts can be rebuilt, and losing a task loses
// no commit. When a task is Complete, its commit survives kill -9 and power loss.
//
// # Concurrency
//
// An [Indexer] may be used by many goroutines. Searches load the domain's state
// and hold immutable snapshots: they wait for no writer. Pulls of one domain run
// one after another, those of different domains side by side; pushes to different
// branches run beside each other and beside pulls. A text that several tasks want
// at once is embedded by one of them. A deletion ends the tasks that it concerns:
// they write nothing once it has begun.
//
// What changes a domain's commits happens in an Update of its [catalog.Domain],
// one at a time: choosing a base, writing a commit file and making it known, putting
// a merged or repaired file in another's place, removing files. Embedding, rendering,
// building graphs and writing merged files happen outside.
//
// Locks are taken in this order: domain.rewriting (held while a merge writes its
// file, and by deletions), then an Update, then those that guard memory:
// domain.state, the registries of domains and of tasks, the pool. A Push's own
// lock comes before the registry of tasks.
//
// The goroutines an Indexer starts (a worker for each domain with pulls, two for
// merges, one for each push, the writer of the journal) are waited for by
// [Indexer.Close].
package indexer
