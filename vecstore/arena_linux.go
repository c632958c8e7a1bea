package vecstore

import "syscall"

// arenaSlack is how many times the rows needed an arena has room for, so that a
// growing store seldom needs another. Pages that were never written take no
// memory.
const arenaSlack = 4

// allocate returns zeros for n rows or more, at a multiple of 64 in memory, and
// what gives them back. They are not the garbage collector's, which would let
// the heap grow by as much again, and on huge pages where the system has them:
// walks jump about in them.
func allocate(n, stride int) (rows []byte, free func()) {
	const protection, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_ANON | syscall.MAP_PRIVATE | syscall.MAP_NORESERVE
	for _, room := range []int{arenaSlack * n, n} {
		rows, err := syscall.Mmap(-1, 0, max(room, 1)*stride, protection, flags)
		if err == nil {
			_ = syscall.Madvise(rows, syscall.MADV_HUGEPAGE) // a wish
			return rows, func() { _ = syscall.Munmap(rows) } // fails for other ranges only
		}
	}
	return make([]byte, n*stride), func() {}
}
