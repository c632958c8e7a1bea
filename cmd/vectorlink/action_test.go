package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is a composite action, as far as ours goes.
type action struct {
	defaults map[string]string
	outputs  map[string]string
	steps    []actionStep
}

type actionStep struct {
	id, run string
	env     map[string]string
}

func readAction(t *testing.T, name string) action {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	a := action{defaults: make(map[string]string), outputs: make(map[string]string)}
	for name, v := range tree["inputs"].(map[string]any) {
		input := v.(map[string]any)
		if input["description"] == nil || input["default"] == nil && input["required"] != true {
			t.Errorf("input %s lacks a description, or a default and is not required", name)
		}
		a.defaults[name] = text(input["default"])
	}
	for name, v := range tree["outputs"].(map[string]any) {
		a.outputs[name] = text(v.(map[string]any)["value"])
	}
	for _, v := range tree["runs"].(map[string]any)["steps"].([]any) {
		step := v.(map[string]any)
		s := actionStep{id: text(step["id"]), run: text(step["run"]), env: make(map[string]string)}
		if s.id == "" || s.run == "" || step["if"] != nil || step["shell"] != "bash" {
			t.Errorf("step %q has no id, no script, a condition or another shell than bash", s.id)
		}
		if strings.Contains(s.run, "${{") {
			t.Errorf("step %q puts an expression into its script: what an input holds would be run", s.id)
		}
		for name, value := range step["env"].(map[string]any) {
			s.env[name] = text(value)
		}
		a.steps = append(a.steps, s)
	}
	return a
}

var expression = regexp.MustCompile(`\$\{\{ *([^}]*?) *\}\}`)

// expand fills in expressions of the form a || b, of names.
func expand(t *testing.T, s string, names map[string]string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(s, func(e string) string {
		for name := range strings.SplitSeq(expression.FindStringSubmatch(e)[1], "||") {
			name = strings.TrimSpace(name)
			if _, known := names[name]; !known && !strings.HasPrefix(name, "steps.") {
				t.Errorf("unknown name %q in %q", name, s)
			}
			if names[name] != "" {
				return names[name]
			}
		}
		return ""
	})
}

// play runs the action as a runner does and returns the exit code of the step
// that failed, the outputs and the job's summary.
func (a action) play(t *testing.T, inputs map[string]string) (code int, outputs map[string]string, summary string) {
	t.Helper()
	dir := t.TempDir()
	names := make(map[string]string)
	for name, value := range a.defaults {
		names["inputs."+name] = value
	}
	for name, value := range inputs {
		if _, ok := a.defaults[name]; !ok {
			t.Errorf("the action has no input %q", name)
		}
		names["inputs."+name] = value
	}
	summaryFile := filepath.Join(dir, "summary.md")
	for _, s := range a.steps {
		output := filepath.Join(dir, s.id+".out")
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.run)
		cmd.Env = environ("GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+summaryFile, "RUNNER_TEMP="+dir)
		for name, value := range s.env {
			cmd.Env = append(cmd.Env, name+"="+expand(t, value, names))
		}
		log, err := cmd.CombinedOutput()
		t.Logf("step %s:\n%s", s.id, bytes.TrimSpace(log))
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(output) // a step without outputs writes none
		for line := range strings.Lines(string(data)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			names["steps."+s.id+".outputs."+name] = value
		}
		if code = cmd.ProcessState.ExitCode(); code != 0 {
			break
		}
	}
	outputs = make(map[string]string)
	for name, value := range a.outputs {
		outputs[name] = expand(t, value, names)
	}
	text, _ := os.ReadFile(summaryFile) // nor is there always a summary
	return code, outputs, string(text)
}

// TestGitHubAction runs the action's scripts with the built program against a
// fake server.
func TestGitHubAction(t *testing.T) {
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the action's scripts need %s", tool)
		}
	}
	a := readAction(t, "../../contrib/github-action/action.yml")
	// The program, which the action may give no empty argument.
	program := filepath.Join(t.TempDir(), "vectorlink")
	script := "#!/bin/bash\nfor arg; do [ -n \"$arg\" ] || exit 99; done\nexec '" + builtProgram(t) + "' \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	with := func(pairs ...string) map[string]string {
		inputs := map[string]string{"server": fakeServer(t, "sesame"), "secret": "sesame", "domain": "admin/star_wars",
			"commit": "c7", "program": program}
		for i := 0; i < len(pairs); i += 2 {
			inputs[pairs[i]] = pairs[i+1]
		}
		return inputs
	}
	for _, c := range []struct {
		name    string
		inputs  map[string]string
		code    int
		outputs map[string]string
		summary string
	}{
		{"plain", with(), exitDone, map[string]string{"documents": "260", "embedded": "5", "tokens": "321", "skipped": "0", "base": "c6"}, "| 260 | 7 | 1 | 5 |"},
		{"skipped", with("commit", "5c1bbed"), exitDone, map[string]string{"skipped": "2"}, "class Robot"},
		{"thousands skipped", with("commit", "5c2000"), exitDone, map[string]string{"skipped": "2500"}, "and 2480 more"},
		{"strict", with("commit", "5c1bbed", "fail-on-skipped", "true", "fail-over", "0.01"), exitSkipped, map[string]string{"skipped": "2"}, "class Robot"},
		{"failed", with("commit", "50"), exitUpstream, map[string]string{"documents": "0"}, "is not indexed"},
		{"no new duplicates", with("fail-over", "0.001"), exitDone, nil, "no duplicates within 0.001 since `c6`"},
		{"new duplicates", with("fail-over", "0.01"), exitDuplicates, nil, "Planet/99"},
		{"duplicates since", with("fail-over", "0.01", "since", "c5"), exitDuplicates, nil, "since `c5`"},
		{"first commit", with("commit", "f1", "fail-over", "0.001"), exitDuplicates, map[string]string{"base": ""}, "1 pair of near-duplicates at `f1`"},
		{"any", with("fail-on-any", "true"), exitDuplicates, nil, "1 group of near-duplicates since `c6`"},
		{"no duplicates asked for", with("min-score", "0.5", "decisions", "none"), exitDone, map[string]string{"sarif": ""}, "is indexed"},
		{"decisions are read", with("fail-on-any", "true", "decisions", "no such file", "since", "c 5"), exitUsage, nil, ""},
		{"score", with("fail-over", "0.01", "min-score", "0.5"), exitFailed, nil, ""},
		{"no access", with("secret", "other"), exitFailed, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, outputs, summary := a.play(t, c.inputs)
			if code != c.code || !strings.Contains(summary, c.summary) {
				t.Errorf("exit %d, want %d, and %q in the summary:\n%s", code, c.code, c.summary, summary)
			}
			for name, want := range c.outputs {
				if outputs[name] != want {
					t.Errorf("output %s is %q, want %q", name, outputs[name], want)
				}
			}
		})
	}
}
