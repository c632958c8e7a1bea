package main

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/vectorlink/vectorlink/catalog"
)

// creation are the settings that a database is indexed with first and keeps, and what is
// said of the commit.
type creation struct {
	Message        string  `placeholder:"TEXT" help:"What the commit is about, for people."`
	Author         string  `placeholder:"NAME" help:"Who made the commit."`
	Metric         string  `placeholder:"NAME" help:"When the database is indexed first: cosine (the default), ip or l2."`
	Normalize      *bool   `help:"When the database is indexed first: scale vectors to unit length (the default is true)."`
	Language       string  `placeholder:"NAME" help:"When the database is indexed first: language of its full text (the default is en)."`
	M              int     `name:"m" placeholder:"N" help:"When the database is indexed first: links of a node of the graph (the default is 16)."`
	EfConstruction int     `name:"ef-construction" placeholder:"N" help:"When the database is indexed first: breadth of the walk that builds the graph (the default is 200)."`
	Weight         float32 `placeholder:"W" help:"When the database is indexed first: the vector's share of the scores of hybrid searches, above 0 and at most 1 (the default is what suits each query)."`
}

// values adds what is given to the parameters of a request.
func (c *creation) values(q url.Values) url.Values {
	put := func(name, value string) {
		if value != "" && value != "0" {
			q.Set(name, value)
		}
	}
	put("message", c.Message)
	put("author", c.Author)
	put("metric", c.Metric)
	put("language", c.Language)
	put("m", strconv.Itoa(c.M))
	put("ef_construction", strconv.Itoa(c.EfConstruction))
	put("weight", strconv.FormatFloat(float64(c.Weight), 'g', -1, 32))
	if c.Normalize != nil {
		put("normalize", strconv.FormatBool(*c.Normalize))
	}
	return q
}

// settingsLine returns the settings of a database as one line.
func settingsLine(s *catalog.Settings) string {
	words := []string{
		"metric " + string(s.Metric), "normalize " + strconv.FormatBool(s.Normalize), "language " + s.Language,
		"m " + strconv.Itoa(s.M), "ef_construction " + strconv.Itoa(s.EfConstruction),
	}
	if s.Dim > 0 {
		words = append(words, "dim "+strconv.Itoa(s.Dim))
	}
	if s.Weight > 0 {
		words = append(words, "weight "+strconv.FormatFloat(float64(s.Weight), 'g', -1, 32))
	}
	return strings.Join(words, ", ")
}
