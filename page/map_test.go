package page_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestClustersAndMap names groups, and places documents without sending a vector.
func TestClustersAndMap(t *testing.T) {
	s := newSite(t)
	s.has("org/db/clusters", nil, "of documents", "Finer", "Coarser")
	s.has("org/db/clusters", []string{"with", "first"}, "Since")
	s.has("org/db/map", []string{"color", "change"}, "Near means alike", "By this commit", "1 document removed, so not on this map", `>added</span><span class="num">1<`, `>changed</span><span class="num">1<`, `>as before</span><span class="num">24<`)
	s.has("org/db/map", []string{"color", "field:colour"}, `>green</span><span class="num">7<`, `>without a value</span><span class="num">7<`, `color=field%3Asuns`)
	s.has("org/db/map", []string{"color", "field:label"}, "1 other value, or none")
	s.has("org/db/map", []string{"color", "field:nothing"}, `>without a value</span><span class="num">26<`)
	var numbers strings.Builder
	for i := range 60 {
		numbers.WriteString(operation("Inserted", fmt.Sprintf("Number/%d", i), fmt.Sprintf("number %d", i), map[string]any{"size": i * i}))
	}
	for i := range 40 {
		numbers.WriteString(operation("Inserted", fmt.Sprintf("Filler/%d", i), fmt.Sprintf("filler %d", i), nil))
	}
	s.push("numbers", numbers.String(), "previous", "later", "branch", "side")
	s.has("org/db/map", []string{"at", "numbers", "color", "field:size"}, `>0 – 81</span><span class="num">10<`, `>2500 – 3481</span><span class="num">10<`, `>without a number</span><span class="num">66<`, "color=field%3Asize")
	s.has("org/db/map", []string{"at", "numbers", "sel", "-99,-99;-99,99;99,99;99,-99"}, "Selected: 126", "1 to 100 of 126", "start=100", "Next 100", ">Filler/0</a>")
	if p := s.plot("at", "numbers", "color", "field:size"); len(p.Kinds) != 7 || p.Kinds[6].Tone != "rest" {
		t.Errorf("ranges: %+v", p.Kinds)
	}
	first, later := s.plot("color", "class", "at", "first"), s.plot("color", "class")
	if first.N != 26 || later.N != 26 || len(later.Kinds) != 5 || later.Kinds[0].Name != "Thing" {
		t.Errorf("points: %+v", later)
	}
	// Both commits are told of in one plane: what has not changed is near where it was.
	moved := 0
	for id, was := range first.at {
		if now, ok := later.at[id]; ok && math.Hypot(now[0]-was[0], now[1]-was[1]) > 0.05*65535*later.Step {
			moved++
		}
	}
	if moved > 2 { // one has another text
		t.Errorf("%d points are elsewhere", moved)
	}
	_, texts, _ := s.get("org/db/map/texts", "i", "5")
	var told struct {
		ID, Name, Text string
		Near           []int
	}
	if err := json.Unmarshal([]byte(texts), &told); err != nil || told.Text == "" || len(told.Near) != 5 || slices.Contains(told.Near, 5) {
		t.Errorf("texts: %v %s", err, texts)
	}
	if status, _, _ := s.get("org/db/map/texts", "i", "26"); status != 404 {
		t.Errorf("no such point: %d", status)
	}
}

// plot is a commit's points as the script is sent them.
type plot struct {
	N                  int
	Left, Bottom, Step float64
	Kinds              []struct{ Name, Tone string }
	at                 map[uint32][2]float64 // by the hashes of ids
}

func (s *site) plot(params ...string) (p plot) {
	s.t.Helper()
	status, body, h := s.get("org/db/map/points", params...)
	if status != 200 || h.Get("Content-Type") != "application/octet-stream" {
		s.t.Fatalf("points: %d %s", status, body)
	}
	b := []byte(body)
	head := b[4 : 4+binary.LittleEndian.Uint32(b)]
	if err := json.Unmarshal(head, &p); err != nil || len(head)%4 != 0 || len(b) != 4+len(head)+10*p.N {
		s.t.Fatalf("points: %v, %d bytes", err, len(b))
	}
	rest, p2 := b[4+len(head):], make(map[uint32][2]float64)
	for i := range p.N {
		x, y := binary.LittleEndian.Uint16(rest[4*p.N+2*i:]), binary.LittleEndian.Uint16(rest[6*p.N+2*i:])
		p2[binary.LittleEndian.Uint32(rest[4*i:])] = [2]float64{p.Left + float64(x)*p.Step, p.Bottom + float64(y)*p.Step}
	}
	p.at = p2
	return p
}

// TestSelection: what is outlined on the map has an address, a list and an export.
func TestSelection(t *testing.T) {
	s := newSite(t)
	p := s.plot()
	all := fmt.Sprintf("%g,%g;%g,%g;%g,%g;%g,%g", p.Left-1, p.Bottom-1, p.Left-1, p.Bottom+65536*p.Step, p.Left+65536*p.Step, p.Bottom+65536*p.Step, p.Left+65536*p.Step, p.Bottom-1)
	s.has("org/db/map", []string{"sel", all}, "Selected: 26", ">Yoda</a>", "Export ids", "Clear")
	s.has("org/db/map", []string{"sel", all, "start", "20"}, "21 to 26 of 26", "!>Qui</a>")
	right := p.Left + 65536*p.Step
	beside := fmt.Sprintf("%g,-99;%g,99;%g,99;%g,-99", right+1, right+1, right+2, right+2)
	s.has("org/db/map", []string{"sel", beside}, "Selected: 0")
	s.has("org/db/map", []string{"sel", "0,0;0,0;0,0"}, "Selected: 0", "There is no document")
	for _, wrong := range []string{"x", "1,2;3", strings.Repeat("1,2;", 300) + "1,2"} {
		s.has("org/db/map", []string{"sel", wrong}, "!Selected")
	}
	_, ids, h := s.get("org/db/map/ids", "sel", all)
	if n := strings.Count(ids, "\n"); n != 26 || !strings.Contains(ids, base+"People/20\n") || !strings.Contains(h.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d ids: %s, %v", n, ids, h)
	}
}
