package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vectorlink/vectorlink/api"
	"github.com/vectorlink/vectorlink/indexer"
	"github.com/vectorlink/vectorlink/search"
	"github.com/vectorlink/vectorlink/vfs"
	"github.com/vectorlink/vectorlink/vfs/vfstest"
)

// hostileNames are names that mean something else to a file system, a shell, a
// terminal or a log.
var hostileNames = []string{
	"..", ".", "...", "../..", "..%2f", "%2e%2e", "%2e%2e%2f%2e%2e", `..\..`, `\`, `c:\x`, "C:", "a\x00b", "\x00", "-rf", ".hidden", ".-x",
	"CON", "con.txt", "NUL", "aux", "LPT1", "~", "~root", "$HOME", "`id`", "a b", " ", "a\nb", "a\rb", "\x1b[2J", "a;b", "a|b", "a*b", "a?b", `"`, "'", "<x>",
	"\u2024\u2024\u2044", "\uff0e\uff0e\uff0f", "\u202e", "e\u0301", "\u00e9", "\u212a", "K", "k", "\U0001f480", "a@b", "a~b", "tasks.journal", "LOCK", "x.hnsw", "x.vecs.tmp",
	"%", "%00", "\xff\xfe", strings.Repeat("x", 512), strings.Repeat("x", 4096), strings.Repeat("../", 300), strings.Repeat("\u65e5", 170),
}

// TestNamesStayInside uses hostile names, and many random ones, as organisation,
// database, branch and commit over a store on the real disk. Whatever is taken,
// no path outside of the data directory may come into being, and nothing in it
// but files.
func TestNamesStayInside(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "data")
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	l := newLive(t, files)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	names := slices.Clone(hostileNames)
	random := 100
	if os.Getenv("VECTORLINK_LONG") != "" {
		random = 5_000
	}
	const odd = "./\\%~@ -_\x00\n:*?AaZz09\u00e9\u65e5\u202e"
	for range random {
		name := make([]rune, 1+r.IntN(12))
		for i := range name {
			name[i] = []rune(odd)[r.IntN(len([]rune(odd)))]
		}
		names = append(names, string(name))
	}
	taken := 0
	for i, name := range names {
		q := url.Values{"domain": {"a/b"}, "target_commit": {"c"}, "branch": {"main"}, "stream": {"true"}}
		switch i % 4 {
		case 0:
			q.Set("domain", name+"/b")
		case 1:
			q.Set("domain", "a/"+name)
		case 2:
			q.Set("target_commit", name)
		case 3:
			q.Set("branch", name)
			q.Set("target_commit", fmt.Sprint("c", i))
		}
		if i < len(hostileNames) { // in every place
			q.Set("domain", name+"/"+name)
			q.Set("target_commit", name)
			q.Set("branch", name)
		}
		got := l.do(request{method: "POST", target: "/push?" + q.Encode(), body: inserted("d/A/1", "x")})
		switch {
		case got.status == 200 && strings.Contains(got.body, `"complete"`):
			taken++
		case got.status != 400 && got.status != 409:
			t.Errorf("%q: status %d, %s", name, got.status, got.body)
		}
		for _, target := range []string{"/search?q=x&commit=c&", "/integrity?", "/last-indexed?", "/statistics?"} {
			if got := l.get(target + url.Values{"domain": {name + "/" + name}}.Encode()); got.status >= 500 {
				t.Errorf("%s of %q: status %d, %s", target, name, got.status, got.body)
			}
		}
	}
	outside, inside := 0, 0
	err = filepath.WalkDir(parent, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(parent, path)
		switch {
		case err != nil:
			return err
		case rel == "." || rel == "data":
		case filepath.Dir(rel) != "data" || !e.Type().IsRegular() || strings.HasPrefix(e.Name(), "."):
			outside++
			t.Errorf("%q is not where files belong", rel)
		default:
			inside++
		}
		return nil
	})
	if err != nil || taken < 40 || inside < taken {
		t.Errorf("%d names were taken, %d files made: %v", taken, inside, err)
	}
	t.Logf("%d hostile names, %d taken, %d files, %d outside", len(names), taken, inside, outside)
}

