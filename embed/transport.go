package embed

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// What is read of an answer: a number of a vector takes some 22 bytes as JSON,
// twice that if it is indented.
const (
	answerBase      = 1 << 20
	answerPerNumber = 48
	likelyDim       = 8192 // where the length of vectors is not known yet
	maxComplaint    = 64 << 10
)

var (
	errRedirect = errors.New("the server redirects to another address")
	errPage     = errors.New("the server answers with a web page")
)

// newClient returns a client that follows no redirect, which would carry texts
// to another address.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// unlikely returns why an answer cannot come from a provider, or nil.
func unlikely(res *http.Response) error {
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return errRedirect
	case res.StatusCode < 300 && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html"):
		return errPage
	}
	return nil
}

// An exchange is one request and its answer. It is the HTTPDoer of the client
// that sends the request, because go-openai keeps no header of a failure, which
// says when to come back; reads answers of any length; and reads either numbers
// or base64, whichever was asked for, taking what it cannot read for 0. Some
// servers answer the one when asked for the other, and to ask again would cost
// again. So an exchange reads the answer itself, and hands an empty object on.
type exchange struct {
	client *http.Client
	limit  int64 // most bytes that are read of an answer

	status int // of HTTP, 0 if there was no answer
	header http.Header
	answer answer
}

// newExchange returns an exchange for some vectors.
func newExchange(client *http.Client, texts, dim int) *exchange {
	if dim == 0 {
		dim = likelyDim
	}
	return &exchange{client: client, limit: int64(answerBase + texts*dim*answerPerNumber)}
}

// Do implements openai.HTTPDoer.
func (x *exchange) Do(r *http.Request) (*http.Response, error) {
	res, err := x.client.Do(r)
	if err != nil {
		return nil, err
	}
	x.status, x.header = res.StatusCode, res.Header
	if err := unlikely(res); err != nil {
		res.Body.Close()
		return nil, err
	}
	if res.StatusCode >= 400 {
		// What is cut off says nothing that the status does not.
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxComplaint), res.Body}
		return res, nil
	}
	// It fails at its limit: an answer that ended there would look like one that
	// the network cut, and be asked for again.
	err = x.answer.read(http.MaxBytesReader(nil, res.Body, x.limit))
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(strings.NewReader("{}"))
	return res, nil
}
