// Package api is the HTTP face of vectorlink: routes, decoding, access, and
// the one table that turns errors into statuses.
//
// A request passes, in this order: the access log and panic guard, the router,
// the credential check, the cross-site check of the two routes that change
// something by GET, and a handler. Handlers are func(w, r) error: they decode
// a request of package search or indexer, call the [Indexer], which is a
// [service.Service], and encode its answer; an error goes through [New]'s one error table, so that the same cause has the
// same status everywhere. Every answer but a task id, a stream of lines and a
// failed task's cause is JSON; every error is {"error": text, "code": word}.
// What clients count on, and why, is in docs/wire.md, the wire contract.
//
// Nothing that a caller searches for, no document and no key is ever logged
// or put into an error.
//
// # Concurrency
//
// The handler that [New] returns keeps no state between requests and may be
// used by any number of goroutines. Only a push starts any, and waits for them:
// its body is read beside the writing of its progress. Answers are built in
// memory and written at once, except streams of lines. Nothing here is durable:
// what an answer promises, the indexer has done.
package api
