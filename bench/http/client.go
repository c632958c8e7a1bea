package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// conn is a client of one connection. It shares the processors with the server
// that is measured, so it does as little as it can: requests are made before.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

func (c *conn) close() { _ = c.Close() }

// do sends a request and returns the answer's body.
func (c *conn) do(request []byte) ([]byte, error) {
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answered %s: %s", resp.Status, body)
	}
	return body, err
}

// search sends a request that must find something.
func (c *conn) search(request []byte) error {
	body, err := c.do(request)
	if err == nil && !bytes.HasPrefix(body, []byte(`[{"id":`)) {
		err = fmt.Errorf("no hits: %.200s", body)
	}
	return err
}

// post returns a request with a JSON body.
func post(path string, body map[string]any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		fatal(err) // strings and numbers
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(text), text)
}

// ready returns a search by a ready vector.
func ready(domain, commit string, v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b, _ = binary.Append(b, binary.LittleEndian, x)
	}
	return post("/similar", map[string]any{"domain": domain, "commit": commit, "vector_b64": base64.StdEncoding.EncodeToString(b)})
}

// words returns a search by a text.
func words(domain, commit, mode, text string) []byte {
	return post("/search", map[string]any{"domain": domain, "commit": commit, "mode": mode, "q": text})
}

// measured is what a load came to.
type measured struct {
	latencies []time.Duration // ascending
	wall      time.Duration
	cpu       time.Duration // of the server
}

func (m *measured) add(other measured) {
	m.latencies = append(m.latencies, other.latencies...)
	slices.Sort(m.latencies)
	m.wall += other.wall
	m.cpu += other.cpu
}

func (m *measured) percentile(p int) time.Duration {
	return m.latencies[(len(m.latencies)-1)*p/100]
}

func (m *measured) rate() float64 { return float64(len(m.latencies)) / m.wall.Seconds() }

// each returns the server's CPU time for a request.
func (m *measured) each() time.Duration { return m.cpu / time.Duration(len(m.latencies)) }

// load sends requests from a number of clients for a time, each the next when
// the answer to the last has come.
func load(p *process, requests [][]byte, clients int, during time.Duration) (measured, error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  measured
		fail error
	)
	before, began := p.cpu(), time.Now()
	for client := range clients {
		wg.Go(func() {
			latencies, err := loop(p.addr, requests, client*len(requests)/clients, began.Add(during))
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, latencies...)
			if err != nil {
				fail = err
			}
		})
	}
	wg.Wait()
	all.wall, all.cpu = time.Since(began), p.cpu()-before
	slices.Sort(all.latencies)
	return all, fail
}

func loop(addr string, requests [][]byte, at int, until time.Time) ([]time.Duration, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var latencies []time.Duration
	for now := time.Now(); now.Before(until); at++ {
		if err := c.search(requests[at%len(requests)]); err != nil {
			return nil, err
		}
		last := now
		now = time.Now()
		latencies = append(latencies, now.Sub(last))
	}
	return latencies, nil
}
