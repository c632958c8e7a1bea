// Package backup takes backups of a data directory and puts them back.
//
// [Take] reads the directory as any reader does, without a word to the process that
// writes it, and may run beside it or without one. What it copies is one moment of
// every domain: the commits of a catalog state, the vectors that they refer to, and the
// journal of a space as it was when no commit of it was in the making. It copies
// first and compares afterwards; what was replaced or removed meanwhile is copied
// again, by a later state. What can be made again (catalog files, full texts, hashes
// of ranges) and what is only under way (tasks) is left out.
//
// A backup goes into a [Dir], where files are kept in parts named by their hashes, so
// that the next backup adds the parts that are new, or into an archive
// ([WriteArchive]), a compressed tar of the files themselves. FORMAT.md describes both.
//
// A backup is durable when the call that takes it returns; until then the directory
// holds the backups that it held before, and after a crash too. A Dir is used by one
// process at a time; nothing here may be called concurrently.
package backup
