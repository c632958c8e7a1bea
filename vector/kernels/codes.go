package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// codeStep is how many values the loops over codes take at a time.
const codeStep = 32

// registers returns as many registers as codeStep values fill.
func (m *machine) registers() []reg.VecVirtual {
	rs := make([]reg.VecVirtual, 4*codeStep/m.width)
	for i := range rs {
		rs[i] = m.register()
	}
	return rs
}

// broadcast returns a register full of a word.
func (m *machine) broadcast(word uint32) reg.VecVirtual {
	bits, x, all := GP32(), XMM(), m.register()
	MOVL(operand.U32(word), bits)
	VMOVD(bits, x)
	VPBROADCASTD(x, all)
	return all
}

// over emits a loop over the n values at v.
func over(v, n reg.Register, body func()) {
	Label("steps")
	body()
	ADDQ(operand.Imm(4*codeStep), v)
	SUBQ(operand.Imm(codeStep), n)
	JNZ(operand.LabelRef("steps"))
}

// magnitude writes the search for the largest value, as bits without sign.
func (m *machine) magnitude() {
	m.begin("magnitude", "is magnitudeGo for n values, a multiple of 32 and not 0.", "(v *float32, n int) uint32")
	v, n := parameter("v"), parameter("n")
	abs, most := m.broadcast(1<<31-1), m.registers()
	for _, r := range most {
		if m.wide() {
			VPXORD(r, r, r)
		} else {
			VPXOR(r, r, r)
		}
	}
	over(v, n, func() {
		for i, r := range most {
			x := m.register()
			if m.wide() {
				VPANDD(at(v, nil, i*m.width), abs, x)
			} else {
				VPAND(at(v, nil, i*m.width), abs, x)
			}
			VPMAXUD(x, r, r)
		}
	})
	for len(most) > 1 {
		last := len(most) - 1
		VPMAXUD(most[last], most[last-1], most[last-1])
		most = most[:last]
	}
	y := most[0].AsY()
	if m.wide() {
		high := YMM()
		VEXTRACTI64X4(operand.U8(1), most[0], high)
		VPMAXUD(high, y, y)
	}
	x := m.halve(VPMAXUD, y)
	for _, order := range []uint64{0b1110, 0b01} { // the upper two lanes, the second lane
		other := XMM()
		VPSHUFD(operand.U8(order), x, other)
		VPMAXUD(other, x, x)
	}
	result := GP32()
	VMOVD(x, result)
	Store(result, ReturnIndex(0))
	end()
}

// round writes the rounding of values to codes. The conversion rounds half to
// even, as Go has the processor do.
func (m *machine) round() {
	m.begin("round", "is roundGo for n values, a multiple of 32 and not 0.", "(row *byte, v *float32, n int, inv float32)")
	row, v, n := parameter("row"), parameter("v"), parameter("n")
	inv, flip := m.register(), m.broadcast(0x80808080)
	VBROADCASTSS(memory(Param("inv")), inv)
	var order reg.VecVirtual
	if !m.wide() {
		order = YMM()
		VMOVDQU(m.lanesInOrder(), order)
	}
	over(v, n, func() {
		words := m.registers()
		for i, r := range words {
			VMULPS(at(v, nil, i*m.width), inv, r)
			VCVTPS2DQ(r, r)
		}
		if m.wide() {
			for i, r := range words {
				b := XMM()
				VPMOVDB(r, b)
				VPXORD(flip.AsX(), b, b)
				VMOVDQU32(b, at(row, nil, 16*i))
			}
		} else {
			// Packing works within halves of registers; the words of four
			// bytes are then put in order.
			VPACKSSDW(words[1], words[0], words[0])
			VPACKSSDW(words[3], words[2], words[2])
			VPACKSSWB(words[2], words[0], words[0])
			VPERMD(words[0], order, words[0])
			VPXOR(flip, words[0], words[0])
			VMOVDQU(words[0], at(row, nil, 0))
		}
		ADDQ(operand.Imm(codeStep), row)
	})
	end()
}

// lanesInOrder returns where the words of bytes are after packing.
func (m *machine) lanesInOrder() operand.Mem {
	mem := GLOBL("packed", RODATA|NOPTR)
	for i, from := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, operand.U32(from))
	}
	return mem
}
