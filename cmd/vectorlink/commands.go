package main

import (
	"cmp"
	"slices"

	"github.com/alecthomas/kong"
)

// command is a command of the program.
type command struct {
	group, name, help string
	make              func() any // the structure that kong fills and runs
	tags              []string   // of it, for kong
}

// hidden reports whether the command is one for programs, which help does not list.
func (c command) hidden() bool { return slices.Contains(c.tags, asHidden) }

const asHidden = "hidden:''"

// commands are all of them. The file that has a command registers it.
var commands []command

// The groups that the help lists commands in, and their order.
const (
	ofServing    = "Serving:"
	ofReading    = "Reading what a server has:"
	ofDuplicates = "Finding duplicates:"
	ofWriting    = "Indexing and housekeeping:"
	ofFiles      = "Without a server:"
)

var groups = []string{ofServing, ofReading, ofDuplicates, ofWriting, ofFiles}

// register adds the command that a T runs. The result is none: it lets a file call
// register where it declares the T.
func register[T any](group, name, help string, tags ...string) struct{} {
	return add(command{group, name, help, func() any { return new(T) }, tags})
}

func add(c command) struct{} {
	commands = append(commands, c)
	return struct{}{}
}

// grammars returns the commands for kong, by their groups and names.
func grammars() []kong.Option {
	sorted := slices.SortedFunc(slices.Values(commands), func(a, b command) int {
		return cmp.Or(cmp.Compare(slices.Index(groups, a.group), slices.Index(groups, b.group)), cmp.Compare(a.name, b.name))
	})
	options := make([]kong.Option, len(sorted))
	for i, c := range sorted {
		options[i] = kong.DynamicCommand(c.name, c.help, c.group, c.make(), c.tags...)
	}
	return options
}
