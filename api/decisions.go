package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/pairs"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/service"
)

// appliedDecisions is the header that says up to which number an answer applies
// decisions.
const appliedDecisions = "X-Vectorlink-Decisions"

// mediaCSV is the media type of tables.
const mediaCSV = "text/csv; charset=utf-8"

// applied says up to which number an answer applies decisions, if it might. What
// goes by the newest is another answer after the next one.
func applied(w http.ResponseWriter, req pairs.Decided, upTo string) {
	if upTo == "" {
		return
	}
	w.Header().Set(appliedDecisions, upTo)
	if _, err := strconv.ParseUint(req.UpTo, 10, 64); err != nil && upTo != pairs.NoDecisions {
		w.Header().Set("Cache-Control", revalidate)
	}
}

// decisionsPage is a part of the decisions about documents of a domain.
type decisionsPage struct {
	Decisions []catalog.Decision `json:"decisions"`
	Newest    uint64             `json:"newest"`         // 0: there is none
	Next      uint64             `json:"next,omitempty"` // from which on there are more
}

// decisionsParams returns the parameters of a request: those of lines stand in the
// query alone.
func decisionsParams(r *http.Request) (*service.Params, error) {
	if isLines(service.MediaType(r)) {
		return queryParams(r)
	}
	return jsonParams(r)
}

// decisions answers /decisions: GET lists them, POST notes one, or several as lines.
func (s *server) decisions(w *response, r *http.Request, p *service.Params) error {
	if r.Method == http.MethodPost {
		return s.decide(w, r, p)
	}
	var req pairs.DecisionsRequest
	p.Decode(&req)
	_, paged := p.Lookup("count")
	form := p.Word("format", "json", "ndjson", "csv")
	if form == "" {
		form = map[string]string{mediaND: "ndjson", "text/csv": "csv"}[service.Preferred(r, mediaJSON, mediaND, "text/csv")]
	}
	if err := accept(w, p); err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	list, newest, err := s.ix.Decisions(req)
	if err != nil {
		return err
	}
	page := decisionsPage{Decisions: list, Newest: newest}
	if (paged || form == "" || form == "json") && len(list) > req.Count {
		page.Decisions, page.Next = list[:req.Count], list[req.Count].N
	}
	switch form {
	case "ndjson":
		return sendDecisions(w, r, page.Decisions)
	case "csv":
		return sendTable(w, r, page.Decisions)
	}
	page.Decisions = arrayOf(page.Decisions)
	return sendJSON(w, page)
}

// sendDecisions writes a line for each decision.
func sendDecisions(w http.ResponseWriter, r *http.Request, list []catalog.Decision) error {
	out := newWriter(w, r, mediaND)
	for i := range list {
		out.json(&list[i])
		out.text("\n")
	}
	return out.end()
}

// sendTable writes decisions for a spreadsheet. A text that one would take for a
// formula begins with an apostrophe.
func sendTable(w http.ResponseWriter, r *http.Request, list []catalog.Decision) error {
	out := newWriter(w, r, mediaCSV)
	var buf bytes.Buffer
	table := csv.NewWriter(&buf)
	row := func(cells ...string) {
		for i, cell := range cells {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
				cells[i] = "'" + cell
			}
		}
		buf.Reset()
		_ = table.Write(cells) // into memory
		table.Flush()
		out.bytes(buf.Bytes())
	}
	row("n", "a", "b", "decision", "by", "note", "commit", "branch", "at")
	for _, x := range list {
		row(strconv.FormatUint(x.N, 10), x.A, x.B, string(x.Verdict), x.By, x.Note, x.Commit, x.Branch, x.At.Format(time.RFC3339))
	}
	return out.end()
}

// decide answers POST /decisions in the form that was sent.
func (s *server) decide(w *response, r *http.Request, p *service.Params) error {
	lines := isLines(service.MediaType(r))
	var req indexer.DecideRequest
	if lines {
		p.Decode(&req)
	} else {
		var one pairs.DecisionRequest
		p.Decode(&one)
		req = indexer.DecideRequest{Domain: one.Domain, Ref: one.Ref, Decisions: []catalog.Decision{
			{A: one.A, B: one.B, Verdict: catalog.Verdict(one.Decision), By: one.By, Note: one.Note},
		}}
	}
	if err := accept(w, p); err != nil {
		return err
	}
	if lines {
		var err error
		if req.Decisions, err = decisionLines(r); err != nil {
			return err
		}
	}
	made, err := s.ix.Decide(r.Context(), req)
	if err != nil {
		return err
	}
	if lines {
		return sendDecisions(w, r, made)
	}
	served(w, made[0].Commit)
	return sendJSON(w, made[0])
}

// alsoDecided returns the decisions that a POST for pairs brings, to be applied, too.
func alsoDecided(r *http.Request) ([]catalog.Decision, error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	if !isLines(service.MediaType(r)) {
		return nil, service.Failure(errMediaType, "the Content-Type must be %s: decisions that are applied, too", mediaND)
	}
	return decisionLines(r)
}

// decisionLines reads decisions, one a line, as an export has them.
func decisionLines(r *http.Request) ([]catalog.Decision, error) {
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, err
	}
	var list []catalog.Decision
	for i, line := range slices.Collect(bytes.Lines(body)) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var x catalog.Decision
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		err := dec.Decode(&x)
		if err == nil && dec.More() {
			err = service.Failure(errSyntax, "there is more behind the object")
		}
		if err == nil {
			err = x.Check()
		}
		if err != nil {
			return nil, service.Failure(errSyntax, "line %d is no decision: %v", i+1, err)
		}
		list = append(list, x)
	}
	return list, nil
}
