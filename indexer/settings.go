package indexer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/hnsw"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/textindex"
	"github.com/vectorlink/vectorlink/vecstore"
)

// Settings are what a domain is created with, by its first commit, and keeps
// until it is deleted. Every commit file carries them.
type Settings struct {
	// Metric says how the distance of two vectors is measured.
	Metric Metric `json:"metric"`
	// Normalize has vectors scaled to unit length before they are stored and
	// before anything is searched with them.
	Normalize bool `json:"normalize"`
	// Language names the analysis of full text, see [textindex.Analyze].
	Language string `json:"language"`
	// M and EfConstruction shape graphs; 0: as the server is configured.
	M              int `json:"m"`
	EfConstruction int `json:"ef_construction"`
	// Dim is the length of vectors that are supplied with the documents, where
	// the domain has no other; 0: the model decides.
	Dim int `json:"dim,omitempty"`
}

// Metric names a way to measure the distance of two vectors.
type Metric string

const (
	// MetricCosine compares directions. Distances are (1 − cos)/2: 0 is the
	// same, 1 opposite.
	MetricCosine Metric = "cosine"
	// MetricIP is the inner product. Distances are 1 − q·x: from 0 to 2 for
	// vectors of unit length, any number for others.
	MetricIP Metric = "ip"
	// MetricL2 is the Euclidean distance. Distances are its square, as in
	// other libraries: 0 is the same.
	MetricL2 Metric = "l2"
)

func (m Metric) known() bool { return m == MetricCosine || m == MetricIP || m == MetricL2 }

// defaultSettings are those of a domain about which nothing was said, and of
// all commit files that carry none.
var defaultSettings = Settings{Metric: MetricCosine, Normalize: true, Language: textindex.English}

// SettingsRequest are the settings that a request names. The zero value of a
// field, nil among them, names none. The first request of a domain decides
// about it; what later ones name must be what the domain has.
type SettingsRequest struct {
	Metric         Metric `json:"metric,omitempty"`
	Normalize      *bool  `json:"normalize,omitempty"`
	Language       string `json:"language,omitempty"`
	M              int    `json:"m,omitempty"`
	EfConstruction int    `json:"ef_construction,omitempty"`
	Dim            int    `json:"dim,omitempty"`
}

// with returns s with what the request names in its place.
func (r SettingsRequest) with(s Settings) Settings {
	if r.Metric != "" {
		s.Metric = r.Metric
	}
	if r.Normalize != nil {
		s.Normalize = *r.Normalize
	}
	if r.Language != "" {
		s.Language = r.Language
	}
	if r.M != 0 {
		s.M = r.M
	}
	if r.EfConstruction != 0 {
		s.EfConstruction = r.EfConstruction
	}
	if r.Dim != 0 {
		s.Dim = r.Dim
	}
	return s
}

// checkSettings refuses what no domain can have. It is the only place that
// does.
func (ix *Indexer) checkSettings(r SettingsRequest) error {
	s := r.with(defaultSettings)
	if !s.Metric.known() {
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
	return nil
}

// checkLanguage refuses names that the full text does not know.
func checkLanguage(name string) error {
	_, err := textindex.Analyze(name, "")
	return err
}

// graphParams returns the parameters of a domain's graphs.
func (ix *Indexer) graphParams(s Settings) hnsw.Params {
	s = ix.effective(s)
	return hnsw.Params{M: s.M, EfConstruction: s.EfConstruction}
}

// effective returns the settings with the server's own in the place of those
// that the domain leaves to it.
func (ix *Indexer) effective(s Settings) Settings {
	if s.M == 0 {
		s.M = ix.cfg.Graph.M
	}
	if s.EfConstruction == 0 {
		s.EfConstruction = max(ix.cfg.Graph.EfConstruction, s.M)
	}
	return s
}

// conflict returns the ErrConflict of a request that names something else than
// the domain has.
func (ix *Indexer) conflict(domain string, has Settings, r SettingsRequest) error {
	now := ix.effective(has)
	want := r.with(now)
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
	} {
		if p.has != p.want {
			return fmt.Errorf("%w: %s=%v was asked for, and %s has %s=%v, which never changes",
				contract.ErrConflict, p.name, p.want, domain, p.name, p.has)
		}
	}
	return nil
}

// String returns the settings as commit files carry them: "name=value" with
// spaces between, in the order of the fields, without those that are the
// defaults. Equal settings have equal strings.
func (s Settings) String() string {
	var parts []string
	put := func(name, value string) { parts = append(parts, name+"="+value) }
	d := defaultSettings
	if s.Metric != d.Metric {
		put("metric", string(s.Metric))
	}
	if s.Normalize != d.Normalize {
		put("normalize", strconv.FormatBool(s.Normalize))
	}
	if s.Language != d.Language {
		put("language", s.Language)
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"m", s.M}, {"ef_construction", s.EfConstruction}, {"dim", s.Dim}} {
		if n.value != 0 {
			put(n.name, strconv.Itoa(n.value))
		}
	}
	return strings.Join(parts, " ")
}

