package api

import (
	"bufio"
	"crypto/sha256"
	"io"
	"net/http"

	"github.com/vectorlink/vectorlink/indexer"
)

// group is the wire form of documents that are nearly the same.
type group struct {
	Group    []groupMember `json:"group"`
	Distance float32       `json:"distance"`
}

type groupMember struct {
	ID      string  `json:"id"`
	Snippet *string `json:"snippet,omitempty"`
}

// duplicates answers GET /duplicates.
func (s *server) duplicates(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	spec := p.domain()
	req := indexer.DuplicatesRequest{
		Domain:    spec.Domain(),
		Ref:       p.ref(spec),
		Threshold: p.threshold("threshold", 0),
		Set:       p.filter(""),
		Target:    p.filter("target_"),
		Since:     p.commit("since"),
		Page: indexer.Page{
			Start: p.whole("start", 0, 0, indexer.MaxStart),
			Count: p.whole("count", 0, 1, indexer.MaxCount),
		},
		Snippet: p.flag("snippet"),
		All:     accepts(r, mediaND),
	}
	pairsOnly := false
	if format, ok := p.lookup("format"); ok {
		if pairsOnly = format == "pairs"; !pairsOnly && format != "groups" {
			p.fail(errParameter, "format must be groups or pairs")
		}
	}
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	found, err := s.ix.Duplicates(r.Context(), req)
	if err != nil {
		return err
	}
	wire := func(pair indexer.Pair) any {
		if pairsOnly {
			return [2]string{pair.A.ID, pair.B.ID}
		}
		return groupOf(pair, req.Snippet)
	}
	harmed(w, found.Damaged)
	w.Header().Set("Vary", "Accept")
	if req.All {
		return stream(w, r, req.Ref, found, wire)
	}
	list := make([]any, len(found.Pairs))
	for i, pair := range found.Pairs {
		list[i] = wire(pair)
	}
	return answer(w, r, req.Ref, found.Commit, list)
}

func groupOf(pair indexer.Pair, snippet bool) group {
	a, b := groupMember{ID: pair.A.ID}, groupMember{ID: pair.B.ID}
	if snippet {
		a.Snippet, b.Snippet = &pair.A.Snippet, &pair.B.Snippet
	}
	return group{[]groupMember{a, b}, pair.Distance}
}

// stream sends every pair as a line of its own. A failure half way breaks the
// connection, so that a part is never taken for the whole.
func stream(rw http.ResponseWriter, r *http.Request, ref indexer.Ref, found indexer.Pairs, wire func(indexer.Pair) any) error {
	w := logged(rw)
	served(w, found.Commit)
	write := func(to io.Writer) error {
		for _, pair := range found.Pairs {
			line, err := encode(wire(pair))
			if err != nil {
				return err
			}
			if _, err := to.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	if keep(r, w.Header(), ref, found.Commit) {
		hash := sha256.New()
		if err := write(hash); err != nil {
			return err
		}
		if w.unchanged(r, hash.Sum(nil)) {
			return nil
		}
	}
	w.Header().Set("Content-Type", mediaND)
	w.WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(w, 64<<10)
	if err := write(out); err != nil {
		return err
	}
	return out.Flush()
}
