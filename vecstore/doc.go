// Package vecstore keeps the vectors of a domain in one append-only file of
// pages, <domain>.vecs, shared by all its commits. A domain may have further,
// named vectors, each in a file of its own ([FileName]).
//
// A vector is known by its slot, its position in the file, and found by its
// content key: [Store.Append] returns the old slot of a key that is already
// there, so that nothing is stored or embedded twice. Every record carries a
// checksum over the file's identity, its slot, its key and its values; a
// damaged one is an error ([ErrCorrupt]) and never a wrong vector. FORMAT.md
// describes the bytes.
//
// Vectors are read through a [Pool], a page cache bounded in bytes and shared
// by all stores of a server. A pinned page stays in it, and a goroutine that needs
// another page waits while all are pinned. That cannot deadlock as long as a
// goroutine holds at most one pin while it asks for another page: all methods
// here keep to that, and callers of [Store.Pin] must.
//
// # Life of a store
//
// [Create] or [Open] cost a few system calls and constant memory, enough to
// read. Before the first Lookup or Append on an opened store [Store.Recover]
// reads the file once, cuts what a crash has left unfinished at its end, and
// builds the map from key to slot (about 60 bytes a slot). A file is appended to
// by one Store at a time. One whose write has failed is [Store.Retire]d: it
// closes with the last [Store.Release] of those that acquired it.
//
// Another process reads beside it through [OpenRead], which never writes and
// sees the slots up to the end that a commit names ([Store.Refresh]).
//
// The closed ranges of a file, [Store.Ranges], change only if vectors are freed: each
// can be kept elsewhere as one object. [Store.Free] gives the disk back what vectors
// take that no commit uses.
//
// # Concurrency and durability
//
// All methods may be called from any number of goroutines; appends run one
// after another, and readers never wait for them. What Append has returned is
// on the disk. After a failed write or sync a store refuses to append until it
// is closed, opened and recovered again ([ErrFailed]); reading goes on.
package vecstore
