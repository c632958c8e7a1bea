// Package indexertest has stand-ins for what an indexer works with: a document
// database with history held in memory, and an embedder whose vectors follow
// the words of a text and which counts what it is asked for. They are for
// tests, of this package and of those above it.
package indexertest
