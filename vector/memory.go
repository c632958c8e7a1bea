package vector

import (
	"unsafe"
)

// Memory returns n zero bytes that begin at a multiple of 64. If they are many,
// the system is asked to back them by huge pages: who jumps about in them else
// spends a good part of the time on finding out where a page is.
func Memory(n int) []byte {
	const line, huge = 64, 2 << 20
	align := line
	if n >= 2*huge {
		align = huge
	}
	b := make([]byte, n+align-1)
	if len(b) == 0 {
		return b
	}
	at := int(-uintptr(unsafe.Pointer(&b[0])) % uintptr(align))
	b = b[at : at+n : at+n]
	if align == huge {
		adviseHuge(b[:n/huge*huge])
	}
	return b
}