// errSettings: a commit file carries settings that this program does not know.
var errSettings = errors.New("settings of a kind that this program does not know")

// ParseSettings reads what [Settings.String] wrote, and nothing else.
func ParseSettings(text string) (Settings, error) {
	s := defaultSettings
	for part := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "metric":
			s.Metric = Metric(value)
		case "normalize":
			s.Normalize, err = strconv.ParseBool(value)
		case "language":
			s.Language = value
		case "m":
			s.M, err = strconv.Atoi(value)
		case "ef_construction":
			s.EfConstruction, err = strconv.Atoi(value)
		case "dim":
			s.Dim, err = strconv.Atoi(value)
		default:
			err = errSettings
		}
		if err != nil {
			return Settings{}, fmt.Errorf("%w: %.100q", errSettings, part)
		}
	}
	if !s.Metric.known() || s.M < 0 || s.EfConstruction < 0 || s.Dim < 0 || s.String() != text {
		return Settings{}, fmt.Errorf("%w: %.100q", errSettings, text)
	}
	return s, nil
}

// agreement is what the tasks that are at work on a domain go by while it may
// have no commit that says it.
type agreement struct {
	settings Settings
	tasks    int
}

// agree returns the settings that a task makes commits of the domain with, and
// holds others to them until release: a domain without commits takes what the
// request names. It is ErrConflict where the domain has something else.
func (ix *Indexer) agree(d *domain, r SettingsRequest) (s Settings, release func(), err error) {
	vecs, err := d.readable()
	if err != nil {
		vecs = nil // whoever needs them will say so
	}
	d.state.Lock()
	defer d.state.Unlock()
	a := d.agreed
	if a == nil {
		has, indexed := d.recorded()
		a = &agreement{settings: has}
		if !indexed {
			// A deletion may have left vectors, which go on as they are.
			a.settings = defaultSettings
			if vecs != nil {
				a.settings = kept(vecs.Config())
				r := SettingsRequest{Metric: r.Metric, Normalize: r.Normalize, Dim: r.Dim}
				if err := ix.conflict("what is kept of "+d.name, a.settings, r); err != nil {
					return Settings{}, nil, fmt.Errorf("%w; delete it with purge=true to begin anew", err)
				}
			}
			a.settings = r.with(a.settings)
		}
	}
	if err := ix.conflict(d.name, a.settings, r); err != nil {
		return Settings{}, nil, err
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

// forgetSettings lets whatever comes next decide anew. The tasks that went by
// the old settings must be cancelled.
func (d *domain) forgetSettings() {
	d.state.Lock()
	defer d.state.Unlock()
	d.agreed = nil
}

// has returns the settings that the domain has at the moment, if it has any.
func (d *domain) has() (s Settings, ok bool) {
	d.state.Lock()
	defer d.state.Unlock()
	if d.agreed != nil {
		return d.agreed.settings, true
	}
	return d.recorded()
}

// compatible refuses a request early that names something else than the domain
// has.
func (ix *Indexer) compatible(domain string, r SettingsRequest) error {
	if err := ix.checkSettings(r); err != nil {
		return err
	}
	for _, d := range ix.domains.list(domain) {
		if s, ok := ix.targets.of(d).has(); ok {
			return ix.conflict(domain, s, r)
		}
	}
	return nil
}

// settingsOf returns the settings of a commit, which were checked when it
// became known.
func settingsOf(info snapshot.Info) Settings {
	s, err := ParseSettings(info.Settings)
	if err != nil {
		return defaultSettings
	}
	return s
}

// shown returns the settings of a domain as they are told, given any of its
// commits that is indexed.
func (ix *Indexer) shown(d *domain, newest snapshot.Info) *Settings {
	s, _ := d.has()
	s = ix.effective(s)
	if s.Dim == 0 {
		s.Dim = int(newest.Dim)
	}
	return &s
}

// kept are the vectors of a configuration as settings.
func kept(c vecstore.Config) Settings {
	s := defaultSettings
	s.Metric, s.Normalize = Metric(c.Metric.String()), c.Normalized
	if c.Fingerprint == suppliedModel(c.Dim) {
		s.Dim = c.Dim
	}
	return s
}

// vecsConfig returns how the domain's vectors are kept.
func (ix *Indexer) vecsConfig(d *domain, s Settings, dim int) vecstore.Config {
	return vecstore.Config{Domain: d.name, Fingerprint: ix.model(s), Dim: dim, Metric: s.Metric.stored(), Normalized: s.Normalize}
}
