package snapshot

import (
	"encoding/binary"
	"fmt"
	"math"
	"unique"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/vfs"
)

// Kind is what a commit file is.
type Kind uint8

// The kinds, as on disk.
const (
	// Checkpoint: all entries.
	Checkpoint Kind = 1
	// Delta: what differs from the snapshot of the commit it stands on.
	Delta Kind = 2
	// Alias: the commit is another name of its base's snapshot.
	Alias Kind = 3
)

// String returns the kind's name as listings show it.
func (k Kind) String() string {
	switch k {
	case Checkpoint:
		return "checkpoint"
	case Delta:
		return "delta"
	case Alias:
		return "alias"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MainVectors is the name of the vectors that every domain has.
const MainVectors = "main"

// Vectors says which vectors the chunks of entries have, and how many there are.
type Vectors struct {
	// Fingerprint and Dim identify the embedding model, Vecs is the name of
	// the file of vectors. They may be empty while SlotEnd is 0; from then on
	// they stay what they are along a chain.
	Fingerprint string
	Vecs        string
	// Metric is the measure of nearness, and Normalized says that vectors have
	// unit length. Files of before version 3 do not say either: "".
	Metric string
	Dim    uint32
	// SlotEnd is 1 + the highest slot that this file refers to, or anything
	// below it did when it was written; 0 for none. A base that is rewritten
	// with other slots may end above. That of the main vectors covers others in
	// the same file of vectors.
	SlotEnd uint32
	// Chunks counts those of the live entries of the whole snapshot. Of vectors
	// beside the main ones the count may be too low after a base was rewritten
	// with more of them.
	Chunks     uint32
	Normalized bool
	// Graph says that this file holds a graph over these vectors: one of all
	// slots that are live in its commit's snapshot, but for vectors that could
	// not be read. Write sets it.
	Graph bool
}

// NamedVectors are vectors beside the main ones.
type NamedVectors struct {
	Name string
	Vectors
}

// Header says what a commit file is and what its snapshot holds.
type Header struct {
	Kind Kind
	// Tag says that an alias is a name that a user gave to a commit.
	Tag    bool
	Domain string // org/db
	Commit string
	// Base is the commit that this one was built on, its parent in history, ""
	// for none. An alias stands for it.
	Base string
	// On is the commit whose file this one needs, "" for a checkpoint, which
	// needs none: a delta says what differs from that commit's snapshot, which
	// is the base's or one before it. An alias's is its base.
	On string
	// Branch is the branch whose head moved here, "" for none.
	Branch string
	// Seq numbers the domain's commits: a branch's head is its commit of the
	// highest Seq. A number passed to Write is never given to another commit,
	// even if that Write failed.
	Seq uint64
	// Created is when the commit was indexed, in Unix seconds.
	Created int64
	// Settings are what the domain was created with, in a form that is its
	// owner's (opaque here); "" for the defaults. What is written on a view
	// takes the view's.
	Settings string

	Vectors // the main ones
	// Others are the vectors beside the main ones, each of another name.
	Others []NamedVectors

	// Documents counts what is live in the whole snapshot.
	Documents uint32
	// Changed, Removed and Skipped count what this file lists.
	Changed, Removed, Skipped uint32

	// What the commit cost when it was indexed, for reports: documents
	// inserted or changed, documents deleted, texts embedded, texts found
	// stored, tokens of the embedded texts. A merge keeps them.
	Indexed, Deleted, Embedded, Reused uint32
	Tokens                             uint64

	// About is what is said of the commit, for people; nil for nothing. It is not
	// changed once it is here.
	About *contract.About
}

const (
	// headerFormat is the first byte of a header's record.
	headerFormat = 1
	// maxName bounds each of the header's strings, in bytes.
	maxName = 4096
	// maxOthers bounds the number of vectors beside the main ones.
	maxOthers = 64
	// tagFlag marks a tag.
	tagFlag = 1
	// onFlag says that On is given, because it is not what follows from kind
	// and base.
	onFlag = 2
	// aboutFlag says that what is said of the commit follows: in a record that stands
	// elsewhere than in the commit's file, which has a section for it.
	aboutFlag = 4
	// normalizedFlag and graphFlag are those of vectors.
	normalizedFlag = 1
	graphFlag      = 2
)

// AppendHeader appends the header's record, as it stands in a commit file and
// may stand elsewhere. ParseHeader reads it.
func AppendHeader(b []byte, h *Header) []byte {
	flags := byte(0)
	if h.Tag {
		flags |= tagFlag
	}
	on := h.On != h.usualOn()
	if on {
		flags |= onFlag
	}
	if h.About != nil {
		flags |= aboutFlag
	}
	b = append(b, headerFormat, byte(h.Kind), flags)
	b = appendUvarint(b, h.Seq)
	b = appendUvarint(b, zigzag(h.Created))
	b = appendUvarint(b, h.Tokens)
	for _, n := range h.counts() {
		b = appendUvarint(b, uint64(*n))
	}
	b = appendString(b, h.Domain)
	b = appendString(b, h.Commit)
	b = appendString(b, h.Base)
	if on {
		b = appendString(b, h.On)
	}
	b = appendString(b, h.Branch)
	b = appendString(b, h.Settings)
	b = h.Vectors.append(b)
	b = appendUvarint(b, uint64(len(h.Others)))
	for i := range h.Others {
		b = appendString(b, h.Others[i].Name)
		b = h.Others[i].Vectors.append(b)
	}
	return appendAbout(b, h.About)
}

// ParseHeader reads a record that AppendHeader made, and nothing after it.
// Strings that many headers have are kept once, and found soonest where like, the
// header read before, has them; it may be nil.
func ParseHeader(p []byte, like *Header) (Header, error) {
	if like == nil {
		like = &Header{}
	}
	h, err := parseHeader(p, like)
	if err != nil {
		return Header{}, fmt.Errorf("snapshot: header: %w", err)
	}
	return h, nil
}

func parseHeader(p []byte, like *Header) (h Header, err error) {
	r := &reader{rest: p}
	lead := r.take(3)
	if r.err != nil {
		return h, r.err
	}
	if lead[0] != headerFormat {
		return h, versionError("a header's record of format %d, this program reads %d", lead[0], headerFormat)
	}
	if lead[2]&^(tagFlag|onFlag|aboutFlag) != 0 {
		return h, badf("unknown flags are set")
	}
	h.Kind, h.Tag = Kind(lead[1]), lead[2]&tagFlag != 0
	h.Seq = r.num(math.MaxUint64)
	h.Created = unzigzag(r.num(math.MaxUint64))
	h.Tokens = r.num(math.MaxUint64)
	for _, n := range h.counts() {
		*n = uint32(r.num(math.MaxUint32))
	}
	h.Domain = shared(r.string(maxName), like.Domain)
	h.Commit = string(r.string(maxName))
	if base := r.string(maxName); string(base) == like.Commit {
		h.Base = like.Commit
	} else {
		h.Base = string(base)
	}
	h.On = h.usualOn()
	if lead[2]&onFlag != 0 {
		usual := h.On
		if h.On = string(r.string(maxName)); h.On == usual && r.err == nil {
			return h, badf("it says what commit it stands on, which follows from its base")
		}
	}
	h.Branch = shared(r.string(maxName), like.Branch)
	h.Settings = shared(r.string(maxName), like.Settings)
	h.Vectors.parse(r, &like.Vectors)
	if n := int(r.num(maxOthers)); n > 0 && r.err == nil {
		h.Others = make([]NamedVectors, n)
		for i := range h.Others {
			h.Others[i].Name = shared(r.string(maxName), "")
			h.Others[i].Vectors.parse(r, &like.Vectors)
		}
	}
	if lead[2]&aboutFlag != 0 {
		h.About = r.about(like.About)
	}
	if r.err != nil {
		return h, r.err
	}
	if len(r.rest) > 0 {
		return h, badf("%d bytes follow it", len(r.rest))
	}
	return h, h.validate()
}

// shared returns p as a string that is the same for all headers read about the
// same time: like, where that reads so.
func shared(p []byte, like string) string {
	if string(p) == like {
		return like
	}
	return unique.Make(string(p)).Value()
}

// counts returns the small counters in the order of the record.
func (h *Header) counts() [8]*uint32 {
	return [...]*uint32{&h.Documents, &h.Changed, &h.Removed, &h.Skipped, &h.Indexed, &h.Deleted, &h.Embedded, &h.Reused}
}

// usualOn returns what On is where the record does not say.
func (h *Header) usualOn() string {
	if h.Kind == Checkpoint {
		return ""
	}
	return h.Base
}

func (v *Vectors) append(b []byte) []byte {
	flags := byte(0)
	if v.Normalized {
		flags |= normalizedFlag
	}
	if v.Graph {
		flags |= graphFlag
	}
	b = append(b, flags)
	for _, n := range [...]uint32{v.Dim, v.SlotEnd, v.Chunks} {
		b = appendUvarint(b, uint64(n))
	}
	for _, s := range [...]string{v.Fingerprint, v.Metric, v.Vecs} {
		b = appendString(b, s)
	}
	return b
}

func (v *Vectors) parse(r *reader, like *Vectors) {
	flags := r.num(normalizedFlag | graphFlag)
	v.Normalized, v.Graph = flags&normalizedFlag != 0, flags&graphFlag != 0
	for _, n := range [...]*uint32{&v.Dim, &v.SlotEnd, &v.Chunks} {
		*n = uint32(r.num(math.MaxUint32))
	}
	v.Fingerprint = shared(r.string(maxName), like.Fingerprint)
	v.Metric = shared(r.string(maxName), like.Metric)
	v.Vecs = shared(r.string(maxName), like.Vecs)
}

// vectors returns the vectors of that number: 0 for the main ones, from 1 on
// Others.
func (h *Header) vectors(space int) *Vectors {
	if space == 0 {
		return &h.Vectors
	}
	return &h.Others[space-1].Vectors
}

// Named returns all vectors of the header with their names, the main ones first.
func (h *Header) Named() []NamedVectors {
	return append([]NamedVectors{{Name: MainVectors, Vectors: h.Vectors}}, h.Others...)
}

// other returns the number of the vectors of that name in Others, or -1.
func (h *Header) other(name string) int {
	for i := range h.Others {
		if h.Others[i].Name == name {
			return i
		}
	}
	return -1
}

// validate returns the reason why the header makes no sense, or nil.
func (h *Header) validate() error {
	for _, s := range [...]string{h.Domain, h.Commit, h.Base, h.On, h.Branch, h.Settings} {
		if len(s) > maxName {
			return badf("a name of %d bytes is above the limit of %d", len(s), maxName)
		}
	}
	switch {
	case h.Domain == "" || h.Commit == "":
		return badf("domain or commit is empty")
	case h.Base == h.Commit || h.On == h.Commit:
		return badf("the commit is its own base")
	case h.Kind < Checkpoint || h.Kind > Alias:
		return badf("unknown %v", h.Kind)
	case h.Kind != Checkpoint && (h.Base == "" || h.On == ""):
		return badf("a %v has no base", h.Kind)
	case h.Kind == Checkpoint && h.On != "", h.Kind == Alias && h.On != h.Base:
		return badf("a %v stands on another file than it can", h.Kind)
	case h.Kind == Alias && (h.Changed != 0 || h.Removed != 0 || h.Skipped != 0):
		return badf("an alias lists entries")
	case h.Kind == Checkpoint && (h.Removed != 0 || h.Changed != h.Documents):
		return badf("a checkpoint lists %d entries and %d removed ones for %d documents", h.Changed, h.Removed, h.Documents)
	case h.Tag && h.Kind != Alias:
		return badf("a %v is no tag", h.Kind)
	case len(h.Others) > maxOthers:
		return badf("%d named vectors, the limit is %d", len(h.Others), maxOthers)
	}
	if h.About != nil && h.About.Kept() != *h.About {
		return badf("what is said of it is longer than that may be, or no UTF-8")
	}
	for i := range h.Others {
		if name := h.Others[i].Name; name == "" || len(name) > maxName || name == MainVectors || h.other(name) != i {
			return badf("vectors %d have no name, a long one, or one that is taken", i)
		}
	}
	for i := range 1 + len(h.Others) {
		v := h.vectors(i)
		for _, s := range [...]string{v.Fingerprint, v.Metric, v.Vecs} {
			if len(s) > maxName {
				return badf("a name of %d bytes is above the limit of %d", len(s), maxName)
			}
		}
		switch {
		case v.SlotEnd > 0 && (v.Vecs == "" || v.Dim == 0), v.Chunks > 0 && (v.SlotEnd == 0 || h.Documents == 0):
			return badf("it has chunks without documents or slots, or slots without a file of vectors")
		case h.Kind == Alias && v.Graph:
			return badf("an alias holds a graph")
		}
	}
	return nil
}

// identity is the start of the checksum of everything in a section, so that
// whole sections and blocks in the wrong place do not pass.
func (h *Header) identity(r row) uint32 {
	b := appendShort(nil, h.Domain)
	b = appendShort(b, h.Commit)
	b = append(b, byte(h.Kind), byte(r.typ))
	if r.space > 0 {
		b = binary.LittleEndian.AppendUint16(b, r.space)
	}
	return vfs.Checksum(0, b)
}

// blockIdentity is the start of the checksum of a block stream's block.
func blockIdentity(section uint32, number int) uint32 {
	return vfs.Checksum(section, binary.LittleEndian.AppendUint32(nil, uint32(number)))
}
