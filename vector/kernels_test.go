package vector_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vectorlink/vectorlink/vector"
)

// eachKernel runs f with every implementation that the machine has.
func eachKernel[T interface {
	Run(string, func(T)) bool
	Cleanup(func())
}](t T, f func(T)) {
	for _, name := range vector.Kernels() {
		t.Run(name, func(t T) {
			t.Cleanup(vector.Use(name))
			f(t)
		})
	}
}

// same reports whether two results are the same bits. All that is not a number
// is the same: which NaN comes out of several is not defined.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// kinds of floats that arithmetic may treat in its own way.
var kinds = []struct {
	name string
	next func(r *rand.Rand) float32
}{
	{"normal", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
	{"any finite", func(r *rand.Rand) float32 {
		return float32(r.NormFloat64()) * float32(math.Ldexp(1, r.IntN(250)-125))
	}},
	{"denormal products", func(r *rand.Rand) float32 {
		return float32(r.NormFloat64()) * float32(math.Ldexp(1, -60-r.IntN(15)))
	}},
	{"denormal", func(r *rand.Rand) float32 {
		return math.Float32frombits(r.Uint32N(1<<23) | r.Uint32()&(1<<31))
	}},
	{"zeros", func(r *rand.Rand) float32 {
		return []float32{0, float32(math.Copysign(0, -1)), 1, -1}[r.IntN(4)]
	}},
	{"few infinities", func(r *rand.Rand) float32 {
		if r.IntN(40) == 0 {
			return float32(math.Inf(r.IntN(2) - 1))
		}
		return r.Float32() + 1
	}},
	{"all bits", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()) }},
}

func lengths() []int {
	ns := []int{127, 128, 383, 384, 385, 784, 1000, 1536, 3072}
	for n := range 101 {
		ns = append(ns, n)
	}
	return ns
}

// Every kernel gives the bits of the definition, wherever the slices start.
func TestDotKernels(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const seed = 11
		r := rand.New(rand.NewPCG(seed, 0))
		for _, kind := range kinds {
			for _, n := range lengths() {
				for range 4 {
					a, b := make([]float32, n+r.IntN(16)), make([]float32, n+r.IntN(16))
					a, b = a[len(a)-n:], b[len(b)-n:]
					for i := range n {
						a[i], b[i] = kind.next(r), kind.next(r)
					}
					if got, want := vector.Dot(a, b), plainDot(a, b); !same(got, want) {
						t.Fatalf("seed %d: %s, length %d: %v (%#x), want %v (%#x)", seed, kind.name, n,
							got, math.Float32bits(got), want, math.Float32bits(want))
					}
				}
			}
		}
	})
}

// Dots is Dot of each row, and writes nothing else.
func TestDots(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const seed = 12
		r := rand.New(rand.NewPCG(seed, 0))
		for _, kind := range kinds {
			for _, n := range lengths() {
				// Rows may lie apart, overlap, and be one and the same.
				stride := []int{n, n + 10, 1, 0}[r.IntN(4)]
				q, rows := make([]float32, n), make([]float32, 1+9*stride+n)[1:]
				for i := range q {
					q[i] = kind.next(r)
				}
				for i := range rows {
					rows[i] = kind.next(r)
				}
				ids, dst := make([]uint32, r.IntN(14)), make([]float32, 20)
				for i := range ids {
					ids[i] = r.Uint32N(10)
				}
				for i := range dst {
					dst[i] = -7
				}
				vector.Dots(dst[:len(ids)], q, rows, stride, ids)
				for i, got := range dst {
					want := float32(-7)
					if i < len(ids) {
						want = plainDot(q, rows[int(ids[i])*stride:][:n])
					}
					if !same(got, want) {
						t.Fatalf("seed %d: %s, length %d, stride %d, %d of %d rows: %v, want %v",
							seed, kind.name, n, stride, i, len(ids), got, want)
					}
				}
			}
		}
	})
}

