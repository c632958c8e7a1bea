package api_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
)

// TestErrorTable checks the status of every error that package contract exports.
func TestErrorTable(t *testing.T) {
	table := map[string]struct {
		err    error
		status int
		code   string
	}{
		"ErrInvalid":       {contract.ErrInvalid, 400, "invalid_request"},
		"ErrNotConfigured": {contract.ErrNotConfigured, 400, "not_configured"},
		"ErrNotFound":      {contract.ErrNotFound, 404, "not_found"},
		"ErrPruned":        {contract.ErrPruned, 410, "pruned"},
		"ErrConflict":      {contract.ErrConflict, 409, "conflict"},
		"ErrNoKey":         {contract.ErrNoKey, 404, "key_not_found"},
		"ErrFrozen":        {contract.ErrFrozen, 409, "frozen"},
		"ErrImmutable":     {contract.ErrImmutable, 409, "immutable"},
		"ErrBusy":          {contract.ErrBusy, 503, "busy"},
		"ErrReadOnly":      {contract.ErrReadOnly, 403, "read_only"},
		"ErrClosed":        {contract.ErrClosed, 503, "shutting_down"},
		"ErrProvider":      {contract.ErrProvider, 500, "provider_failed"},
		"ErrUnavailable":   {contract.ErrUnavailable, 503, "provider_down"},
		"ErrLimited":       {contract.ErrLimited, 503, "provider_down"},
		"ErrDenied":        {contract.ErrDenied, 500, "source_denied"},
		"ErrSource":        {contract.ErrSource, 500, "source_failed"},
		"ErrCorrupt":       {contract.ErrCorrupt, 500, "damaged"},
		"ErrDown":          {contract.ErrDown, 503, "provider_down"},
		"ErrStore":         {contract.ErrStore, 500, "store_failed"},
	}
	names := exportedErrors(t, "../contract")
	for _, name := range names {
		if _, ok := table[name]; !ok {
			t.Errorf("contract.%s has no status: add it to api's table and to this one", name)
		}
	}
	if len(names) != len(table) {
		t.Errorf("contract exports %d errors %v, the table has %d", len(names), names, len(table))
	}
	e := newEnv(t)
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			e.err = fmt.Errorf("indexer: open: %w: something with k7", row.err)
			if code := contract.Code(e.err); code != row.code {
				t.Errorf("the contract calls it %q, the answer %q", code, row.code)
			}
			got := e.get("/search?domain=a/b&commit=k7&q=x")
			got.wantError(t, row.status, row.code)
			switch id := got.header.Get("X-Request-Id"); name {
			case "ErrCorrupt":
				got.wantError(t, 500, "damaged", "vectorlink verify", id)
			case "ErrStore":
				got.wantError(t, 500, "store_failed", "data directory", id)
			default:
				got.wantError(t, row.status, row.code, "something with k7")
			}
			if !strings.Contains(e.log.String(), "something with k7") {
				t.Error("the log does not hold the error")
			}
		})
	}
}

// exportedErrors returns the names of the exported package-level error
// variables of a package's directory.
func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	pkgs, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(pkgs) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	var names []string
	for _, file := range pkgs {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("no exported errors found in %s", dir)
	}
	return names
}

// TestForeignError checks that an error nobody foresaw says nothing about the
// inside, and is found in the log by its request id.
func TestForeignError(t *testing.T) {
	e := newEnv(t)
	e.err = &fs.PathError{Op: "open", Path: "/var/lib/inside", Err: errors.New("broken")}
	got := e.get("/search?domain=a/b&commit=k7&q=x")
	id := got.header.Get("X-Request-Id")
	got.wantError(t, http.StatusInternalServerError, "internal", id)
	if strings.Contains(got.body, "inside") {
		t.Errorf("the answer shows the inside: %s", got.body)
	}
	if id == "" || !strings.Contains(got.body, `"request_id":"`+id+`"`) {
		t.Errorf("no request id in %s", got.body)
	}
	if log := e.log.String(); !strings.Contains(log, "inside") || !strings.Contains(log, id) {
		t.Errorf("the log lacks the error or the id: %s", log)
	}
}

func TestDeadline(t *testing.T) {
	e := newEnv(t)
	e.err = fmt.Errorf("indexer: %w", context.DeadlineExceeded)
	e.get("/search?domain=a/b&commit=k7&q=x").wantError(t, http.StatusGatewayTimeout, "timeout")
}
