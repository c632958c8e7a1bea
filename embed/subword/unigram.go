package subword

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"unicode/utf8"
)

// unigram cuts a word so that the scores of its pieces have the greatest sum.
type unigram struct {
	vocab   []scored
	ids     map[string]int32
	longest int // bytes of the longest piece
	unknown int32
	penalty float64     // score of a character that is in no piece
	bytes   *[256]int32 // in the place of unknown, where the file has them
}

// scored is a piece and its score, [piece, score] in the file.
type scored struct {
	piece string
	score float64
}

// UnmarshalJSON reads a list of two.
func (s *scored) UnmarshalJSON(data []byte) error {
	pair := []any{&s.piece, &s.score}
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return errVocab
	}
	return nil
}

// belowLeast is how much less than the worst piece an unknown character is
// worth.
const belowLeast = 10

func (m *modelJSON) unigram() (model, error) {
	var vocab []scored
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil || len(vocab) == 0 {
		return nil, errVocab
	}
	if m.UnkID == nil || *m.UnkID < 0 || int(*m.UnkID) >= len(vocab) {
		return nil, errors.New("the vocabulary has no token for what is unknown")
	}
	u := &unigram{vocab: vocab, ids: make(map[string]int32, len(vocab)), unknown: *m.UnkID, penalty: math.Inf(1)}
	for i, v := range vocab {
		u.penalty = min(u.penalty, v.score)
		u.longest = max(u.longest, len(v.piece))
		u.ids[v.piece] = int32(i) // of a piece that stands twice, the last counts
	}
	u.penalty -= belowLeast
	if m.ByteFallback {
		var err error
		if u.bytes, err = byteIDs(func(p string) (int32, bool) { id, ok := u.ids[p]; return id, ok }); err != nil {
			return nil, err
		}
	}
	return u, nil
}

func (u *unigram) append(out []Token, word []char) []Token {
	var b strings.Builder
	places := make([]int32, 0, 64) // the character at each byte
	for i, c := range word {
		n, _ := b.WriteRune(c.r)
		for range n {
			places = append(places, int32(i))
		}
	}
	places = append(places, int32(len(word)))
	joined := b.String()
	// best[i] is the best way to the place before byte i.
	type way struct {
		score float64
		from  int32
		piece int32 // -1: unknown
		known bool  // that there is a way
	}
	best := make([]way, len(joined)+1)
	for at := 0; at < len(joined); {
		here := best[at].score
		_, n := utf8.DecodeRuneInString(joined[at:])
		single := false
		for end := at + 1; end <= min(at+u.longest, len(joined)); end++ {
			id, ok := u.ids[joined[at:end]]
			if !ok {
				continue
			}
			single = single || end == at+n
			if score := here + u.vocab[id].score; !best[end].known || score > best[end].score {
				best[end] = way{score, int32(at), id, true}
			}
		}
		if !single {
			if to := &best[at+n]; !to.known || here+u.penalty > to.score {
				*to = way{here + u.penalty, int32(at), -1, true}
			}
		}
		at += n
	}
	// Back from the end; unknown characters side by side are one token.
	type part struct{ start, end, piece int32 }
	var parts []part
	for at := int32(len(joined)); at > 0; {
		w := best[at]
		if w.piece >= 0 && w.piece == u.unknown {
			w.piece = -1
		}
		if n := len(parts); w.piece < 0 && n > 0 && parts[n-1].piece < 0 {
			parts[n-1].start = w.from
		} else {
			parts = append(parts, part{w.from, at, w.piece})
		}
		at = w.from
	}
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		chars := word[places[p.start]:places[p.end]]
		switch {
		case p.piece >= 0:
			out = append(out, token(p.piece, chars))
		case u.bytes != nil:
			for _, b := range []byte(joined[p.start:p.end]) {
				out = append(out, token(u.bytes[b], chars))
			}
		default:
			out = append(out, token(u.unknown, chars))
		}
	}
	return out
}
