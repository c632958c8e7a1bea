// Package textindex is the full text of snapshots: BM25 whose scores depend on
// one snapshot alone, so that results at an old commit never move.
//
// # How
//
// A commit file has one [Segment], an immutable inverted index of the chunks
// that the file lists: all of a checkpoint's, those of the changed entries of
// a delta. A segment is made of bleve's segments (zapx), each of a bounded
// number of chunks, and a column with the exact length of every chunk. An
// [Index] is the text of one snapshot: the segments of its chain, each with the
// chunks that are dead in that snapshot. The number of chunks, their average
// length and the document frequencies count the live chunks, so the score of a
// chunk is the same whatever the chain looks like: before and after a merge, and
// whatever happened on other commits.
//
// Analysis turns text into terms, see [Analyze] and [Languages]. Stemmers, lists
// of stop words and the splitting of most languages are bleve's. What is no term
// can be found too: stop words and symbols, and other spellings of the words, see
// [Index.Search].
//
// A [Query] is plain text, any of whose words will do ([Plain]), or has operators
// ([Parse]). Phrases go by the positions that segments hold. Phrases and
// prefixes count as terms of their own. Operators apply to documents with all
// their chunks; scores and hits are of single chunks.
//
// # Files
//
// Segments are derived from commit files. [Segment.Write] keeps one as
// <domain>@<commit>.zap (FORMAT.md), which [Open] reads back into memory;
// nothing is mapped and no file stays open. Whatever is wrong with the file,
// [Build] rebuilds it.
//
// # Concurrency and durability
//
// Segments and indexes are immutable and may be used by any number of
// goroutines. They hold memory and nothing else: drop them when they are not
// needed. Write does not sync: a crash may leave an old file, a torn one or
// none, and Open tells them apart by checksums and identity.
package textindex
