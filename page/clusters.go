package page

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/vectorlink/vectorlink/cluster"
	"github.com/vectorlink/vectorlink/overview"
	"github.com/vectorlink/vectorlink/search"
)

const (
	shownClusters = 100
	shownMembers  = 100
)

// namedID is a document with its name.
type namedID struct{ ID, Name string }

// shownCluster is one as it is listed.
type shownCluster struct {
	overview.Cluster
	Typical []namedID
	Change  *overview.ClusterChange
	Share   int // of the largest, in percent
}

type clustersPage struct {
	*frame
	Wait       bool
	Clusters   *overview.Clusters
	List       []shownCluster
	More       int
	Since      *moment
	Fates      []fate
	Gone       []overview.ClusterChange
	One        *shownCluster
	Members    []namedID
	MoreOne    int
	Resolution float64
	Request    string
}

// Coarser and Finer are resolutions that give fewer and more groups.
func (p *clustersPage) Coarser() string { return strconv.FormatFloat(p.Resolution/2, 'g', 4, 64) }
func (p *clustersPage) Finer() string   { return strconv.FormatFloat(p.Resolution*2, 'g', 4, 64) }

// fate counts the clusters of one fate.
type fate struct {
	Name  cluster.Fate
	Count int
}

// clustering returns the clusters of a commit; nil while they are worked out.
func (s *Site) clustering(a *answer, f *frame, resolution float64) (*overview.Clusters, error) {
	req := overview.ClustersRequest{Domain: f.Domain, Ref: f.ref(), ClusterOptions: overview.ClusterOptions{Resolution: float32(resolution)}}
	if err := req.Complete(); err != nil {
		return nil, err
	}
	key := "clusters\x00" + f.Domain + "\x00" + f.At.Commit + "\x00" + strconv.FormatFloat(resolution, 'g', 4, 64)
	return kept(a.r.Context(), s.works, key, func(ctx context.Context) (*overview.Clusters, error) { return s.cfg.Service.Clusters(ctx, req) })
}

func (s *Site) clusters(a *answer) error {
	f, err := s.domainFrame(a, "Groups of documents", "clusters")
	if err != nil {
		return err
	}
	p := &clustersPage{frame: f, Resolution: 1}
	if x, err := strconv.ParseFloat(f.query.Get("resolution"), 64); err == nil && x >= 0.05 && x <= 20 {
		p.Resolution = x
	}
	found, err := s.clustering(a, f, p.Resolution)
	if err != nil {
		return err
	}
	p.Request = curl("/clusters", url.Values{"domain": {f.Domain}, "commit": {f.At.Commit}, "resolution": {strconv.FormatFloat(p.Resolution, 'g', 4, 64)}})
	if p.Wait = found == nil; p.Wait {
		f.Refresh = 2
		return s.render(a, http.StatusOK, "clusters", f, p)
	}
	p.Clusters = found
	changes, err := s.clusterChanges(a, p)
	if err != nil {
		return err
	}
	one := f.query.Get("id")
	var typical []string
	for _, c := range found.Clusters[:min(len(found.Clusters), shownClusters)] {
		typical = append(typical, c.Typical...)
	}
	names := s.namesOf(a, f.Domain, f.At.Commit, typical)
	for i, c := range found.Clusters {
		if (i >= shownClusters || one != "") && c.ID != one {
			p.More++
			continue
		}
		row := shownCluster{Cluster: c, Change: changes[c.ID], Share: 100 * c.Size / max(1, found.Clusters[0].Size)}
		for _, id := range c.Typical {
			row.Typical = append(row.Typical, namedID{id, names[id]})
		}
		if c.ID == one {
			p.One = &row
		} else {
			p.List = append(p.List, row)
		}
	}
	if one != "" {
		var ids []string
		for m := range found.Memberships() {
			if m.Cluster == nil && one == "none" || m.Cluster != nil && *m.Cluster == one {
				if len(ids) < shownMembers {
					ids = append(ids, m.ID)
				} else {
					p.MoreOne++
				}
			}
		}
		p.Members = s.named(a, f, ids)
	}
	return s.render(a, http.StatusOK, "clusters", f, p)
}

// clusterChanges returns what became of clusters since another commit, by the ids that
// they have now.
func (s *Site) clusterChanges(a *answer, p *clustersPage) (map[string]*overview.ClusterChange, error) {
	since, ok, err := s.other(a, p.frame, "with")
	if err != nil || !ok {
		return nil, err
	}
	p.Since = &since
	req := overview.ClustersDiffRequest{Domain: p.Domain, Between: search.Between{From: since.Commit, To: p.At.Commit}, ClusterOptions: overview.ClusterOptions{Resolution: float32(p.Resolution)}}
	if err := req.Complete(); err != nil {
		return nil, err
	}
	found, err := s.cfg.Service.ClustersDiff(a.r.Context(), req)
	if err != nil {
		return nil, err
	}
	byID, counts := make(map[string]*overview.ClusterChange), make(map[cluster.Fate]int)
	for i := range found.Changes {
		c := &found.Changes[i]
		counts[c.Fate]++
		for _, to := range c.To {
			byID[to.ID] = c
		}
		if len(c.To) == 0 {
			p.Gone = append(p.Gone, *c)
		}
	}
	for name, n := range counts {
		p.Fates = append(p.Fates, fate{name, n})
	}
	slices.SortFunc(p.Fates, func(a, b fate) int { return cmp.Compare(a.Name, b.Name) })
	return byID, nil
}
