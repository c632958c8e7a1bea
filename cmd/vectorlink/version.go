package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/vectorlink/vectorlink/embed"
)

// version is the version of the program's behaviour and files. The change log
// says what each brought.
var version = "0.1.0"

var _ = register[versionCmd](ofServing, "version", "Print the version.")

// versionCmd prints the version.
type versionCmd struct {
	Notice bool `help:"Print the notice and licence of the built-in model."`
}

// build is what is known of how the program was built.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the sources, with "+changes" where some were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed && b.Revision != "" {
		b.Revision += "+changes"
	}
	return b
}

// versionFlag is short for the command.
type versionFlag bool

// BeforeReset prints the version, as soon as the flag is read.
func (versionFlag) BeforeReset(app *kong.Kong, p *program) error {
	err := (&versionCmd{}).Run(p)
	app.Exit(exitDone)
	return err
}

// Run runs the command.
func (c *versionCmd) Run(p *program) error {
	if c.Notice {
		_, err := fmt.Fprintln(p.stdout, embed.Notice())
		return err
	}
	b := thisBuild()
	if p.json {
		return printJSON(p.stdout, b)
	}
	fmt.Fprintf(p.stdout, "vectorlink %s (", b.Version)
	if b.Revision != "" {
		fmt.Fprintf(p.stdout, "%s, ", b.Revision)
	}
	fmt.Fprintf(p.stdout, "%s, %s)\n", b.Go, b.Platform)
	return nil
}
