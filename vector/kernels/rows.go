package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A loop adds up products of a query and of rows.
type loop struct {
	size  int // bytes of a value
	twice int // how many times the query is as long as a row, less one
	// start emits what stands before all rows.
	start func()
	// step emits the products of 64 bytes of the query and of each row, added
	// to sums.
	step func(q operand.Mem, rows []operand.Mem, sums []vec)
	// rest emits the same for the last bytes, fewer than 64; nil if there are
	// none.
	rest func(q operand.Mem, rows []operand.Mem, sums []vec)
	add  instruction
}

// measure emits the loop over the whole of the query and of some rows, and
// returns the sums' vectors. All pointers point behind the last whole 64
// bytes; whole is minus the bytes before, which off counts up from.
func (m *machine) measure(l *loop, label string, whole, off, q reg.GPVirtual, rows, next []reg.GPVirtual) []vec {
	sums := m.vecs(len(rows))
	m.clear(sums)
	indexed := func(off reg.Register, rows []reg.GPVirtual) []operand.Mem {
		var mems []operand.Mem
		for _, r := range rows {
			mems = append(mems, at(r, off, 0))
		}
		return mems
	}
	MOVQ(whole, off)
	if l.rest != nil {
		TESTQ(off, off)
		JZ(operand.LabelRef(label + "Rest"))
	}
	Label(label + "Steps")
	long := at(q, off, 0)
	long.Scale = uint8(1 + l.twice)
	l.step(long, indexed(off, rows), sums)
	for _, mem := range indexed(off, next) {
		PREFETCHT0(mem)
	}
	ADDQ(operand.Imm(64), off)
	JNZ(operand.LabelRef(label + "Steps"))
	if l.rest != nil {
		Label(label + "Rest")
		TESTQ(operand.U32(64/l.size-1), memory(Param("n")))
		JZ(operand.LabelRef(label + "Fold"))
		l.rest(at(q, nil, 0), indexed(nil, rows), sums)
		Label(label + "Fold")
	}
	return sums
}

// many writes a function that measures the rows named by ids.
func (m *machine) many(name, doc, signature string, l *loop) {
	m.begin(name, doc, signature)
	whole := m.prologue(l)
	dst, q, ids, count, off := parameter("dst"), parameter("q"), parameter("ids"), parameter("count"), GP64()
	for range 1 + l.twice {
		SUBQ(whole, q)
	}

	// address sets p to where the i-th row from ids lies.
	address := func(i int, p reg.GPVirtual) {
		MOVL(at(ids, nil, 4*i), p.As32())
		IMULQ(memory(Param("stride")), p)
	}
	place := func(p reg.GPVirtual) {
		ADDQ(memory(Param("rows")), p)
		SUBQ(whole, p)
	}
	group := func(label string, rows int) {
		Label(label)
		CMPQ(count, operand.Imm(uint64(rows)))
		if rows > 1 {
			JLT(operand.LabelRef("ones"))
		} else {
			JLT(operand.LabelRef("done"))
		}
		here, next := make([]reg.GPVirtual, rows), []reg.GPVirtual(nil)
		for i := range here {
			here[i] = GP64()
			address(i, here[i])
			CMPQ(here[i], memory(Param("last")))
			JHI(operand.LabelRef("done"))
			place(here[i])
		}
		if rows > 1 {
			// The rows that follow are fetched meanwhile; the last group
			// fetches its own once more. An address out of bounds does no harm.
			for i := range here {
				next = append(next, GP64())
				MOVQ(here[i], next[i])
			}
			CMPQ(count, operand.Imm(uint64(2*rows)))
			JLT(operand.LabelRef(label + "Last"))
			for i := range next {
				address(rows+i, next[i])
				place(next[i])
			}
			Label(label + "Last")
		}
		sums := m.fold(l.add, m.measure(l, label, whole, off, q, here, next))
		if rows > 1 {
			VMOVUPS(sums, at(dst, nil, 0))
		} else {
			VMOVSS(sums, at(dst, nil, 0))
		}
		ADDQ(operand.Imm(uint64(4*rows)), dst)
		ADDQ(operand.Imm(uint64(4*rows)), ids)
		SUBQ(operand.Imm(uint64(rows)), count)
		JMP(operand.LabelRef(label))
	}
	group("groups", groupRows)
	group("ones", 1)
	Label("done")
	Store(count, ReturnIndex(0))
	end()
}

// prologue emits what all loops begin with and returns minus the bytes of the
// query's whole steps.
func (m *machine) prologue(l *loop) reg.GPVirtual {
	if l.start != nil {
		l.start()
	}
	whole := parameter("n")
	if l.size > 1 {
		SHLQ(operand.Imm(2), whole)
	}
	ANDQ(operand.I8(-64), whole)
	NEGQ(whole)
	return whole
}

