package catalog

import (
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"

	"github.com/vectorlink/vectorlink/snapshot"
)

// NewState returns the state of those commits.
func NewState(infos []snapshot.Info) *State {
	known := make(map[string]*record)
	var records []*record
	for i := range infos {
		r := newRecord(&infos[i], func(c string) *record { return known[c] })
		known[r.commit] = r
		records = append(records, r)
	}
	return newState(records)
}

// With returns the state with a commit put, Without with one removed.
func (s *State) With(info snapshot.Info) *State {
	c := s.clone()
	c.put(newRecord(&info, c.find))
	return c
}

func (s *State) Without(commit string) *State {
	c := s.clone()
	c.remove(commit)
	return c
}

// Records returns the number of records in the domain's catalog file, -1 where
// there is none.
func (d *Domain) Records() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return -1
	}
	return d.file.records
}

// Parse parses the bytes of a catalog file and returns what they encode to again,
// and where the header and each record end. An error is the reason why it stopped.
func Parse(data []byte) (again []byte, ends []int, err error) {
	mem := vfstest.NewMem()
	mem.WriteFile("f", data)
	f, err := mem.Open("f", vfs.Read)
	if err != nil {
		return nil, nil, err
	}
	c, err := readHead(f, magic)
	if err != nil {
		return nil, nil, err
	}
	w := c
	again = appendHead(nil, magic, c.domain, c.generation)
	ends = append(ends, len(again))
	w.end = 0
	err = c.scan(f, func(ch change) {
		again = w.append(again, ch)
		ends = append(ends, len(again))
	})
	return again, ends, err
}

// EncodeInfo returns the header record of a commit.
func EncodeInfo(info snapshot.Info) []byte { return appendInfo(nil, &info) }

// Seal returns a catalog file with one record of that type and body.
func Seal(typ byte, body []byte) []byte {
	b := appendHead(nil, magic, "a/b", 7)
	return appendRecord(b, 7, int64(len(b)), recordType(typ), func(b []byte) []byte { return append(b, body...) })
}

// Constants are the values that FORMAT.md must give.
var Constants = map[string]int{
	"version": version, "maxDomain": maxDomain, "maxString": maxString, "maxBody": maxBody, "minGarbage": minGarbage,
	"put": int(putRecord), "replace": int(replaceRecord), "intent": int(intentRecord), "remove": int(removeRecord),
	"prune": int(pruneRecord), "return": int(returnRecord), "decision": int(decisionRecord),
	"maxDecision": maxDecision, "maxDecided": MaxDecided, "maxDecidedBy": MaxDecidedBy, "maxDecisionNote": MaxDecisionNote,
}

// Golden returns a catalog file of generation 7 with a record of each type.
func Golden(checkpoint, delta snapshot.Info) []byte {
	c := file{magic: magic, domain: checkpoint.Domain, generation: 7}
	b := appendHead(nil, magic, c.domain, c.generation)
	for _, ch := range []change{
		{typ: putRecord, info: checkpoint},
		{typ: putRecord, info: delta},
		{typ: intentRecord, commit: delta.Commit},
		{typ: replaceRecord, info: delta},
		{typ: removeRecord, commit: checkpoint.Commit},
	} {
		b = c.append(b, ch)
	}
	return b
}

// AllowGarbage has compaction begin at that many superseded records.
func AllowGarbage(n int) (undo func()) {
	old := minGarbage
	minGarbage = n
	return func() { minGarbage = old }
}

// GoldenList returns a list of pruned commits of generation 7.
func GoldenList() []byte {
	c := file{magic: prunedMagic, domain: "admin/star_wars", generation: 7}
	b := appendHead(nil, prunedMagic, c.domain, c.generation)
	for _, ch := range []change{
		{typ: pruneRecord, commit: "c1", base: unknownBase},
		{typ: pruneRecord, commit: "c2", base: ""},
		{typ: pruneRecord, commit: "c3", base: "c2"},
		{typ: returnRecord, commit: "c1"},
	} {
		b = c.append(b, ch)
	}
	return b
}

// ListOfNames returns a list of pruned commits that does not say what they were built
// on.
func ListOfNames(domain string, commits ...string) []byte {
	c := file{magic: prunedMagic, domain: domain, generation: 7}
	b := appendHead(nil, prunedMagic, domain, c.generation)
	for _, commit := range commits {
		b = c.append(b, change{typ: pruneRecord, commit: commit, base: unknownBase})
	}
	return b
}

// SealDecision returns a journal with one record of that body.
func SealDecision(body []byte) []byte {
	b := appendHead(nil, decisionsMagic, "a/b", 7)
	return appendRecord(b, 7, int64(len(b)), decisionRecord, func(b []byte) []byte { return append(b, body...) })
}

// EncodeDecisions returns a journal of generation 7.
func EncodeDecisions(list []Decision) []byte {
	c := file{magic: decisionsMagic, domain: "a/b", generation: 7}
	b := appendHead(nil, decisionsMagic, c.domain, c.generation)
	for i := range list {
		b = c.append(b, change{typ: decisionRecord, decision: &list[i]})
	}
	return b
}
