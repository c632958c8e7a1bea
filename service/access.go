package service

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/vectorlink/vectorlink/contract"
)

// Access knows the credentials, as hashes: hashes have one length, so that
// comparing them takes the same time whatever is offered.
type Access struct {
	open         bool
	user, secret [sha256.Size]byte
}

// NewAccess returns the Access of one user and a secret. Without a secret it
// admits everybody.
func NewAccess(user string, secret contract.Secret) *Access {
	return &Access{
		open:   secret.IsZero(),
		user:   sha256.Sum256([]byte(user)),
		secret: sha256.Sum256([]byte(secret.Reveal())),
	}
}

// Open reports whether there is no secret.
func (a *Access) Open() bool { return a.open }

// AdmitsUser reports whether a user with this password is admitted.
func (a *Access) AdmitsUser(user, password string) bool {
	// Both are compared before either counts.
	return a.open || equal(user, a.user)&equal(password, a.secret) == 1
}

// AdmitsToken reports whether the secret alone is admitted.
func (a *Access) AdmitsToken(token string) bool {
	return a.open || equal(token, a.secret) == 1
}

func equal(offered string, want [sha256.Size]byte) int {
	sum := sha256.Sum256([]byte(offered))
	return subtle.ConstantTimeCompare(sum[:], want[:])
}
