package page_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/vectorlink/vectorlink/page/pagetest"
)

// browser is a Chromium, and what these tests do in it.
type browser struct{ *pagetest.Browser }

func newBrowser(t *testing.T) *browser { return &browser{pagetest.New(t)} }

func value[T any](b *browser, expression string, options ...chromedp.EvaluateOption) T {
	b.T.Helper()
	return pagetest.Value[T](b.Browser, expression, options...)
}

var sees, keys = pagetest.Sees, pagetest.Keys

// violations are what axe finds against WCAG AA.
const violations = `axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]}).then((r) =>
	r.violations.map((v) => v.impact + " " + v.id + ": " + v.nodes.map((n) => n.html.slice(0, 160) + " " + n.any.map((a) => a.message).join()).slice(0, 4).join("\n\t")))`

// reach has the tab key go through a page, and returns what it does not reach, and what
// does not show that it has the focus.
func (b *browser) reach() []string {
	b.T.Helper()
	b.Do(sees(`body:not(:has([hx-trigger^="load"]))`)) // what is loaded later takes the place of what stood there
	n := value[int](b, `(() => {
		window.reached = new Set(); window.wrong = new Set();
		const name = (el) => el.outerHTML.slice(0, 120);
		window.wanted = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")].filter((el) =>
			el.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}) && !(el.type === "radio" && !el.checked));
		document.addEventListener("focusin", (e) => {
			const s = getComputedStyle(e.target), box = e.target.getBoundingClientRect();
			reached.add(e.target);
			if (s.outlineStyle === "none" && s.boxShadow === "none") wrong.add("no mark of the focus: " + name(e.target));
			if (box.width < 1 || box.bottom < 0 || box.right < 0 || box.left > innerWidth) wrong.add("focus out of sight: " + name(e.target));
		});
		window.missed = () => [...wrong, ...wanted.filter((el) => !reached.has(el)).map((el) => "not reached: " + name(el))];
		document.activeElement.blur(); getSelection().removeAllRanges();
		return wanted.length;
	})()`)
	for range n + 2 {
		b.Do(chromedp.KeyEvent(kb.Tab))
	}
	return value[[]string](b, "missed()")
}

