package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

var _ = register[manCmd](ofServing, "man", "Print the manual page.")

// manCmd prints the manual page, in the macros of man(7).
type manCmd struct{}

// Help is shown by man --help.
func (c *manCmd) Help() string {
	return `vectorlink man > /usr/local/share/man/man1/vectorlink.1`
}

// Run runs the command.
func (c *manCmd) Run(k *kong.Context, p *program) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH VECTORLINK 1 \"\" \"vectorlink %s\" \"User Commands\"\n", version)
	fmt.Fprintf(&b, ".SH NAME\nvectorlink \\- %s\n", roff(strings.TrimSuffix(k.Model.Help, ".")))
	fmt.Fprint(&b, ".SH SYNOPSIS\n.B vectorlink\n.I command\n[\\fIflag\\fR ...]\n.SH OPTIONS\nEvery command takes these.\n")
	manFlags(&b, k.Model.Node)
	for _, group := range groups {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(strings.TrimSuffix(group, ":")))
		for _, child := range k.Model.Children {
			if child.Group != nil && child.Group.Key == group {
				manCommand(&b, child)
			}
		}
	}
	fmt.Fprint(&b, ".SH EXIT STATUS\n")
	for _, e := range exits {
		fmt.Fprintf(&b, ".TP\n%d\n%s\n", e.code, roff(e.means))
	}
	_, err := p.stdout.Write(b.Bytes())
	return err
}

// manCommand writes a command and those below it.
func manCommand(b *bytes.Buffer, n *kong.Node) {
	if n.Hidden {
		return
	}
	fmt.Fprintf(b, ".SS \"%s\"\n%s\n", roff(strings.TrimPrefix(n.Summary(), "vectorlink ")), roff(n.Help))
	if n.Detail != "" {
		fmt.Fprint(b, ".PP\n.nf\n")
		for line := range strings.Lines(n.Detail) {
			fmt.Fprintln(b, roff(strings.TrimSuffix(line, "\n")))
		}
		fmt.Fprint(b, ".fi\n")
	}
	manFlags(b, n)
	for _, child := range n.Children {
		manCommand(b, child)
	}
}

// manFlags writes the flags of a command, without those of all.
func manFlags(b *bytes.Buffer, n *kong.Node) {
	for _, flag := range n.Flags {
		if flag.Hidden {
			continue
		}
		name := "\\fB" + roff("--"+flag.Name) + "\\fR"
		if flag.Short != 0 {
			name = "\\fB" + roff("-"+string(flag.Short)) + "\\fR, " + name
		}
		if !flag.IsBool() && !flag.IsCounter() && flag.Value.Target.Kind() != reflect.Bool {
			name += "=\\fI" + roff(flag.FormatPlaceHolder()) + "\\fR"
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", name, roff(settingHelp(flag.Value)))
	}
}

// roff writes a text so that no sign of it is an instruction.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\`", "\n", " ").Replace(text)
	var b strings.Builder
	if strings.HasPrefix(text, ".") {
		b.WriteString(`\&`)
	}
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}
