package vecstore

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/vectorlink/vectorlink/contract"
)

// contentKey is the address of a text's vector: the same text in the same role
// under the same model has one slot, in whatever document or commit it occurs.
func ContentKey(fingerprint string, role contract.Role, text string) Key {
	h := sha256.New()
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(fingerprint)))
	h.Write(n[:])
	h.Write([]byte(fingerprint))
	h.Write([]byte{byte(role)})
	h.Write([]byte(text))
	var key Key
	h.Sum(key[:0])
	return key
}
