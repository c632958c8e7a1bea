package search

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
)

// Ref chooses the commit that a request is answered from.
type Ref = catalog.Ref

// Replaced reports whether a served commit is one that stands in for that asked
// for.
func Replaced(r Ref, served string) bool { return r.Commit != "" && served != r.Commit }

// Page cuts a ranking: Count results from Start on.
type Page struct {
	Start int `param:"start" least:"0" most:"1000000" placeholder:"N" help:"Leave out this many of the best."`
	Count int `param:"count" default:"10" least:"1" most:"1000" placeholder:"N" help:"Most results to list, 1 to 1000 (default 10)."`
}

// Limits of a Page, as its tags have them.
const (
	MaxStart = 1_000_000
	MaxCount = 1_000
)

// Mode says what a search goes by.
type Mode string

const (
	// ModeVector goes by the nearness of vectors; it is the default here.
	ModeVector Mode = "vector"
	// ModeText goes by words (BM25); no embedding is needed.
	ModeText Mode = "fts"
	// ModeHybrid fuses both rankings.
	ModeHybrid Mode = "hybrid"
)

// Syntax says how the text of a search by words is read.
type Syntax string

const (
	// SyntaxPlain takes the text as words and nothing else; it is the default.
	SyntaxPlain Syntax = "plain"
	// SyntaxQuery takes it as a query with operators, see [textindex.Parse]. In
	// a hybrid search what the query requires or excludes holds for what is
	// found by vector too.
	SyntaxQuery Syntax = "query"
)

// Rank says what a hybrid search orders by.
type Rank string

const (
	// RankScore is the weighted sum of both sides' scores; it is the default.
	RankScore Rank = "score"
	// RankFused is the fused rank of both rankings.
	RankFused Rank = "rrf"
	// RankDistance is the distance.
	RankDistance Rank = "distance"
)

// Fallback is what a hybrid search does while the embedding provider is down.
type Fallback string

const (
	// FallbackWords goes by words alone; the empty Fallback stands for it.
	FallbackWords Fallback = "words"
	// FallbackOff fails.
	FallbackOff Fallback = "off"
)

// Options are the parameters that all searches for hits share.
//
// The tags of a request's fields declare its parameters once for every door: see
// service.Params.Decode for those of the wire. Of the others the command line
// makes flags.
type Options struct {
	Page   Page   `embed:""`
	Filter Filter `embed:""`
	// Ef is the breadth of the graph walk; 0 means the default.
	Ef      int  `param:"ef" least:"1" most:"10000" placeholder:"N" help:"Breadth of the graph walk: more finds more of the true neighbours and takes longer."`
	Snippet bool `param:"snippet" help:"Also tell the text of the part that matched."`
	// Texts has hits bring the texts of their documents.
	Texts bool `param:"texts" help:"Also tell the whole text of each document."`
	// MaxDistance, when not nil, is the largest distance of hits, inclusive.
	MaxDistance *float32 `param:"max_distance" placeholder:"D" help:"Only hits within this distance."`
	// OutputFields are the names of the fields that hits bring: "*" for all
	// that a document has, "vector" for the vector of the hit's chunk.
	OutputFields []string `param:"output_fields" kind:"names" most:"100" name:"field" sep:"none" placeholder:"NAME" help:"Also tell this field of the hits, * for all; with --json also vector. May be given again."`
}

// SearchRequest asks for the documents nearest to a text or a vector.
type SearchRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	// Text is embedded in the role Role; Vector, when not nil, is used
	// instead.
	Text   string `param:"q" help:"Text to search for."`
	Role   contract.Role
	Vector []float32 `param:"vector,vector_b64" need:"q"`
	Mode   Mode      `param:"mode" words:"vector,fts,hybrid" help:"What to search by: vector (meaning), fts (words) or hybrid (both, the default)."`
	Rank   Rank      `param:"rank" words:"score,rrf,distance" help:"What a hybrid search orders by: score (the default), rrf or distance."`
	Syntax Syntax    `param:"syntax" words:"plain,query" help:"How to read the text: plain, or query for one with operators: \"a phrase\", word*, AND, OR, NOT, +, -, parentheses."` // of Text, where Mode goes by words
	// Fallback says what becomes of a hybrid search while the embedding provider
	// cannot be used.
	Fallback Fallback `param:"fallback" words:"words,off" help:"What a hybrid search does while the embedding provider is down: go by words (the default) or fail (off)."`
	// Weight is the vector's share of the scores of a hybrid search, from 0 to 1;
	// nil: the domain's, or else what suits the query.
	Weight *float32 `param:"weight" most:"1" help:"Share of the vectors in the score of a hybrid search, from 0 to 1."`
	// BringText is Options.Texts by a name that is another thing in a SimilarRequest.
	BringText bool `param:"text"`
	// Feedback, where above 0, has the search done again with the query's vector
	// moved towards the mean of the first so many hits.
	Feedback int `param:"feedback" least:"1" most:"100" help:"Search again with the query moved towards the mean of so many hits."`
	// Explain has the hits of a hybrid search tell what their scores are made of.
	Explain bool `param:"explain" help:"Tell what the score of each hit is made of."`
	// Fuzzy says which words of Text may be misspelt, where Mode goes by words:
	// those that no document has (auto, the default), all (on) or none (off).
	Fuzzy string `param:"fuzzy" words:"auto,off,on" help:"Which words may be misspelt: those that no document has (auto, the default), all (on) or none (off)."`
	Options
	// CallerKey: see IndexRequest.
	CallerKey contract.Secret
}

