// Package docdb reads document databases with history and hands what it finds
// to package indexer as operations.
//
// [Client] speaks to a TerminusDB server: commits and branches, the embedding
// query and template that each class carries in its schema, and the documents
// of a commit, fetched by running the class's own GraphQL query over batches of
// ids. [ContentSource] reads ready-made operations from a content endpoint, as
// the first VectorLink did. Both are an indexer.Source. Package minidb beneath
// is a small in-process database that speaks the same HTTP, for the demo and
// for tests.
//
// # What is worked around
//
// The server's answers are not taken at their word. Its GraphQL prints some
// strings as bare numbers, valid JSON or not (see mendNumbers); it fails when a
// character straddles byte 1000 of an answer (see Client.ask); it answers 500
// for a commit it does not know (Client.Commit asks the commit graph first); it
// lists a whole class for a null id (ids are never null here); and two idle
// connections stall it (see maxConns). All requests are reads and are repeated
// once when the connection is lost.
//
// # Errors
//
// Errors wrap indexer.ErrNotFound (no such database, branch or commit),
// indexer.ErrInvalid (not a database name) or indexer.ErrSource (everything
// that is the database's or its configuration's fault), or are the context's
// own. They name the server and the setting to change, never a password and
// never a document's text. What concerns one class or one document alone is no
// error: it becomes Failed operations.
//
// # Concurrency and durability
//
// A Client or ContentSource may be used by many goroutines; a Client opens at
// most two connections. Nothing is stored. No goroutine outlives a call, save those
// that net/http keeps for idle connections, for less than two seconds.
package docdb
