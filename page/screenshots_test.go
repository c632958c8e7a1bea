package page_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/vectorlink/vectorlink/testdata/starwars"
)

// TestScreenshots has the demo's pages drawn into the directory of
// VECTORLINK_SCREENSHOTS, by the program that VECTORLINK_BINARY names.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("VECTORLINK_SCREENSHOTS")
	if dir == "" {
		t.Skip("make screenshots sets VECTORLINK_SCREENSHOTS, where they are written to")
	}
	b := newBrowser(t)
	demo := exec.Command(os.Getenv("VECTORLINK_BINARY"), "demo", "--listen", "127.0.0.1:0")
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	demo.Stderr = demo.Stdout
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = demo.Process.Signal(os.Interrupt)
		_ = demo.Wait() // its end by a signal is no error here
	})
	b.Look(1280, "light")
	site, ready := "", false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		if first, _, found := strings.Cut(lines.Text(), "/ui/"); found && site == "" {
			site = first
		}
		ready = strings.HasPrefix(lines.Text(), "Serving on")
	}
	if !ready {
		t.Fatal("the demo does not serve")
	}
	for _, s := range []struct {
		name   string
		params []string
		until  string
	}{
		{"search", []string{"q", "wise old man"}, ".hit"},
		{"duplicates", []string{"at", "fan", "state", "same", "a", starwars.Base + "People/10", "b", starwars.Base + "People/84"}, "#pair-title"},
		{"map", []string{"color", "group"}, "#map[data-ready]"},
	} {
		b.Open(site, "admin/star_wars/"+s.name, s.params...)
		b.Do(sees(s.until))
		picture, err := chromedp.Run(b.Ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if len(picture) > 200<<10 {
			t.Errorf("%s: %d bytes", s.name, len(picture))
		}
		if err := os.WriteFile(filepath.Join(dir, s.name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if problems := b.Heard(); len(problems) > 0 {
		t.Error(problems)
	}
}
