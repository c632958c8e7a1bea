package textindex

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/vectorlink/vectorlink/vfs"
)

// Ext is the extension of the files.
const Ext = "zap"

// FileName returns the name of the file of a commit's segment.
func FileName(domain, commit string) string { return vfs.FileName(domain, commit, Ext) }

// Identity says which commit file a segment was made from, and how. Two commit
// files of one identity hold the same chunks.
type Identity struct {
	Domain string // org/db
	Commit string
	Seq    uint64 // the commit file's sequence number
	// Checkpoint: of all chunks of the snapshot, not of the changed entries. A
	// merge gives a commit the one in place of the other.
	Checkpoint bool
	// Content is a hash over the texts and where they are cut: a damaged commit
	// file may be rebuilt with other documents while all else is equal.
	Content  uint64
	Analyzer string // the name of the analyzer
}

// maxName bounds each of the identity's strings, in bytes.
const maxName = 4096

// check returns the reason why the identity makes no sense, or nil.
func (id *Identity) check() error {
	for _, s := range id.names() {
		if *s == "" || len(*s) > maxName {
			return badf("an identity with a name of %d bytes", len(*s))
		}
	}
	return nil
}

// names returns the strings in the order of the file.
func (id *Identity) names() [3]*string {
	return [...]*string{&id.Domain, &id.Commit, &id.Analyzer}
}

// Segment is the inverted index of a commit file's chunks. It is immutable and
// holds memory alone.
type Segment struct {
	id     Identity
	blocks []*block
	count  uint32
	bytes  int64
}

// Build makes the segment of a commit file of the given chunks, which are
// numbered in their order, from 0. It takes the memory of the segment and some
// 100 MB at most besides. It ends early with an error that chunks yields. The
// same chunks always give the same results, if not the same bytes.
func Build(id Identity, chunks iter.Seq2[string, error]) (*Segment, error) {
	s, err := build(id, chunks, limits{maxChunks, maxPostings})
	if err != nil {
		return nil, fmt.Errorf("textindex: build %s: %w", FileName(id.Domain, id.Commit), err)
	}
	return s, nil
}

// build is Build with other limits.
func build(id Identity, chunks iter.Seq2[string, error], l limits) (*Segment, error) {
	if err := id.check(); err != nil {
		return nil, errors.New(err.Error()) // the caller's mistake, no damage
	}
	a, err := newAnalyzer(id.Analyzer)
	if err != nil {
		return nil, err
	}
	s, b := &Segment{id: id}, newBlockBuilder(a, l)
	finish := func() error {
		done, err := b.finish()
		if done != nil {
			s.append(done)
		}
		return err
	}
	for text, err := range chunks {
		if err != nil {
			return nil, err
		}
		if uint64(s.count)+uint64(len(b.chunks)) >= math.MaxUint32 {
			return nil, fmt.Errorf("more than %d chunks", uint32(math.MaxUint32))
		}
		if b.add(text); b.full() {
			if err := finish(); err != nil {
				return nil, err
			}
		}
	}
	return s, finish()
}

func (s *Segment) append(b *block) {
	s.blocks = append(s.blocks, b)
	s.count += uint32(len(b.lengths))
	s.bytes += int64(len(b.raw)) + 4*int64(len(b.lengths)) + commonLimit(int64(len(b.raw)))
}

// Identity returns what Build was given or Open found.
func (s *Segment) Identity() Identity { return s.id }

// Count returns the number of chunks.
func (s *Segment) Count() uint32 { return s.count }

// Bytes returns about how much memory the segment takes.
func (s *Segment) Bytes() int64 { return s.bytes }

func (s *Segment) name() string { return FileName(s.id.Domain, s.id.Commit) }
