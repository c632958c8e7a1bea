package vfs

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// plainLimit is the longest name, in bytes, that FileName does not cut.
	plainLimit = 200
	// stemLimit is how much of the readable part stays in a name with a hash.
	stemLimit = 100
	// tempExt marks a file that is not finished.
	tempExt = ".tmp"
)

// FileName returns the name of the file that keeps a domain's (commit empty)
// or a commit's data: "admin%2Fstar_wars.vecs", "admin%2Fstar_wars@k7.hnsw".
// Domain and commit may be any strings; ext is one of the program's own, in
// lower-case letters and digits, without the dot. Two different triples never
// share a name, not even on a file system that ignores case, and no name is
// hidden, leaves the directory, or fails [CheckName].
//
// Every byte but [A-Za-z0-9._-] is percent-encoded, a leading dot too, so that
// the '@' between domain and commit and the '~' below cannot come from either;
// an empty domain is "%". A name that would pass 200 bytes, or that holds an
// upper-case letter from outside, instead ends in '~' and 32 hexadecimal
// digits (the start of the SHA-256 of the encoded, uncut name without its
// extension) after at most 100 bytes of it. Such a name cannot be read back:
// files carry their domain and commit in their header.
func FileName(domain, commit, ext string) string {
	stem, upper := escape(domain)
	if stem == "" {
		stem = "%"
	}
	if commit != "" {
		c, u := escape(commit)
		stem, upper = stem+"@"+c, upper || u
	}
	if upper || len(stem)+1+len(ext) > plainLimit {
		sum := sha256.Sum256([]byte(stem))
		stem = stem[:min(len(stem), stemLimit)] + "~" + hex.EncodeToString(sum[:16])
	}
	return stem + "." + ext
}

// PlainCommit returns the commit of whose data that is the file, and how the names
// of its domain's files begin. It is false where the name does not spell the commit
// byte by byte.
func PlainCommit(name, ext string) (domain, commit string, ok bool) {
	stem, ok := strings.CutSuffix(name, "."+ext)
	domain, commit, at := strings.Cut(stem, "@")
	if !ok || !at || len(name) > plainLimit || commit == "" || commit[0] == '.' {
		return "", "", false
	}
	for i := range len(commit) {
		switch c := commit[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return "", "", false
		}
	}
	return domain, commit, true
}

// escape percent-encodes s and reports whether s holds upper-case letters.
func escape(s string) (enc string, upper bool) {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			upper = true
			b.WriteByte(c)
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String(), upper
}

// TempName returns the name under which the file of that name is written
// before it is renamed. After a crash such a file is to be removed: see [IsTemp].
func TempName(name string) string { return name + tempExt }

// IsTemp reports whether name is that of an unfinished file, to be removed
// when the data directory is opened and nothing can be writing it.
func IsTemp(name string) bool { return strings.HasSuffix(name, tempExt) }
