// Package minidb is a small document database with history, in memory, that
// speaks the HTTP of TerminusDB 12 as far as vectorlink uses it. The demo runs
// on it, and tests do, through the same client as against a real server; its
// answers are checked against recorded ones.
//
// It holds databases (org/db) with branches and immutable commits. A commit has
// a schema and documents of its classes; subdocuments, links, sets, lists,
// enums and inheritance work as in the original, and so does deletion: it takes
// the references to the document with it. It is filled by [DB.Create],
// [DB.Commit] and [DB.Branch], or by [DB.Load], and read by HTTP:
//
//	GET, HEAD  /api/document/<resource>
//	GET        /api/log/<resource>
//	POST       /api/graphql/<resource>
//	POST       /api/woql/<resource>
//
// Of each it knows what the client asks and what the classes' queries of the
// demo and the tests say. Nobody needs a password.
//
// Commit ids are made from the commit's content and its parent, so the same
// history has the same ids everywhere.
//
// A [DB] may be used by many goroutines. Nothing is durable.
package minidb
