package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of package minilm's kernels.go. Its tests compare the bits of all
// implementations, so that the two lists cannot drift apart.
const (
	maxInt16  float32 = 32767
	perInt16  float32 = 1 / maxInt16
	tinyScale float32 = 1e-30

	normEpsilon float32 = 1e-12

	expMin   float32 = -87
	expRound float32 = 12582912
	log2E    float32 = 1.44269504
	ln2High  float32 = 0.693359375
	ln2Low   float32 = -2.12194440e-4
	exp5     float32 = 1.9875691500e-4
	exp4     float32 = 1.3981999507e-3
	exp3     float32 = 8.3334519073e-3
	exp2     float32 = 4.1665795894e-2
	exp1     float32 = 1.6666665459e-1
	exp0     float32 = 5.0000001201e-1

	halfRoot float32 = 0.70710678
	erfT     float32 = 0.3275911
	erf1     float32 = 0.254829592
	erf2     float32 = -0.284496736
	erf3     float32 = 1.421413741
	erf4     float32 = -1.453152027
	erf5     float32 = 1.061405429
)

// exp replaces x ≤ 0 by its exponential.
func (m *machine) exp(x vec) {
	c := m.constant
	m.each(VMAXPS, c(expMin), x, x)
	t, n := m.vec(), m.vec()
	m.each(VMULPS, c(log2E), x, t)
	m.each(VADDPS, c(expRound), t, t)
	m.each(VSUBPS, c(expRound), t, n)
	p := m.vec()
	m.each(VMULPS, c(ln2High), n, p)
	m.each(VSUBPS, p, x, x)
	m.each(VMULPS, c(ln2Low), n, p)
	m.each(VSUBPS, p, x, x)
	m.each(VMULPS, c(exp5), x, p)
	for _, next := range []float32{exp4, exp3, exp2, exp1} {
		m.each(VADDPS, c(next), p, p)
		m.each(VMULPS, x, p, p)
	}
	m.each(VADDPS, c(exp0), p, p)
	m.each(VMULPS, x, x, n)
	m.each(VMULPS, n, p, p)
	m.each(VADDPS, x, p, p)
	m.each(VADDPS, c(1), p, p)
	for i := range t {
		VPSLLD(operand.U8(23), t[i], t[i])
		VPADDD(t[i], p[i], x[i])
	}
}

// constants loads what a loop needs before it begins.
func (m *machine) constants(c ...float32) {
	for _, c := range c {
		m.constant(c)
	}
}

func (m *machine) expConstants() {
	m.constants(expMin, log2E, expRound, ln2High, ln2Low, exp5, exp4, exp3, exp2, exp1, exp0, 1)
}

// magnitude returns |v|.
func (m *machine) magnitude(v vec) vec {
	a := m.vec()
	for i := range v {
		// Shifting the sign out and zeros in needs no mask in a register.
		VPSLLD(operand.U8(1), v[i], a[i])
		VPSRLD(operand.U8(1), a[i], a[i])
	}
	return a
}

// quantize rounds the row at x of count·16 floats, whose largest magnitudes
// are in most, to int16s at q, and stores its scale. It leaves x and q behind
// the row.
func (m *machine) quantize(label string, x, q, scale, count_ reg.GPVirtual, most vec) {
	largest := m.reduce(VMAXPS, most)
	s := XMM()
	VMULSS(m.table.float(perInt16), largest[0].AsX(), s)
	VMOVSS(s, addr(scale))
	ADDQ(operand.I8(4), scale)
	by := m.vec()
	if m.wide() {
		VBROADCASTSS(m.table.float(maxInt16), by[0])
	} else {
		for i := range by {
			VMOVUPS(m.table.float(maxInt16), by[i])
		}
	}
	m.each(VDIVPS, largest, by, by)
	count(label, count_, func() {
		v := m.load(addr(x))
		m.each(VMULPS, by, v, v)
		for i := range v {
			VCVTPS2DQ(v[i], v[i])
		}
		if m.wide() {
			VPMOVSDW(v[0], addr(q))
		} else {
			VPACKSSDW(v[1], v[0], v[0])
			VPERMQ(operand.U8(0b11011000), v[0], v[0])
			VMOVDQU(v[0], addr(q))
		}
		ADDQ(operand.I8(64), x)
		ADDQ(operand.I8(32), q)
	})
}

