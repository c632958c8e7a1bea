package api

import (
	"net/http"
	"time"

	"github.com/vectorlink/vectorlink/search"
)

// Group is the wire form of documents that are nearly the same.
type Group struct {
	Group    []GroupMember `json:"group"`
	Distance float32       `json:"distance"`
}

// GroupMember is one of them.
type GroupMember struct {
	ID      string  `json:"id"`
	Snippet *string `json:"snippet,omitempty"`
}

// duplicates answers GET /duplicates.
func (s *server) duplicates(w http.ResponseWriter, r *http.Request) error {
	p, err := queryParams(r)
	if err != nil {
		return err
	}
	var req search.DuplicatesRequest
	p.Decode(&req)
	pairsOnly := p.Word("format", "groups", "pairs") == "pairs"
	if err := s.begin(w, p, req.Domain, req.Ref); err != nil {
		return err
	}
	wire := func(pair search.Pair) any {
		if pairsOnly {
			return [2]string{pair.A.ID, pair.B.ID}
		}
		return groupOf(pair, req.Snippet)
	}
	w.Header().Set("Vary", "Accept")
	if preferred(r, mediaJSON, mediaND) == mediaND {
		return s.ix.NearPairs(r.Context(), req, func(found *search.NearPairs) error {
			served(w, found.Commit)
			harmed(w, found.Damaged)
			if keep(r, w.Header(), req.Ref, found.Commit) {
				identity := found.Identity()
				if logged(w).unchanged(r, append(identity[:], mediaND...)) {
					return nil
				}
			}
			return sendPairs(w, r, found, wire)
		})
	}
	found, err := s.ix.Duplicates(r.Context(), req)
	if err != nil {
		return err
	}
	harmed(w, found.Damaged)
	warn(w, found.Warnings)
	list := make([]any, len(found.Pairs))
	for i, pair := range found.Pairs {
		list[i] = wire(pair)
	}
	return answer(w, r, req.Ref, found.Commit, list)
}

func groupOf(pair search.Pair, snippet bool) Group {
	a, b := GroupMember{ID: pair.A.ID}, GroupMember{ID: pair.B.ID}
	if snippet {
		a.Snippet, b.Snippet = &pair.A.Snippet, &pair.B.Snippet
	}
	return Group{[]GroupMember{a, b}, pair.Distance}
}

// flushEvery is how long a line may wait for others before it is sent.
const flushEvery = time.Second

// sendPairs sends every pair as a line of its own, while they are found. A
// failure half way breaks the connection, so that a part is never taken for the
// whole.
func sendPairs(w http.ResponseWriter, r *http.Request, found *search.NearPairs, wire func(search.Pair) any) error {
	out := newWriter(w, r, mediaND)
	if out.silent {
		return out.end() // without finding any
	}
	flushed := time.Now()
	for pair, err := range found.Pairs {
		if err != nil {
			return err
		}
		out.json(wire(pair))
		out.text("\n")
		if time.Since(flushed) > flushEvery {
			out.flush()
			flushed = time.Now()
		}
		if out.failed != nil {
			return out.failed // and the work ends
		}
	}
	if logged(w).status == 0 {
		w.WriteHeader(http.StatusOK) // there may be none to write
	}
	return out.end()
}
