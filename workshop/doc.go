// Package workshop helps people to write the queries and templates by which
// classes of a document database become texts: it suggests them, checks them
// and has them put in better words. Of a server it runs only behind the page's
// templates, which change nothing.
//
// A [Schema] is what is worked on: the classes at a commit, with the pairs that
// they hold or that are proposed in their place. [Schema.Suggest] proposes pairs
// by the names and types of fields alone, so that the same schema gives the same
// pairs. [Schema.Check] holds pairs against the schema and against documents of
// it. [Schema.Improve] lets a [Chat] model rewrite a suggested template, and
// takes what it writes only where that says the same fields and renders.
//
// Errors of the database and of the model are those of packages docdb and embed;
// none quotes a document. A Schema serves one goroutine at a time.
package workshop
