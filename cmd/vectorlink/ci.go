package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// level says how much a finding matters.
type level string

// The levels, by the names that SARIF has for them.
const (
	levelError   level = "error" // the command fails for it
	levelWarning level = "warning"
	levelNote    level = "note"
)

// finding is one thing that a result tells about documents, for the machines that
// show results of tests and of code's analysis.
type finding struct {
	rule  string // what kind it is, a word
	level level
	ids   []string // of the documents, one at least
	text  string
}

// junitSuite is a test suite as JUnit's readers take it.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// printJUnit writes findings as a test suite. Those that the command fails for are
// failed tests, others passed ones; without any there is one that passed.
func printJUnit(w io.Writer, list []finding) error {
	suite := junitSuite{Name: "vectorlink", Tests: len(list)}
	for _, f := range list {
		one := junitCase{Class: "vectorlink." + f.rule, Name: plainText(strings.Join(f.ids, " "))}
		if f.level == levelError {
			suite.Failures++
			first, _, _ := strings.Cut(f.text, "\n")
			one.Failure = &junitFailure{first, f.text}
		} else {
			one.Output = f.text
		}
		suite.Cases = append(suite.Cases, one)
	}
	if len(list) == 0 {
		suite.Tests, suite.Cases = 1, []junitCase{{Class: "vectorlink", Name: "nothing was found"}}
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return nil
}

// object is a JSON object.
type object = map[string]any

// printSARIF writes findings as a log of SARIF 2.1.0. A document stands for the file
// that readers of such logs want: its id is the address.
func printSARIF(w io.Writer, list []finding) error {
	results := []object{}
	for _, f := range list {
		var at []object
		for _, id := range f.ids {
			at = append(at, object{
				"physicalLocation": object{"artifactLocation": object{"uri": (&url.URL{Path: id}).EscapedPath()}},
				"logicalLocations": []object{{"fullyQualifiedName": id}},
			})
		}
		// Readers show the first location; the others are those that it is alike.
		results = append(results, object{
			"ruleId": f.rule, "level": f.level, "message": object{"text": f.text},
			"locations": at[:1], "relatedLocations": at[1:],
		})
	}
	return printJSON(w, object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []object{{"tool": object{"driver": object{"name": "vectorlink", "version": version}}, "results": results}},
	})
}
