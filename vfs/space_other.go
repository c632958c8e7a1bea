//go:build !(linux || darwin || freebsd || windows)

package vfs

// SpaceOf returns zeros: the room is not known.
func SpaceOf(string) (Space, error) { return Space{}, nil }
