package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

var (
	_ = register[completionCmd](ofServing, "completion", "Print what makes a shell complete command lines.")
	_ = register[completeCmd](ofServing, "complete", "List what may stand at the end of COMP_LINE.", asHidden)
)

// shells are the scripts that ask the program itself for what completes a line, so that
// a new flag needs none of them changed. Where nothing completes it, shells offer files.
var shells = map[string]string{
	"bash": "complete -o default -o bashdefault -C 'vectorlink complete' vectorlink\n",
	"zsh": `#compdef vectorlink
_vectorlink() {
	local -a found
	found=(${(f)"$(COMP_LINE="${BUFFER[1,CURSOR]}" vectorlink complete 2>/dev/null)"})
	if (( ${#found} )); then compadd -- $found; else _files; fi
}
compdef _vectorlink vectorlink
`,
	"fish": "complete -c vectorlink -a '(COMP_LINE=(commandline -cp) vectorlink complete 2>/dev/null)'\n",
}

// completionCmd prints a shell's script.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by completion --help.
func (c *completionCmd) Help() string {
	return `bash:  vectorlink completion bash > /etc/bash_completion.d/vectorlink
zsh:   vectorlink completion zsh > "${fpath[1]}/_vectorlink"
fish:  vectorlink completion fish > ~/.config/fish/completions/vectorlink.fish`
}

// Run runs the command.
func (c *completionCmd) Run(p *program) error {
	_, err := fmt.Fprint(p.stdout, shells[c.Shell])
	return err
}

// completeCmd lists what may stand at the end of a command line. bash calls it with
// COMP_LINE, the line, and COMP_POINT, the cursor's place in it in bytes, and with
// words of its own as arguments, which the line has too.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" hidden:""`
}

// Run runs the command.
func (c *completeCmd) Run(k *kong.Context, p *program) error {
	line := p.lookup("COMP_LINE")
	if at, err := strconv.Atoi(p.lookup("COMP_POINT")); err == nil && at >= 0 && at < len(line) {
		line = line[:at]
	}
	for _, word := range completions(k.Model.Node, line) {
		if _, err := fmt.Fprintln(p.stdout, word); err != nil {
			return err
		}
	}
	return nil
}

// completions returns what may stand in the place of the last word of a line, which is
// empty after a space.
func completions(node *kong.Node, line string) (found []string) {
	words := strings.Fields(line)
	last := ""
	if len(words) > 0 && !strings.HasSuffix(line, " ") {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	var value *kong.Value // of the flag that the last word is the value of
	for i, word := range words {
		switch {
		case i == 0: // the program
		case value != nil:
			value = nil
		case strings.HasPrefix(word, "-"):
			if flag := flagOf(node, word); flag != nil && !flag.IsBool() {
				value = flag.Value
			}
		default:
			for _, child := range node.Children {
				if child.Name == word {
					node = child
					break
				}
			}
		}
	}
	add := func(word string) {
		if strings.HasPrefix(word, last) {
			found = append(found, word)
		}
	}
	switch {
	case value != nil:
		addValues(value, add)
	case strings.HasPrefix(last, "-"):
		for _, group := range node.AllFlags(true) {
			for _, flag := range group {
				add("--" + flag.Name)
			}
		}
	default:
		for _, child := range node.Children {
			if !child.Hidden {
				add(child.Name)
			}
		}
		for _, arg := range node.Positional {
			addValues(arg, add)
		}
	}
	return found
}

// addValues adds the values that are all a flag or an argument takes.
func addValues(v *kong.Value, add func(string)) {
	for word := range strings.SplitSeq(cmp.Or(v.Enum, v.Tag.Get("words")), ",") {
		if word = strings.TrimSpace(word); word != "" {
			add(word)
		}
	}
}

// flagOf returns the flag of a command that a word gives without its value.
func flagOf(node *kong.Node, word string) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
				return flag
			}
		}
	}
	return nil
}