// TestBrowser reads every page in a browser: nothing in its console, nothing against
// the policy, no scrolling sideways on a telephone, light and dark, the tab key reaches
// all, and axe finds nothing. Then it takes the ways of a reader, by keys alone.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	axe, err := os.ReadFile("testdata/axe-4.14.1.min.js")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	each := func(check func(t *testing.T, path string)) func(*testing.T) {
		return func(t *testing.T) {
			for path, params := range all {
				b.T = t
				b.Open(s.url, path, params...)
				if path == "org/db/map" {
					b.Do(sees("#map[data-ready]"))
				}
				check(t, path)
				for _, p := range b.Heard() {
					t.Errorf("%q: %s", path, p)
				}
			}
		}
	}
	audit := func(t *testing.T, path string) {
		value[any](b, string(axe)+";null")
		for _, v := range value[[]string](b, violations, chromedp.EvalAwaitPromise) {
			t.Errorf("%q: %s", path, v)
		}
	}
	b.Look(1280, "dark")
	t.Run("dark", each(func(t *testing.T, path string) {
		if ground := value[string](b, "getComputedStyle(document.documentElement).backgroundColor"); ground != "rgb(19, 22, 20)" {
			t.Errorf("%q: the ground is %s", path, ground)
		}
		audit(t, path)
	}))
	b.Look(360, "light")
	t.Run("narrow", each(func(t *testing.T, path string) {
		if wide := value[int](b, "document.documentElement.scrollWidth"); wide > 360 {
			t.Errorf("%q: %d pixels wide: %v", path, wide, value[[]string](b, `[...document.querySelectorAll("main *")].filter((el) => el.getBoundingClientRect().right > 361).map((el) => el.outerHTML.slice(0, 120)).slice(0, 5)`))
		}
		if !value[bool](b, `(() => { const v = document.querySelector(".views [aria-current]"); return !v || v.getBoundingClientRect().right < 361 })()`) {
			t.Errorf("%q: the view's name is out of sight", path)
		}
		audit(t, path)
	}))
	b.Look(1280, "light")
	t.Run("tab", each(func(t *testing.T, path string) {
		for _, missed := range b.reach() {
			t.Errorf("%q: %s", path, missed)
		}
	}))
	b.Look(360, "dark")
	t.Run("reference", func(t *testing.T) {
		b.T = t
		b.Open(s.url, "api", "op", "search", "send", "1", "domain", "org/db", "branch", "main", "q", "script", "mode", "fts", "text", "true")
		b.Do(sees("#reply"))
		if text := value[string](b, "document.querySelector('#reply-status').textContent + document.querySelector('#reply').textContent"); !strings.HasPrefix(text, "200 OK, application/json[\n") || !strings.Contains(text, "<script>document.title") {
			t.Errorf("the answer: %.300s", text)
		}
		if wide := value[int](b, "document.documentElement.scrollWidth"); wide > 360 {
			t.Errorf("%d pixels wide", wide)
		}
		audit(t, "reference")
		for _, p := range b.Heard() {
			t.Error(p)
		}
	})
	b.Look(1280, "light")
	t.Run("way", func(t *testing.T) { b.T = t; b.way(s) })
	t.Run("map", func(t *testing.T) { b.T = t; b.onMap(s) })
	t.Run("hostile", func(t *testing.T) { b.T = t; b.hostile(s) })
	t.Run("colours", func(t *testing.T) { b.T = t; b.colours(s) })
	t.Run("scriptless", func(t *testing.T) { b.T = t; b.scriptless(s) })
	t.Run("newer", func(t *testing.T) { b.T = t; b.newer(s) })
	b.T = t
}

// newer has a page tell of a commit that came meanwhile, and move nothing.
func (b *browser) newer(s *site) {
	b.Open(s.url, "org/db/search", "q", "wise")
	const places = "JSON.stringify([...document.querySelectorAll('main *')].map((el) => el.getBoundingClientRect().top)) + document.activeElement.tagName"
	before := value[string](b, places)
	s.push("newest", operation("Inserted", "Thing/98", "one wise more", nil), "previous", "later")
	value[any](b, "window.dispatchEvent(new Event('focus')); null")
	b.Do(sees(".newer"))
	if after := value[string](b, places); after != before {
		b.T.Errorf("the page moved: %s, was %s", after, before)
	}
	b.Do(chromedp.Click(chromedp.CSS(".newer .primary")), chromedp.WaitNotPresent(chromedp.CSS(".newer")), sees(".hit"))
	if at := value[string](b, "document.querySelector('.top .at').innerText + location.search"); !strings.Contains(at, "newest") || !strings.Contains(at, "q=wise") {
		b.T.Errorf("shown then: %s", at)
	}
	for _, p := range b.Heard() {
		b.T.Error(p)
	}
}

