package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/vectorlink/vectorlink/contract"
)

// The exit codes, which scripts rely on.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitSkipped    = 3 // done, but documents were skipped (index --fail-on-skipped)
	exitUpstream   = 4 // a server, document database or embedding provider could not be reached
	exitDamage     = 5 // verify found damage
	exitDuplicates = 6 // documents are nearer to each other than they may be (duplicates --fail-over)
	// exitPipe is what shells report of a program whose output nobody read to
	// its end.
	exitPipe = 141
)

// What decides the exit code of an error.
var (
	errUsage    = errors.New("usage")
	errSkipped  = errors.New("documents were skipped")
	errUpstream = errors.New("upstream")
	errDamage   = errors.New("damage found")

	errDuplicates = errors.New("duplicates")
)

// exits are the exit codes of errors, and what the manual says of them. Every other
// error is exitFailed.
var exits = []struct {
	code  int
	err   error
	means string
}{
	{exitDone, nil, "Done."},
	{exitFailed, nil, "Something failed."},
	{exitUsage, errUsage, "The command line or a setting is wrong."},
	{exitSkipped, errSkipped, "Done, but documents were skipped, where --fail-on-skipped asks for that."},
	{exitUpstream, errUpstream, "A server, the document database or the embedding provider could not be reached."},
	{exitDamage, errDamage, "Damage was found."},
	{exitDuplicates, errDuplicates, "Duplicates were found, where --fail-over or --fail-on-any asks for that."},
}

// exitCode returns the exit code of a command that ended with err.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	for _, e := range exits {
		if e.err != nil && errors.Is(err, e.err) {
			return e.code
		}
	}
	return exitFailed
}

// errorCode names the kind of an error in a word, for programs: the one that the
// server gave, if it answered.
func errorCode(err error) string {
	var answer *refused
	var lost *unreachable
	var failed *failedTask
	switch {
	case errors.As(err, &answer) && answer.task != "":
		return answer.task
	case errors.As(err, &answer) && answer.code != "":
		return answer.code
	case errors.As(err, &failed):
		return failed.code
	case errors.As(err, &lost):
		return "unreachable"
	case errors.Is(err, errUsage):
		return "usage"
	case errors.Is(err, errInput):
		return "bad_input"
	case errors.Is(err, errSkipped):
		return "documents_skipped"
	case errors.Is(err, errDamage):
		return "damaged"
	case errors.Is(err, errDuplicates):
		return "duplicates_found"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "interrupted"
	case errors.Is(err, errUpstream):
		return "upstream"
	case errors.Is(err, fs.ErrNotExist):
		return "not_found"
	}
	return contract.Code(err)
}

// marked is an error of a kind that its text does not show.
type marked struct {
	kind error
	err  error
}

func (m *marked) Error() string   { return m.err.Error() }
func (m *marked) Unwrap() []error { return []error{m.kind, m.err} }

// as gives err the kind that decides its exit code.
func as(kind, err error) error { return &marked{kind, err} }

// isUpstream tells failures of a document database or a provider from others by
// their code. That one refuses the credentials is none: trying again is no help.
func isUpstream(code string) bool {
	return code == "source_failed" || code == "provider_failed" || code == "provider_down"
}

// behind gives an error of a document database or a provider, which may work later,
// the exit code of that.
func behind(err error) error {
	if isUpstream(contract.Code(err)) {
		return as(errUpstream, err)
	}
	return err
}

// usage returns an error about how the command was called.
func usage(format string, args ...any) error { return as(errUsage, fmt.Errorf(format, args...)) }
