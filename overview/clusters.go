package overview

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
	"github.com/vectorlink/vectorlink/internal/top"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vector"
)

// ClusterOptions say how documents are clustered.
type ClusterOptions struct {
	// Resolution asks for more and smaller clusters where it is higher; 0 is 1. K,
	// where it is given, asks for so many by k-means instead.
	Resolution float32 `param:"resolution" placeholder:"X" help:"More and smaller clusters with a higher one (default 1)."`
	K          int     `param:"k" least:"1" most:"1000" apart:"resolution" placeholder:"N" help:"So many clusters, by k-means."`
	// MinSize is the least number of documents of a cluster; those of smaller ones
	// are in none. 0 is 2.
	MinSize int `param:"min_size" least:"1" most:"1000000" placeholder:"N" help:"Leave out clusters of fewer documents (default 2)."`
}

// maxResolution is where there is hardly a cluster left of more than two.
const maxResolution = 1_000

var errResolution = fmt.Errorf("resolution must be more than 0 and at most %d", maxResolution)

func (o *ClusterOptions) complete() error {
	o.Resolution, o.MinSize = cmp.Or(o.Resolution, 1), cmp.Or(o.MinSize, 2)
	if !(o.Resolution > 0 && o.Resolution <= maxResolution) {
		return errResolution
	}
	return nil
}

// ClustersRequest asks for the clusters of a commit.
type ClustersRequest struct {
	Domain         string `param:"domain" kind:"domain" need:""`
	Ref            search.Ref
	ClusterOptions `embed:""`
	Filter         search.Filter `embed:""` // only these documents
}

// Complete sets what is not given.
func (req *ClustersRequest) Complete() error { return req.complete() }

// Clusters are the groups of a commit's documents.
type Clusters struct {
	Commit    string    `json:"commit"`
	Documents int       `json:"documents"` // looked at
	Count     int       `json:"count"`     // of clusters
	Clusters  []Cluster `json:"clusters"`  // the largest first, then by id
	// Ungrouped counts the documents in no cluster: of those smaller than MinSize,
	// or without a vector that says something of them.
	Ungrouped int `json:"ungrouped"`
	// Resolution is what they were made by, 0 where K says how many.
	Resolution float32 `json:"resolution,omitempty"`
	K          int     `json:"k,omitempty"`
	// AtHalf and AtTwice are how many clusters half and twice the resolution give.
	AtHalf  int `json:"count_at_half,omitempty"`
	AtTwice int `json:"count_at_twice,omitempty"`

	// Damaged is as of [search.Hits].
	Damaged []string `json:"-"`

	documents []*snapshot.Entry
	in        []int // by document: index of its cluster, −1 for none
}

// Cluster is a group of documents.
type Cluster struct {
	// ID is of the document whose id has the least hash of all members': it stays
	// the same while that one is a member and none of a lesser hash comes.
	ID   string `json:"id"`
	Size int    `json:"size"`
	// Words tell the cluster from the others, the most telling first.
	Words []string `json:"words"`
	// Typical are the documents nearest to the cluster's mean.
	Typical []string `json:"typical"`
	// Cohesion is the mean cosine of the members and the cluster's mean.
	Cohesion float32 `json:"cohesion"`
}

// Membership says which cluster a document is in.
type Membership struct {
	ID      string  `json:"id"`
	Cluster *string `json:"cluster"` // nil for none
}

// Memberships yields the cluster of every document that has a vector, by id.
func (c *Clusters) Memberships() iter.Seq[Membership] {
	return func(yield func(Membership) bool) {
		for i, e := range c.documents {
			m := Membership{ID: e.ID}
			if c.in[i] >= 0 {
				m.Cluster = &c.Clusters[c.in[i]].ID
			}
			if !yield(m) {
				return
			}
		}
	}
}

// Bytes is the memory that it takes.
func (c *Clusters) Bytes() int64 {
	n := int64(500 + 16*len(c.documents))
	for _, one := range c.Clusters {
		n += 500 + int64(len(one.Words)+len(one.Typical))*80
	}
	return n
}

// Clusters groups the documents of a commit: by Leiden over the 15 nearest
// neighbours of each, or by k-means. The same snapshot gives the same clusters. They
// are derived when they are asked for and kept in memory.
func (o *Overview) Clusters(ctx context.Context, req ClustersRequest) (*Clusters, error) {
	if err := req.complete(); err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrInvalid, err)
	}
	_, commit, s, err := o.r.Serve(ctx, req.Domain, req.Ref)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	c, err := o.clusters(ctx, s, req, search.Replaced(req.Ref, commit))
	if err != nil {
		return nil, err
	}
	out := *c
	out.Commit, out.Damaged = commit, s.Damaged()
	return &out, nil
}

