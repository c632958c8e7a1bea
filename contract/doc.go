// Package contract holds what the parts of vectorlink agree on: a [Source] of
// operations, a [Renderer] from documents to texts, an [Embedder] from texts to
// vectors, the [Heads] of a document database, and the errors that a caller can
// act on. It has no behaviour of its own, and lies below everything that
// implements or uses these.
package contract
