package workshop_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
	"github.com/vectorlink/vectorlink/workshop"
)

func TestChat(t *testing.T) {
	const key = "sk-canary"
	var status int
	var answer, contentType string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model    string
			Messages []struct{ Role, Content string }
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &req) != nil || r.URL.Path != "/v1/chat/completions" || req.Model != "m" || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("%s %s %s, %v", r.URL, r.Header.Get("Authorization"), body, err)
		}
		if len(req.Messages) != 2 || req.Messages[0].Role != "system" || req.Messages[0].Content != "be brief" || req.Messages[1].Content != "hello" {
			t.Errorf("messages %+v", req.Messages)
		}
		w.Header().Set("Content-Type", contentType)
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	chat, err := workshop.NewChat(workshop.ChatConfig{Provider: embed.ProviderCompatible, URL: srv.URL, Model: "m", Key: contract.NewSecret(key)})
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"choices":[{"message":{"role":"assistant","content":"hi"}}]}`
	for _, c := range []struct {
		name   string
		status int
		answer string
		media  string
		says   string
	}{
		{"good", 200, good, "application/json", ""},
		{"no choice", 200, `{"choices":[]}`, "application/json", "empty"},
		{"nothing said", 200, `{"choices":[{"message":{"content":" "}}]}`, "application/json", "empty"},
		{"key", 401, `{"error":{"message":"bad key sk-canary"}}`, "application/json", "does not accept the key"},
		{"model", 404, `{"error":{"message":"no m"}}`, "application/json", "404"},
		{"trouble", 500, `oops`, "text/plain", "500"},
		{"redirect", 302, ``, "", "redirects"},
		{"page", 200, `<html>`, "text/html", "web page"},
		{"no JSON", 200, `{"choices":`, "application/json", "cannot be read"},
		{"endless", 200, `{"choices":[{"message":{"content":"` + strings.Repeat("x", 2<<20) + `"}}]}`, "application/json", "too large"},
	} {
		status, answer, contentType = c.status, c.answer, c.media
		got, err := chat.Complete(t.Context(), "be brief", "hello")
		if c.says == "" {
			if err != nil || got != "hi" {
				t.Errorf("%s: %q, %v", c.name, got, err)
			}
			continue
		}
		if !errors.Is(err, contract.ErrProvider) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chat.Complete(ctx, "be brief", "hello"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	srv.Close()
	if _, err := chat.Complete(t.Context(), "be brief", "hello"); !errors.Is(err, contract.ErrProvider) || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("without the server: %v", err)
	}
	for _, bad := range []workshop.ChatConfig{
		{Provider: "nobody", URL: srv.URL, Model: "m"}, {Provider: embed.ProviderCompatible, Model: "m"},
		{Provider: embed.ProviderCompatible, URL: srv.URL}, {Provider: embed.ProviderCompatible, URL: "ftp://x", Model: "m"},
	} {
		if _, err := workshop.NewChat(bad); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
