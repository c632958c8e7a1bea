package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"math"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vector"
)

// clusters measures clusters against classes, and the map against the vectors.
func clusters(ctx context.Context, b *bench) error {
	var set struct{ Texts, Labels []string }
	if err := b.read("clu-banking77", &set); errors.Is(err, fs.ErrNotExist) {
		log.Printf("clusters: banking77 is missing: %v", err)
		return nil
	} else if err != nil {
		return err
	}
	texts := make(map[string]string, len(set.Texts))
	labels := make(map[string]string, len(set.Texts))
	for i, text := range set.Texts {
		id := fmt.Sprintf("banking77/%04d", i)
		texts[id], labels[id] = text, set.Labels[i]
	}
	const domain = "bench/banking77"
	if err := b.index(ctx, domain, textindex.English, texts); err != nil {
		return err
	}
	ref := search.Ref{Commit: commit}
	fmt.Println("| banking77, 77 classes | clusters | NMI | ARI |")
	fmt.Println("|---|---:|---:|---:|")
	for _, o := range []overview.ClusterOptions{{}, {Resolution: 5}, {K: 77}} {
		found, err := overview.New(b.ix.Reader).Clusters(ctx, overview.ClustersRequest{Domain: domain, Ref: ref, ClusterOptions: o})
		if err != nil {
			return err
		}
		var in, want []string
		for m := range found.Memberships() {
			if m.Cluster != nil {
				in, want = append(in, *m.Cluster), append(want, labels[m.ID])
			}
		}
		name := fmt.Sprintf("Leiden, resolution %v", found.Resolution)
		if o.K > 0 {
			name = fmt.Sprintf("k-means, k=%d", o.K)
		}
		nmi, ari := agreement(in, want)
		fmt.Printf("| %s | %d | %.3f | %.3f |\n", name, found.Count, nmi, ari)
	}
	m, err := overview.New(b.ix.Reader).Map(ctx, overview.MapRequest{Domain: domain, Ref: ref})
	if err != nil {
		return err
	}
	trust, err := b.trustworthiness(ctx, domain, m, 15)
	if err != nil {
		return err
	}
	fmt.Printf("\nMap: trustworthiness@15 %.4f (umap-learn .989, principal components alone .80)\n", trust)
	return nil
}

// agreement returns the normalized mutual information (by the arithmetic mean) and
// the adjusted Rand index (Hubert, Arabie 1985) of two ways to part the same things.
func agreement(a, b []string) (nmi, ari float64) {
	n := float64(len(a))
	left, right, both := map[string]float64{}, map[string]float64{}, map[[2]string]float64{}
	for i := range a {
		left[a[i]]++
		right[b[i]]++
		both[[2]string{a[i], b[i]}]++
	}
	entropy := func(parts map[string]float64) (h float64) {
		for _, x := range parts {
			h -= x / n * math.Log(x/n)
		}
		return h
	}
	pairs := func(x float64) float64 { return x * (x - 1) / 2 }
	information, together := 0.0, 0.0
	for at, x := range both {
		information += x / n * math.Log(x*n/(left[at[0]]*right[at[1]]))
		together += pairs(x)
	}
	inLeft, inRight := 0.0, 0.0
	for _, x := range left {
		inLeft += pairs(x)
	}
	for _, x := range right {
		inRight += pairs(x)
	}
	chance := inLeft * inRight / pairs(n)
	return 2 * information / (entropy(left) + entropy(right)), (together - chance) / ((inLeft+inRight)/2 - chance)
}

// trustworthiness returns how many of the k neighbours on the map are neighbours
// (Venna, Kaski 2001), of every fourth document.
func (b *bench) trustworthiness(ctx context.Context, domain string, m *overview.Map, k int) (float64, error) {
	var rows [][]float32
	err := b.ix.Embeddings(ctx, search.EmbeddingsRequest{Domain: domain, Ref: search.Ref{Commit: m.Commit}}, func(found *search.Embeddings) error {
		for e, err := range found.Vectors {
			if err != nil {
				return err
			}
			rows = append(rows, slices.Clone(e.Vector))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	at := slices.Collect(m.Points())
	n := len(at)
	if len(rows) != n {
		return 0, fmt.Errorf("%w: %d vectors, %d places", contract.ErrInvalid, len(rows), n)
	}
	// ranked returns the others by a distance from i.
	ranked := func(i int, distance func(j int) float32) []int {
		far := make([]float32, n)
		order := make([]int, 0, n-1)
		for j := range n {
			if far[j] = distance(j); j != i {
				order = append(order, j)
			}
		}
		slices.SortStableFunc(order, func(x, y int) int {
			switch {
			case far[x] < far[y]:
				return -1
			case far[x] > far[y]:
				return 1
			}
			return 0
		})
		return order
	}
	sum, looked := 0, 0
	rank := make([]int, n)
	for i := 0; i < n; i += 4 {
		for r, j := range ranked(i, func(j int) float32 { return -vector.Dot(rows[i], rows[j]) }) {
			rank[j] = r + 1
		}
		for _, j := range ranked(i, func(j int) float32 {
			x, y := at[i].X-at[j].X, at[i].Y-at[j].Y
			return x*x + y*y
		})[:k] {
			sum += max(rank[j]-k, 0)
		}
		looked++
	}
	return 1 - 2*float64(sum)/float64(looked*k*(2*n-3*k-1)), nil
}
