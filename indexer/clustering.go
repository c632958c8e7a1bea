package indexer

import (
	"cmp"
	"slices"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/snapshot"
	"github.com/vectorlink/vectorlink/vecstore"
)

// A domain that stores clustering gets a second vector for every text that is
// indexed from then on, in the role of clustering. These vectors lie among the
// others and are found by their content key alone: no commit file refers to one,
// and no search meets one. Whoever wants a document's reads its text.

// cluster has the chunks of a text embedded for clustering, where they are not.
// The text lies in the stage at off; below 0 it is put there if need be.
func (b *builder) cluster(text string, off int64, chunks []snapshot.Chunk) error {
	if !b.clustering {
		return nil
	}
	tokens := 0
	for _, ch := range chunks {
		key := vecstore.ContentKey(b.fingerprint, contract.RoleClustering, text[ch.Start:ch.End])
		if _, asked := b.wanted[key]; asked || b.stored(key) {
			continue
		}
		if off < 0 {
			at, err := b.stage.put(text)
			if err != nil {
				return err
			}
			off = at.off
		}
		b.wanted[key] = struct{}{}
		b.pieces = append(b.pieces, piece{
			key: key, text: span{off + int64(ch.Start), int(ch.End - ch.Start)}, tokens: int(ch.Tokens), role: contract.RoleClustering,
		})
		b.issued++
		tokens += int(ch.Tokens)
	}
	if b.flowing && tokens > 0 {
		b.report(func(t *Task) { t.TokensToEmbed += tokens })
	}
	return nil
}

// inRole returns the pieces of a batch that are embedded in a role.
func inRole(batch []piece, role contract.Role) []piece {
	var part []piece
	for _, p := range batch {
		if cmp.Or(p.role, contract.RoleDocument) == role {
			part = append(part, p)
		}
	}
	return slices.Clip(part)
}
