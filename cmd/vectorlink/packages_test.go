package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// repository is the path of the repository from here.
const repository = "../.."

// has skips the test where a program is missing.
func has(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not here", name)
	}
	return path
}

// complete returns what completes a line.
func complete(t *testing.T, line string) []string {
	t.Helper()
	var out, stderr bytes.Buffer
	if code := run(t.Context(), []string{"complete", "vectorlink", "x", "y"}, environ("COMP_LINE="+line), strings.NewReader(""), &out, &stderr); code != exitDone {
		t.Fatalf("%q: %d %s", line, code, &stderr)
	}
	return strings.Fields(out.String())
}

// TestCompletion: commands, flags and the values that are all a flag takes complete a
// line, and nothing does where any text may stand.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"vectorlink se":                                "serve search",
		"vectorlink keys ":                             "add list revoke",
		"vectorlink --json keys r":                     "revoke",
		"vectorlink search --mo":                       "--mode",
		"vectorlink search --mode ":                    "vector fts hybrid",
		"vectorlink search --domain keys --mode v":     "vector",
		"vectorlink serve --space-sync ":               "always everysec",
		"vectorlink serve -d search --log-format t":    "text",
		"vectorlink completion z":                      "zsh",
		"vectorlink search --domain ":                  "",
		"vectorlink comp":                              "completion compare", // complete is for shells
		"vectorlink search --domain=a/b --mode=x --ef": "--ef",
	} {
		if got := complete(t, line); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(strings.Fields(want)))) {
			t.Errorf("%q is completed by %q, want %q", line, got, want)
		}
	}
	if got := complete(t, "vectorlink "); len(got) < 30 || slices.Contains(got, "complete") {
		t.Errorf("commands %q", got)
	}
}

// TestShellCompletes has a shell run the script that is for it.
func TestShellCompletes(t *testing.T) {
	dir := filepath.Dir(builtProgram(t))
	link := filepath.Join(t.TempDir(), "vectorlink")
	if err := os.Symlink(builtProgram(t), link); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command(has(t, "bash"), "--norc", "-ec", `
		eval "$(vectorlink completion bash)"
		how=$(complete -p vectorlink)
		how=${how#*-C \'}
		# As bash calls it: the command, the word, the word before it.
		COMP_LINE='vectorlink search --mode h --ef' COMP_POINT=26 ${how%%\'*} vectorlink h --mode`)
	shell.Env = environ("PATH=" + filepath.Dir(link) + ":" + dir + ":" + os.Getenv("PATH"))
	var out, stderr bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &stderr
	if err := shell.Run(); err != nil || strings.TrimSpace(out.String()) != "hybrid" {
		t.Errorf("%v: %q %s", err, &out, &stderr)
	}
	for _, shell := range []string{"zsh", "fish"} {
		script := ends(t, exitDone, "completion", shell)
		name, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		check := exec.Command(name, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", shell, err, out)
		}
	}
}

// TestManual: the manual page has every command, and groff has nothing to say of it.
func TestManual(t *testing.T) {
	page := ends(t, exitDone, "man")
	for _, c := range commands {
		if strings.Contains(page, "\n.SS \""+c.name) == c.hidden() {
			t.Errorf("%s: in the manual %t", c.name, c.hidden())
		}
	}
	for _, want := range []string{`\fB\-\-keep\-daily\fR`, `\fB\-d\fR, \fB\-\-data\-dir\fR=\fIDIR\fR`, "VECTORLINK_ADMIN_SECRET", ".SH EXIT STATUS\n.TP\n0\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("the manual lacks %s", want)
		}
	}
	groff := exec.Command(has(t, "groff"), "-man", "-Tutf8", "-ww", "-z")
	groff.Stdin = strings.NewReader(page)
	if out, err := groff.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// TestImage checks the steps of the container's image where it cannot be built: what
