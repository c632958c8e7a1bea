package page

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

const (
	// nameTime bounds how long a page waits for names of commits, and nameAgain how
	// long it does without where they could not be had.
	nameTime  = 2 * time.Second
	nameAgain = 30 * time.Second
	// nameReach is how many ancestors one question reads at most; maxNames and
	// maxNamed bound what is kept: commits of a domain, domains.
	nameReach = 512
	maxNames  = 20_000
	maxNamed  = 100
	// maxMessage bounds what is shown of a commit's message, in bytes.
	maxMessage = 300
)

// names keeps what the document database says of commits.
type names struct {
	history History // nil: nothing is known
	now     func() time.Time
	mu      sync.Mutex // guards domains
	domains map[string]*named
}

// named are the commits of a domain. Its lock is held while the database is asked, so
// that one page asks and the others wait for that.
type named struct {
	mu     sync.Mutex
	known  map[string]contract.Ancestor
	failed map[string]time.Time // commits that were not found, and when
}

func newNames(history History) *names {
	return &names{history: history, now: time.Now, domains: make(map[string]*named)}
}

func (n *names) of(domain string) *named {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.domains[domain]
	if d == nil {
		if len(n.domains) >= maxNamed {
			clear(n.domains)
		}
		d = &named{known: make(map[string]contract.Ancestor), failed: make(map[string]time.Time)}
		n.domains[domain] = d
	}
	return d
}

// look returns what is known of these commits, newest first, of a domain. It asks the
// database for those that it has not heard of yet, within bounds; what cannot be had is
// not in the answer.
func (n *names) look(ctx context.Context, domain string, commits []string) map[string]contract.Ancestor {
	if n.history == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	d := n.of(domain)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := n.now()
	out := make(map[string]contract.Ancestor, len(commits))
	for _, commit := range commits {
		_, ok := d.known[commit]
		if at, failed := d.failed[commit]; !ok && !(failed && now.Sub(at) < nameAgain) && ctx.Err() == nil {
			n.ask(ctx, d, domain, commit)
			_, ok = d.known[commit]
			if delete(d.failed, commit); !ok && len(d.failed) < maxNames {
				d.failed[commit] = now
			}
		}
		if ok {
			out[commit] = d.known[commit]
		}
	}
	return out
}

// ask reads a commit and its ancestors as far as they are not known.
func (n *names) ask(ctx context.Context, d *named, domain, commit string) {
	read := 0
	for a, err := range n.history.Ancestry(ctx, domain, commit) {
		if err != nil {
			return // a page shows ids then
		}
		if _, ok := d.known[a.Commit]; ok || read == nameReach {
			return
		}
		if len(d.known) >= maxNames {
			clear(d.known)
		}
		a.Message, a.Author = line(a.Message, maxMessage), line(a.Author, maxMessage)
		d.known[a.Commit] = a
		read++
	}
}

// line returns a text as one line of at most so many bytes.
func line(text string, most int) string {
	cut := len(text) > most
	if cut {
		text = text[:most]
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if cut {
		text += "…"
	}
	return text
}
