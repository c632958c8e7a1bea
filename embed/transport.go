package embed

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// What is read of an answer: a number of a vector takes some 22 bytes as JSON,
// twice that if it is indented.
const (
	answerBase      = 1 << 20
	answerPerNumber = 48
	likelyDim       = 8192 // where the length of vectors is not known yet
	maxComplaint    = 64 << 10
)

// expect returns a context for a request for some vectors, and what will hold
// the answer.
func expect(ctx context.Context, texts, dim int) (context.Context, *answer) {
	if dim == 0 {
		dim = likelyDim
	}
	a := &answer{limit: int64(answerBase + texts*dim*answerPerNumber)}
	return context.WithValue(ctx, answerKey{}, a), a
}

var (
	errRedirect = errors.New("the server redirects to another address")
	errPage     = errors.New("the server answers with a web page")
	errTooLarge = errors.New("the answer is too large")
)

// A limitedClient sends requests and distrusts what comes back: it follows no
// redirect, which would carry texts to another address, takes no page for an
// answer, and reads an answer itself, no more of it than is expected. To
// go-openai it hands an empty object.
type limitedClient struct{ client *http.Client }

func newClient(timeout time.Duration) *limitedClient {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.MaxResponseHeaderBytes = 64 << 10
	return &limitedClient{&http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do implements openai.HTTPDoer.
func (c *limitedClient) Do(r *http.Request) (*http.Response, error) {
	a := r.Context().Value(answerKey{}).(*answer)
	res, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	a.status, a.header = res.StatusCode, res.Header
	refuse := func(err error) (*http.Response, error) {
		res.Body.Close()
		return nil, err
	}
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return refuse(errRedirect)
	case res.StatusCode < 300 && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html"):
		return refuse(errPage)
	case res.StatusCode >= 400:
		// What is cut off says nothing that the status does not.
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxComplaint), res.Body}
	default:
		err := a.read(&limitedBody{res.Body, a.limit})
		res.Body.Close()
		if err != nil {
			return nil, err
		}
		res.Body = io.NopCloser(strings.NewReader("{}"))
	}
	return res, nil
}

// A limitedBody fails, instead of ending, at its limit: an answer cut there
// would look like one that the network cut, and be asked for again.
type limitedBody struct {
	io.Reader
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, errTooLarge
	}
	return n, err
}