const floatDoc = "is Dots for count rows; stride and last, the greatest offset of a row, are in " +
	"bytes. It stops at a row beyond last and returns how many are left."

const floatSignature = "(dst, q, rows *float32, ids *uint32, n, stride, last, count int) (left int)"

func (m *machine) dots() { m.many("dots", floatDoc, floatSignature, m.floats(false)) }

func (m *machine) squares() {
	doc := strings.Replace(floatDoc, "Dots", "Squares", 1)
	m.many("squares", doc, floatSignature, m.floats(true))
}

func (m *machine) dot() {
	m.begin("dot", "is Dot for n elements.", "(a, b *float32, n int) float32")
	l := m.floats(false)
	whole := m.prologue(l)
	a, b := parameter("a"), parameter("b")
	SUBQ(whole, a)
	SUBQ(whole, b)
	sum := m.fold(l.add, m.measure(l, "dot", whole, whole, a, []reg.GPVirtual{b}, nil))
	VMOVSS(sum, memory(ReturnIndex(0)))
	end()
}

// floats is the loop over float32s: of products, or of squared differences. A
// term that is not there, of the last lanes, is +0, which changes no sum: a sum
// is never −0, having begun at +0.
func (m *machine) floats(squares bool) *loop {
	l := &loop{size: 4, add: VADDPS}
	// term emits a term of 16 lanes, or of those of a masked row, whose other
	// lanes are 0 as are x's.
	term := func(row operand.Op, x, term reg.VecVirtual) {
		if squares {
			VSUBPS(row, x, term)
			VMULPS(term, term, term)
		} else {
			VMULPS(row, x, term)
		}
	}
	times := func(q vec, multiply func(i int, product reg.VecVirtual), sum vec) {
		for i := range q {
			product := m.register()
			multiply(i, product)
			VADDPS(product, sum[i], sum[i])
		}
	}
	l.step = func(q operand.Mem, rows []operand.Mem, sums []vec) {
		x := m.vec()
		for i := range x {
			VMOVUPS(q.Offset(i*m.width), x[i])
		}
		for r := range rows {
			times(x, func(i int, product reg.VecVirtual) {
				term(rows[r].Offset(i*m.width), x[i], product)
			}, sums[r])
		}
	}
	if m.wide() {
		var mask reg.OpmaskVirtual
		l.start = func() {
			mask = K()
			Load(Param("n"), reg.RCX)
			ANDL(operand.Imm(15), reg.ECX)
			bits := GP32()
			MOVL(operand.I32(-1), bits)
			SHLL(reg.CL, bits)
			NOTL(bits)
			KMOVW(bits, mask)
		}
		l.rest = func(q operand.Mem, rows []operand.Mem, sums []vec) {
			x := m.vec()
			VMOVUPS_Z(q, mask, x[0])
			for r := range rows {
				times(x, func(_ int, product reg.VecVirtual) {
					if squares {
						VMOVUPS_Z(rows[r], mask, product)
						term(product, x[0], product)
					} else {
						VMULPS_Z(rows[r], x[0], mask, product)
					}
				}, sums[r])
			}
		}
		return l
	}
	var mask vec
	l.start = func() {
		mask = m.vec()
		lanes, table := parameter("n"), GP64()
		ANDQ(operand.Imm(15), lanes)
		LEAQ(m.lanes(), table)
		SHLQ(operand.Imm(2), lanes)
		SUBQ(lanes, table)
		for i := range mask {
			VMOVUPS(at(table, nil, 64+32*i), mask[i])
		}
	}
	l.rest = func(q operand.Mem, rows []operand.Mem, sums []vec) {
		x := m.vec()
		for i := range x {
			VMASKMOVPS(q.Offset(32*i), mask[i], x[i])
		}
		for r := range rows {
			times(x, func(i int, product reg.VecVirtual) {
				VMASKMOVPS(rows[r].Offset(32*i), mask[i], product)
				term(product, x[i], product)
			}, sums[r])
		}
	}
	return l
}

// lanes returns 16 words of ones and 16 of zeros: n words before the zeros is
// the mask of n lanes.
func (m *machine) lanes() operand.Mem {
	if m.table == nil {
		mem := GLOBL("lanes", RODATA|NOPTR)
		for i := range 32 {
			DATA(4*i, operand.U32(uint32(0xffffffff*(1-i/16))))
		}
		m.table = &mem
	}
	return *m.table
}

