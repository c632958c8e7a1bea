package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowsOf returns the memory of each of a tile's rows, given the first row and
// the bytes of a row. Half of the tile hangs on a second pointer, so that the
// scaled index of an address reaches all rows with few registers. move
// advances all of them.
func rowsOf(base, stride reg.GPVirtual, rows int) (at []operand.Mem, move func(operand.Op), back func(operand.Op)) {
	half := (rows + 1) / 2
	bases := []reg.GPVirtual{base}
	if rows > half {
		second := GP64()
		IMUL3Q(operand.I32(half), stride, second)
		ADDQ(base, second)
		bases = append(bases, second)
	}
	odd := map[int]reg.GPVirtual{1: stride}
	for i := 3; i < half; i += 2 {
		odd[i] = GP64()
		IMUL3Q(operand.I32(i), stride, odd[i])
	}
	for r := range rows {
		mem := operand.Mem{Base: bases[r/half]}
		if i := r % half; i != 0 {
			scale := 1
			for i%2 == 0 {
				i, scale = i/2, scale*2
			}
			mem.Index, mem.Scale = odd[i], uint8(scale)
		}
		at = append(at, mem)
	}
	move = func(by operand.Op) {
		for _, b := range bases {
			ADDQ(by, b)
		}
	}
	back = func(by operand.Op) {
		for _, b := range bases {
			SUBQ(by, b)
		}
	}
	return at, move, back
}

// weigh writes the tile of some rows by all output channels. It walks the
// channels by two panels (AVX-512) or one (AVX2) and the inputs by pairs of
// int16s, which one instruction multiplies by the pairs of widened weights
// and adds.
func (m *machine) weigh(rows int) {
	const unroll = 4 // input pairs a turn
	panels := m.width / 32
	m.begin(fmt.Sprintf("weigh%dx", rows), fmt.Sprintf("is kernels.weigh for %d rows.", rows),
		"dst *float32, a *int16, scale *float32, w *int8, wScale, bias *float32, k, n int")
	dst, a, w := parameter("dst"), parameter("a"), parameter("w")
	channelScale, bias := parameter("wScale"), parameter("bias")
	stride, groups := GP64(), parameter("n")
	SHRQ(operand.U8(3+panels), groups)
	Load(Param("k"), stride)
	SHLQ(operand.U8(1), stride)
	at, move, back := rowsOf(a, stride, rows)
	second := GP64() // the other panel's weights
	var mix reg.VecVirtual
	if m.wide() {
		mix = ZMM()
		VMOVDQU16(m.table.interleave(), mix)
	}

	sums := make([][]vec, rows)
	for r := range sums {
		sums[r] = make([]vec, panels)
		for p := range sums[r] {
			sums[r][p] = m.vec()
		}
	}
	count("groups", groups, func() {
		for r := range sums {
			for p := range sums[r] {
				for _, s := range sums[r][p] {
					m.clear(s)
				}
			}
		}
		turns := GP64()
		Load(Param("k"), turns)
		bases := []reg.GPVirtual{w}
		if panels == 2 {
			MOVQ(turns, second)
			SHLQ(operand.U8(4), second)
			ADDQ(w, second)
			bases = append(bases, second)
		}
		SHRQ(operand.U8(3), turns)
		count("inputs", turns, func() {
			for u := range unroll {
				weights := make([]vec, panels)
				for p := range panels {
					weights[p] = m.widen(addr(bases[p]).Offset(32*u), mix)
				}
				for r := range rows {
					x := m.register()
					VPBROADCASTD(at[r].Offset(4*u), x)
					for p := range panels {
						for i, s := range sums[r][p] {
							if m.wide() {
								dotPairs(x, weights[p][i], s)
							} else {
								product := m.register()
								VPMADDWD(x, weights[p][i], product)
								VPADDD(product, s, s)
							}
						}
					}
				}
			}
			move(operand.I32(4 * unroll))
			for _, b := range bases {
				ADDQ(operand.I32(32*unroll), b)
			}
		})
		if panels == 2 {
			MOVQ(second, w)
		}
		bytes := GP64()
		Load(Param("k"), bytes)
		SHLQ(operand.U8(1), bytes)
		back(bytes)

		// The epilogue: to float, times both scales, plus bias.
		rowScale, out := parameter("scale"), GP64()
		MOVQ(dst, out)
		width := parameter("n")
		SHLQ(operand.U8(2), width)
		for r := range rows {
			for p := range panels {
				s := sums[r][p]
				for i := range s {
					VCVTDQ2PS(s[i], s[i])
				}
				m.each(VMULPS, memory(addr(channelScale).Offset(64*p)), s, s)
				for i := range s {
					by := m.register()
					VBROADCASTSS(addr(rowScale).Offset(4*r), by)
					VMULPS(by, s[i], s[i])
				}
				m.each(VADDPS, memory(addr(bias).Offset(64*p)), s, s)
				m.store(s, addr(out).Offset(64*p))
			}
			if r < rows-1 {
				ADDQ(width, out)
			}
		}
		for _, p := range []reg.GPVirtual{dst, channelScale, bias} {
			ADDQ(operand.I32(64*panels), p)
		}
	})
	m.end()
}

