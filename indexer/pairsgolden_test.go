package indexer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/catalog"
	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/indexer/indexertest"
	"github.com/vectorlink/vectorlink/pairs"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// halfBlind cannot read chunks in which every word is of digits.
type halfBlind struct{ *indexertest.Embedder }

func (e halfBlind) Split(text string) ([]contract.Chunk, int) {
	chunks, n := e.Embedder.Split(text)
	for i, c := range chunks {
		chunks[i].Unreadable = strings.Trim(text[c.Start:c.End], "0123456789 ") == ""
	}
	return chunks, n
}

// TestPairsStay holds the answers of random domains against those of the version
// before: pairs, order, scores and snippets, bit for bit. Those by distance never
// change, those by likeness where that is meant.
func TestPairsStay(t *testing.T) {
	const name = "testdata/pairs.golden"
	var got bytes.Buffer
	for i, settings := range append([]catalog.SettingsRequest{{}}, kinds()[1:5]...) {
		rng := rand.New(rand.NewPCG(uint64(i), 77))
		emb := &indexertest.Embedder{Window: 3}
		h := open(t, vfstest.NewMem(), indexertest.NewSource(), emb, func(c *indexer.Config) { c.Embedder = halfBlind{emb} })
		ops := func(n int, share float64) (ops []contract.Op) {
			for at, text := range inOrder(nearCorpus(rng, n)) {
				switch rng.IntN(12) {
				case 0:
					text[1] = fmt.Sprint(rng.IntN(5), " ", rng.IntN(2))
				case 1:
					text[1] += fmt.Sprint(" 1 2 3 ", rng.IntN(2))
				}
				op := put(text[0], text[1])
				if i == 0 && rng.IntN(6) == 0 || i > 1 && rng.IntN(3) == 0 {
					op.Vector = indexertest.Vector(text[1], 32)
					for k := range op.Vector {
						op.Vector[k] *= .5 + float32(at%3)
					}
				}
				if rng.Float64() < share {
					ops = append(ops, op)
				}
			}
			return ops
		}
		h.pushWith("c1", settings, ops(70, 1)...)
		h.pushWith("c2", settings, append(ops(90, .3), remove("d/A/003"), remove("d/B/004"))...)
		var made []catalog.Decision
		for k := range 60 {
			a, b := fmt.Sprintf("d/%c/%03d", 'A'+rng.IntN(3), rng.IntN(70)), fmt.Sprintf("d/%c/%03d", 'A'+rng.IntN(3), rng.IntN(70))
			if a != b {
				made = append(made, catalog.Decision{A: min(a, b), B: max(a, b), Verdict: []catalog.Verdict{catalog.DecidedSame, catalog.DecidedDifferent, catalog.DecidedLater}[k%3]})
			}
		}
		decided := 0
		for _, one := range made { // those about documents that are there
			if _, err := h.Decide(t.Context(), indexer.DecideRequest{Domain: domain, Ref: search.Ref{Commit: "c2"}, Decisions: []catalog.Decision{one}}); err == nil {
				decided++
			}
		}
		if decided < 4 {
			t.Fatalf("%d decisions", decided)
		}
		ab, bc, some := search.Filter{Types: []string{"A", "B"}}, search.Filter{Types: []string{"B", "C"}}, search.Filter{Types: []string{"C"}}
		for _, c := range []struct {
			threshold   float32
			set, target search.Filter
			page        search.Page
		}{
			{threshold: 0}, {threshold: .02}, {threshold: .15}, {threshold: .4}, {threshold: 1},
			{threshold: .15, set: ab}, {threshold: .3, set: ab, target: bc}, {threshold: .3, set: some, target: ab},
			{threshold: 0, set: bc, target: ab}, {threshold: .4, page: search.Page{Start: 7, Count: 11}},
		} {
			if settings.Metric == catalog.MetricL2 || settings.Metric == catalog.MetricIP && !*settings.Normalize {
				c.threshold = min(c.threshold*3, 1)
			}
			for _, since := range []string{"", "c1"} {
				for _, decisions := range []string{"", pairs.NewestDecisions} {
					req := pairs.DuplicatesRequest{
						Domain: domain, Ref: search.Ref{Commit: "c2"}, Threshold: c.threshold, Since: since, Set: c.set, Target: c.target,
						Decided: pairs.Decided{UpTo: decisions}, Page: c.page, Snippet: true,
					}
					what := fmt.Sprintf("%d %s %v %v %v %v %q %q", i, settings.Metric, settings.Normalize == nil || *settings.Normalize, c.threshold, c.set.Types, c.target.Types, since, decisions) + fmt.Sprint(c.page.Start)
					whole, err := pairs.New(h.Reader).Duplicates(t.Context(), req)
					must(t, err)
					summarize(t, &got, what+" in one piece", len(whole.Pairs), whole)
					lines, err := h.near(req)
					must(t, err)
					summarize(t, &got, what+" lines", len(lines), lines)
					if since == "" {
						found, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{
							Domain: domain, Ref: req.Ref, SetThreshold: c.threshold, TargetThreshold: c.threshold / 2, K: 3, Set: c.set, Target: c.target, Decided: req.Decided, Content: true,
						})
						must(t, err)
						summarize(t, &got, what+" candidates", len(found.SetToTarget), found)
					}
				}
			}
		}
		for _, pairing := range []pairs.Pairing{
			{Likeness: pairs.LikenessMixed, MinScore: -1}, {Likeness: pairs.LikenessTrigrams, Match: pairs.MatchAll, MinScore: .3},
			{Likeness: pairs.LikenessWords, Match: pairs.MatchMutual, MinScore: -1}, {Likeness: pairs.LikenessVector, Match: pairs.MatchOneToOne, MinScore: -1},
		} {
			for k, target := range []search.Filter{{}, bc} {
				for _, since := range []string{"", "c1"} {
					req := pairs.DuplicatesRequest{
						Domain: domain, Ref: search.Ref{Commit: "c2"}, Threshold: -1, Since: since, Pairing: pairing, Snippet: true,
						Set: []search.Filter{{}, ab}[k], Target: target,
					}
					what := fmt.Sprintf("%d %s %s %v %q", i, pairing.Likeness, pairing.Match, target.Types, since)
					whole, err := pairs.New(h.Reader).Duplicates(t.Context(), req)
					must(t, err)
					groups := whole.Groups
					for at := range groups {
						groups[at].Pairs = nil // lines have them
					}
					whole.Groups = nil
					summarize(t, &got, what+" in one piece", len(whole.Pairs)+len(groups), []any{whole, fmt.Sprint(groups)})
					lines, err := h.near(req)
					must(t, err)
					summarize(t, &got, what+" lines", len(lines), lines)
					if since == "" {
						found, err := pairs.New(h.Reader).Candidates(t.Context(), pairs.CandidatesRequest{
							Domain: domain, Ref: req.Ref, SetThreshold: -1, TargetThreshold: -1, K: 3, Pairing: pairing, Set: req.Set, Target: target,
						})
						must(t, err)
						summarize(t, &got, what+" candidates", len(found.SetToTarget), found)
					}
				}
			}
		}
		h.close()
	}
	if *update {
		must(t, os.MkdirAll(filepath.Dir(name), 0o777))
		must(t, os.WriteFile(name, got.Bytes(), 0o666))
	}
	want, err := os.ReadFile(name)
	must(t, err)
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%d answers, want %d", len(gotLines), len(wantLines))
	}
	for i := range gotLines {
		if gotLines[i] != wantLines[i] {
			t.Errorf("got  %s\nwant %s", gotLines[i], wantLines[i])
		}
	}
}

// summarize writes a line about an answer: how many pairs it has, and its hash.
func summarize(t *testing.T, into *bytes.Buffer, what string, n int, answer any) {
	t.Helper()
	b, err := json.Marshal(answer)
	must(t, err)
	if dir := os.Getenv("VECTORLINK_KEEP"); dir != "" { // to see what differs
		must(t, os.WriteFile(filepath.Join(dir, strings.NewReplacer(" ", "_", "/", "_").Replace(what)), b, 0o666))
	}
	sum := sha256.Sum256(b)
	fmt.Fprintf(into, "%s: %d %x\n", what, n, sum[:8])
}

// inOrder yields texts by id.
func inOrder(texts map[string]string) (list [][2]string) {
	for id, text := range texts {
		list = append(list, [2]string{id, text})
	}
	slices.SortFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return list
}
