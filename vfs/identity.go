package vfs

// FileID tells a file from every other of its name, those before and after it
// included. Within one directory equal ids are one file.
type FileID struct {
	Device, Inode uint64
	// Born is when the file was made, in nanoseconds, where the system knows:
	// the number of a removed file's inode is given to the next one.
	Born int64
}

// identified is a File that knows its id.
type identified interface{ ID() (FileID, error) }

// ID returns the id of an open file; ok is false where the file system gives
// its files none.
func ID(f File) (id FileID, ok bool, err error) {
	i, ok := f.(identified)
	if !ok {
		return FileID{}, false, nil
	}
	id, err = i.ID()
	return id, err == nil && id != FileID{}, err
}