// widen returns two rows of 16 weights as the pairs (first, second) of int16s
// of each channel.
func (m *machine) widen(mem operand.Mem, mix reg.VecVirtual) vec {
	v := m.vec()
	if m.wide() {
		VPMOVSXBW(mem, v[0])
		VPERMW(v[0], mix, v[0])
		return v
	}
	first := v[1].AsX()
	VMOVDQU(mem, first)
	VPUNPCKLBW(mem.Offset(16), first, v[0].AsX())
	VPUNPCKHBW(mem.Offset(16), first, first)
	VPMOVSXBW(v[0].AsX(), v[0])
	VPMOVSXBW(first, v[1])
	return v
}

// multiply writes the tile of some rows by all columns, two vectors of columns
// at a time (AVX-512) or one (AVX2).
func (m *machine) multiply(rows int) {
	vectors := m.width / 32
	m.begin(fmt.Sprintf("multiply%dx", rows), fmt.Sprintf("is kernels.multiply for %d rows; strides are in bytes.", rows),
		"dst *float32, dstRow int, a *float32, aRow int, b *float32, bRow, bVec, bPair, depth, pairs int")
	dst, a, stride, b := parameter("dst"), parameter("a"), parameter("aRow"), parameter("b")
	bRow := parameter("bRow")
	at, move, back := rowsOf(a, stride, rows)
	sums := make([][]vec, rows)
	for r := range sums {
		sums[r] = make([]vec, vectors)
		for p := range sums[r] {
			sums[r][p] = m.vec()
		}
	}
	// columns computes the columns at the given pointers, which it moves.
	columns := func(label string, from []reg.GPVirtual) {
		for r := range sums {
			for p := range sums[r] {
				for _, s := range sums[r][p] {
					m.clear(s)
				}
			}
		}
		turns := parameter("depth")
		count(label, turns, func() {
			var b []vec
			for _, f := range from {
				b = append(b, m.load(addr(f)))
			}
			for r := range rows {
				x := m.register()
				VBROADCASTSS(at[r], x)
				for p := range b {
					for i, s := range sums[r][p] {
						product := m.register()
						VMULPS(x, b[p][i], product)
						VADDPS(product, s, s)
					}
				}
			}
			move(operand.I8(4))
			for _, f := range from {
				ADDQ(bRow, f)
			}
		})
		bytes := parameter("depth")
		SHLQ(operand.U8(2), bytes)
		back(bytes)
		out, width := GP64(), parameter("dstRow")
		MOVQ(dst, out)
		for r := range rows {
			for p := range sums[r] {
				m.store(sums[r][p], addr(out).Offset(64*p))
			}
			if r < rows-1 {
				ADDQ(width, out)
			}
		}
		ADDQ(operand.I32(64*vectors), dst)
	}
	pairs := parameter("pairs")
	count("pairs", pairs, func() {
		first, second := GP64(), GP64()
		MOVQ(b, first)
		Load(Param("bVec"), second)
		ADDQ(b, second)
		if vectors == 2 {
			columns("depth", []reg.GPVirtual{first, second})
		} else {
			columns("depth", []reg.GPVirtual{first})
			columns("depth2", []reg.GPVirtual{second})
		}
		step := parameter("bPair")
		ADDQ(step, b)
	})
	m.end()
}
