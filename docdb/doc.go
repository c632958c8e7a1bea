// Package docdb reads a TerminusDB server and hands what it finds to the pipeline
// as operations.
//
// [Client] is a [contract.Source] and [contract.Heads]: commits and branches, the
// embedding query and template that each class carries in its schema, and the
// documents of a commit, fetched by running the class's own GraphQL query over
// batches of ids. [Schema] reads documents through other queries, for those who
// write them. Package content beneath is a second source, an endpoint that
// answers ready-made operations. Package minidb is a small in-process database
// that speaks TerminusDB's HTTP, for the demo and for tests.
//
// # How to add another document database
//
// Write a package beneath this one, as content is, whose client is a
// [contract.Source]. Its one method is asked for a commit and answers with
// what leads to it from an indexed ancestor, or from nothing:
//
//   - Pull.Base is a commit that PullRequest.Indexed accepts, or "". Without a
//     base, or with Complete set, the operations name every document, and what
//     they do not name is gone.
//   - A document is an Upsert with its text, or with a template and the data to
//     fill it with. What cannot be read is Failed, which keeps an old version;
//     only what is known to be gone is a Delete.
//   - Documents that PullRequest.Again names for the base are named again.
//   - Op.Type is the document's class. Left empty it is taken from the id, as
//     [contract.DocType] says, which fits TerminusDB's ids.
//   - Domains are named org/db, whatever that means to the database.
//   - Errors wrap ErrNotFound or ErrSource, or are the context's.
//
// If the database knows where its branches stand, make the client a
// [contract.Heads] too: then the server can watch it. A source without Heads is
// indexed by /index and pushes alone, and the server says so when asked to watch.
//
// Give the package a Config, and a NewClient that checks it and does not connect,
// and hold it against docdbtest.TestSource. Then add the settings to Config of
// cmd/vectorlink and a row to its table of sources; nothing else knows the sources
// by name. Package docdb/internal/web has bounded connections and errors in words
// for those that speak HTTP. The example of this package is a whole source.
//
// # What of its libraries serves
//
// hasura/go-graphql-client sends the requests and sorts GraphQL's errors. Its
// query builder makes queries of Go types, and the queries here are texts of the
// schema's authors, so they go through ExecRaw; what comes back is left as JSON,
// because a text must show numbers as they were written. Its HTTP goes over wire,
// for this server's faults. vektah/gqlparser reads and rewrites the queries.
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
// strings as bare numbers, valid JSON or not (see repairNumbers); it fails when a
// character straddles byte 1000 of an answer (see Client.graphQLData); it answers
// 500 for a commit it does not know (Client.Commit asks the commit graph); it
// lists a whole class for a null id (ids are never null here); it answers Sets
// in any order and enums under other names (see Answer); it answers null for a
// backlink that nobody uses (see Client.dropUnused); its diff loses changes (it is not asked); and two
// idle connections stall it (see maxConns). All requests are reads and are
// repeated once when the connection is lost.
//
// # Errors
//
// Errors wrap contract.ErrNotFound (no such database, branch or commit),
// contract.ErrInvalid (not a database name) or contract.ErrSource (everything
// that is the database's or its configuration's fault), or are the context's
// own. They name the server and the setting to change, never a password and
// never a document's text. What concerns one class or one document alone is no
// error: it becomes Failed operations.
//
// # Concurrency and durability
//
// A Client may be used by many goroutines and opens at most two connections. Nothing is stored. No goroutine outlives a call, save those
// that net/http keeps for idle connections, for less than two seconds.
package docdb