func (o *Overview) clusters(ctx context.Context, s *search.Snapshot, req ClustersRequest, standIn bool) (*Clusters, error) {
	among, err := s.Select(ctx, req.Filter, standIn)
	if err != nil {
		return nil, err
	}
	documents := "" // all
	if among != nil {
		documents = fmt.Sprintf("%t\x00%x", standIn, req.Filter.Key())
	}
	key := fmt.Sprintf("clusters\x00%v\x00%d\x00%d\x00%s", req.Resolution, req.K, req.MinSize, documents)
	return search.Derive(ctx, s, key, func(ctx context.Context) (*Clusters, error) {
		return o.group(ctx, s, among, documents, req.ClusterOptions)
	})
}

// group is clusters where nothing is kept but the neighbours of the documents that
// key names.
func (o *Overview) group(ctx context.Context, s *search.Snapshot, among *search.Selection, key string, how ClusterOptions) (*Clusters, error) {
	p, others := vectorSetOf(s, among)
	if err := p.load(ctx); err != nil {
		return nil, err
	}
	c := &Clusters{Documents: len(p.documents) + others, Ungrouped: others, documents: p.documents}
	if len(p.documents) == 0 {
		c.Clusters = []Cluster{}
		return c, nil
	}
	var raw []uint32
	var err error
	if how.K > 0 {
		c.K = how.K
		raw, err = cluster.KMeans(ctx, p.directions(), p.keys, how.K, o.r.Workers())
	} else {
		c.Resolution = how.Resolution
		raw, err = o.communities(ctx, p, key, how, c)
	}
	if err != nil {
		return nil, err
	}
	c.describe(p, raw, how.MinSize)
	return c, label(ctx, s, c)
}

// communities runs Leiden, at half and twice the resolution too, to say how many
// clusters these would give.
func (o *Overview) communities(ctx context.Context, p *vectorSet, among string, how ClusterOptions, c *Clusters) ([]uint32, error) {
	near, err := o.allNeighbours(ctx, p, among)
	if err != nil {
		return nil, err
	}
	graph := cluster.NewGraph(len(near), func(v int) []cluster.Neighbour { return near[v] })
	factors := []float64{0.5, 2, 1}
	found := make([][]uint32, len(factors))
	err = parallel.Do(ctx, o.r.Workers(), len(factors), func(ctx context.Context, _, i int) (err error) {
		found[i], err = cluster.Leiden(ctx, graph, p.keys, factors[i]*float64(how.Resolution))
		return err
	})
	if err != nil {
		return nil, err
	}
	c.AtHalf, c.AtTwice = larger(found[0], how.MinSize), larger(found[1], how.MinSize)
	return found[2], nil
}

// larger counts the clusters of at least that size.
func larger(in []uint32, least int) (count int) {
	for _, n := range sizes(in) {
		if n >= least {
			count++
		}
	}
	return count
}

// sizes returns how many are in each cluster.
func sizes(in []uint32) []int {
	var sizes []int
	for _, c := range in {
		for len(sizes) <= int(c) {
			sizes = append(sizes, 0)
		}
		sizes[c]++
	}
	return sizes
}

// directions returns the vectors at unit length.
func (p *vectorSet) directions() cluster.Vectors {
	if p.settings.Metric == catalog.MetricCosine || p.settings.Normalize {
		return p.rows
	}
	rows := cluster.Vectors{Dim: p.rows.Dim, Rows: slices.Clone(p.rows.Rows)}
	for i := range rows.Len() {
		vector.Normalize(rows.Row(i))
	}
	return rows
}

// typical is how many typical documents are named of each cluster.
const typical = 5

