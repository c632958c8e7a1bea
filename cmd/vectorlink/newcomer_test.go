package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/vectorlink/vectorlink/page/pagetest"
)

// newcomer is somebody who has never used a terminal and has the demo's first line. By
// what stands on the pages they find Yoda, see what a commit changed in the answers,
// settle a duplicate, and can say which groups of documents there are.
func newcomer(t *testing.T, address string) {
	b := pagetest.New(t)
	click := func(kind, text string) chromedp.Action[chromedp.Void] {
		return chromedp.Click(chromedp.Search(fmt.Sprintf(`//main//%[1]s[normalize-space()=%[2]q] | //nav//%[1]s[normalize-space()=%[2]q]`, kind, text)))
	}
	text := func(selector string) string {
		return pagetest.Value[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
	}
	const settled = "body:not(:has([data-wait]))"
	b.Look(1280, "light")
	b.Do(chromedp.Navigate(address), pagetest.Sees("h1, h2"))

	// Yoda, by what is known of him.
	b.Do(chromedp.Click(chromedp.CSS(".db input")), pagetest.Keys(strings.Split("wise old man", "")...), pagetest.Keys(kb.Enter), pagetest.Sees(".hit"))
	if first := text(".hit h2"); first != "Yoda" {
		t.Errorf("the first hit is %q", first)
	}
	b.Do(click("a", "Yoda"), pagetest.Sees("#versions ol"))
	if h := text("h1"); h != "Yoda" || !strings.Contains(text("#versions"), "Load the catalogue") {
		t.Errorf("the document is %q, its history %s", h, text("#versions"))
	}

	// What a commit changed in the answers.
	b.Do(click("a", "Search"), pagetest.Sees("input[name=q]:focus"), pagetest.Keys(strings.Split("planet of volcanoes and lava", "")...), pagetest.Keys(kb.Enter), pagetest.Sees(".hit"),
		click("summary", "As it was …"), chromedp.Click(chromedp.Search(`//main//a[contains(., "Load the catalogue")]`)), pagetest.Sees("#was .hit"))
	if was, now := text("#was"), text("#now"); !strings.HasPrefix(was, "Load the catalogue") || strings.Contains(was, "Mustafar") || !strings.Contains(now, "Mustafar") || !strings.Contains(now, "new document") {
		t.Errorf("was:\n%s\nnow:\n%s", was, now)
	}

	// The duplicate that the fan's branch still has.
	b.Do(chromedp.Navigate(address), click("a", "fan"), pagetest.Sees("input[name=q]:focus"), click("a", "Duplicates"), pagetest.Sees(settled), pagetest.Sees("#pair-title"))
	if pair := text(".pair"); !strings.Contains(pair, "Planet/1\n") || !strings.Contains(pair, "Planet/61\n") {
		t.Errorf("the first pair is\n%s", pair)
	}
	b.Do(chromedp.Click(chromedp.Search(`//button[contains(., "Same")]`)), pagetest.Sees(".undo"))
	if done := strings.Join(strings.Fields(text(".undo")), " "); !strings.Contains(done, "Decided same: Planet/1 and Planet/61") {
		t.Errorf("decided: %s", done)
	}
	res, err := http.Get(strings.TrimSuffix(address, "ui/") + "decisions?domain=" + demoDomain)
	if err != nil {
		t.Fatal(err)
	}
	known, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !strings.Contains(string(known), `Planet/61","decision":"same"`) {
		t.Errorf("the API knows of %s, %v", known, err)
	}

	// The groups.
	b.Do(click("a", "Groups"), pagetest.Sees(settled), pagetest.Sees(".clusters a"))
	groups := text("main")
	for _, want := range []string{" groups of documents", "planet, ", "starship", "film", "droid", "C-3PO"} {
		if !strings.Contains(groups, want) {
			t.Errorf("the groups lack %q:\n%s", want, groups)
		}
	}
	for _, p := range b.Heard() {
		t.Error(p)
	}
}