// is copied is there, what the binary embeds is not left out, and the flags of its
// commands exist. It builds and runs it where a daemon answers.
func TestImage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	copies := 0
	for _, m := range regexp.MustCompile(`(?m)^COPY (?:--chown=\S+ )?([^-\n].*) \S+$`).FindAllStringSubmatch(string(text), -1) {
		for source := range strings.FieldsSeq(m[1]) {
			copies++
			if _, err := os.Stat(filepath.Join(repository, source)); err != nil {
				t.Error(err)
			}
		}
	}
	if copies < 4 {
		t.Errorf("%d files are copied", copies)
	}
	for _, m := range regexp.MustCompile(`(?m)CMD (\[.*\])$`).FindAllStringSubmatch(string(text), -1) {
		var args []string
		if err := json.Unmarshal([]byte(m[1]), &args); err != nil {
			t.Fatal(err)
		}
		if args[0] == "/vectorlink" {
			args = args[1:]
		}
		ends(t, exitDone, append(args, "--help")...)
	}
	ignored, err := os.ReadFile(filepath.Join(repository, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("go", "list", "-f", "{{range .EmbedFiles}}{{$.Dir}}/{{.}}\n{{end}}", "./...", "./testdata/starwars")
	list.Dir = repository
	embedded, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for file := range strings.FieldsSeq(string(embedded)) {
		n++
		file, _ = filepath.Rel(root, file)
		for pattern := range strings.FieldsSeq(string(ignored)) {
			top, _, _ := strings.Cut(file, "/")
			if below, ok := strings.CutPrefix(pattern, "**/"); pattern == top || ok && top != below && strings.Contains("/"+filepath.Dir(file)+"/", "/"+below+"/") {
				t.Errorf("%s is embedded, and left out by %s", file, pattern)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d files are embedded", n)
	}

	docker := has(t, "docker")
	if exec.Command(docker, "info").Run() != nil {
		t.Skip("no daemon of containers answers")
	}
	build := exec.Command(docker, "build", "-q", "--build-arg", "VERSION=9.9.9", repository)
	image, err := build.Output()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(docker, "run", "--rm", strings.TrimSpace(string(image)), "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "vectorlink 9.9.9") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestCompose: the services' variables are settings of the program, and their probes
// commands of it.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Environment map[string]string
			Healthcheck struct{ Test []string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	service := file.Services["vectorlink"]
	if len(service.Environment) < 3 || len(file.Services) != 2 {
		t.Fatalf("%+v", file)
	}
	help := ends(t, exitDone, "serve", "--help")
	for name := range service.Environment {
		if !strings.Contains(help, name) {
			t.Errorf("%s is no setting", name)
		}
	}
	ends(t, exitDone, append(service.Healthcheck.Test[2:], "--help")...)
}

// TestUnits: systemd can read its units, and they leave an intruder little.
func TestUnits(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repository, "contrib", "systemd", "*.service"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/vectorlink (\S+)`).FindAllStringSubmatch(string(text), -1) {
			ends(t, exitDone, m[1], "--help")
		}
	}
	analyze := has(t, "systemd-analyze")
	for _, file := range files {
		out, err := exec.Command(analyze, "security", "--offline=true", file).CombinedOutput()
		level := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if level == nil {
			t.Skipf("systemd-analyze: %v %s", err, out)
		}
		if n, err := strconv.ParseFloat(string(level[1]), 64); err != nil || n > 2 {
			t.Errorf("%s: exposure %s", file, level[1])
		}
	}
}

// TestRelease: two builds of a release are equal, hold what is promised, and say their
// version.
func TestRelease(t *testing.T) {
	if os.Getenv("VECTORLINK_LONG") == "" {
		t.Skip("builds the program three times: with VECTORLINK_LONG=1")
	}
	has(t, "tar")
	var sums [2]string
	dir := t.TempDir()
	for i := range sums {
		dist := filepath.Join(dir, strconv.Itoa(i))
		build := exec.Command(filepath.Join(repository, "scripts", "release.sh"), "9.9.9")
		build.Env = append(os.Environ(), "PLATFORMS=linux/amd64", "DIST="+dist)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sum, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = string(sum)
	}
	if sums[0] != sums[1] || !strings.Contains(sums[0], "vectorlink_9.9.9_linux_amd64.tar.gz") {
		t.Errorf("%q", sums)
	}
	if out, err := exec.Command("tar", "-C", dir, "-xzf", filepath.Join(dir, "0", "vectorlink_9.9.9_linux_amd64.tar.gz")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	at := filepath.Join(dir, "vectorlink_9.9.9_linux_amd64")
	for _, name := range []string{"LICENSE", "NOTICE", "vectorlink.1", "completion.bash", "systemd/vectorlink.service"} {
		if _, err := os.Stat(filepath.Join(at, name)); err != nil {
			t.Error(err)
		}
	}
	if out, err := exec.Command(filepath.Join(at, "vectorlink"), "version").Output(); err != nil || !strings.HasPrefix(string(out), "vectorlink 9.9.9 ") {
		t.Errorf("%v %s", err, out)
	}
}
