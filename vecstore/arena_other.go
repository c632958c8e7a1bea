//go:build !linux

package vecstore

// allocate returns zeros for n rows or more, and what gives them back.
func allocate(n, stride int) (rows []byte, free func()) {
	return make([]byte, (n+n/8+1)*stride), func() {}
}
