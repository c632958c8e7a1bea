package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// isTerminal reports whether a stream is one that people look at.
func isTerminal(stream any) bool {
	if out, ok := stream.(*output); ok {
		stream = out.Writer
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress shows how far one piece of work is: as a bar on one line of a terminal, and
// as lines elsewhere.
type progress struct {
	w     io.Writer
	label string
	width int // of the terminal; 0: there is none
	start time.Time

	mu      sync.Mutex // guards below
	percent float64
	last    time.Time // of the latest line, or of the start
	shown   string    // its text without the time
}

const (
	// minBar is the width from which on a terminal has room for a bar. Some say
	// that they have none.
	minBar = 60
	// barCells is the length of a bar between its brackets.
	barCells = 30
	// Lines are written no faster than linePause, and no slower than lineQuiet so
	// that a log shows the work is alive.
	linePause = time.Second
	lineQuiet = 10 * time.Second
)

// newProgress returns the progress of work that begins now.
func newProgress(w io.Writer, label string) *progress {
	p := &progress{w: w, label: label, start: time.Now(), last: time.Now()}
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= minBar {
			p.width = width
		}
	}
	return p
}

// update takes the share done, 0 to 100, and what else is worth telling. A share below
// an earlier one is taken for that.
func (p *progress) update(percent float64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.percent = min(max(p.percent, percent), 100)
	if p.width > 0 {
		p.draw(note, "")
		return
	}
	text := fmt.Sprintf("%5.1f %%", p.percent)
	if since := time.Since(p.last); since >= linePause && (text != p.shown || since >= lineQuiet) {
		p.line(text, note)
	}
}

// end shows the last state; done says whether the work was finished.
func (p *progress) end(done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done {
		p.percent = 100
	}
	switch {
	case p.width > 0:
		p.draw("", "\n")
	case done:
		p.line("100.0 %", "")
	}
}

// draw writes the bar over the one before. Called with mu held.
func (p *progress) draw(note, end string) {
	full := int(p.percent / 100 * barCells)
	line := fmt.Sprintf("%s [%s%s] %3.0f %%  %s  %s", p.label,
		strings.Repeat("=", full), strings.Repeat("-", barCells-full), p.percent, seconds(time.Since(p.start)), note)
	// A line that wraps could not be written over.
	if cells := []rune(line); len(cells) >= p.width {
		line = string(cells[:p.width-1])
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K%s", line, end) // the sequence clears what stood behind
}

// line writes a line. Called with mu held.
func (p *progress) line(text, note string) {
	p.last, p.shown = time.Now(), text
	if note != "" {
		note = "  " + note
	}
	fmt.Fprintf(p.w, "%s  %s  %s%s\n", p.label, text, seconds(time.Since(p.start)), note)
}

// seconds writes a duration in seconds, as precisely as a reader cares.
func seconds(d time.Duration) string {
	s := d.Seconds()
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}
