package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/vector"
)

// Vectors are rows of unit length, or zero, one after another.
type Vectors struct {
	Dim  int
	Rows []float32 // Dim for each
}

// Len returns the number of rows.
func (v Vectors) Len() int { return len(v.Rows) / v.Dim }

// Row returns row i.
func (v Vectors) Row(i int) []float32 { return v.Rows[i*v.Dim : (i+1)*v.Dim] }

// meansRounds is the most rounds of KMeans: what moves after the thirtieth hardly
// shows.
const meansRounds = 50

// block is how many rows a worker takes at a time.
const block = 256

// KMeans parts rows into k clusters, or as many as there are rows, by the direction
// of their means (spherical k-means: Dhillon, Modha 2001). It returns the cluster of
// each row, numbered from 0 by the first row of each. The first means are chosen as
// k-means++ does (Arthur, Vassilvitskii 2007) with hashes of the rows' keys for
// chance. It ends when less than one row in a thousand moves.
func KMeans(ctx context.Context, rows Vectors, keys []uint64, k, workers int) ([]uint32, error) {
	n := rows.Len()
	k = min(k, n)
	if k <= 0 {
		return make([]uint32, n), nil
	}
	m := &means{rows: rows, keys: keys, workers: max(workers, 1), in: make([]uint32, n), near: make([]float32, n)}
	if err := m.choose(ctx, k); err != nil {
		return nil, err
	}
	for range meansRounds {
		moved, err := m.assign(ctx)
		if err != nil {
			return nil, err
		}
		if moved*1000 < n {
			break
		}
		m.centre()
	}
	number(m.in)
	return m.in, nil
}

type means struct {
	rows    Vectors
	keys    []uint64
	workers int
	centres Vectors
	in      []uint32  // by row: its cluster
	near    []float32 // by row: its product with the centre
}

// choose takes k rows for the first centres: each with a chance in proportion to its
// distance from those taken, the best of several tries (greedy k-means++).
func (m *means) choose(ctx context.Context, k int) error {
	n, dim := m.rows.Len(), m.rows.Dim
	m.centres = Vectors{Dim: dim, Rows: make([]float32, 0, k*dim)}
	tries := 2 + int(math.Log(float64(k)))
	far := make([]float32, n) // by row: distance to the nearest centre
	for i := range far {
		if row := m.rows.Row(i); vector.Dot(row, row) > 0 { // else it has no direction
			far[i] = 1
		}
	}
	tried := make([][]float32, tries)
	for t := range tried {
		tried[t] = make([]float32, n)
	}
	for c := range k {
		rows := m.draw(far, tries, uint64(c))
		if len(rows) == 0 {
			break // the rows have fewer directions
		}
		best, least := 0, math.Inf(1)
		for t, row := range rows {
			centre := m.rows.Row(row)
			err := m.each(ctx, func(i int) {
				tried[t][i] = min(far[i], max(0, 1-vector.Dot(m.rows.Row(i), centre)))
			})
			if err != nil {
				return err
			}
			tried[t][row] = 0
			sum := 0.0
			for _, d := range tried[t] {
				sum += float64(d)
			}
			if sum < least {
				best, least = t, sum
			}
		}
		m.centres.Rows = append(m.centres.Rows, m.rows.Row(rows[best])...)
		far, tried[best] = tried[best], far
	}
	return nil
}

// draw returns at most count different rows, each with a chance in proportion to its
// distance: those of the least −log(u)/d, u by hash (Efraimidis, Spirakis 2006).
func (m *means) draw(far []float32, count int, salt uint64) []int {
	type ticket struct {
		at  float64
		row int
	}
	var best []ticket // ascending
	for i, d := range far {
		if d <= 0 {
			continue
		}
		u := (float64(mix(m.keys[i]^mix(salt))>>11) + 0.5) / (1 << 53)
		one := ticket{-math.Log(u) / float64(d), i}
		if len(best) == count && one.at >= best[count-1].at {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, one, func(a, b ticket) int { return cmp.Compare(a.at, b.at) })
		best = slices.Insert(best, at, one)
		best = best[:min(len(best), count)]
	}
	rows := make([]int, len(best))
	for i, one := range best {
		rows[i] = one.row
	}
	return rows
}

// each calls do with every row, by several workers.
func (m *means) each(ctx context.Context, do func(i int)) error {
	n := m.rows.Len()
	return parallel.Do(ctx, m.workers, (n+block-1)/block, func(ctx context.Context, _, b int) error {
		for i := b * block; i < min((b+1)*block, n); i++ {
			do(i)
		}
		return context.Cause(ctx)
	})
}

// assign puts every row to the nearest centre, and returns how many moved.
func (m *means) assign(ctx context.Context) (moved int, err error) {
	k := m.centres.Len()
	ids := make([]uint32, k)
	for c := range ids {
		ids[c] = uint32(c)
	}
	dots := make([][]float32, m.workers)
	moves := make([]int, m.workers)
	n := m.rows.Len()
	err = parallel.Do(ctx, m.workers, (n+block-1)/block, func(ctx context.Context, worker, b int) error {
		if dots[worker] == nil {
			dots[worker] = make([]float32, k)
		}
		to := dots[worker]
		for i := b * block; i < min((b+1)*block, n); i++ {
			vector.Dots(to, m.rows.Row(i), m.centres.Rows, m.centres.Dim, ids)
			best := 0
			for c, x := range to {
				if x > to[best] {
					best = c
				}
			}
			if m.in[i] != uint32(best) {
				m.in[i] = uint32(best)
				moves[worker]++
			}
			m.near[i] = to[best]
		}
		return context.Cause(ctx)
	})
	for _, x := range moves {
		moved += x
	}
	return moved, err
}

// centre makes each centre the direction of its rows' sum. One without rows, or
// whose rows cancel each other out, becomes the row farthest from its own centre.
func (m *means) centre() {
	dim, k := m.rows.Dim, m.centres.Len()
	sums := make([]float64, k*dim)
	for i, c := range m.in {
		sum := sums[int(c)*dim : (int(c)+1)*dim]
		for j, x := range m.rows.Row(i) {
			sum[j] += float64(x)
		}
	}
	for c := range k {
		centre := m.centres.Row(c)
		for j := range centre {
			centre[j] = float32(sums[c*dim+j])
		}
		if vector.Normalize(centre) {
			continue
		}
		far := 0
		for i, x := range m.near {
			if x < m.near[far] {
				far = i
			}
		}
		copy(centre, m.rows.Row(far))
		m.near[far] = 1
	}
}