// pipes is a listener of connections in memory, which obey fake time.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// drip sends a request one byte a second until it is cut off, and returns how
// long that took.
func drip(conn net.Conn, head, body string) time.Duration {
	start := time.Now()
	answered := make(chan struct{})
	go func() { // whatever is answered is read
		defer close(answered)
		_, _ = io.Copy(io.Discard, conn)
	}()
	defer func() {
		conn.Close()
		<-answered
	}()
	if _, err := io.WriteString(conn, head); err != nil {
		return time.Since(start)
	}
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{body[i%len(body)]}); err != nil {
			return time.Since(start)
		}
		select {
		case <-answered:
			return time.Since(start)
		case <-time.After(time.Second):
		}
	}
}

// drips are ways to hold a connection open by being slow.
var drips = []struct{ head, body string }{
	{"", "G"}, // not even a first line
	{"GET /search?domain=a/b&commit=k7&q=x HTTP/1.1\r\n", "x"},
	{"GET /statistics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "x"},
	{"POST /search?domain=a/b&commit=k7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", "x"},
	{"POST /similar HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", " "},
	{"POST /candidates HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n", " "},
	// Refused before its body is read, which is then drained.
	{"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", "x"},
	{"POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", "x"},
}

// TestSlowClientsAreCutOff holds that nobody keeps a connection by sending
// slowly: in fake time, of each kind of slowness, the exact bound.
func TestSlowClientsAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := api.Config{SearchReady: true}
		l := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- api.Serve(ctx, l, api.New(cfg, &fake{}), slog.New(slog.DiscardHandler)) }()
		var clients sync.WaitGroup
		for _, d := range drips {
			for range 20 {
				clients.Go(func() {
					if took := drip(l.dial(), d.head, d.body); took > 12*time.Second {
						t.Errorf("%.40q kept its connection for %v", d.head, took)
					}
				})
			}
		}
		// Others are served meanwhile.
		start := time.Now()
		conn := l.dial()
		fmt.Fprint(conn, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 200 || time.Since(start) > 0 {
			t.Errorf("a client beside them: %v, %v after %v", resp, err, time.Since(start))
		}
		conn.Close()
		clients.Wait()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowloris is the same over real sockets, a crowd of them, with the latency
// of a client beside them.
func TestSlowloris(t *testing.T) {
	sockets := 5000
	if os.Getenv("VECTORLINK_LONG") == "" {
		t.Skip("takes ten seconds; set VECTORLINK_LONG=1")
	}
	t.Parallel()
	address, stop := serve(t, &fake{hits: search.Hits{Commit: "k7"}})
	defer stop()
	var clients sync.WaitGroup
	var slowest atomic.Int64
	begun := make(chan struct{}, 64)
	for i := range sockets {
		begun <- struct{}{}
		conn, err := net.Dial("tcp", address)
		<-begun
		if err != nil {
			t.Fatalf("socket %d: %v", i, err)
		}
		clients.Go(func() {
			d := drips[i%len(drips)]
			took := drip(conn, d.head, d.body)
			for old := slowest.Load(); int64(took) > old && !slowest.CompareAndSwap(old, int64(took)); old = slowest.Load() {
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		clients.Wait()
	}()
	var times []time.Duration
	for done := false; !done; {
		start := time.Now()
		resp, err := http.Get("http://" + address + "/search?domain=a/b&commit=k7&q=x")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		times = append(times, time.Since(start))
		select {
		case <-ended:
			done = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	slices.Sort(times)
	p99 := times[len(times)*99/100]
	t.Logf("%d slow sockets: the last was closed after %v; of %d searches beside them p99 %v", sockets, time.Duration(slowest.Load()).Round(time.Millisecond), len(times), p99)
	if p99 > 200*time.Millisecond || time.Duration(slowest.Load()) > 15*time.Second {
		t.Errorf("p99 %v, the last socket was closed after %v", p99, time.Duration(slowest.Load()))
	}
}

// TestLargeBodies sends bodies that would not fit: each is refused, and memory
// stays.
func TestLargeBodies(t *testing.T) {
	l := newLive(t, vfstest.NewMem(), func(_ *indexer.Config, c *api.Config) { c.MaxLine = 1 << 20 })
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 100 {
		_, _ = z.Write(make([]byte, 1<<16))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if ratio := 100 << 16 / bomb.Len(); ratio < 900 {
		t.Fatalf("the bomb packs 1:%d only", ratio)
	}
	endless := func(n int64) io.Reader { return io.LimitReader(spaces{}, n) }
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for {
			runtime.ReadMemStats(&now)
			if now.HeapInuse > peak.Load() {
				peak.Store(now.HeapInuse)
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	post := func(target, media, encoding string, body io.Reader) int {
		req, err := http.NewRequestWithContext(t.Context(), "POST", l.url+target, body)
		if err != nil {
			t.Error(err)
			return 0
		}
		req.Header.Set("Content-Type", media)
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return -1 // cut off while it was still sending
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	var crowd sync.WaitGroup
	rounds := 1
	if os.Getenv("VECTORLINK_LONG") != "" {
		rounds = 4
	}
	for range rounds {
		for _, path := range []string{"/similar", "/search", "/candidates", "/index", "/assign", "/embeddings", "/notify"} {
			crowd.Go(func() {
				if got := post(path, "application/json", "", endless(64<<20)); got != 413 && got != -1 {
					t.Errorf("%s with an endless body: status %d", path, got)
				}
				for _, encoding := range []string{"gzip", "br", "zstd", "deflate"} {
					if got := post(path, "application/json", encoding, bytes.NewReader(bomb.Bytes())); got != 415 {
						t.Errorf("%s with %s: status %d", path, encoding, got)
					}
				}
			})
		}
		crowd.Go(func() {
			if got := post("/search?domain=a/b&commit=k7", "text/plain", "", endless(64<<20)); got != 413 && got != -1 {
				t.Errorf("an endless query: status %d", got)
			}
		})
	}
	crowd.Wait()
	if got := post("/push?domain=a/b&target_commit=c1", "application/x-ndjson", "gzip", bytes.NewReader(bomb.Bytes())); got != 415 {
		t.Errorf("a packed push: status %d", got)
	}
	long := l.do(request{method: "POST", target: "/push?domain=a/b&target_commit=c1&stream=true", body: `{"op":"Inserted","id":"x","string":"` + strings.Repeat("x", 2<<20) + `"}`})
	if !strings.Contains(long.body, "malformed line 1") {
		t.Errorf("a line of 2 MiB where 1 is allowed: %.200s", long.body)
	}
	close(stop)
	sampler.Wait()
	growth := int64(peak.Load()) - int64(before.HeapInuse)
	t.Logf("%d endless bodies at once: the heap grew by %d MiB", 8*rounds, growth>>20)
	if growth > 128<<20 {
		t.Errorf("the heap grew by %d MiB", growth>>20)
	}
}

// TestShutdownIsBounded checks, in fake time, that requests which do not end by
// themselves are cut off soon enough for a supervisor: what hangs, what sends
// slowly, and connections that sit idle.
func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		ix := &fake{hook: func(ctx context.Context) error {
			<-ctx.Done()
			ended.Add(1)
			return ctx.Err()
		}}
		l := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- api.Serve(ctx, l, api.New(api.Config{SearchReady: true}, ix), slog.New(slog.DiscardHandler))
		}()
		var clients sync.WaitGroup
		for _, request := range []string{
			"GET /search?domain=a/b&commit=k7&q=x HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"GET /duplicates?domain=a/b&commit=k7 HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"POST /search?domain=a/b&commit=k7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
			"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"",
		} {
			clients.Go(func() {
				conn := l.dial()
				defer conn.Close()
				if _, err := io.WriteString(conn, request); err != nil {
					t.Error(err)
				}
				_, _ = io.Copy(io.Discard, conn) // until it is closed
			})
		}
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		clients.Wait()
		took := time.Since(start)
		synctest.Wait() // the searches end by themselves
		if took > 8*time.Second || ended.Load() != 2 {
			t.Errorf("stopped after %v; %d searches were told to end, want 2", took, ended.Load())
		}
	})
}
