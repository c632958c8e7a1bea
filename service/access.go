package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

var (
	// ErrCredentials: a request has none that are known here.
	ErrCredentials = errors.New("credentials")
	// ErrForbidden: the key of a request is not for what it asks.
	ErrForbidden = errors.New("forbidden")
)

// Scope is what a key may do, one bit for each kind. Where a route needs a Scope, a key
// that has any of its bits may pass.
type Scope uint8

const (
	// Read searches, and reads documents, commits and spaces.
	Read Scope = 1 << iota
	// Index has commits of the document database indexed.
	Index
	// Push brings commits, decisions and writes to spaces.
	Push
	// Metrics reads the figures of the whole server.
	Metrics
	// Admin may do everything, and alone deletes.
	Admin
	// Whole is of what a route needs, and no key has it: a key that is limited to some
	// domains does not pass, for the route tells of all.
	Whole

	// Anything is what all keys but those of metrics have some of.
	Anything = Read | Index | Push | Admin
)

// scopes are the words for the bits, in their order.
var scopes = []string{"read", "index", "push", "metrics", "admin"}

// Words returns the words of the bits.
func (s Scope) Words() []string {
	var words []string
	for i, word := range scopes {
		if s&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return words
}

// scopeOf returns the bits of words.
func scopeOf(words []string) (s Scope, err error) {
	for _, word := range words {
		i := slices.Index(scopes, word)
		if i < 0 {
			return 0, fmt.Errorf("%.40q is no scope: there are %s", word, strings.Join(scopes, ", "))
		}
		s |= 1 << i
	}
	if s == 0 {
		return 0, fmt.Errorf("scopes must name some of %s", strings.Join(scopes, ", "))
	}
	return s, nil
}

// Access knows the credentials, as hashes: hashes have one length, so that
// comparing them takes the same time whatever is offered.
type Access struct {
	without      bool // no secret
	user, secret [sha256.Size]byte
	keys         *Keys
}

// NewAccess returns the Access of one user and a secret, who may do everything, and of
// keys, which may be nil. Without a secret and a file of keys it admits everybody.
func NewAccess(user string, secret contract.Secret, keys *Keys) *Access {
	return &Access{
		without: secret.IsZero(),
		user:    sha256.Sum256([]byte(user)),
		secret:  sha256.Sum256([]byte(secret.Reveal())),
		keys:    keys,
	}
}

// Open reports whether everybody is admitted.
func (a *Access) Open() bool { return a.without && !a.keys.Exist() }

// Who may do everything.
var (
	anybody = Key{ID: "anybody", Scopes: Admin, Domains: []string{"*"}}
	master  = Key{ID: "secret", Scopes: Admin, Domains: []string{"*"}}
)

// Admit returns the key of a request: the secret, as the password of the user, or any
// other key as the password of whoever, which ends at the last byte; or one of both
// alone as a Bearer token. Its error is ErrCredentials; a key that it returns beside
// that has expired.
func (a *Access) Admit(r *http.Request) (*Key, error) {
	if a.Open() {
		return &anybody, nil
	}
	user, token, basic := r.BasicAuth()
	if !basic {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, Failure(ErrCredentials, "missing or wrong credentials")
		}
		token = strings.TrimSpace(rest)
	}
	sum := sha256.Sum256([]byte(token))
	// All is compared before any of it counts.
	right := subtle.ConstantTimeCompare(sum[:], a.secret[:])
	if basic {
		name := sha256.Sum256([]byte(user))
		right &= subtle.ConstantTimeCompare(name[:], a.user[:])
	}
	key := a.keys.find(sum)
	switch {
	case right == 1 && !a.without:
		return &master, nil
	case key == nil:
		return nil, Failure(ErrCredentials, "missing or wrong credentials")
	case key.Expired(time.Now()):
		return key, Failure(ErrCredentials, "the key %s has expired", key.ID)
	}
	return key, nil
}

// Caller is who sent a request: its key, and what the request's route needs of it. The
// methods of nil, a caller inside of this process, refuse nothing. They may be called by
// many goroutines at once.
type Caller struct {
	Key   *Key
	needs Scope

	mu     sync.Mutex // guards below
	domain string
	what   string // happened that is to be told to those who audit the log; "": nothing
}

type callerKey struct{}

// Call returns a context of a request by a key for which its route needs that, with its
// Caller.
func Call(ctx context.Context, key *Key, needs Scope) (context.Context, *Caller) {
	c := &Caller{Key: key, needs: needs}
	return context.WithValue(ctx, callerKey{}, c), c
}

// CallerOf returns the Caller of a context, or nil.
func CallerOf(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// As returns a context whose Caller is that of another one.
func As(ctx, other context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, CallerOf(other))
}

// May reports whether the key has any of these bits.
func (c *Caller) May(needs Scope) bool { return c == nil || c.Key.Scopes&(needs|Admin) != 0 }

// Require returns ErrForbidden unless the key has any of these bits.
func (c *Caller) Require(needs Scope) error {
	switch {
	case !c.May(needs):
	case needs&Whole != 0 && !c.SeesAll():
		c.note("", denied)
		return Failure(ErrForbidden, "this takes a key for all domains, and %s is for %s", c.Key.ID, strings.Join(c.Key.Domains, ", "))
	default:
		return nil
	}
	c.note("", denied)
	return Failure(ErrForbidden, "this takes a key with %s, and %s has %s", strings.Join(needs.Words(), " or "), c.Key.ID, strings.Join(c.Key.Scopes.Words(), ", "))
}

// Sees reports whether the key is for a domain or space: what it does not see is not to
// be told of.
func (c *Caller) Sees(domain string) bool { return c == nil || c.Key.sees(domain) }

// SeesAll reports whether the key is for all of them.
func (c *Caller) SeesAll() bool { return c == nil || slices.Contains(c.Key.Domains, "*") }

// Enter returns an error where the key is not for the domain that is asked for:
// contract.ErrNotFound as of one of which nothing is indexed, where the request reads,
// and ErrForbidden where it writes. Both depend on the name and the key alone, so they
// do not tell whether there is such a domain.
func (c *Caller) Enter(domain string) error {
	if c.Sees(domain) {
		c.note(domain, "")
		return nil
	}
	c.note(domain, denied)
	if c.needs&Read != 0 {
		return fmt.Errorf("%w: nothing is indexed of %s", contract.ErrNotFound, domain)
	}
	return Failure(ErrForbidden, "the key %s is not for %.200q", c.Key.ID, domain)
}

// Deleted notes that the caller has deleted a domain or something of it.
func (c *Caller) Deleted(domain string) { c.note(domain, "deleted") }

const denied = "denied"

func (c *Caller) note(domain, what string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.what == "" {
		c.domain, c.what = cmp.Or(domain, c.domain), what
	}
}

// Noted returns the domain that was asked for, and what is to be told to those who audit
// the log of what was done to it: "denied", "deleted", or "" for nothing.
func (c *Caller) Noted() (domain, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.domain, c.what
}