// way is that of a reader without a mouse: from the databases to an answer, a document,
// a pair to decide, groups and the map.
func (b *browser) way(s *site) {
	t := b.T
	b.Open(s.url, "")
	for range 40 {
		b.Do(chromedp.KeyEvent(kb.Tab))
		if value[bool](b, `document.activeElement.matches(".db input")`) {
			break
		}
	}
	b.Do(keys(strings.Split("wise old sage", "")...), keys(kb.Enter),
		sees(".hit mark"), keys("j"), sees(".hit:first-child a:focus"), keys(kb.Enter),
		sees("#like"), sees("#versions ol"), sees("#among dl")) // by htmx, which the policy admits
	if h := value[string](b, "document.querySelector('h1').textContent"); h != "Yoda" {
		t.Errorf("the document is %q", h)
	}
	state := func(name, n string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitReady(chromedp.Search(fmt.Sprintf(`//nav[@class="chips"]/a[starts-with(., "%s") and span="%s"]`, name, n)))
	}
	b.Do(keys("g", "d"), sees("#pair-title"), keys("s"), sees(".undo"), state("same", "1"),
		keys("u"), state("same", "0"), state("later", "0"))
	b.Do(keys("d"), sees(".undo"), state("different", "1"), keys("u"), state("different", "0"))
	b.Do(keys("h"), sees("details.score[open]"), keys("r"), sees("input[name=note]:focus"), keys("s", "d", kb.Escape, "l"), sees(".undo"), state("later", "1"))
	b.Open(s.url, "org/db/duplicates", "state", "later")
	if note := value[string](b, "document.querySelector('#pair').innerText"); !strings.Contains(note, "Reason: ") || !strings.Contains(note, "sd\n") {
		t.Errorf("keys in the reason: %s", note)
	}
	b.Do(keys("g", "c"), sees(".clusters a"), keys("g", "m"), sees("#map[data-ready]"), chromedp.Focus(chromedp.CSS("#map")), keys("."), sees("#map-tip"))
	b.Do(keys("g", "t"), sees("textarea[name=template]"), chromedp.Focus(chromedp.CSS("textarea[name=template]")), keys(" ", "b", "a", "d"), sees("#tried .tag.warn"), sees("#tried ins"))
	if at := value[string](b, "location.search + document.activeElement.name"); !strings.Contains(at, "bad") || !strings.HasSuffix(at, "template") {
		t.Errorf("an edited template has no address, or the focus is lost: %s", at)
	}
	b.Do(chromedp.Focus(chromedp.CSS("summary")), keys("?"), sees("#keys[open]"), keys(kb.Escape), chromedp.WaitNotVisible(chromedp.CSS("#keys")))
	for _, p := range b.Heard() {
		t.Error(p)
	}
}

// onMap selects documents by a line around them, which then is in the address, looks at
// one, and goes through the commits.
func (b *browser) onMap(s *site) {
	t := b.T
	b.Open(s.url, "org/db/map", "color", "group")
	b.Do(sees("#map[data-ready]"))
	dark := func() int { return value[int](b, "+document.querySelector('#map').dataset.bright") }
	if n := dark(); n != 26 {
		t.Errorf("%d points are bright, want all", n)
	}
	b.Do(chromedp.Click(chromedp.CSS("#view")), sees("#chosen h2"))
	if got := value[string](b, "document.querySelector('#chosen').innerText + location.search"); !strings.Contains(got, "Selected: 26") || !strings.Contains(got, "sel=") {
		t.Errorf("what is in view: %s", got)
	}
	b.Do(chromedp.Focus(chromedp.CSS("#map")), keys(kb.Escape), chromedp.WaitNotPresent(chromedp.CSS("#chosen h2")))
	box := value[[]float64](b, "(() => { const r = document.querySelector('#map').getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()")
	mouse := func(kind input.DispatchMouseEventType, x, y float64) chromedp.Action[chromedp.Void] {
		return chromedp.MouseEvent(kind, box[0]+x*box[2], box[1]+y*box[3], chromedp.ButtonLeft)
	}
	b.Do(chromedp.Click(chromedp.CSS("#lasso")), mouse(input.DispatchMouseEventTypeMousePressed, 0.03, 0.03), mouse(input.DispatchMouseEventTypeMouseMoved, 0.5, 0.03), mouse(input.DispatchMouseEventTypeMouseMoved, 0.5, 0.97),
		mouse(input.DispatchMouseEventTypeMouseMoved, 0.03, 0.97), mouse(input.DispatchMouseEventTypeMouseReleased, 0.03, 0.5), sees("#chosen h2"))
	some, told := dark(), value[string](b, "document.querySelector('#chosen h2').innerText")
	if some == 0 || some == 26 || told != fmt.Sprint("Selected: ", some) {
		t.Errorf("the script counts %d, the server says %s", some, told)
	}
	// The address alone shows the same.
	b.Do(chromedp.Navigate(value[string](b, "location.href")), sees("#map[data-ready]"))
	if again := value[string](b, "document.querySelector('#chosen h2').innerText"); dark() != some || again != told {
		t.Errorf("by its address %d points are selected, and %s, want %s", dark(), again, told)
	}
	// A kind alone: the others turn grey, none goes.
	b.Open(s.url, "org/db/map")
	b.Do(sees("#map[data-ready]"), chromedp.Click(chromedp.CSS(".key button[data-kind=Thing]")))
	if n := dark(); n != 19 {
		t.Errorf("%d points are bright, want the 19 things", n)
	}
	ink := value[int](b, "(() => { const c = document.querySelector('#map'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i] !== d[0] || d[i + 1] !== d[1]) n++; return n })()")
	if ink < 26*20 {
		t.Errorf("%d pixels are drawn: points have vanished", ink)
	}
	b.Do(chromedp.Focus(chromedp.CSS("#map")), keys(kb.Escape, "."), sees("#map-tip"))
	b.Do(chromedp.SetValue(chromedp.CSS("#stops"), "0"))
	value[any](b, "document.querySelector('#stops').dispatchEvent(new Event('input')); null")
	b.Do(chromedp.WaitReady(chromedp.Search(`//a[@id="stop" and . = "Load the planets" and contains(@href, "at=first")]`)))
	for _, p := range b.Heard() {
		t.Error(p)
	}
	b.large(s)
}

