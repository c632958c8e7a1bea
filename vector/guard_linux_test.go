package vector_test

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/vectorlink/vectorlink/vector"
)

// guarded returns memory of a page between two that may not be read.
func guarded(t *testing.T) []byte {
	page := os.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	for _, p := range [][]byte{mem[:page], mem[2*page:]} {
		if err := syscall.Mprotect(p, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return mem[page : 2*page : 2*page]
}

// Nothing is read outside of the slices: the program would die.
func TestGuard(t *testing.T) {
	a, b := guarded(t), guarded(t)
	floats := func(p []byte) []float32 { return unsafe.Slice((*float32)(unsafe.Pointer(&p[0])), len(p)/4) }
	ids, dst, dst8 := []uint32{0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]float32, 9), make([]int32, 9)
	eachKernel(t, func(t *testing.T) {
		for n := range 130 {
			x, y := floats(a), floats(b)
			for _, end := range []bool{false, true} {
				x, y := x[:n], y[:n]
				if end {
					x, y = floats(a)[len(a)/4-n:], floats(b)[len(b)/4-n:]
				}
				vector.Dot(x, y)
				vector.Dots(dst, x, y, n, ids)
				vector.Squares(dst, x, y, n, ids)
			}
		}
		for n := 64; n <= len(a); n += 64 {
			q := unsafe.Slice((*int8)(unsafe.Pointer(&a[len(a)-n])), n)
			vector.Dots8(dst8, q, b[len(b)-n:], n, ids)
			if n%128 == 0 {
				vector.Dots4(dst8, q, b[len(b)-n/2:], n/2, ids)
			}
		}
	})
}
