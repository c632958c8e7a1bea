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

// progress shows how far one piece of work is.
type progress interface {
	// update takes the share done, 0 to 100, and what else is worth telling.
	// A share below an earlier one is taken for that.
	update(percent float64, note string)
	// end shows the last state; done says whether the work was finished.
	end(done bool)
}

// minBar is the width from which on a terminal has room for a bar. Some say
// that they have none.
const minBar = 60

// newProgress returns a bar where w is a terminal, and lines elsewhere.
func newProgress(w io.Writer, label string) progress {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= minBar {
			return &bar{w: w, label: label, width: width, start: time.Now()}
		}
	}
	return newLines(w, label, time.Now)
}

// barCells is the length of a bar between its brackets.
const barCells = 30

// bar is a progress of one line, which every update writes again.
type bar struct {
	w     io.Writer
	label string
	width int // of the terminal
	start time.Time

	mu      sync.Mutex // guards below
	percent float64
}

func (b *bar) update(percent float64, note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.percent = min(max(b.percent, percent), 100)
	b.draw(note, "")
}

// draw writes the line. Called with b.mu held.
func (b *bar) draw(note, end string) {
	full := int(b.percent / 100 * barCells)
	line := fmt.Sprintf("%s [%s%s] %3.0f %%  %s  %s", b.label,
		strings.Repeat("=", full), strings.Repeat("-", barCells-full), b.percent, seconds(time.Since(b.start)), note)
	// A line that wraps could not be written over.
	if cells := []rune(line); len(cells) >= b.width {
		line = string(cells[:b.width-1])
	}
	fmt.Fprintf(b.w, "\r%s\x1b[K%s", line, end) // the sequence clears what stood behind
}

func (b *bar) end(done bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if done {
		b.percent = 100
	}
	b.draw("", "\n")
}

// Lines are written no faster than linePause, and no slower than lineQuiet so
// that a log shows the work is alive.
const (
	linePause = time.Second
	lineQuiet = 10 * time.Second
)

// lines is a progress of plain lines.
type lines struct {
	w     io.Writer
	label string
	now   func() time.Time
	start time.Time

	mu      sync.Mutex // guards below
	last    time.Time  // of the latest line, or of the start
	shown   string     // its text without the time
	percent float64
}

func newLines(w io.Writer, label string, now func() time.Time) *lines {
	start := now()
	return &lines{w: w, label: label, now: now, start: start, last: start}
}

func (l *lines) update(percent float64, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.percent = max(l.percent, percent)
	now := l.now()
	text := fmt.Sprintf("%5.1f %%", l.percent)
	since := now.Sub(l.last)
	if since < linePause || text == l.shown && since < lineQuiet {
		return
	}
	l.write(now, text, note)
}

// write writes a line. Called with l.mu held.
func (l *lines) write(now time.Time, text, note string) {
	l.last, l.shown = now, text
	if note != "" {
		note = "  " + note
	}
	fmt.Fprintf(l.w, "%s  %s  %s%s\n", l.label, text, seconds(now.Sub(l.start)), note)
}

func (l *lines) end(done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if done {
		l.write(l.now(), "100.0 %", "")
	}
}

// seconds writes a duration in seconds, as precisely as a reader cares.
func seconds(d time.Duration) string {
	s := d.Seconds()
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}