// before has a script run before those of the pages that are opened from now on.
func (b *browser) before(script string) (undo func()) {
	b.T.Helper()
	id, err := chromedp.Call(b.Ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	if err != nil {
		b.T.Fatal(err)
	}
	return func() {
		if _, err := chromedp.Call(b.Ctx, cdppage.RemoveScriptToEvaluateOnNewDocument, cdppage.RemoveScriptToEvaluateOnNewDocumentParams(id)); err != nil {
			b.T.Fatal(err)
		}
	}
}

// colours holds those of points to a contrast of 3 with the ground, in both themes, and
// has the map say that it cannot be drawn where that is so.
func (b *browser) colours(s *site) {
	for _, scheme := range []string{"light", "dark"} {
		b.Look(1280, scheme)
		b.Open(s.url, "about")
		low := value[[]string](b, `(() => {
			const style = (n) => getComputedStyle(document.documentElement).getPropertyValue(n), c = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
			const light = (color) => { c.fillStyle = color; c.fillRect(0, 0, 1, 1); const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
			const ground = light(style("--surface"));
			return [...Array(16).keys()].map((h) => [h, light("oklch(" + style("--hue-l") + " " + style("--hue-c") + " " + (h * 22.5 + 20) + ")")]).map(([h, l]) => [h, (Math.max(l, ground) + .05) / (Math.min(l, ground) + .05)]).filter(([, r]) => !(r >= 3)).map(String);
		})()`)
		if len(low) > 0 {
			b.T.Errorf("%s: hues with a contrast below 3: %v", scheme, low)
		}
	}
	b.Look(1280, "light")
	undo := b.before("HTMLCanvasElement.prototype.getContext = () => null")
	defer undo()
	b.Open(s.url, "org/db/map")
	b.Do(sees("#map-problem"))
	for _, p := range b.Heard() {
		b.T.Error(p)
	}
}

// scriptless reads the pages in a browser that runs no script: all but the map.
func (b *browser) scriptless(s *site) {
	set := func(off bool) {
		if _, err := chromedp.Call(b.Ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: off}); err != nil {
			b.T.Fatal(err)
		}
	}
	set(true)
	defer set(false)
	for path, params := range all {
		b.Open(s.url, path, params...)
		if text := value[string](b, "document.querySelector('main').innerText"); len(text) < 60 {
			b.T.Errorf("%q shows %q", path, text)
		}
		if dead := value[[]string](b, `[...document.querySelectorAll("main button:not([type=submit])")].filter((el) => el.type === "button" && !el.closest("#map-problem, .stage, .key") && el.checkVisibility()).map((el) => el.outerHTML)`); len(dead) > 0 {
			b.T.Errorf("%q has buttons that do nothing: %v", path, dead)
		}
	}
	b.Open(s.url, "org/db/map")
	b.Do(sees("noscript p"))
	for _, p := range b.Heard() {
		b.T.Error(p)
	}
}

