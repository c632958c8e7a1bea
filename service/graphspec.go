package service

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vectorlink/vectorlink/contract"
)

const (
	maxSegment = 128 // bytes of an organisation, database or repository

	defaultRepo = "local"
)

// errGraphSpec is what a bad graphspec's error wraps.
var errGraphSpec = errors.New("bad graphspec")

// GraphSpec is the parsed form of the domain parameter: org/db, org/db/repo,
// org/db/repo/branch/b or org/db/repo/commit/c. Segments are literal, nothing
// in them is decoded again.
type GraphSpec struct {
	Org, DB string
	Repo    string // "local" where the text names none
	Branch  string // "" where the text names none
	Commit  string // "" where the text names none
}

// ParseGraphSpec parses a graphspec. Its error is fit for the user and does
// not quote the text.
func ParseGraphSpec(text string) (GraphSpec, error) {
	// Five segments are the most; a sixth says that there are too many.
	seg := strings.SplitN(text, "/", 6)
	for i, s := range seg {
		longest := maxSegment
		if i == 4 { // a branch or a commit
			longest = contract.MaxRefBytes
		}
		if err := checkSegment(s, longest); err != nil {
			return GraphSpec{}, fmt.Errorf("%w: segment %d %w", errGraphSpec, i+1, err)
		}
	}
	spec := GraphSpec{Repo: defaultRepo}
	switch {
	case len(seg) == 2:
	case len(seg) == 3:
		spec.Repo = seg[2]
	case len(seg) == 5 && seg[3] == "branch":
		spec.Repo, spec.Branch = seg[2], seg[4]
		if err := CheckBranch(spec.Branch); err != nil {
			return GraphSpec{}, fmt.Errorf("%w: branch %w", errGraphSpec, err)
		}
	case len(seg) == 5 && seg[3] == "commit":
		spec.Repo, spec.Commit = seg[2], seg[4]
	default:
		return GraphSpec{}, fmt.Errorf("%w: want org/db, org/db/repo, org/db/repo/branch/name or org/db/repo/commit/id", errGraphSpec)
	}
	spec.Org, spec.DB = seg[0], seg[1]
	return spec, nil
}

// Domain returns org/db, the identity of what is stored.
func (g GraphSpec) Domain() string { return g.Org + "/" + g.DB }

// checkSegment refuses what cannot be a name, and what would mean something
// else to a file system or a terminal.
func checkSegment(s string, longest int) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case s == "." || s == "..":
		return errors.New("is a relative path")
	case len(s) > longest:
		return fmt.Errorf("is longer than %d bytes", longest)
	}
	return checkPrintable(s)
}

// checkBranch refuses branch names that are not to be used. Names that start
// with ".-" belong to the machinery.
func CheckBranch(s string) error {
	if strings.HasPrefix(s, ".-") {
		return errors.New("is a reserved name")
	}
	return CheckRefName(s)
}

// checkRefName refuses names of branches and commits that could not be sent in
// a header.
func CheckRefName(s string) error {
	if len(s) > contract.MaxRefBytes {
		return fmt.Errorf("is longer than %d bytes", contract.MaxRefBytes)
	}
	return checkPrintable(s)
}

func checkPrintable(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("is not valid UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("contains a control character")
	}
	return nil
}
