package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata/cli")

// masked are the parts of output that differ from run to run.
var masked = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\b[0-9]+(\.[0-9]+)? s\b`), "N s"},
	{regexp.MustCompile(`"seconds":[0-9.e-]+`), `"seconds":N`},
	{regexp.MustCompile(`request [A-Z0-9]{26}`), "request ID"},
}

// TestCLI runs the scripts of testdata/cli against a fake server. In a script,
//
//	$ vectorlink …   runs a command,
//	env NAME=VALUE   sets a variable for the commands after it,
//	< …              is a line of the next command's standard input,
//	exit N           is the expected exit code,
//	> …  and  ! …    are the expected lines of standard output and error.
//
// $SERVER is the server, $LOCKED one that wants the secret "sesame", and $DIR an
// empty directory. Run with -update to write down what the commands do.
func TestCLI(t *testing.T) {
	scripts, err := filepath.Glob("testdata/cli/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in testdata/cli (%v)", err)
	}
	for _, name := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) { runScript(t, name) })
	}
}

func runScript(t *testing.T, name string) {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	vars := []string{"$SERVER", fakeServer(t, ""), "$LOCKED", fakeServer(t, "sesame"), "$DIR", t.TempDir()}
	expand := strings.NewReplacer(vars...)
	var back []string
	for i := 0; i < len(vars); i += 2 {
		back = append(back, vars[i+1], vars[i])
	}
	hide := strings.NewReplacer(back...)

	var environ []string
	var stdin, got strings.Builder
	pending := func() {} // runs the command that was read last
	commands := 0
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(text, " ")
		switch kind {
		case "exit", ">", "!":
			continue // written anew
		}
		pending()
		pending = func() {}
		got.WriteString(text + "\n")
		switch kind {
		case "env":
			environ = append(environ, expand.Replace(rest))
		case "<":
			stdin.WriteString(rest + "\n")
		case "$":
			args := arguments(t, expand.Replace(rest))
			if len(args) == 0 || args[0] != "vectorlink" {
				t.Fatalf("%s: %q does not run vectorlink", name, text)
			}
			commands++
			pending = func() {
				var stdout, stderr bytes.Buffer
				code := run(t.Context(), args[1:], environ, strings.NewReader(stdin.String()), &stdout, &stderr)
				stdin.Reset()
				fmt.Fprintf(&got, "exit %d\n", code)
				prefix(&got, ">", hide.Replace(stdout.String()))
				prefix(&got, "!", hide.Replace(stderr.String()))
			}
		case "", "#":
		default:
			t.Fatalf("%s: a line begins with %q", name, kind)
		}
	}
	pending()
	if commands == 0 {
		t.Fatalf("%s runs no command", name)
	}
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(data); got.String() != want {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got.String(), want)
	}
}

// prefix writes every line of text with a mark before it.
func prefix(out *strings.Builder, mark, text string) {
	for _, m := range masked {
		text = m.re.ReplaceAllString(text, m.by)
	}
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight(mark+" "+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
}

// arguments splits a command line at spaces; single quotes keep them.
func arguments(t *testing.T, line string) []string {
	t.Helper()
	var list []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	if strings.Count(line, "'")%2 != 0 {
		t.Fatalf("a quote is not closed in %q", line)
	}
	return list
}

// call runs a command line in this process.
func call(ctx context.Context, environ []string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(ctx, args, environ, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}
