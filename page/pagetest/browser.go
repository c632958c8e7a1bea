// Package pagetest reads the page in a real browser, for tests: a Chromium without a
// window, driven over its debugging protocol. A test is skipped where none is installed.
package pagetest

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a Chromium without a window, with one tab.
type Browser struct {
	T   *testing.T // fails where a step does
	Ctx context.Context

	mu       sync.Mutex
	problems []string // what its console told of, policies that were broken among it
}

// New starts a Chromium, or skips the test where there is none.
func New(t *testing.T) *Browser {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if at, err := exec.LookPath(name); err == nil {
			program = at
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium is installed here: the pages are not read in a browser (apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900))
	parent, end := context.WithTimeout(context.Background(), 3*time.Minute)
	allocator, stop := chromedp.NewExecAllocator(parent, options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &Browser{T: t, Ctx: ctx}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		stop()
		end()
	})
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("%s does not start: %v", program, err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Browser) hear(event any) {
	var problem string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			problem = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = fmt.Sprintf("console.%s", e.Type)
			for _, a := range e.Args {
				problem += " " + string(a.Value) + a.Description
			}
		}
	}
	if problem != "" {
		b.mu.Lock()
		b.problems = append(b.problems, problem)
		b.mu.Unlock()
	}
}

// Heard returns what the console has told of since it was asked last.
func (b *Browser) Heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.problems
	b.problems = nil
	return list
}

// Do takes steps, each of which may wait for what the one before brings.
func (b *Browser) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, 20*time.Second)
	defer cancel()
	for i, step := range steps {
		if err := chromedp.Do(ctx, step); err != nil {
			where, _ := chromedp.Run(b.Ctx, chromedp.Evaluate[string]("location.href + ' ' + document.querySelector('main')?.innerText.slice(0, 1000)"))
			b.T.Fatalf("step %d: %v at %s", i+1, err, where)
		}
	}
}

// Value evaluates an expression in the page.
func Value[T any](b *Browser, expression string, options ...chromedp.EvaluateOption) T {
	b.T.Helper()
	v, err := chromedp.Run(b.Ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.T.Fatalf("%.80s: %v", expression, err)
	}
	return v
}

// Open goes to a page below the site's /ui/, and waits until it shows what it has.
func (b *Browser) Open(site, path string, params ...string) {
	b.T.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	b.Do(chromedp.Navigate(site+"/ui/"+path), Sees("body:not(:has([data-wait]))"))
}

// Sees waits for an element, by its CSS selector.
func Sees(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

// Keys presses keys, one after the other.
func Keys(list ...string) chromedp.Action[chromedp.Void] {
	steps := make([]chromedp.Action[chromedp.Void], len(list))
	for i, k := range list {
		steps[i] = chromedp.KeyEvent(k)
	}
	return chromedp.Steps(steps...)
}

// Look sets the width and the scheme of what follows.
func (b *Browser) Look(width int64, scheme string) {
	b.T.Helper()
	b.Do(chromedp.EmulateViewport(width, 900))
	if _, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.T.Fatal(err)
	}
}
