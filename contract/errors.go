package contract

import (
	"errors"
	"fmt"
)

// The errors a caller can act on. Everything this package returns, and every
// adapter's error that should reach a user as more than "internal error",
// wraps one of them; package api maps them to HTTP statuses in one table.
var (
	// ErrInvalid: the request is malformed; mend the request.
	ErrInvalid = errors.New("invalid request")
	// ErrNotFound: no such domain, commit, branch, document or task.
	ErrNotFound = errors.New("not found")
	// ErrPruned: the commit was indexed once and removed to save space; indexing
	// or pushing it makes it again.
	ErrPruned = errors.New("pruned")
	// ErrConflict: the target is taken, or the request contradicts what is
	// stored (another dimension, another model).
	ErrConflict = errors.New("conflict")
	// ErrFrozen is the ErrConflict of a space that takes no writes any more, and
	// ErrImmutable that of a write to the past: write to a branch.
	ErrFrozen    = fmt.Errorf("%w", ErrConflict)
	ErrImmutable = fmt.Errorf("%w", ErrConflict)
	// ErrNoKey is the ErrNotFound of a key that a space does not have.
	ErrNoKey = fmt.Errorf("%w", ErrNotFound)
	// ErrBusy: too much is going on; the same request may succeed later.
	ErrBusy = errors.New("busy")
	// ErrNotConfigured: the server was started without what the request
	// needs; the text says which setting is missing.
	ErrNotConfigured = errors.New("not configured")
	// ErrSource: the document database cannot be reached, refuses, or
	// answers nonsense; the same request works once that is mended.
	ErrSource = errors.New("document database")
	// ErrDenied is the ErrSource of a database that does not accept the
	// credentials; trying again does not help.
	ErrDenied = fmt.Errorf("%w", ErrSource)
	// ErrProvider: the embedding provider failed or answered nonsense.
	ErrProvider = errors.New("embedding provider")
	// ErrDown: the embedding provider cannot be used for the moment; what needs
	// no embedding goes on, and the same request may succeed later.
	ErrDown = errors.New("embedding provider is down")
	// ErrUnavailable is the ErrProvider and ErrDown of a provider that cannot be
	// reached, does not answer in time, or says that it is in trouble.
	ErrUnavailable error = outage("embedding provider is unavailable")
	// ErrLimited is that of one that is well and limits the rate.
	ErrLimited error = outage("embedding provider limits the rate")
	// ErrCorrupt: a stored file is damaged; `vectorlink verify` names it.
	ErrCorrupt = errors.New("damaged file")
	// ErrStore: the data directory cannot be read or written: its disk is
	// full, or not the process's to write.
	ErrStore = errors.New("data directory")
	// ErrReadOnly: this server reads what another one writes; send the request
	// to that one.
	ErrReadOnly = errors.New("this server only reads")
	// ErrClosed: the indexer is shutting down.
	ErrClosed = errors.New("shutting down")
)

// outage is an ErrProvider and an ErrDown in words of its own.
type outage string

func (o outage) Error() string { return string(o) }

func (outage) Unwrap() []error { return []error{ErrProvider, ErrDown} }

// codes names each error in a word that programs can decide by.
var codes = []struct {
	err  error
	code string
}{
	{ErrInvalid, "invalid_request"},
	{ErrNotConfigured, "not_configured"},
	{ErrNoKey, "key_not_found"},
	{ErrNotFound, "not_found"},
	{ErrPruned, "pruned"},
	{ErrFrozen, "frozen"},
	{ErrImmutable, "immutable"},
	{ErrConflict, "conflict"},
	{ErrBusy, "busy"},
	{ErrReadOnly, "read_only"},
	{ErrClosed, "shutting_down"},
	{ErrCorrupt, "damaged"},
	{ErrDown, "provider_down"},
	{ErrStore, "store_failed"},
	{ErrProvider, "provider_failed"},
	{ErrDenied, "source_denied"},
	{ErrSource, "source_failed"},
}

// Code names the error that err wraps, as package api does in its answers; it is
// "internal" for all that no caller can act on, "" for nil.
func Code(err error) string {
	if err == nil {
		return ""
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return "internal"
}

// FromCode returns the error that Code names so, nil for a word that names none.
func FromCode(code string) error {
	for _, c := range codes {
		if c.code == code {
			return c.err
		}
	}
	return nil
}