// large draws 50,000 points that no server sent, and tells how long a picture takes.
func (b *browser) large(s *site) {
	t := b.T
	script := `{ const real = window.fetch; window.fetch = (to, how) => {
		if (!String(to).includes("map/points")) return real(to, how);
		const n = 50000, head = new TextEncoder().encode(JSON.stringify({n, left: 0, bottom: 0, step: 1e-4, kinds: [0, 1, 2, 3, 4, 5, 6, 7].map((k) => ({name: "k" + k, hue: 2 * k, shape: k % 4})), groups: []}).padEnd(1024));
		const b = new ArrayBuffer(4 + 1024 + 10 * n); new DataView(b).setUint32(0, 1024, true); new Uint8Array(b).set(head, 4);
		const ids = new Uint32Array(b, 1028, n), xs = new Uint16Array(b, 1028 + 4 * n, n), ys = new Uint16Array(b, 1028 + 6 * n, n), kinds = new Uint8Array(b, 1028 + 8 * n, n);
		let r = 1; const next = () => (r = r * 16807 % 2147483647);
		for (let i = 0; i < n; i++) { ids[i] = i; xs[i] = next() % 65536; ys[i] = next() % 65536; kinds[i] = i % 8; }
		return Promise.resolve(new Response(b)); }; }`
	defer b.before(script)()
	b.Open(s.url, "org/db/map")
	b.Do(sees("#map[data-ready]"))
	times := value[[]float64](b, `new Promise((done) => { const list = [], c = document.querySelector("#map"), press = (key) => c.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
		const step = () => { list.push(+c.dataset.frame); if (list.length === 24) done(list); else { press(list.length % 2 ? "ArrowLeft" : "ArrowRight"); requestAnimationFrame(step); } }; requestAnimationFrame(step); })`, chromedp.EvalAwaitPromise)
	slices.Sort(times)
	t.Logf("50,000 points: %.1f ms of script a picture (median of %d)", times[len(times)/2], len(times))
	if os.Getenv("VECTORLINK_LONG") != "" && times[len(times)/2] > 16 {
		t.Errorf("a picture takes %.1f ms", times[len(times)/2])
	}
}

// hostile has texts that are markup stay texts, and proves that the browser would tell.
func (b *browser) hostile(s *site) {
	t := b.T
	for path, params := range map[string][]string{"org/db/search": {"q", "wise", "mode", "fts"}, "org/db/doc": {"id", base + "Evil/1"}} {
		b.Open(s.url, path, params...)
		if n := value[int](b, `document.querySelectorAll("main script, main img").length`); n != 0 || value[string](b, "document.title") == "owned" {
			t.Errorf("%s: a text became markup", path)
		}
		if !value[bool](b, `document.querySelector("main").innerText.includes("<script>")`) {
			t.Errorf("%s: the text is not shown", path)
		}
	}
	for _, p := range b.Heard() {
		t.Error(p)
	}
	b.Open(s.url, "org/db/doc", "id", base+"Long/1", "all", "1")
	if n := value[int](b, `document.querySelector("pre.whole").textContent.length`); n < 1_000_000 {
		t.Errorf("of a long text %d letters are there", n)
	}
	for _, script := range []string{`document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=alert(1)>")`, `document.body.append(Object.assign(document.createElement("script"), {src: "data:,document.title='owned'"}))`,
		`document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title='owned'"}))`} {
		if !value[bool](b, "(() => { try { "+script+"; return false } catch (e) { console.error(e.name); return true } })()") {
			t.Errorf("the policy allows %s", script)
		}
	}
	if list := b.Heard(); len(list) < 3 || value[string](b, "document.title") == "owned" {
		t.Errorf("the policy lets a script of a document run, or the browser does not tell: %q", list)
	}
}
