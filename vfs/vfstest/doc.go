// Package vfstest puts bad disks under code that uses [vfs.FS], for tests.
//
// [Mem] is a file system in memory that forgets, when asked for a
// [Mem.CrashClone], what a power cut may forget. [Fault] wraps any file system,
// numbers its operations and fails the chosen ones. [TestFS] is the suite that
// every implementation of [vfs.FS] passes. Mem and Fault may be used from any
// number of goroutines.
package vfstest
