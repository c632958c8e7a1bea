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
// # What changed
//
// [Client.Pull] follows the history from the nearest indexed ancestor: each
// commit's added and deleted triples name what changed (changes), and reverse
// look-ups along the links that the classes' queries read name who quotes it
// (feed, over shapes of the queries); a schema that changed has classes read
// whole whose query, template or properties differ. Where that cannot be told,
// or is no cheaper, everything is listed. docs/terminusdb.md has the costs.
//
// # What is worked around
//
// The server's answers are not taken at their word. Its GraphQL prints some
// strings as bare numbers, valid JSON or not (see mendNumbers); it fails when a
// character straddles byte 1000 of an answer (see Client.askData); it answers
// 500 for a commit it does not know (Client.Commit asks the commit graph); it
// lists a whole class for a null id (ids are never null here); it answers Sets
// in any order (see arrange); its diff loses changes (it is not asked); and two
// idle connections stall it (see maxConns). All requests are reads and are
// repeated once when the connection is lost.
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