// Squares gives the bits of the definition, and 0 for a vector and itself.
func TestSquares(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const seed = 15
		r := rand.New(rand.NewPCG(seed, 0))
		for _, kind := range kinds {
			for _, n := range lengths() {
				stride := []int{n, n + 10, 1, 0}[r.IntN(4)]
				q, rows := make([]float32, n), make([]float32, 1+9*stride+n)[1:]
				for i := range q {
					q[i] = kind.next(r)
				}
				for i := range rows {
					rows[i] = kind.next(r)
				}
				ids, dst := make([]uint32, r.IntN(14)), make([]float32, 20)
				for i := range ids {
					ids[i] = r.Uint32N(10)
				}
				for i := range dst {
					dst[i] = -7
				}
				vector.Squares(dst[:len(ids)], q, rows, stride, ids)
				for i, got := range dst {
					want := float32(-7)
					if i < len(ids) {
						row := rows[int(ids[i])*stride:][:n]
						diff := make([]float32, n)
						for j := range diff {
							diff[j] = row[j] - q[j]
						}
						want = plainDot(diff, diff)
						if got := vector.Square(row, q); !same(got, want) {
							t.Fatalf("seed %d: %s, length %d: Square is %v, want %v", seed, kind.name, n, got, want)
						}
					}
					if !same(got, want) {
						t.Fatalf("seed %d: %s, length %d, stride %d, %d of %d rows: %v, want %v",
							seed, kind.name, n, stride, i, len(ids), got, want)
					}
				}
				if got := vector.Square(q, q); kind.name == "normal" && got != 0 {
					t.Fatalf("seed %d: length %d: a vector is %v from itself", seed, n, got)
				}
			}
		}
	})
}

// Dots8 and Dots4 are exact, for the greatest sums too.
func TestDotsOfCodes(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const seed = 13
		r := rand.New(rand.NewPCG(seed, 0))
		fills := []func(q []int8, codes []byte){
			func(q []int8, codes []byte) {
				for i := range q {
					q[i] = int8(r.Uint32())
				}
				for i := range codes {
					codes[i] = byte(r.Uint32())
				}
			},
			func(q []int8, codes []byte) { fill(q, -128); fill(codes, 255) },
			func(q []int8, codes []byte) { fill(q, 127); fill(codes, 255) },
			func(q []int8, codes []byte) { fill(q, -128); fill(codes, 128) },
		}
		functions := []struct {
			name  string
			long  int // values in a byte of a row
			dots  func(dst []int32, q []int8, codes []byte, stride int, ids []uint32)
			value func(row []byte, j int) byte
		}{
			{"Dots8", 1, vector.Dots8, func(row []byte, j int) byte { return row[j] }},
			{"Dots4", 2, vector.Dots4, func(row []byte, j int) byte {
				return row[j/128*64+j%64] >> (j / 64 % 2 * 4) & 15
			}},
		}
		for _, f := range functions {
			for _, n := range []int{0, 64, 128, 192, 384, 832, 1536, 65536 / f.long} {
				for at, fill := range fills {
					for range 8 {
						stride := []int{n, n + 64, n + 7, 0}[r.IntN(4)]
						q, codes := make([]int8, f.long*n), make([]byte, 1+9*stride+n)[1:]
						fill(q, codes)
						ids, dst := make([]uint32, r.IntN(14)), make([]int32, 20)
						for i := range ids {
							ids[i] = r.Uint32N(10)
						}
						for i := range dst {
							dst[i] = -7
						}
						f.dots(dst[:len(ids)], q, codes, stride, ids)
						for i, got := range dst {
							want := int64(-7)
							if i < len(ids) {
								want = 0
								row := codes[int(ids[i])*stride:][:n]
								for j, x := range q {
									want += int64(x) * int64(f.value(row, j))
								}
							}
							if int64(got) != want {
								t.Fatalf("seed %d: %s, fill %d, rows of %d, stride %d, %d of %d rows: %d, want %d",
									seed, f.name, at, n, stride, i, len(ids), got, want)
							}
						}
					}
				}
			}
		}
	})
}

func fill[T any](s []T, x T) {
	for i := range s {
		s[i] = x
	}
}

