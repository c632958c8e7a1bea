// Package space is the live head of domains whose vectors are written one by one. A
// [Space] is a domain of supplied vectors under typed keys; each of its branches has a
// journal of single writes over its last commit. A write is acknowledged when its
// record is synced, a read sees it at once, and after a short while the writes become
// a commit like any other, made by package indexer: snapshots stay immutable, and the
// whole history can be read.
//
//	Set, Delete ──► journal (<domain>.space), synced ──► tail, in memory
//	                                                       │ 1 s of quiet, 5,000 writes, 64 MiB, Commit, Bulk
//	Get, Nearest ◄── tail over the last commit             ▼
//	                      ▲                           a commit (indexer.Push)
//	                      └────────────────────────────────┘
//
// Set costs one record and its share of a sync, whatever the space holds. Nearest costs
// a search of the last commit and a scan of the tail, at most some thousand vectors.
// FORMAT.md describes the journal.
package space
