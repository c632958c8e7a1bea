package embed

import (
	"net/http"
	"time"
)

// RetryQuickly makes e wait for no more than a few milliseconds.
func (e *OpenAIEmbedder) RetryQuickly(tries uint) {
	e.retry = retryPolicy{first: time.Millisecond, most: 2 * time.Millisecond, tries: tries, elapsed: 10 * time.Second}
}

// Tries returns how often a request is sent at most.
func (e *OpenAIEmbedder) Tries() int { return int(e.retry.tries) }

// SetTransport replaces the network.
func (e *OpenAIEmbedder) SetTransport(t http.RoundTripper) { e.http.Transport = t }
