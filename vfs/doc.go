// Package vfs is the seam between vectorlink's files and the disk.
//
// Everything vectorlink keeps lives in one flat data directory. The packages
// that own a file format (vecstore, snapshot) reach it only through [FS], so
// that production cannot leave the directory ([OS] is built on [os.Root]) and
// tests can put a crashing or failing disk under them (package vfstest).
// [Limit] bounds how many of its files are open at once.
// [FileName] turns a domain and a commit, which come from outside, into a name
// that is safe on every file system.
//
// Durability follows POSIX: bytes written are certain only after [File.Sync],
// and a file's name (its creation, rename or removal) only after [FS.SyncDir].
// Files are written with pwrite, never through a memory map: a full disk must
// be an error and not a signal.
//
// All of it may be used from any number of goroutines.
package vfs