// Complete sets the mode of a request that names none: a search for a text is
// hybrid, one for a vector alone has no words to go by (wire contract §4).
func (req *SearchRequest) Complete() error {
	if req.Mode == "" {
		req.Mode = ModeHybrid
		if req.Text == "" {
			req.Mode = ModeVector
		}
	}
	req.Texts = req.Texts || req.BringText
	switch {
	case req.Syntax == SyntaxQuery && req.Mode == ModeVector:
		return errSyntaxMode
	case req.MaxDistance != nil && req.Mode == ModeText:
		return errRangeMode
	case req.Feedback > 0 && req.Mode == ModeText:
		return errFeedbackMode
	}
	return nil
}

var (
	errSyntaxMode   = errors.New("syntax=query needs mode fts or hybrid")
	errFeedbackMode = errors.New("feedback needs mode vector or hybrid: it moves the query's vector")
	errRangeMode    = errors.New("max_distance needs mode vector or hybrid: words have no distance")
)

// MaxSimilarIDs bounds the documents of a SimilarRequest.
const MaxSimilarIDs = 1_000

// SimilarRequest asks for the documents nearest to one of the snapshot's own,
// to the mean of several, to a text as if it were a document's, or to a vector.
type SimilarRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	ID     string `param:"id" placeholder:"IRI" help:"Document whose neighbours to list, by its full id."` // full IRI, read at the served commit
	// IDs, where there are any, stand in the place of ID: the search goes by
	// the mean of these documents' vectors at unit length, in which each counts
	// the same, with the mean of its chunks. At most MaxSimilarIDs.
	IDs []string `param:"ids" kind:"names" most:"1000" apart:"id" placeholder:"IRI" help:"Documents to whose mean to list the nearest."`
	// Text and then Vector count where no id is given.
	Text   string    `param:"text" unless:"id,ids" help:"Text to take as if it were a document's."`
	Vector []float32 `param:"vector,vector_b64" unless:"id,ids,text" need:"id,ids,text"`
	Options
	// IncludeSelf lists the documents asked with, too.
	IncludeSelf bool `param:"include_self" help:"Also list the documents asked with."`
	// CallerKey: see IndexRequest.
	CallerKey contract.Secret
}

// Hits is the answer to a search.
type Hits struct {
	Commit string // the served commit
	Hits   []Hit
	// Damaged are the ids of the commit's documents of which a vector or the
	// text is known to be damaged, ascending: they may be missing from Hits,
	// or be ranked by what is whole of them. Nil for none. Shared.
	Damaged []string
	// Warnings are sentences for people, without a document's text: what the
	// answer lacks that was to be expected.
	Warnings []string
	// Fallback: the search went by words alone, and will not once the embedding
	// provider is back.
	Fallback bool
}

// Hit is one document and its best chunk.
type Hit struct {
	ID  string
	Int bool // as of [snapshot.Entry]
	// Distance is by the domain's metric: see [Metric]. Of a search by words
	// alone it is 1/(1 + BM25), which is no distance.
	Distance float32
	// Score is greater for better hits. It can be compared within an answer
	// only.
	Score float32
	Found Found
	// Matched are the words, between spaces, that the document has, in some form, in the place
	// of misspelt ones.
	Matched string
	// Explained is what Score is made of; nil where that was not asked for, or is
	// no more than Distance tells.
	Explained *Explanation
	Chunk     HitChunk
	// Text is the document's, when asked for; TextCut: its beginning only.
	Text    string
	TextCut bool
	Output  *Output // nil where nothing is asked for by OutputFields
}

// Found says which sides of a search found a hit.
type Found uint8

const (
	FoundVector Found = 1 << iota
	FoundWords
)

// String returns vector, words or both, as answers have it.
func (f Found) String() string {
	switch f {
	case FoundWords:
		return "words"
	case FoundVector | FoundWords:
		return "both"
	}
	return "vector"
}

// Explanation are the parts of a hit's score, which is
// Weight·Likeness/BestLikeness + (1−Weight)·Words/BestWords.
type Explanation struct {
	Weight       float32 `json:"weight"`
	Likeness     float32 `json:"likeness"` // of the vectors: see Hit.Score
	BestLikeness float32 `json:"best_likeness"`
	Words        float32 `json:"words"` // BM25
	BestWords    float32 `json:"best_words"`
}

// Output is what hits bring besides.
type Output struct {
	Fields json.RawMessage // of the document, an object; nil if not asked for
	Vector []float32       // of the chunk; nil if not asked for, or damaged
}

// HitChunk describes the chunk of a document that matched best.
type HitChunk struct {
	Index      int // among the document's chunks, from 0
	Count      int
	TokenStart int
	DocTokens  int
	Snippet    string // the chunk's text, when asked for
}

// Head is a branch's last indexed commit.
type Head = catalog.Head

// CommitInfo describes one indexed commit, for listings.
type CommitInfo struct {
	Commit  string    `json:"commit"`
	Base    string    `json:"base,omitempty"`
	Branch  string    `json:"branch"`
	Kind    string    `json:"kind"` // checkpoint, delta or alias
	Version uint64    `json:"version"`
	Created time.Time `json:"created,omitzero"`
	Bytes   int64     `json:"bytes"` // size of its file
	// Documents and Chunks count the whole snapshot; the others are what it
	// cost when it was indexed, as in Task.
	Documents int `json:"documents"`
	Chunks    int `json:"chunks"`
	Indexed   int `json:"indexed_documents"`
	Deleted   int `json:"deleted"`
	Embedded  int `json:"embedded"`
	Reused    int `json:"reused"`
	Tokens    int `json:"tokens"`
	// Skipped counts the documents that the snapshot does not hold as the
	// commit does: they could not be read or embedded. Commits that build on
	// it try them again.
	Skipped int `json:"skipped,omitempty"`
	contract.About
}
