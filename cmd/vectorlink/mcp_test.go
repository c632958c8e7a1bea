package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// agent starts `vectorlink mcp` as an agent's program does, and returns what calls its
// tools: their answers, or what they failed with.
func agent(t *testing.T, env []string, args ...string) func(tool string, args map[string]any) string {
	t.Helper()
	cmd := exec.Command(builtProgram(t), append([]string{"mcp"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the command ends with %v", err)
		}
	})
	return func(tool string, args map[string]any) string {
		res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
		if err != nil {
			return err.Error()
		}
		return res.Content[0].(*sdk.TextContent).Text
	}
}

// TestMCP has agents write and read a data directory by the command, and by a server.
func TestMCP(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	note := map[string]any{"domain": "me/notes", "target_commit": "c1", "documents": []any{map[string]any{"id": "n/1", "text": "the harbour freezes"}}}
	query := map[string]any{"domain": "me/notes", "branch": "main", "q": "ice in the port", "mode": "vector"}
	t.Run("directory", func(t *testing.T) {
		ask := agent(t, nil, "--data-dir", dir, "--mcp-write")
		if got := ask("push", note); !strings.Contains(got, `"status":"complete"`) {
			t.Errorf("push: %s", got)
		}
		if got := ask("search", query); !strings.Contains(got, "n/1") {
			t.Errorf("search: %s", got)
		}
	})
	t.Run("reading", func(t *testing.T) {
		ask := agent(t, nil, "--data-dir", dir)
		if got := ask("search", query); !strings.Contains(got, "n/1") {
			t.Errorf("search: %s", got)
		}
		if got := ask("push", note); !strings.Contains(got, "unknown tool") {
			t.Errorf("push: %s", got)
		}
	})
	t.Run("server", func(t *testing.T) {
		p := launchServe(t, dir, "VECTORLINK_ADMIN_SECRET=sesame")
		env := []string{"VECTORLINK_SERVER=" + p.url, "VECTORLINK_ADMIN_SECRET=sesame", "VECTORLINK_MCP_WRITE=true"}
		ask := agent(t, env)
		if got := ask("search", query); !strings.Contains(got, "n/1") {
			t.Errorf("search: %s", got)
		}
		note["target_commit"] = "c2"
		if got := ask("push", note); !strings.Contains(got, `"status":"complete"`) {
			t.Errorf("push: %s", got)
		}
		if got := agent(t, env[:1])("search", query); !strings.Contains(got, "credentials") {
			t.Errorf("without the secret: %s", got)
		}
		if got := agent(t, []string{"VECTORLINK_SERVER=http://127.0.0.1:1"})("domains", nil); !strings.Contains(got, "no answer from http://127.0.0.1:1") {
			t.Errorf("without a server: %s", got)
		}
	})
}
