// Command vectorlink keeps a searchable snapshot of every commit of a document
// database, and is the client of its own server.
//
// Without an argument it serves. Everything a command needs of the outside
// (arguments, environment, standard streams, signals as a context) is handed to
// run, which returns the exit code; nothing beneath it ends the process. What a
// program reads goes to standard output, everything for people beside it to
// standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one is not caught
	// any more and ends the process at once.
	context.AfterFunc(ctx, stop)
	// Who reads the output may leave at any time (vectorlink demo | head):
	// that must not end the process where it stands. See output.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// grammar is what all commands share. Kong turns its fields into flags.
type grammar struct {
	JSON    bool        `name:"json" help:"Print results as JSON on standard output."`
	Version versionFlag `help:"Print the version."`
}

// program is what every command is given.
type program struct {
	environ []string
	stdin   io.Reader
	stdout  *output
	stderr  io.Writer
	json    bool
	// flags holds the settings given as flags, as they were written.
	flags map[string]string
	// variables says that those of the environment were looked through.
	variables bool
}

// run runs one command line and returns the exit code. The end of ctx asks for
// an orderly stop.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	out := &output{Writer: stdout, gone: leave}
	p := &program{environ: environ, stdin: stdin, stdout: out, stderr: stderr, flags: make(map[string]string)}
	var g grammar
	helped := false
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:len(args):len(args)], "--help")
	}
	parser, err := kong.New(&g, append(grammars(),
		kong.Name("vectorlink"),
		kong.Description("A versioned vector sidecar for document databases."),
		kong.Writers(out, stderr),
		kong.Exit(func(int) { helped = true }), // called after --help was printed
		kong.NamedMapper("setting", settingMapper{p.flags, false}),
		kong.NamedMapper("switch", settingMapper{p.flags, true}),
		kong.ValueFormatter(settingHelp),
		kong.Vars{"providers": strings.Join(providers(), ", ")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)...)
	if err != nil {
		return p.end(fmt.Errorf("command line: %w", err))
	}
	kctx, err := parser.Parse(args)
	switch {
	case helped:
		err = nil
	case err != nil:
		p.json = slices.Contains(args, "--json") // the command line was not read to its end
		err = usage("%w\nRun \"vectorlink --help\" for the commands and their flags.", err)
	default:
		p.json = g.JSON
		err = kctx.Run()
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
	}
	return p.end(err)
}

// end prints the error of a command, if any, and returns the exit code. With
// --json a program finds the error on standard output too, unless the command's
// result is there. Output that was lost is a failure, whatever the command did.
func (p *program) end(err error) int {
	switch lost := p.stdout.lost; {
	case errors.Is(lost, syscall.EPIPE):
		return exitPipe
	case lost != nil:
		err = fmt.Errorf("the output is lost: %w", lost)
	case err == nil:
		return exitDone
	}
	fmt.Fprintf(p.stderr, "vectorlink: %v\n", err)
	if p.json && p.stdout.n == 0 {
		// Where even this cannot be written, the exit code tells.
		_ = printJSON(p.stdout, struct {
			Error string `json:"error"`
			Code  string `json:"code"`
		}{err.Error(), errorCode(err)})
	}
	return exitCode(err)
}

// output is standard output. It counts what is written, and asks for an orderly
// end when something could not be: end tells of it, so that no command needs to.
type output struct {
	io.Writer
	gone func()
	n    int64
	lost error // of the first write that failed; nothing is written after it
}

func (w *output) Write(b []byte) (int, error) {
	if w.lost != nil {
		return 0, w.lost
	}
	n, err := w.Writer.Write(b)
	w.n += int64(n)
	if err != nil {
		w.lost = err
		w.gone()
	}
	return n, err
}

// warn tells people of something that does not keep a command from its work.
func (p *program) warn(format string, args ...any) {
	fmt.Fprintf(p.stderr, "vectorlink: warning: %s\n", plainText(fmt.Sprintf(format, args...)))
}

// lookup returns an environment variable; an empty one counts as not set.
func (p *program) lookup(name string) string {
	for _, kv := range p.environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// settingMapper keeps a flag's text for the configuration to decode beside what
// file and environment say, so that all complaints come at once.
type settingMapper struct {
	flags    map[string]string
	isSwitch bool
}

// IsBool tells kong that the flag needs no value.
func (m settingMapper) IsBool() bool { return m.isSwitch }

// Decode takes the flag's value off the command line.
func (m settingMapper) Decode(ctx *kong.DecodeContext, _ reflect.Value) error {
	if m.isSwitch && ctx.Scan.Peek().Type != kong.FlagValueToken {
		m.flags[ctx.Value.Name] = "true"
		return nil
	}
	token, err := ctx.Scan.PopValue("value")
	if err != nil {
		return err
	}
	m.flags[ctx.Value.Name] = fmt.Sprint(token.Value)
	return nil
}

// settingHelp adds a setting's default and environment variables to its help.
func settingHelp(v *kong.Value) string {
	var notes []string
	if d := v.Tag.Get("fallback"); d != "" {
		notes = append(notes, "default "+d)
	}
	if env := v.Tag.Get("environ"); env != "" {
		notes = append(notes, strings.ReplaceAll(env, ",", ", "))
	}
	if len(notes) == 0 {
		return kong.DefaultHelpValueFormatter(v)
	}
	return strings.TrimSuffix(v.Help, ".") + " (" + strings.Join(notes, "; ") + ")."
}
