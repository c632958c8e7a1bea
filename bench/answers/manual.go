package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vectorlink/vectorlink/textindex"
)

// manual is a manual and where it stands.
type manual struct {
	name   string
	module string // a Go module, as path@version; empty: GOROOT
	path   string // a file or directory in it
}

var manuals = []manual{
	{"Go language specification", "", "doc/go_spec.html"},
	{"Prometheus 2.55.0", "github.com/prometheus/prometheus@v0.55.0", "docs"},
	{"Open Policy Agent 0.70.0", "github.com/open-policy-agent/opa@v0.70.0", "docs/content"},
}

// section is what stands between two headings.
type section struct {
	heading    string
	paragraphs []string
	direct     bool // the first paragraph follows the heading, nothing between
}

// read returns the sections of the manual.
func (m manual) read() ([]section, error) {
	root, err := m.root()
	if err != nil {
		return nil, err
	}
	var files []string
	err = filepath.WalkDir(filepath.Join(root, m.path), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".md") || strings.HasSuffix(path, ".html")) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var sections []section
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".md") {
			sections = append(sections, markdown(string(text))...)
		} else {
			sections = append(sections, hypertext(string(text))...)
		}
	}
	if len(sections) < 50 {
		return nil, fmt.Errorf("%d sections in %d files", len(sections), len(files))
	}
	return sections, nil
}

// root returns the directory of the module, which the go command fetches if
// need be.
func (m manual) root() (string, error) {
	if m.module == "" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		return strings.TrimSpace(string(out)), err
	}
	cmd := exec.Command("go", "mod", "download", "-json", m.module)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w: %s", m.module, err, out)
	}
	var found struct{ Dir string }
	err = json.Unmarshal(out, &found)
	return found.Dir, err
}

// minWords is the length below which a paragraph says too little to be looked
// for.
const minWords = 8

func (s *section) add(text string) {
	text = strings.Join(strings.Fields(text), " ")
	if len(strings.Fields(text)) < minWords {
		if len(s.paragraphs) == 0 && text != "" {
			s.direct = false
		}
		return
	}
	s.paragraphs = append(s.paragraphs, text)
}

var (
	mdHeading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*\s*$`)
	mdLink    = regexp.MustCompile(`!?\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])`)
	mdMark    = regexp.MustCompile("[*`]+|<[^>]*>|\\{\\{.*?\\}\\}|\\{#[^}]*\\}")
	mdBlock   = regexp.MustCompile(`^\s*([-*+]|\d+[.)])\s|^\s*[|<>{]|^(    |\t)|^:`)
)

// markdown splits a text in Markdown. Lists, tables, code and quotations are no
// paragraphs.
func markdown(text string) []section {
	var sections []section
	var block []string
	fenced, front := false, false
	at := func() *section {
		if len(sections) == 0 {
			sections = append(sections, section{})
		}
		return &sections[len(sections)-1]
	}
	flush := func() {
		if len(block) > 0 {
			if mdBlock.MatchString(block[0]) {
				if s := at(); len(s.paragraphs) == 0 {
					s.direct = false
				}
			} else {
				at().add(clean(strings.Join(block, " ")))
			}
		}
		block = nil
	}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \r")
		switch {
		case i == 0 && line == "---":
			front = true
		case front:
			front = line != "---"
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			flush()
			fenced = !fenced
			if s := at(); len(s.paragraphs) == 0 {
				s.direct = false
			}
		case fenced:
		case line == "":
			flush()
		case mdHeading.MatchString(line):
			flush()
			sections = append(sections, section{heading: strings.TrimSpace(clean(mdHeading.FindStringSubmatch(line)[1])), direct: true})
		default:
			block = append(block, line)
		}
	}
	flush()
	return slices.DeleteFunc(sections, func(s section) bool { return s.heading == "" })
}

func clean(text string) string {
	return html.UnescapeString(mdMark.ReplaceAllString(mdLink.ReplaceAllString(text, "$1"), ""))
}

var (
	htmlPart = regexp.MustCompile(`(?s)<h[1-6][^>]*>(.*?)</h[1-6]>|<p>(.*?)(?:</p>|<p>|<pre)|<(pre|ul|ol|table|dl)`)
	htmlTag  = regexp.MustCompile(`<[^>]*>`)
)

// hypertext splits a text in HTML.
func hypertext(text string) []section {
	var sections []section
	for _, part := range htmlPart.FindAllStringSubmatch(text, -1) {
		heading, paragraph := html.UnescapeString(htmlTag.ReplaceAllString(part[1], "")), html.UnescapeString(htmlTag.ReplaceAllString(part[2], ""))
		switch {
		case strings.TrimSpace(heading) != "":
			sections = append(sections, section{heading: strings.Join(strings.Fields(heading), " "), direct: true})
		case len(sections) == 0:
		case part[3] != "":
			if s := &sections[len(sections)-1]; len(s.paragraphs) == 0 {
				s.direct = false
			}
		default:
			sections[len(sections)-1].add(paragraph)
		}
	}
	return sections
}

// collection asks by the headings that are the only one of their text, for the
// first paragraph under each.
func (m manual) collection() (collection, error) {
	c := collection{name: m.name, language: textindex.English, docs: map[string]string{}}
	sections, err := m.read()
	if err != nil {
		return c, err
	}
	count := map[string]int{}
	for i, s := range sections {
		count[s.heading]++
		for j, text := range s.paragraphs {
			c.docs[paragraph(i, j)] = text
		}
	}
	for i, s := range sections {
		if count[s.heading] == 1 && len(s.paragraphs) > 0 && s.direct {
			c.questions = append(c.questions, question{s.heading, map[string]float64{paragraph(i, 0): 1}})
		}
	}
	return c, nil
}

func paragraph(section, i int) string { return fmt.Sprintf("manual/P/%04d.%02d", section, i) }