// describe sets the clusters, but for their words.
func (c *Clusters) describe(p *vectorSet, raw []uint32, least int) {
	counts := sizes(raw)
	rows := p.directions()
	dim := rows.Dim
	means := cluster.Vectors{Dim: dim, Rows: make([]float32, len(counts)*dim)}
	ids := make([]uint64, len(counts))
	for i, k := range raw {
		for j, x := range rows.Row(i) {
			means.Row(int(k))[j] += x
		}
		if key := p.keys[i]; ids[k] == 0 || key < ids[k] {
			ids[k] = key
		}
	}
	for k := range counts {
		vector.Normalize(means.Row(k))
	}
	order := make([]int, 0, len(counts)) // those large enough
	for k, n := range counts {
		if n >= least {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(ids[a], ids[b])) })
	at := make([]int, len(counts))
	for k := range at {
		at[k] = -1
	}
	c.Count, c.Clusters = len(order), make([]Cluster, len(order))
	for i, k := range order {
		at[k] = i
		// 40 of the hash's bits: clusters of one answer hardly ever share them.
		c.Clusters[i] = Cluster{ID: fmt.Sprintf("c%010x", ids[k]&(1<<40-1)), Size: counts[k], Words: []string{}}
	}
	type member struct {
		dot float32
		row int
	}
	members := make([][]member, len(order))
	c.in = make([]int, len(raw))
	for i, k := range raw {
		c.in[i] = at[k]
		if at[k] < 0 {
			c.Ungrouped++
			continue
		}
		members[at[k]] = append(members[at[k]], member{vector.Dot(means.Row(int(k)), rows.Row(i)), i})
	}
	for k, list := range members {
		sum := 0.0
		for _, m := range list {
			sum += float64(m.dot)
		}
		c.Clusters[k].Cohesion = float32(sum / float64(len(list)))
		for _, m := range top.First(list, typical, func(a, b member) int { return cmp.Or(cmp.Compare(b.dot, a.dot), a.row-b.row) }) {
			c.Clusters[k].Typical = append(c.Clusters[k].Typical, p.documents[m.row].ID)
		}
	}
}

// ClustersDiffRequest asks what became of clusters from one commit to another.
type ClustersDiffRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	search.Between
	ClusterOptions `embed:""`
	Filter         search.Filter `embed:""` // only these documents
}

// Complete sets what is not given.
func (req *ClustersDiffRequest) Complete() error { return req.complete() }

// ClustersDiff says what became of clusters.
type ClustersDiff struct {
	From    string          `json:"from"` // the served commits
	To      string          `json:"to"`
	Changes []ClusterChange `json:"changes"` // by what they were, the largest first

	Damaged []string `json:"-"` // as of Hits, of both
}

// ClusterChange tells of clusters of the two commits that belong together. Its fate
// is one of those of [cluster.Fate].
type ClusterChange struct {
	Fate cluster.Fate `json:"fate"`
	From []Cluster    `json:"from"`
	To   []Cluster    `json:"to"`
	// Stayed, Came and Left count documents.
	Stayed int `json:"stayed"`
	Came   int `json:"came"`
	Left   int `json:"left"`
}

// ClustersDiff clusters two commits alike and matches what came out by its members.
func (o *Overview) ClustersDiff(ctx context.Context, req ClustersDiffRequest) (*ClustersDiff, error) {
	if err := req.complete(); err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrInvalid, err)
	}
	was, is, commits, err := o.r.Both(ctx, req.Domain, req.Between)
	if err != nil {
		return nil, err
	}
	defer was.Release()
	defer is.Release()
	out := &ClustersDiff{From: commits[0], To: commits[1], Changes: []ClusterChange{}}
	var sides [2]*Clusters
	for i, s := range []*search.Snapshot{was, is} {
		sides[i], err = o.clusters(ctx, s, ClustersRequest{ClusterOptions: req.ClusterOptions, Filter: req.Filter}, false)
		if err != nil {
			return nil, err
		}
		out.Damaged = append(out.Damaged, s.Damaged()...)
	}
	from, to := sides[0], sides[1]
	in := [2][]int{}
	index := make(map[string]int, len(from.documents))
	for side, c := range sides {
		for i, e := range c.documents {
			at, ok := index[e.ID]
			if !ok {
				at = len(index)
				index[e.ID] = at
				in[0], in[1] = append(in[0], -1), append(in[1], -1)
			}
			in[side][at] = c.in[i]
		}
	}
	for _, change := range cluster.Match(in[0], in[1]) {
		c := ClusterChange{Fate: change.Fate, From: []Cluster{}, To: []Cluster{}, Stayed: change.Stayed, Came: change.Came, Left: change.Left}
		for _, k := range change.From {
			c.From = append(c.From, from.Clusters[k])
		}
		for _, k := range change.To {
			c.To = append(c.To, to.Clusters[k])
		}
		out.Changes = append(out.Changes, c)
	}
	return out, nil
}
