package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKilledServerKeepsWrites ends a server by kill -9 in the middle of single writes,
// deletions, bulk writes and commits, again and again: what was answered is there.
func TestKilledServerKeepsWrites(t *testing.T) {
	kills := 3
	if os.Getenv("VECTORLINK_LONG") != "" {
		kills = 2000
	}
	const writers, keys = 3, 5
	dir, seed := t.TempDir(), rand.Uint64()
	t.Logf("seed %d", seed)
	// state is what a key may be, of a writer of its own: before its last write, and
	// after; 0 is that it is not there.
	var states [writers][keys]struct{ before, after float64 }
	post := func(url, body string) (string, error) {
		resp, err := http.Post(url, "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", url, resp.StatusCode, b)
		}
		return string(b), err
	}
	for kill := range kills {
		p := launchServe(t, dir)
		if kill == 0 {
			if _, err := post(p.url+"/spaces", `{"name":"s","dims":2}`); err != nil {
				t.Fatal(err)
			}
		}
		for w := range states {
			for k := range states[w] {
				got, err := post(p.url+"/spaces/s/get", fmt.Sprintf(`{"key":"%d-%d"}`, w, k))
				s := &states[w][k]
				at := 0.0
				if _, bad := fmt.Sscanf(got, fmt.Sprintf(`{"key":"%d-%d","vector":[%%g`, w, k), &at); err != nil || bad == nil && at == 0 || at != s.before && at != s.after {
					t.Fatalf("after %d kills key %d-%d is %s (%v), want %v or %v", kill, w, k, got, err, s.before, s.after)
				}
				s.before, s.after = at, at
			}
		}
		var wg sync.WaitGroup
		for w := range states {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(kill*writers+w)))
				for n := 1; ; n++ {
					k := rng.IntN(keys)
					s := &states[w][k]
					call, body := "set", ""
					switch rng.IntN(8) {
					case 0:
						s.after = 0
						call, body = "delete", fmt.Sprintf(`{"key":"%d-%d"}`, w, k)
					case 1:
						if _, err := post(p.url+"/spaces/s/commit", ""); err != nil {
							return
						}
						continue
					default:
						s.after = float64(kill*1000%16_000_000 + n)
						body = fmt.Sprintf(`{"key":"%d-%d","vector":[%v,1]}`, w, k, s.after)
						if rng.IntN(8) == 0 {
							call, body = "transaction", `{"writes":[{"set":`+body+`}]}`
						}
					}
					if _, err := post(p.url+"/spaces/s/"+call, body); err != nil {
						return
					}
					s.before = s.after
				}
			})
		}
		time.Sleep(time.Duration(20+rand.New(rand.NewPCG(seed, uint64(kill))).IntN(180)) * time.Millisecond)
		p.kill(t)
		wg.Wait()
	}
	// Its journal is whole, and damage to it is found.
	file := filepath.Join(dir, "s.space")
	for _, code := range []int{0, 5} {
		for _, args := range [][]string{{"verify", "--data-dir", dir}, {"inspect", file}} {
			var out, stderr bytes.Buffer
			if got := run(t.Context(), args, nil, strings.NewReader(""), &out, &stderr); got != code {
				t.Errorf("%s ends with %d, want %d: %s%s", args[0], got, code, &out, &stderr)
			}
			if code > 0 && !strings.Contains(out.String(), "s.space") {
				t.Errorf("%s does not name the file: %s", args[0], &out)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[30] ^= 1
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
