package service

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/reread"
	"github.com/vectorlink/vectorlink/vfs"
)

// KeysFile is the name of the file of keys in a data directory.
const KeysFile = "access.keys"

// Limits of a file of keys: maxKeys of them, in maxKeysFile bytes.
const (
	maxKeys     = 10_000
	maxKeysFile = 8 << 20
)

// Key is a key of a file, which keeps the hash of its secret alone. A secret has 128 bits
// of chance, so a fast hash is as good as a slow one.
type Key struct {
	ID     string
	Scopes Scope
	// Domains are the domains and spaces that it is for, each by its name, or by the
	// beginning of names with an asterisk behind it.
	Domains []string
	Note    string
	Created time.Time
	Expires time.Time // zero: never
	hash    [sha256.Size]byte
}

// keyLine is the wire form of a Key, a line of the file.
type keyLine struct {
	ID      string    `json:"id"`
	SHA256  string    `json:"sha256"`
	Scopes  []string  `json:"scopes"`
	Domains []string  `json:"domains"`
	Note    string    `json:"note,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// NewKey returns a Key and its secret, which nothing can tell again. Its id, hash and
// time are made here.
func NewKey(k Key) (Key, contract.Secret, error) {
	k.ID = strings.ToLower(rand.Text()[:8])
	secret := "vl_" + k.ID + "_" + rand.Text()
	k.hash = sha256.Sum256([]byte(secret))
	k.Created = time.Now().UTC().Truncate(time.Second)
	_, err := parseKey(k.line())
	return k, contract.NewSecret(secret), err
}

// line returns the line of the file, with its end.
func (k *Key) line() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(keyLine{k.ID, hex.EncodeToString(k.hash[:]), k.Scopes.Words(), k.Domains, k.Note, k.Created, k.Expires}); err != nil {
		panic(err) // texts and times
	}
	return b.Bytes()
}

// Expired reports whether the key is not valid any more.
func (k *Key) Expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

func (k *Key) sees(domain string) bool {
	return slices.ContainsFunc(k.Domains, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return any && strings.HasPrefix(domain, prefix) || pattern == domain
	})
}

// parseKey reads a line.
func parseKey(line []byte) (Key, error) {
	var raw keyLine
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return Key{}, fmt.Errorf("is no key: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Key{}, errors.New("has something behind its key")
	}
	k := Key{ID: raw.ID, Domains: raw.Domains, Note: raw.Note, Created: raw.Created, Expires: raw.Expires}
	if raw.ID == "" || len(raw.ID) > 40 || strings.ContainsFunc(raw.ID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Key{}, errors.New("id must be 1 to 40 characters without blanks")
	}
	if n, err := hex.Decode(k.hash[:], []byte(raw.SHA256[:min(len(raw.SHA256), 2*sha256.Size)])); err != nil || len(raw.SHA256) != 2*sha256.Size || n != sha256.Size {
		return Key{}, errors.New("sha256 must be 64 hexadecimal digits")
	}
	var err error
	if k.Scopes, err = scopeOf(raw.Scopes); err != nil {
		return Key{}, err
	}
	if len(raw.Domains) == 0 {
		return Key{}, errors.New(`domains must name some, such as acme/orders, acme/* or *`)
	}
	for _, pattern := range raw.Domains {
		if strings.Contains(strings.TrimSuffix(pattern, "*"), "*") || pattern == "" || strings.ContainsFunc(pattern, unicode.IsControl) {
			return Key{}, fmt.Errorf("domain %.80q must be a name, or its beginning and one * at the end", pattern)
		}
	}
	if k.Scopes&Metrics != 0 && !slices.Contains(k.Domains, "*") {
		return Key{}, errors.New("metrics are of all domains: a key for them cannot be limited to some")
	}
	if len(raw.Note) > 200 || strings.ContainsFunc(raw.Note, unicode.IsControl) {
		return Key{}, errors.New("note must be at most 200 bytes without control characters")
	}
	return k, nil
}

// ParseKeys reads the lines of a file: a key each, blank, or a comment behind #. Its
// error names the line.
func ParseKeys(text []byte) ([]Key, error) {
	var keys []Key
	lineOf := make(map[string]int)
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for _, name := range []string{"id " + k.ID, "sha256 " + string(k.hash[:])} {
			if before := lineOf[name]; before != 0 {
				return nil, fmt.Errorf("line %d: the same %s as line %d", n, strings.Fields(name)[0], before)
			}
			lineOf[name] = n
		}
		if keys = append(keys, k); len(keys) > maxKeys {
			return nil, fmt.Errorf("line %d: more than %d keys", n, maxKeys)
		}
	}
	return keys, nil
}

// Keys are the keys of a file, which is looked at for every request, and read again when
// it has changed. Its methods may be called by many goroutines at once; those of nil know
// no keys.
type Keys struct{ file *reread.Value[keySet] }

// keySet is what was read of the file.
type keySet struct {
	exists bool
	byHash map[[sha256.Size]byte]*Key
}

// OpenKeys returns the Keys of a file, which need not be there yet. One that cannot be
// read is an error, and names the line. Later changes are told to the log; a file that is
// broken or gone then takes no key away.
func OpenKeys(path string, log *slog.Logger) (*Keys, error) {
	read := func(before keySet) (keySet, error) {
		keys, exists, err := ReadKeys(path)
		if err == nil && before.exists && !exists {
			err = fmt.Errorf("keys: %s is gone", path)
		}
		after := keySet{exists, make(map[[sha256.Size]byte]*Key, len(keys))}
		for i := range keys {
			after.byHash[keys[i].hash] = &keys[i]
		}
		if err == nil && before.byHash != nil {
			tellChanges(log, before, after)
		}
		return after, err
	}
	file, err := reread.Open(read, func(err error) {
		log.Error("the file of keys cannot be read: the keys of before stay valid", "audit", true, "err", err.Error())
	}, path)
	if err != nil {
		return nil, err
	}
	return &Keys{file}, nil
}

// ReadKeys returns the keys of the file at path, and whether there is one. Its error
// names the line.
func ReadKeys(path string) (keys []Key, exists bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, fmt.Errorf("keys: %w", err)
	}
	defer f.Close()
	text, err := readKeysFile(f)
	if err == nil {
		keys, err = ParseKeys(text)
	}
	if err != nil {
		return nil, true, fmt.Errorf("keys: %s: %w", path, err)
	}
	return keys, true, nil
}

func readKeysFile(f io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxKeysFile+1))
	if len(text) > maxKeysFile {
		err = fmt.Errorf("larger than %d bytes", maxKeysFile)
	}
	return text, err
}

// tellChanges tells which keys came and went.
func tellChanges(log *slog.Logger, before, after keySet) {
	tell := func(what string, key *Key) {
		log.Info(what, "audit", true, "key", key.ID, "scopes", strings.Join(key.Scopes.Words(), ","), "domains", strings.Join(key.Domains, " "), "expires", key.Expires)
	}
	for hash, key := range after.byHash {
		if old := before.byHash[hash]; old == nil {
			tell("key added", key)
		} else if !bytes.Equal(old.line(), key.line()) {
			tell("key changed", key)
		}
	}
	for hash, key := range before.byHash {
		if after.byHash[hash] == nil {
			tell("key revoked", key)
		}
	}
}

// Exist reports whether there is a file of keys, or was, be it one that cannot be read.
func (k *Keys) Exist() bool {
	set, err := k.get()
	return set.exists || err != nil
}

// Broken returns why the file cannot be read as it is now, or nil.
func (k *Keys) Broken() error {
	_, err := k.get()
	return err
}

func (k *Keys) find(hash [sha256.Size]byte) *Key {
	set, _ := k.get()
	return set.byHash[hash]
}

func (k *Keys) get() (keySet, error) {
	if k == nil {
		return keySet{}, nil
	}
	return k.file.Get()
}

// AddKey writes a key to a file, which is made if need be. It lasts when it returns.
func AddKey(fsys vfs.FS, name string, k Key) error {
	return changeKeys(fsys, name, func(text []byte) ([]byte, error) {
		if n := len(text); n > 0 && text[n-1] != '\n' {
			text = append(text, '\n')
		}
		return append(text, k.line()...), nil
	})
}

// RevokeKey takes the key of an id out of a file. It lasts when it returns. An unknown
// id is contract.ErrNotFound.
func RevokeKey(fsys vfs.FS, name, id string) error {
	return changeKeys(fsys, name, func(text []byte) ([]byte, error) {
		kept := make([]byte, 0, len(text))
		for line := range bytes.Lines(text) {
			if k, err := parseKey(bytes.TrimSpace(line)); err != nil || k.ID != id {
				kept = append(kept, line...)
			}
		}
		if len(kept) == len(text) {
			return nil, fmt.Errorf("%w: there is no key %.40q", contract.ErrNotFound, id)
		}
		return kept, nil
	})
}

// changeKeys replaces a file by what change makes of it, while no other command does.
func changeKeys(fsys vfs.FS, name string, change func(text []byte) ([]byte, error)) (err error) {
	lock, err := fsys.Lock("." + name + ".lock")
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%w: another command is changing the keys", contract.ErrBusy)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	var text []byte
	switch f, err := fsys.Open(name, vfs.Read); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		defer f.Close()
		if text, err = readKeysFile(io.NewSectionReader(f, 0, maxKeysFile+1)); err != nil {
			return err
		}
	}
	if _, err := ParseKeys(text); err != nil {
		return err
	}
	if text, err = change(text); err != nil {
		return err
	}
	if _, err := ParseKeys(text); err != nil {
		return err
	}
	err = vfs.WriteFile(fsys, name, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	return fsys.SyncDir()
}
