package vfs

// Space is the room of a file system, in bytes; zeros where it is not known.
type Space struct {
	Free int64 // that this process may still use
	Size int64
}
