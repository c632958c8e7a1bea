// Command kernels writes the model's amd64 assembly, for AVX-512 (F, BW, VL,
// DQ, VNNI) and for AVX2:
//
//	go generate ./embed/minilm
//
// The loops are those of the portable kernels in package minilm, which say
// what each computes. A vector here has 16 lanes: one register of AVX-512 or
// two of AVX2, so that both add in the same order. There is no fused
// multiply-add, since the portable code could not follow it.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const dim = 384

func main() {
	constants := table{}
	for _, m := range []*machine{
		{name: "512", width: 64, weighRows: 12, multiplyRows: 8},
		{name: "2", width: 32, weighRows: 6, multiplyRows: 4},
	} {
		m.table = constants
		for rows := 1; rows <= m.weighRows; rows++ {
			m.weigh(rows)
		}
		for rows := 1; rows <= m.multiplyRows; rows++ {
			m.multiply(rows)
		}
		m.addNorm()
		m.round()
		m.gelu()
		m.softmax()
	}
	Generate()
}

// A machine is an instruction set.
type machine struct {
	name         string
	width        int // bytes of a register
	weighRows    int // rows that fit the registers
	multiplyRows int
	table        table
	loaded       map[float32]operand.Op
}

func (m *machine) wide() bool { return m.width == 64 }

// begin starts a function of the given name and parameters.
func (m *machine) begin(name, doc, params string) {
	TEXT(name+m.name, NOSPLIT, "func("+params+")")
	Pragma("noescape")
	Doc(name + m.name + " " + doc)
	m.loaded = map[float32]operand.Op{}
}

func (m *machine) end() {
	VZEROUPPER()
	RET()
}

// A vec is 16 float32s or int32s.
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

// part returns the memory of the i-th register of a vector.
func (m *machine) part(mem operand.Mem, i int) operand.Mem { return mem.Offset(i * m.width) }

func (m *machine) load(mem operand.Mem) vec {
	v := m.vec()
	for i := range v {
		VMOVUPS(m.part(mem, i), v[i])
	}
	return v
}

func (m *machine) store(v vec, mem operand.Mem) {
	for i := range v {
		VMOVUPS(v[i], m.part(mem, i))
	}
}

func (m *machine) zero() vec {
	v := m.vec()
	for i := range v {
		m.clear(v[i])
	}
	return v
}

func (m *machine) clear(r reg.VecVirtual) {
	if m.wide() {
		VPXORD(r, r, r)
	} else {
		VPXOR(r, r, r)
	}
}

// broadcast fills a vector with one float in memory or in the low lane of x.
func (m *machine) broadcast(op operand.Op) vec {
	v := m.vec()
	for i := range v {
		VBROADCASTSS(op, v[i])
	}
	return v
}

// constant returns 16 lanes of a number: of AVX-512's many registers it takes
// one, loaded where constant is first called for it, which must be outside of
// loops; AVX2 reads memory.
func (m *machine) constant(c float32) operand.Op {
	op, ok := m.loaded[c]
	if !ok {
		mem := m.table.float(c)
		op = mem
		if m.wide() {
			z := ZMM()
			VBROADCASTSS(mem, z)
			op = z
		}
		m.loaded[c] = op
	}
	return op
}

// each calls one instruction, dst = b op a, for every register. The operand a
// is a vec, an operand.Op for all registers, or memory read along.
func (m *machine) each(do func(...operand.Op), a any, b, dst vec) {
	for i := range dst {
		switch a := a.(type) {
		case vec:
			do(a[i], b[i], dst[i])
		case memory:
			do(m.part(operand.Mem(a), i), b[i], dst[i])
		case operand.Op:
			do(a, b[i], dst[i])
		default:
			panic(fmt.Sprintf("operand of type %T", a))
		}
	}
}

// memory marks a memory operand that holds a whole vector.
type memory operand.Mem

// reduce combines the 16 lanes of v with do and returns the result in every
// lane: lane i meets i+8, then i+4, i+2, i+1.
func (m *machine) reduce(do func(...operand.Op), v vec) vec {
	return m.broadcast(m.reduceLow(do, v))
}

// reduceLow returns the result in the low lane only.
func (m *machine) reduceLow(do func(...operand.Op), v vec) reg.VecVirtual {
	y := YMM()
	if m.wide() {
		high := YMM()
		VEXTRACTF64X4(operand.U8(1), v[0], high)
		do(high, v[0].AsY(), y)
	} else {
		do(v[1], v[0], y)
	}
	x, high := XMM(), XMM()
	if m.wide() {
		VEXTRACTF32X4(operand.U8(1), y, high) // reaches the upper registers
	} else {
		VEXTRACTF128(operand.U8(1), y, high)
	}
	do(high, y.AsX(), x)
	VMOVHLPS(x, x, high)
	do(high, x, x)
	VPSHUFD(operand.U8(1), x, high)
	do(high, x, x)
	return x
}

// count emits a loop whose body runs as often as the register says, at least
// once.
func count(label string, n reg.Register, body func()) {
	Label(label)
	body()
	DECQ(n)
	JNZ(operand.LabelRef(label))
}

// addr is shorthand for a memory operand.
func addr(base reg.Register) operand.Mem { return operand.Mem{Base: base} }

// parameter loads a parameter into a register of its own.
func parameter(name string) reg.GPVirtual {
	return Load(Param(name), GP64()).(reg.GPVirtual)
}

// dotPairs emits VPDPWSSD, which avo does not know: acc += the products of
// the pairs of int16s in a and b.
func dotPairs(a, b, acc reg.VecVirtual) {
	Instruction(&ir.Instruction{
		Opcode:   "VPDPWSSD",
		Operands: []operand.Op{a, b, acc},
		Inputs:   []operand.Op{a, b, acc},
		Outputs:  []operand.Op{acc},
		ISA:      []string{"AVX512_VNNI"},
	})
}

// A table holds the constants written so far.
type table map[string]operand.Mem

// float returns the memory of 8 equal floats, one register of AVX2.
func (t table) float(c float32) operand.Mem {
	bits := math.Float32bits(c)
	return t.data(fmt.Sprintf("float%08x", bits), func() {
		for i := range 8 {
			DATA(4*i, operand.U32(bits))
		}
	})
}

// interleave returns the indexes that mix the halves of 32 words.
func (t table) interleave() operand.Mem {
	return t.data("interleave", func() {
		for i := range 16 {
			DATA(4*i, operand.U32(uint32(i)|uint32(i+16)<<16))
		}
	})
}

func (t table) data(name string, fill func()) operand.Mem {
	mem, ok := t[name]
	if !ok {
		mem = GLOBL(name, RODATA|NOPTR)
		fill()
		t[name] = mem
	}
	return mem
}
