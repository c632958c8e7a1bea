package page

import (
	"crypto/sha256"
	"encoding/hex"
)

// Sum returns a sum as VENDOR.json has it.
func Sum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
