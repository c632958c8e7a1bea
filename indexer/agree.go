package indexer

import (
	"fmt"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
)

// checkSettings refuses what no domain can have. It is the only place that
// does.
func (ix *Indexer) checkSettings(r catalog.SettingsRequest) error {
	s := r.With(catalog.DefaultSettings)
	if !s.Metric.Known() {
		return fmt.Errorf("%w: metric must be cosine, ip or l2", contract.ErrInvalid)
	}
	if err := checkLanguage(s.Language); err != nil {
		return fmt.Errorf("%w: language: %w", contract.ErrInvalid, err)
	}
	if s.M < 0 || s.EfConstruction < 0 {
		return fmt.Errorf("%w: m and ef_construction must be above 0", contract.ErrInvalid)
	}
	if err := ix.graphParams(s).Validate(); err != nil {
		return fmt.Errorf("%w: m or ef_construction: %w", contract.ErrInvalid, err)
	}
	if s.Dim < 0 || s.Dim > vecstore.MaxDim {
		return fmt.Errorf("%w: dim must be from 1 to %d", contract.ErrInvalid, vecstore.MaxDim)
	}
	if !(s.Weight >= 0 && s.Weight <= 1) {
		return fmt.Errorf("%w: weight must be above 0 and at most 1", contract.ErrInvalid)
	}
	return nil
}

// checkLanguage refuses names that the full text does not know.
func checkLanguage(name string) error {
	_, err := textindex.Analyze(name, "")
	return err
}

// graphParams returns the parameters of a domain's graphs.
func (ix *Indexer) graphParams(s catalog.Settings) hnsw.Params {
	s = ix.Effective(s)
	return hnsw.Params{M: s.M, EfConstruction: s.EfConstruction}
}

// conflict returns the ErrConflict of a request that names something else than
// the domain has.
func (ix *Indexer) conflict(domain string, has catalog.Settings, r catalog.SettingsRequest) error {
	now := ix.Effective(has)
	want := r.With(now)
	for _, p := range []struct {
		name      string
		has, want any
	}{
		{"metric", now.Metric, want.Metric},
		{"normalize", now.Normalize, want.Normalize},
		{"language", now.Language, want.Language},
		{"m", now.M, want.M},
		{"ef_construction", now.EfConstruction, want.EfConstruction},
		{"dim", now.Dim, want.Dim},
		{"weight", now.Weight, want.Weight},
	} {
		if p.has != p.want {
			return fmt.Errorf("%w: %s=%v was asked for, and %s has %s=%v, which never changes",
				contract.ErrConflict, p.name, p.want, domain, p.name, p.has)
		}
	}
	return nil
}

// agreement is what the tasks that are at work on a domain go by while it may
// have no commit that says it.
type agreement struct {
	settings catalog.Settings
	tasks    int
}

// agree returns the settings that a task makes commits of the domain with, and
// holds others to them until release: a domain without commits takes what the
// request names. It is ErrConflict where the domain has something else.
func (ix *Indexer) agree(d *domain, r catalog.SettingsRequest) (s catalog.Settings, release func(), err error) {
	vecs, err := d.Readable()
	if err != nil {
		vecs = nil // what needs them returns the error
	}
	d.state.Lock()
	defer d.state.Unlock()
	a := d.agreed
	if a == nil {
		has, indexed := d.Recorded()
		a = &agreement{settings: has}
		if !indexed {
			// A deletion may have left vectors, which go on as they are.
			a.settings = catalog.DefaultSettings
			if vecs != nil {
				a.settings = catalog.Kept(vecs.Config())
				r := catalog.SettingsRequest{Metric: r.Metric, Normalize: r.Normalize, Dim: r.Dim}
				if err := ix.conflict("what is kept of "+d.Name(), a.settings, r); err != nil {
					return catalog.Settings{}, nil, fmt.Errorf("%w; delete it with purge=true to begin anew", err)
				}
			}
			a.settings = r.With(a.settings)
		}
	}
	if err := ix.conflict(d.Name(), a.settings, r); err != nil {
		return catalog.Settings{}, nil, err
	}
	a.tasks++
	d.agreed = a
	return a.settings, func() {
		d.state.Lock()
		defer d.state.Unlock()
		a.tasks--
		if a.tasks == 0 && d.agreed == a {
			d.agreed = nil
		}
	}, nil
}

// forgetSettings forgets what was agreed: the next task decides. The tasks that
// went by the old settings must be cancelled.
func (d *domain) forgetSettings() {
	d.state.Lock()
	defer d.state.Unlock()
	d.agreed = nil
}

// has returns the settings that the domain has at the moment, if it has any.
func (d *domain) has() (s catalog.Settings, ok bool) {
	d.state.Lock()
	defer d.state.Unlock()
	if d.agreed != nil {
		return d.agreed.settings, true
	}
	return d.Recorded()
}

// compatible refuses a request early that names something else than the domain
// has.
func (ix *Indexer) compatible(domain string, r catalog.SettingsRequest) error {
	if err := ix.checkSettings(r); err != nil {
		return err
	}
	for _, d := range ix.Domains().List(domain) {
		if s, ok := ix.targets.of(d).has(); ok {
			return ix.conflict(domain, s, r)
		}
	}
	return nil
}

// vecsConfig returns how the domain's vectors are kept.
func (ix *Indexer) vecsConfig(d *domain, s catalog.Settings, dim int) vecstore.Config {
	return vecstore.Config{Domain: d.Name(), Fingerprint: s.Model(ix.cfg.Embedder.Fingerprint()), Dim: dim, Metric: s.Metric.Stored(), Normalized: s.Normalize}
}
