package api

import (
	"math"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/vecstore"
)

// settings returns the settings of the domain that the request names. Package
// indexer says which a domain may have.
func (p *params) settings() catalog.SettingsRequest {
	req := catalog.SettingsRequest{
		Metric:         catalog.Metric(p.text("metric")),
		Language:       p.text("language"),
		M:              p.whole("m", 0, 1, math.MaxInt32),
		EfConstruction: p.whole("ef_construction", 0, 1, math.MaxInt32),
		Dim:            p.whole("dim", 0, 1, vecstore.MaxDim),
	}
	if _, _, given := p.scalar("normalize"); given {
		normalize := p.flag("normalize")
		req.Normalize = &normalize
	}
	return req
}