// dots8 writes the products of codes. VNNI multiplies bytes and adds exactly.
// AVX2's VPMADDUBSW would saturate, so the even and the odd bytes become words
// first.
func (m *machine) dots8() {
	l := &loop{size: 1, add: VPADDD}
	if m.wide() {
		l.step = func(q operand.Mem, rows []operand.Mem, sums []vec) {
			x := ZMM()
			VMOVDQU64(q, x)
			for r := range rows {
				u := ZMM()
				VMOVDQU64(rows[r], u)
				products(x, u, sums[r][0])
			}
		}
	} else {
		var low reg.VecVirtual // the even bytes
		l.start = func() {
			low = YMM()
			VPCMPEQW(low, low, low)
			VPSRLW(operand.Imm(8), low, low)
		}
		l.step = func(q operand.Mem, rows []operand.Mem, sums []vec) {
			for half := 0; half < 64; half += 32 {
				even, odd := YMM(), YMM()
				VMOVDQU(q.Offset(half), odd)
				VPSLLW(operand.Imm(8), odd, even)
				VPSRAW(operand.Imm(8), even, even)
				VPSRAW(operand.Imm(8), odd, odd)
				for r := range rows {
					u, v := YMM(), YMM()
					VMOVDQU(rows[r].Offset(half), u)
					VPAND(low, u, v)
					VPSRLW(operand.Imm(8), u, u)
					VPMADDWD(even, v, v)
					VPMADDWD(odd, u, u)
					VPADDD(v, sums[r][0], sums[r][0])
					VPADDD(u, sums[r][1], sums[r][1])
				}
			}
		}
	}
	m.many("dots8x", fmt.Sprintf("is Dots8 for count rows of n bytes, as dots%s.", m.name),
		"(dst *int32, q *int8, rows *byte, ids *uint32, n, stride, last, count int) (left int)", l)
}

// dots4 writes the products of halves of codes: the lower four bits of 64 bytes
// belong to 64 values of the query, the upper four to the next 64. Of such small
// numbers VPMADDUBSW's sums fit into words.
func (m *machine) dots4() {
	l := &loop{size: 1, twice: 1, add: VPADDD}
	low := reg.VecVirtual(nil)
	halves := func(u reg.VecVirtual) (lower, upper reg.VecVirtual) {
		lower, upper = m.register(), m.register()
		VPSRLW(operand.Imm(4), u, upper)
		if m.wide() {
			VPANDD(low, u, lower)
			VPANDD(low, upper, upper)
		} else {
			VPAND(low, u, lower)
			VPAND(low, upper, upper)
		}
		return lower, upper
	}
	if m.wide() {
		l.start = func() { low = m.broadcast(0x0f0f0f0f) }
		l.step = func(q operand.Mem, rows []operand.Mem, sums []vec) {
			x, y := ZMM(), ZMM()
			VMOVDQU64(q, x)
			VMOVDQU64(q.Offset(64), y)
			for r := range rows {
				u := ZMM()
				VMOVDQU64(rows[r], u)
				lower, upper := halves(u)
				products(x, lower, sums[r][0])
				products(y, upper, sums[r][0])
			}
		}
	} else {
		var ones reg.VecVirtual
		l.start = func() {
			low, ones = m.broadcast(0x0f0f0f0f), m.broadcast(0x00010001)
		}
		l.step = func(q operand.Mem, rows []operand.Mem, sums []vec) {
			for half := range 2 {
				x, y := YMM(), YMM()
				VMOVDQU(q.Offset(32*half), x)
				VMOVDQU(q.Offset(32*half+64), y)
				for r := range rows {
					u := YMM()
					VMOVDQU(rows[r].Offset(32*half), u)
					lower, upper := halves(u)
					VPMADDUBSW(x, lower, lower)
					VPMADDUBSW(y, upper, upper)
					VPADDW(lower, upper, upper)
					VPMADDWD(ones, upper, upper)
					VPADDD(upper, sums[r][half], sums[r][half])
				}
			}
		}
	}
	m.many("dots4x", fmt.Sprintf("is Dots4 for count rows of n bytes, as dots%s.", m.name),
		"(dst *int32, q *int8, rows *byte, ids *uint32, n, stride, last, count int) (left int)", l)
}

// prefetch writes the function that has rows fetched into the cache, which is
// the same for every instruction set.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(rows *byte, ids *uint32, n, stride, count int)")
	Pragma("noescape")
	Doc("prefetch is Prefetch for count rows; n and count are not 0.")
	rows, ids, n, stride, count := parameter("rows"), parameter("ids"), parameter("n"), parameter("stride"), parameter("count")
	ADDQ(n, rows)
	NEGQ(n)
	row, off := GP64(), GP64()
	Label("rows")
	MOVL(at(ids, nil, 0), row.As32())
	IMULQ(stride, row)
	ADDQ(rows, row)
	MOVQ(n, off)
	Label("lines")
	PREFETCHT0(at(row, off, 0))
	ADDQ(operand.Imm(64), off)
	JLT(operand.LabelRef("lines"))
	ADDQ(operand.Imm(4), ids)
	DECQ(count)
	JNZ(operand.LabelRef("rows"))
	RET()
}
