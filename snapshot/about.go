package snapshot

import (
	"math"

	"github.com/vectorlink/vectorlink/contract"
)

// Said returns what is said of the commit, a zero About for nothing.
func (h *Header) Said() contract.About {
	if h.About == nil {
		return contract.About{}
	}
	return *h.About
}

// appendAbout appends what is said of a commit; nothing where nothing is.
func appendAbout(b []byte, a *contract.About) []byte {
	if a == nil {
		return b
	}
	b = appendString(b, a.Author)
	b = appendString(b, a.Message)
	return appendUvarint(b, uint64(a.Seconds()))
}

// about reads what appendAbout wrote.
func (r *reader) about(like *contract.About) *contract.About {
	if like == nil {
		like = &contract.About{}
	}
	author := shared(r.string(contract.MaxAuthorBytes), like.Author)
	message := string(r.string(contract.MaxMessageBytes))
	a := contract.Said(author, message, int64(r.num(math.MaxInt64)))
	if r.err == nil && (a == (contract.About{}) || a.Kept() != a) {
		r.fail("what is said of the commit is nothing, or not what can be kept")
	}
	return &a
}

// readAbout reads the section of what is said of the commit into the header.
func (l *layout) readAbout() error {
	for _, row := range l.rows {
		if row.typ != aboutSection || !row.known() {
			continue
		}
		p, err := readPlain(l.src, &l.header, row)
		if err != nil {
			return err
		}
		r := &reader{rest: p}
		l.header.About = r.about(nil)
		if r.err == nil && len(r.rest) > 0 {
			r.fail("%d bytes follow what is said of the commit", len(r.rest))
		}
		return r.err
	}
	return nil
}
