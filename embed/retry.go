package embed

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
)

// A retryPolicy says how often and how long a request is repeated.
type retryPolicy struct {
	first, most time.Duration // waits, growing from one to the other
	tries       uint          // requests in all
	elapsed     time.Duration // in all
}

var defaultRetry = retryPolicy{first: 500 * time.Millisecond, most: 30 * time.Second, tries: 8, elapsed: 5 * time.Minute}

// triesOfServerError bounds the tries where the server says that it failed,
// since that may be due to the texts.
const triesOfServerError = 3

// ask sends one request until it succeeds or there is no point in repeating
// it, and checks the answer. Where some vectors are unusable and others are
// good, unusable says so by index; the error is a *failure or the context's.
func (c *caller) ask(ctx context.Context, inputs []string) (vectors [][]float32, unusable map[int]error, err error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = c.retry.first, c.retry.most, 2
	serverErrors := 0
	vectors, err = backoff.Retry(ctx, func() ([][]float32, error) {
		var err error
		vectors, unusable, err = c.send(ctx, inputs)
		var f *failure
		switch {
		case err == nil:
			return vectors, nil
		case !errors.As(err, &f) || f.kind != passing:
			return nil, backoff.Permanent(err)
		case f.suspect():
			if serverErrors++; serverErrors == triesOfServerError {
				return nil, backoff.Permanent(err)
			}
		case f.after > 0:
			return nil, &throttled{f, &backoff.RetryAfterError{Duration: f.after}}
		}
		return nil, err
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(c.retry.tries), backoff.WithMaxElapsedTime(c.retry.elapsed))
	return vectors, unusable, err
}

// throttled is a failure of which the provider says when to repeat it.
type throttled struct {
	*failure
	after *backoff.RetryAfterError
}

func (t *throttled) Unwrap() []error { return []error{t.failure, t.after} }

// breakerRests is how long a provider that is down is left alone. Then one
// request tries it.
const breakerRests = 30 * time.Second

// newBreaker returns a circuit breaker that opens when more requests in a row
// have failed than can be under way at once, so that one break of the network
// does not open it.
func newBreaker(parallel int, rests time.Duration) *gobreaker.TwoStepCircuitBreaker[any] {
	return gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Timeout:     rests,
		ReadyToTrip: func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) > max(parallel, 4) },
		IsExcluded:  func(err error) bool { return errors.Is(err, errIgnored) },
	})
}

// resting reports whether the provider is left alone.
func (e *OpenAIEmbedder) resting() bool { return e.breaker.State() == gobreaker.StateOpen }

var errResting = &failure{
	kind:   passing,
	reason: "the provider has failed again and again and is left alone for some seconds",
	hint:   "see that it runs, and " + hintAddress,
}

// errIgnored tells the breaker that a request shows nothing.
var errIgnored = errors.New("shows nothing")

// forBreaker returns what a failure says of whether the provider is up: it is
// if it refuses something or limits the rate. A 500 may be due to the texts.
func (f *failure) forBreaker() error {
	switch {
	case f.kind != passing || f.status == http.StatusTooManyRequests:
		return nil
	case f.suspect():
		return errIgnored
	}
	return f
}
