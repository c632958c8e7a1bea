package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	// Weight is the vector's share of the scores of hybrid searches, above 0 and at
	// most 1; 0: what suits the query.
	Weight float32 `json:"weight,omitempty"`
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

func (m Metric) Known() bool { return m == MetricCosine || m == MetricIP || m == MetricL2 }

// DefaultSettings are those of a domain about which nothing was said, and of
// all commit files that carry none.
var DefaultSettings = Settings{Metric: MetricCosine, Normalize: true, Language: textindex.English}

// SettingsRequest are the settings that a request names. The zero value of a
// field, nil among them, names none. The first request of a domain decides
// about it; what later ones name must be what the domain has.
type SettingsRequest struct {
	Metric         Metric  `json:"metric,omitempty" param:"metric" placeholder:"NAME" help:"When the database is indexed first: cosine (the default), ip or l2."`
	Normalize      *bool   `json:"normalize,omitempty" param:"normalize" help:"When the database is indexed first: scale vectors to unit length (the default is true)."`
	Language       string  `json:"language,omitempty" param:"language" placeholder:"NAME" help:"When the database is indexed first: language of its full text (the default is en)."`
	M              int     `json:"m,omitempty" param:"m" least:"1" help:"When the database is indexed first: links of a node of the graph (the default is 16)."`
	EfConstruction int     `json:"ef_construction,omitempty" param:"ef_construction" least:"1" help:"When the database is indexed first: breadth of the walk that builds the graph (the default is 200)."`
	Dim            int     `json:"dim,omitempty" param:"dim" least:"1" most:"65536" help:"When the database is indexed first: length of vectors that come with all documents, so that it needs no model."`
	Weight         float32 `json:"weight,omitempty" param:"weight" placeholder:"W" help:"When the database is indexed first: the vector's share of the scores of hybrid searches, above 0 and at most 1 (the default is what suits each query)."`
}

// With returns s with what the request names in its place.
func (r SettingsRequest) With(s Settings) Settings {
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
	if r.Weight != 0 {
		s.Weight = r.Weight
	}
	return s
}

// Request returns the request that names all of the settings.
func (s Settings) Request() SettingsRequest {
	return SettingsRequest{
		Metric: s.Metric, Normalize: &s.Normalize, Language: s.Language, M: s.M, EfConstruction: s.EfConstruction, Dim: s.Dim, Weight: s.Weight,
	}
}

// String returns the settings as commit files carry them: "name=value" with
// spaces between, in the order of the fields, without those that are the
// defaults. Equal settings have equal strings.
func (s Settings) String() string {
	var parts []string
	put := func(name, value string) { parts = append(parts, name+"="+value) }
	d := DefaultSettings
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
	if s.Weight != 0 {
		put("weight", strconv.FormatFloat(float64(s.Weight), 'g', -1, 32))
	}
	return strings.Join(parts, " ")
}

// errSettings: a commit file carries settings that this program does not know.
var errSettings = errors.New("settings of a kind that this program does not know")

// ParseSettings reads what [Settings.String] wrote, and nothing else.
func ParseSettings(text string) (Settings, error) {
	s := DefaultSettings
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
		case "weight":
			var x float64
			x, err = strconv.ParseFloat(value, 32)
			s.Weight = float32(x)
		default:
			err = errSettings
		}
		if err != nil {
			return Settings{}, fmt.Errorf("%w: %.100q", errSettings, part)
		}
	}
	if !s.Metric.Known() || s.M < 0 || s.EfConstruction < 0 || s.Dim < 0 || !(s.Weight >= 0 && s.Weight <= 1) || s.String() != text {
		return Settings{}, fmt.Errorf("%w: %.100q", errSettings, text)
	}
	return s, nil
}

// CheckSettings refuses a commit whose settings this program does not know.
func CheckSettings(info snapshot.Info) error {
	_, err := ParseSettings(info.Settings)
	return err
}

// SettingsOf returns the settings of a commit, which were checked when it
// became known.
func SettingsOf(info snapshot.Info) Settings {
	s, err := ParseSettings(info.Settings)
	if err != nil {
		return DefaultSettings
	}
	return s
}

// Kept returns the settings that the configuration of a file of vectors keeps.
func Kept(c vecstore.Config) Settings {
	s := DefaultSettings
	s.Metric, s.Normalize = Metric(c.Metric.String()), c.Normalized
	if c.Fingerprint == SuppliedModel(c.Dim) {
		s.Dim = c.Dim
	}
	return s
}

// Stored returns the metric's number on disk.
func (m Metric) Stored() vecstore.Metric {
	switch m {
	case MetricIP:
		return vecstore.InnerProduct
	case MetricL2:
		return vecstore.Euclidean
	}
	return vecstore.Cosine
}

// SuppliedModel names the model of domains whose vectors are all supplied.
func SuppliedModel(dim int) string { return fmt.Sprintf("supplied/%d", dim) }

// Directed reports whether only the direction of vectors counts.
func (s Settings) Directed() bool { return s.Normalize || s.Metric == MetricCosine }

// Model names what decides the vectors of a domain with such settings: the
// embedder of that fingerprint, and whether its vectors are taken as they come;
// or that they are supplied.
func (s Settings) Model(fingerprint string) string {
	if s.Dim != 0 {
		return SuppliedModel(s.Dim)
	}
	if !s.Normalize {
		fingerprint += "/as-given"
	}
	return fingerprint
}