// largest begins the search for the largest magnitude of a row.
func (m *machine) largest(most vec) {
	for i := range most {
		if m.wide() {
			VBROADCASTSS(m.table.float(tinyScale), most[i])
		} else {
			VMOVUPS(m.table.float(tinyScale), most[i])
		}
	}
}

func (m *machine) round() {
	m.begin("round", "is kernels.round; width is a multiple of 16.", "x *float32, width int, q *int16, scale *float32, rows int")
	x, q, scale, rows := parameter("x"), parameter("q"), parameter("scale"), parameter("rows")
	most := m.vec()
	count("rows", rows, func() {
		m.largest(most)
		n, from := parameter("width"), GP64()
		SHRQ(operand.U8(4), n)
		MOVQ(x, from)
		count("magnitudes", n, func() {
			m.each(VMAXPS, m.magnitude(m.load(addr(from))), most, most)
			ADDQ(operand.I8(64), from)
		})
		again := parameter("width")
		SHRQ(operand.U8(4), again)
		m.quantize("quantize", x, q, scale, again, most)
	})
	m.end()
}

func (m *machine) gelu() {
	m.begin("gelu", "is kernels.gelu; width is a multiple of 16.", "x *float32, width int, q *int16, scale *float32, rows int")
	x, q, scale, rows := parameter("x"), parameter("q"), parameter("scale"), parameter("rows")
	c := m.constant
	m.expConstants()
	m.constants(halfRoot, erfT, erf1, erf2, erf3, erf4, erf5, 0.5)
	most, zero := m.vec(), m.zero()[:1]
	count("rows", rows, func() {
		m.largest(most)
		n, from := parameter("width"), GP64()
		SHRQ(operand.U8(4), n)
		MOVQ(x, from)
		count("activate", n, func() {
			v := m.load(addr(from))
			a := m.magnitude(v)
			z, t, p := m.vec(), m.vec(), m.vec()
			m.each(VMULPS, c(halfRoot), a, z)
			m.each(VMULPS, c(erfT), z, t)
			m.each(VADDPS, c(1), t, t)
			for i := range t {
				one := m.register()
				VMOVUPS(c(1), one)
				VDIVPS(t[i], one, t[i])
			}
			m.each(VMULPS, c(erf5), t, p)
			for _, next := range []float32{erf4, erf3, erf2, erf1} {
				m.each(VADDPS, c(next), p, p)
				m.each(VMULPS, t, p, p)
			}
			m.each(VMULPS, z, z, z)
			minus := m.vec()
			for i := range z {
				VSUBPS(z[i], zero[0], minus[i])
			}
			m.exp(minus)
			m.each(VMULPS, minus, p, p)
			m.each(VMULPS, c(0.5), p, p)
			m.each(VMULPS, p, a, a)
			m.each(VMAXPS, zero[0], v, v)
			m.each(VSUBPS, a, v, v)
			m.store(v, addr(from))
			m.each(VMAXPS, m.magnitude(v), most, most)
			ADDQ(operand.I8(64), from)
		})
		again := parameter("width")
		SHRQ(operand.U8(4), again)
		m.quantize("quantize", x, q, scale, again, most)
	})
	m.end()
}

