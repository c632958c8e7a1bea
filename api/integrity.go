package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/service"
)

// integrity is the wire form of an examination. The names are those of the
// contract; what they stand for here: tagged_versions are indexed commits,
// on_disk_manifests their files, on_disk_data_files files of vectors, index
// dirs full texts, dangling_index_refs files that are missing, and
// orphaned_tags commits that cannot be read.
type integrity struct {
	Domain        string            `json:"domain"`
	Branches      []integrityBranch `json:"branches"`
	Commits       int               `json:"tagged_versions"`
	TextFiles     []string          `json:"on_disk_index_dirs"`
	UsedTexts     []string          `json:"referenced_index_uuids"`
	StaleTexts    []string          `json:"stale_index_dirs"`
	MissingFiles  []string          `json:"dangling_index_refs"`
	VectorFiles   int               `json:"on_disk_data_files"`
	CommitFiles   int               `json:"on_disk_manifests"`
	Rebuilds      []string          `json:"rebuild_branches"`
	LostCommits   []string          `json:"orphaned_tags"`
	StaleRebuilds []string          `json:"stale_rebuild_branches"`
	OK            bool              `json:"ok"`
	Scrubbed      time.Time         `json:"scrubbed,omitzero"`
	Damage        []search.Finding  `json:"damage,omitempty"`
	Warnings      []string          `json:"warnings"`
}

type integrityBranch struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
}

// nothingStored is the warning about a domain of which nothing is stored; other
// servers of the contract say the same.
const nothingStored = "dataset does not exist on disk"

// integrity answers GET /integrity.
func (s *server) integrity(w *response, r *http.Request, req *service.DomainRequest) error {
	found, err := s.ix.Integrity(req.Domain)
	if errors.Is(err, contract.ErrNotFound) {
		found, err = search.Integrity{Warnings: []string{nothingStored}}, nil
	}
	if err != nil {
		return err
	}
	// An empty list is [], never null.
	list := func(l []string) []string { return append([]string{}, l...) }
	body := integrity{
		Domain: req.Domain, Branches: make([]integrityBranch, len(found.Branches)),
		Commits: found.Commits, VectorFiles: found.VectorFiles, CommitFiles: found.CommitFiles,
		TextFiles: list(found.TextFiles), UsedTexts: list(found.UsedTexts), StaleTexts: list(found.StaleTexts),
		MissingFiles: list(found.MissingFiles), LostCommits: list(found.LostCommits),
		Rebuilds: []string{}, StaleRebuilds: []string{},
		Scrubbed: found.Scrubbed, Damage: found.Findings,
		OK: found.OK(), Warnings: list(found.Warnings),
	}
	for i, b := range found.Branches {
		body.Branches[i] = integrityBranch{b.Branch, b.Version}
	}
	return sendJSON(w, body)
}