// Wrong arguments panic, also of the kernels that the compiler does not guard,
// and nothing is read beyond the rows.
func TestBounds(t *testing.T) {
	q, rows, codes := make([]float32, 24), make([]float32, 10*24), make([]byte, 10*64)
	q8, q4 := make([]int8, 64), make([]int8, 128)
	ids := []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	at := func(i int, id uint32) []uint32 {
		s := slices.Clone(ids)
		s[i] = id
		return s
	}
	type args struct {
		stride, stride8 int
		ids             []uint32
		rows, codes     int // cut off
		dst             int // missing
		fine            bool
	}
	cases := map[string]args{
		"all fits":                 {24, 64, ids, 0, 0, 0, true},
		"no rows":                  {24, 64, nil, 240, 640, 0, true},
		"a value is missing":       {24, 64, ids, 1, 1, 0, false},
		"all rows are missing":     {24, 64, ids, 240, 640, 0, false},
		"stride too large":         {25, 65, ids, 0, 0, 0, false},
		"stride less than 0":       {-1, -1, ids, 0, 0, 0, false},
		"stride beyond all bounds": {1 << 62, 1 << 62, ids, 0, 0, 0, false},
		"result too short":         {24, 64, ids, 0, 0, 1, false},
		"result too long":          {24, 64, ids, 0, 0, -1, false},
	}
	for i := range ids {
		for _, id := range []uint32{10, 1 << 31, math.MaxUint32} {
			cases[fmt.Sprintf("id %d at %d", id, i)] = args{24, 64, at(i, id), 0, 0, 0, false}
		}
	}
	eachKernel(t, func(t *testing.T) {
		for name, tc := range cases {
			for _, call := range []func(){
				func() {
					vector.Dots(make([]float32, len(tc.ids)-tc.dst), q, rows[:240-tc.rows], tc.stride, tc.ids)
				},
				func() {
					vector.Dots8(make([]int32, len(tc.ids)-tc.dst), q8, codes[:640-tc.codes], tc.stride8, tc.ids)
				},
				func() {
					vector.Dots4(make([]int32, len(tc.ids)-tc.dst), q4, codes[:640-tc.codes], tc.stride8, tc.ids)
				},
			} {
				if got, want := panics(call), !tc.fine; got != want {
					t.Errorf("%s: panics: %v, want %v", name, got, want)
				}
			}
		}
		if !panics(func() { vector.Dots8(make([]int32, 1), make([]int8, 63), make([]byte, 64), 64, ids[:1]) }) {
			t.Error("Dots8 takes a query of 63")
		}
		if !panics(func() { vector.Dots4(make([]int32, 1), make([]int8, 64), make([]byte, 64), 64, ids[:1]) }) {
			t.Error("Dots4 takes a query of 64")
		}
		if !panics(func() { vector.Dots4(make([]int32, 1), make([]int8, 65664), make([]byte, 65664), 0, ids[:1]) }) {
			t.Error("Dots4 takes a query of 65664, whose products might overflow")
		}
		if !panics(func() { vector.Dots8(make([]int32, 1), make([]int8, 65600), make([]byte, 65600), 0, ids[:1]) }) {
			t.Error("Dots8 takes a query of 65600, whose products might overflow")
		}
	})
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// Arguments stay on the stack.
func TestAllocs(t *testing.T) {
	rows, codes := make([]float32, 100), make([]byte, 256)
	eachKernel(t, func(t *testing.T) {
		if n := testing.AllocsPerRun(10, func() {
			var dst, q [20]float32
			var dst8 [4]int32
			var q8 [128]int8
			ids := [4]uint32{0, 1, 2, 3}
			dst[5] = vector.Dot(q[:], rows)
			vector.Dots(dst[:4], q[:], rows, 20, ids[:])
			vector.Dots8(dst8[:], q8[:64], codes, 64, ids[:])
			vector.Dots4(dst8[:], q8[:], codes, 64, ids[:])
		}); n != 0 {
			t.Errorf("%v allocations, want 0", n)
		}
	})
}

// A hint is one even when it is nonsense.
func TestPrefetch(t *testing.T) {
	codes := make([]byte, 256)
	for _, ids := range [][]uint32{nil, {0}, {1, 2, 3}, {0, math.MaxUint32}} {
		for _, n := range []int{-1, 0, 1, 64, 65, 4096} {
			vector.Prefetch(codes, 64, n, ids)
			vector.Prefetch(codes, -1<<40, n, ids)
			vector.Prefetch(nil, 64, n, ids)
		}
	}
}

// The assembly is what its generator writes.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	gen := filepath.Join(dir, "gen.exe")
	if out, err := exec.Command("go", "build", "-o", gen, "./kernels").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	files := []string{"kernels_amd64.s", "kernels_stubs_amd64.go"}
	cmd := exec.Command(gen, "-out", files[0], "-stubs", files[1], "-pkg", "vector")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what ./kernels writes (%v): run go generate ./vector", f, err)
		}
	}
}
