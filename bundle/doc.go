// Package bundle writes and reads snapshot files: one commit of one domain in one
// file that needs nothing else, to be taken elsewhere, opened there without a server
// of its own data directory, or given back to one.
//
// A snapshot file is a ZIP archive whose members are stored as they are: the commit
// file, a checkpoint, and its file of vectors, whose slots are numbered anew so that
// it holds only what the commit needs. A [Writer] writes one from an open snapshot,
// of which it keeps nothing in memory but the list of slots; its bytes depend on the
// snapshot alone, so that a transfer that broke off can go on. A [File] is a
// directory ([vfs.FS]) of the members, which are read where they lie: who reads data
// directories reads snapshot files too. [File.Check] reads all of one and says what
// is wrong with it. See FORMAT.md.
//
// Checksums find damage and are no defence against forgery: a file is to be trusted
// as far as who made it.
package bundle
