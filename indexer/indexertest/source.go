package indexertest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/fields"
)

// Source is a document database with history in memory. Its documents are
// ready texts.
type Source struct {
	// Incremental has Pull list what changed since the base, where there is
	// one, instead of everything.
	Incremental bool
	// Fail, when set, is asked at the start of a pull (n = -1) and before
	// its n-th operation; an error ends the pull.
	Fail func(n int) error

	mu       sync.Mutex
	commits  map[string]commit
	branches map[string]string // name → commit
}

type commit struct {
	parent string
	docs   map[string]string // id → text
	fields map[string]fields.Object
	about  contract.About
}

// Change is what a commit does: texts by id, fields of documents that are there
// then, as JSON by id, and ids to remove. Fields stay until they change.
type Change struct {
	About  contract.About
	Put    map[string]string
	Fields map[string]string
	Remove []string
}

// NewSource returns a database without commits.
func NewSource() *Source {
	return &Source{commits: make(map[string]commit), branches: make(map[string]string)}
}

// Commit adds a commit to a branch (made if need be) and moves its head.
func (s *Source) Commit(branch, id string, change Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent := s.branches[branch]
	docs := maps.Clone(s.commits[parent].docs)
	if docs == nil {
		docs = make(map[string]string)
	}
	maps.Copy(docs, change.Put)
	known := maps.Clone(s.commits[parent].fields)
	if known == nil {
		known = make(map[string]fields.Object)
	}
	for id, raw := range change.Fields {
		object, err := fields.Parse([]byte(raw))
		if err != nil {
			panic(err)
		}
		known[id] = object
	}
	for _, id := range change.Remove {
		delete(docs, id)
	}
	maps.DeleteFunc(known, func(id string, _ fields.Object) bool { _, ok := docs[id]; return !ok })
	s.commits[id] = commit{parent, docs, known, change.About}
	s.branches[branch] = id
}

// Branch makes or moves a branch to a commit.
func (s *Source) Branch(name, commit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.branches[name] = commit
}

// Documents returns the texts at a commit by id.
func (s *Source) Documents(commit string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.commits[commit].docs)
}

// Fields returns the fields of the documents at a commit that have any.
func (s *Source) Fields(commit string) map[string]fields.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.commits[commit].fields)
}

// Pull implements indexer.Source: it lists everything at the commit.
func (s *Source) Pull(_ context.Context, req contract.PullRequest) (*contract.Pull, error) {
	if s.Fail != nil {
		if err := s.Fail(-1); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.commits[req.Commit]
	if !ok {
		return nil, fmt.Errorf("%w: commit %s of %s", contract.ErrNotFound, req.Commit, req.Domain)
	}
	p := &contract.Pull{About: c.about, Complete: true, Total: len(c.docs), OnBranch: s.advances(req)}
	for at := c.parent; at != "" && p.Base == ""; at = s.commits[at].parent {
		if req.Indexed(at) {
			p.Base = at
		}
	}
	docs := maps.Clone(c.docs)
	if s.Incremental && p.Base != "" {
		p.Complete = false
		for id, text := range s.commits[p.Base].docs {
			if now, ok := docs[id]; !ok {
				docs[id] = gone
			} else if now == text && c.fields[id] == s.commits[p.Base].fields[id] {
				delete(docs, id)
			}
		}
		for _, id := range req.Again(p.Base) {
			if text, ok := c.docs[id]; ok {
				docs[id] = text
			} else {
				docs[id] = gone
			}
		}
		p.Total = len(docs)
	}
	p.Ops = s.ops(docs, maps.Clone(c.fields))
	return p, nil
}

// gone stands for the text of a document that is removed.
const gone = "\x00gone"

func (s *Source) advances(req contract.PullRequest) bool {
	for at := s.branches[req.Branch]; at != ""; at = s.commits[at].parent {
		if at == req.Commit {
			return true
		}
		if at == req.Head {
			return false
		}
	}
	return false
}

func (s *Source) ops(docs map[string]string, known map[string]fields.Object) iter.Seq2[contract.Op, error] {
	return func(yield func(contract.Op, error) bool) {
		for n, id := range slices.Sorted(maps.Keys(docs)) {
			if s.Fail != nil {
				if err := s.Fail(n); err != nil {
					yield(contract.Op{}, err)
					return
				}
			}
			op := contract.Op{Kind: contract.Upsert, ID: id, Text: docs[id], Fields: string(known[id])}
			if op.Text == gone {
				op = contract.Op{Kind: contract.Delete, ID: id}
			}
			if !yield(op, nil) {
				return
			}
		}
	}
}