func (m *machine) addNorm() {
	const vectors = dim / 16
	m.begin("addNorm", "is kernels.addNorm.", "x, y, gain, shift *float32, q *int16, scale *float32, rows int")
	x, y, q, scale, rows := parameter("x"), parameter("y"), parameter("q"), parameter("scale"), parameter("rows")
	gain, shift := parameter("gain"), parameter("shift")
	most := m.vec()
	count("rows", rows, func() {
		sums := m.zero()
		n, at := GP64(), GP64()
		again := func() {
			MOVQ(operand.U32(vectors), n)
			XORQ(at, at)
		}
		along := func(base reg.GPVirtual) operand.Mem { return operand.Mem{Base: base, Index: at, Scale: 1} }
		again()
		count("sum", n, func() {
			v := m.load(along(x))
			m.each(VADDPS, memory(along(y)), v, v)
			m.store(v, along(x))
			m.each(VADDPS, v, sums, sums)
			ADDQ(operand.I8(64), at)
		})
		low := m.reduceLow(VADDPS, sums).AsX()
		VMULSS(m.table.float(1.0/dim), low, low)
		mean := m.broadcast(low)
		squares := m.zero()
		again()
		count("deviate", n, func() {
			v := m.load(along(x))
			m.each(VSUBPS, mean, v, v)
			m.store(v, along(x))
			m.each(VMULPS, v, v, v)
			m.each(VADDPS, v, squares, squares)
			ADDQ(operand.I8(64), at)
		})
		low = m.reduceLow(VADDPS, squares).AsX()
		VMULSS(m.table.float(1.0/dim), low, low)
		VADDSS(m.table.float(normEpsilon), low, low)
		VSQRTSS(low, low, low)
		one := XMM()
		VMOVSS(m.table.float(1), one)
		VDIVSS(low, one, low)
		inverse := m.broadcast(low)
		m.largest(most)
		again()
		count("scale", n, func() {
			v := m.load(along(x))
			m.each(VMULPS, inverse, v, v)
			m.each(VMULPS, memory(along(gain)), v, v)
			m.each(VADDPS, memory(along(shift)), v, v)
			m.store(v, along(x))
			m.each(VMAXPS, m.magnitude(v), most, most)
			ADDQ(operand.I8(64), at)
		})
		ADDQ(at, y)
		MOVQ(operand.U32(vectors), n)
		m.quantize("quantize", x, q, scale, n, most)
	})
	m.end()
}

func (m *machine) softmax() {
	m.begin("softmax", "is kernels.softmax.", "x, mask *float32, rows, width int")
	x, mask, rows := parameter("x"), parameter("mask"), parameter("rows")
	m.expConstants()
	count("rows", rows, func() {
		n, at := GP64(), GP64()
		again := func() {
			Load(Param("width"), n)
			SHRQ(operand.U8(4), n)
			XORQ(at, at)
		}
		along := func(base reg.GPVirtual) operand.Mem { return operand.Mem{Base: base, Index: at, Scale: 1} }
		most := m.load(addr(x))
		m.each(VADDPS, memory(addr(mask)), most, most)
		again()
		count("most", n, func() {
			v := m.load(along(x))
			m.each(VADDPS, memory(along(mask)), v, v)
			m.store(v, along(x))
			m.each(VMAXPS, v, most, most)
			ADDQ(operand.I8(64), at)
		})
		top := m.reduce(VMAXPS, most)
		sums := m.zero()
		again()
		count("exp", n, func() {
			v := m.load(along(x))
			m.each(VSUBPS, top, v, v)
			m.exp(v)
			m.store(v, along(x))
			m.each(VADDPS, v, sums, sums)
			ADDQ(operand.I8(64), at)
		})
		low := m.reduceLow(VADDPS, sums).AsX()
		one := XMM()
		VMOVSS(m.table.float(1), one)
		VDIVSS(low, one, low)
		inverse := m.broadcast(low)
		again()
		count("share", n, func() {
			v := m.load(along(x))
			m.each(VMULPS, inverse, v, v)
			m.store(v, along(x))
			ADDQ(operand.I8(64), at)
		})
		ADDQ(at, x)
	})
	m.end()
}
