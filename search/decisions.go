package search

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
)

// DecideRequest asks to note decisions about documents.
type DecideRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	Ref    Ref
	// Decisions that name no commit are made at the one that Ref asks for.
	Decisions []catalog.Decision
}

// DecisionsRequest asks for the decisions that were made about documents of a domain.
type DecisionsRequest struct {
	Domain string `param:"domain" kind:"domain" need:""`
	From   int    `param:"from" default:"1" least:"1"`                // the least number
	Count  int    `param:"count" default:"100" least:"1" most:"1000"` // of a page
}

// Decisions returns all decisions from a number on, and the newest number.
func (r *Reader) Decisions(req DecisionsRequest) (list []catalog.Decision, newest uint64, err error) {
	d, err := r.domains.Domain(req.Domain)
	if err != nil {
		return nil, 0, err
	}
	if list, err = d.Decisions(); len(list) > 0 {
		newest = list[len(list)-1].N
	}
	at, _ := slices.BinarySearchFunc(list, uint64(max(req.From, 0)), func(x catalog.Decision, n uint64) int { return int(min(max(int64(x.N-n), -1), 1)) })
	return list[at:], newest, err
}

// Decided says which decisions an answer applies.
type Decided struct {
	// UpTo is the number of the last one, "none", or "newest". Where it is empty,
	// pairs by likeness go by the newest, those by distance by none.
	UpTo string `param:"decisions" kind:"decisions"`
	// Sent are applied besides, after the others, at whatever commit.
	Sent []catalog.Decision
}

// NoDecisions and NewestDecisions are words of [Decided].
const (
	NoDecisions     = "none"
	NewestDecisions = "newest"
)

// verdicts are the decisions that an answer applies; nil for none.
type verdicts struct {
	pairs map[[2]string]catalog.Verdict // the lower id first
	with  map[string][]string           // of each document, those it was decided about with
	sum   [sha256.Size]byte
}

// of returns what was decided about two documents, "" for nothing.
func (v *verdicts) of(a, b string) catalog.Verdict {
	if v == nil || len(v.pairs) == 0 {
		return ""
	}
	return v.pairs[[2]string{min(a, b), max(a, b)}]
}

// partners returns the documents that were decided to be so beside one.
func (v *verdicts) partners(id string, verdict catalog.Verdict) (ids []string) {
	if v == nil {
		return nil
	}
	for _, other := range v.with[id] {
		if v.of(id, other) == verdict {
			ids = append(ids, other)
		}
	}
	return ids
}

// mixed returns a hash of what an answer depends on, the decisions with it.
func (v *verdicts) mixed(identity [sha256.Size]byte) [sha256.Size]byte {
	if v == nil {
		return identity
	}
	return sha256.Sum256(append(identity[:], v.sum[:]...))
}

// verdicts returns the decisions that an answer at a commit applies, and up to which
// number, as answers tell it.
func (d *Domain) verdicts(commit string, req Decided, byDefault bool) (*verdicts, string, error) {
	if req.UpTo == "" && !byDefault && req.Sent == nil {
		return nil, "", nil
	}
	var made []catalog.Decision
	applied := NoDecisions
	if req.UpTo != NoDecisions {
		list, err := d.Decisions()
		if err != nil {
			return nil, "", err
		}
		newest := uint64(0)
		if len(list) > 0 {
			newest = list[len(list)-1].N
		}
		if req.UpTo != "" && req.UpTo != NewestDecisions {
			n, err := strconv.ParseUint(req.UpTo, 10, 64)
			if err != nil {
				return nil, "", fmt.Errorf("%w: decisions must be a number, none or newest", contract.ErrInvalid)
			}
			if n > newest {
				return nil, "", fmt.Errorf("%w: no decision has the number %d: the newest about %s is %d", contract.ErrNotFound, n, d.Name(), newest)
			}
			newest = n
		}
		counts := d.State().Lineage(commit)
		for i := range list {
			if list[i].N <= newest && counts(&list[i]) {
				made = append(made, list[i])
			}
		}
		applied = strconv.FormatUint(newest, 10)
	}
	for _, x := range req.Sent {
		if err := x.Check(); err != nil {
			return nil, "", err
		}
		made = append(made, x)
	}
	v := &verdicts{pairs: make(map[[2]string]catalog.Verdict), with: make(map[string][]string)}
	for _, x := range made {
		v.pairs[[2]string{x.A, x.B}] = x.Verdict
	}
	sum := sha256.New()
	keys := slices.SortedFunc(maps.Keys(v.pairs), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		v.with[k[0]], v.with[k[1]] = append(v.with[k[0]], k[1]), append(v.with[k[1]], k[0])
		for _, text := range []string{k[0], k[1], string(v.pairs[k])} {
			_ = binary.Write(sum, binary.LittleEndian, uint32(len(text))) // a hash takes all
			sum.Write([]byte(text))
		}
	}
	sum.Sum(v.sum[:0])
	return v, applied, nil
}
