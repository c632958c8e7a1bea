// Command kernels writes the amd64 assembly of package vector, for AVX-512
// (F, BW, VL, DQ, VNNI) and for AVX2:
//
//	go generate ./vector
//
// The loops are those of the portable functions in package vector, which say
// what each computes. Several rows are measured at a time: the query is loaded
// once for all of them, and one row's additions need not wait for another's.
// There is no fused multiply-add, since the portable code could not follow it.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// groupRows is how many rows a loop measures at a time: as many as there are
// registers for their addresses and those of the rows to prefetch.
const groupRows = 4

func main() {
	for _, m := range []*machine{
		{name: "512", width: 64},
		{name: "2", width: 32},
	} {
		m.dot()
		m.dots()
		m.squares()
		m.dots8()
		m.dots4()
		m.magnitude()
		m.round()
	}
	prefetch()
	Generate()
}

// A machine is an instruction set.
type machine struct {
	name  string
	width int          // bytes of a register
	table *operand.Mem // see lanes
}

func (m *machine) wide() bool { return m.width == 64 }

// begin starts a function of the given name, parameters and results.
func (m *machine) begin(name, doc, signature string) {
	TEXT(name+m.name, NOSPLIT, "func"+signature)
	Pragma("noescape")
	Doc(name + m.name + " " + doc)
}

// end finishes a function.
func end() {
	VZEROUPPER()
	RET()
}

// A vec is 64 bytes: one register of AVX-512, two of AVX2.
type vec []reg.VecVirtual

func (m *machine) register() reg.VecVirtual {
	if m.wide() {
		return ZMM()
	}
	return YMM()
}

func (m *machine) vec() vec {
	v := make(vec, 64/m.width)
	for i := range v {
		v[i] = m.register()
	}
	return v
}

func (m *machine) vecs(n int) []vec {
	vs := make([]vec, n)
	for i := range vs {
		vs[i] = m.vec()
	}
	return vs
}

func (m *machine) clear(vs []vec) {
	for _, v := range vs {
		for _, r := range v {
			if m.wide() {
				VPXORD(r, r, r)
			} else {
				VPXOR(r, r, r)
			}
		}
	}
}

// instruction is one of three operands: dst = b op a.
type instruction func(...operand.Op)

// fold adds the 16 lanes of each of one or groupRows vectors: lane i meets
// i+8, then i+4, i+2, i+1. The sums are in the lanes of the result, in order.
func (m *machine) fold(add instruction, vs []vec) reg.VecVirtual {
	fours := make([]reg.VecVirtual, len(vs)) // 4 lanes of each
	for i, v := range vs {
		y := v[0].AsY()
		if m.wide() {
			high := YMM()
			VEXTRACTF64X4(operand.U8(1), v[0], high)
			add(high, y, y)
		} else {
			add(v[1], y, y)
		}
		fours[i] = m.halve(add, y)
	}
	if len(vs) == 1 {
		x, high := fours[0], XMM()
		VMOVHLPS(x, x, high)
		add(high, x, x)
		VPSHUFD(operand.U8(1), x, high)
		add(high, x, x)
		return x
	}
	pair := func(a, b reg.VecVirtual) reg.VecVirtual { // 2 lanes of each
		high := XMM()
		VUNPCKHPD(b, a, high)
		VUNPCKLPD(b, a, a)
		add(high, a, a)
		return a
	}
	a, b, odd := pair(fours[0], fours[1]), pair(fours[2], fours[3]), XMM()
	VSHUFPS(operand.U8(0xdd), b, a, odd)
	VSHUFPS(operand.U8(0x88), b, a, a)
	add(odd, a, a)
	return a
}

// halve adds the upper half of y to the lower.
func (m *machine) halve(add instruction, y reg.Register) reg.VecVirtual {
	x, high := XMM(), XMM()
	if m.wide() {
		VEXTRACTF32X4(operand.U8(1), y, high) // reaches the upper registers
	} else {
		VEXTRACTF128(operand.U8(1), y, high)
	}
	add(high, y.(reg.Vec).AsX(), x)
	return x
}

// at is shorthand for a memory operand.
func at(base, index reg.Register, offset int) operand.Mem {
	mem := operand.Mem{Base: base, Disp: offset}
	if index != nil {
		mem.Index, mem.Scale = index, 1
	}
	return mem
}

// parameter loads a parameter into a register of its own.
func parameter(name string) reg.GPVirtual {
	return Load(Param(name), GP64()).(reg.GPVirtual)
}

// memory returns where a parameter or result lies.
func memory(c gotypes.Component) operand.Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// products emits VPDPBUSD, which avo does not know: acc += the products of
// four bytes each, of u unsigned and of s signed.
func products(s, u, acc reg.VecVirtual) {
	Instruction(&ir.Instruction{
		Opcode:   "VPDPBUSD",
		Operands: []operand.Op{s, u, acc},
		Inputs:   []operand.Op{s, u, acc},
		Outputs:  []operand.Op{acc},
		ISA:      []string{"AVX512_VNNI"},
	})
}
