package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vectorlink/vectorlink/internal/certtest"
	"github.com/vectorlink/vectorlink/service"
)

// proxies are those of docs/operations.md: the language of their block there, and how
// they are run with it.
var proxies = map[string]struct {
	language string
	protos   []int // by which a push's progress passes while it is sent
	run      func(dir, config string) (files map[string]string, args []string)
}{
	"nginx": {"nginx", []int{2, 1}, func(dir, config string) (map[string]string, []string) {
		var whole strings.Builder
		whole.WriteString("pid " + dir + "/pid;\nerror_log stderr;\ndaemon off;\nmaster_process off;\nevents {}\nhttp {\naccess_log off;\n")
		for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			whole.WriteString(name + "_temp_path " + dir + "/" + name + ";\n")
		}
		return map[string]string{"nginx.conf": whole.String() + config + "}\n"}, []string{"-p", dir, "-c", dir + "/nginx.conf"}
	}},
	"caddy": {"caddyfile", []int{2}, func(dir, config string) (map[string]string, []string) {
		return map[string]string{"Caddyfile": "{\nadmin off\nauto_https disable_redirects\n}\n" + config}, []string{"run", "--config", dir + "/Caddyfile", "--adapter", "caddyfile"}
	}},
	"traefik": {"traefik", []int{2}, func(dir, config string) (map[string]string, []string) {
		return map[string]string{"dynamic.yml": config}, []string{"--entryPoints.websecure.address=ADDR", "--providers.file.filename=" + dir + "/dynamic.yml"}
	}},
}

// block returns the block of a language in a page of docs.
func block(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatalf("docs/operations.md has no block of %s", language)
	}
	return string(found[1])
}

// TestProxies runs the proxies as docs/operations.md has them: a push is read while it is
// sent, its progress comes while it is, and a key passes.
func TestProxies(t *testing.T) {
	for name, p := range proxies {
		t.Run(name, func(t *testing.T) {
			config := block(t, p.language)
			program, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			g := guard(t)
			g.add("push", service.Push|service.Read, "acme/*")
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr, dir := free.Addr().String(), t.TempDir()
			free.Close()
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			_, text := certtest.Write(t, cert, key, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			for from, to := range map[string]string{
				"/etc/ssl/vectors.pem": cert, "/etc/ssl/vectors.key": key, "127.0.0.1:8080": strings.TrimPrefix(g.url, "http://"),
				"listen 443 ": "listen " + addr + " ", "vectors.example.com {": "https://" + addr + " {", "Host(`vectors.example.com`)": "Host(`127.0.0.1`)",
			} {
				config = strings.ReplaceAll(config, from, to)
			}
			files, args := p.run(dir, config)
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "ADDR", addr)
			}
			log := new(sharedLog)
			cmd := exec.Command(program, args...)
			cmd.Stdout, cmd.Stderr = log, log
			cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = cmd.Wait()
			}()
			defer func() {
				cmd.Process.Kill()
				<-ended
				if said := log.take(); t.Failed() {
					t.Logf("%s", said[max(len(said)-2000, 0):])
				}
			}()
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(text)
			for _, proto := range p.protos {
				transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: proto == 2}
				defer transport.CloseIdleConnections()
				through(t, g, &http.Client{Transport: transport}, "https://"+addr, proto, ended)
			}
		})
	}
}

// through pushes through a proxy that may just be coming up.
func through(t *testing.T, g *guarded, client *http.Client, url string, proto int, ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-ended:
			t.Fatalf("it ended: %v", err)
		case <-ctx.Done():
			t.Fatalf("it does not come up: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	body, sent := io.Pipe()
	defer context.AfterFunc(ctx, func() { sent.CloseWithError(ctx.Err()) })()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/push?domain=acme/db&target_commit=p%d&stream=true", url, proto), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.SetBasicAuth("push", g.secrets["push"])
	// More than what a proxy may hold before it sends anything, and no end.
	answers := make(chan *http.Response, 1)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("HTTP/%d: %v", proto, err)
			sent.CloseWithError(err)
		}
		answers <- resp
	}()
	line := func(i int) string { return fmt.Sprintf(`{"op":"Inserted","id":"d/%d","string":"zebra %d"}`+"\n", i, i) }
	if _, err := io.WriteString(sent, line(1)); err != nil {
		t.Fatal(err)
	}
	resp := <-answers // while the body has not ended
	if resp == nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != proto {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("HTTP/%d: %s %s", proto, resp.Status, text)
	}
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), "total_seen") {
		t.Fatalf("HTTP/%d: the first line while the push is under way: %q, %v", proto, lines.Text(), lines.Err())
	}
	for i := range 2_000 {
		if _, err := io.WriteString(sent, line(i+2)); err != nil {
			t.Fatalf("HTTP/%d: %v", proto, err)
		}
	}
	sent.Close()
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if !strings.Contains(last, `"complete"`) || !strings.Contains(last, `"indexed_documents":2001`) {
		t.Errorf("HTTP/%d: the last line is %q, %v", proto, last, lines.Err())
	}
}
