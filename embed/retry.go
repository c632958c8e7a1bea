package embed

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A retryPolicy says how often and how long a request is repeated.
type retryPolicy struct {
	first, most time.Duration // waits, growing from one to the other
	tries       uint          // requests in all
	elapsed     time.Duration // in all
}

var defaultRetry = retryPolicy{first: 500 * time.Millisecond, most: 30 * time.Second, tries: 8, elapsed: 5 * time.Minute}

// impatience bounds how long a request is repeated that a caller waits for.
const impatience = 10 * time.Second

// triesOfServerError bounds the tries where the server says that it failed,
// since that may be due to the texts.
const triesOfServerError = 3

// ask sends one request until it succeeds or there is no point in repeating
// it, and checks the answer. Where some vectors are unusable and others are
// good, unusable says so by index; the error is a *failure or the context's.
func (c *caller) ask(ctx context.Context, inputs []string) (vectors [][]float32, unusable map[int]error, err error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = c.retry.first, c.retry.most, 2
	tries, serverErrors := 0, 0
	vectors, err = backoff.Retry(ctx, func() ([][]float32, error) {
		var err error
		vectors, unusable, err = c.send(ctx, inputs, tries > 0)
		tries++
		var f *failure
		switch {
		case err == nil:
			return vectors, nil
		case !errors.As(err, &f) || f.kind != passing || f.late && len(inputs) > 1:
			return nil, backoff.Permanent(err)
		case f.suspect():
			if serverErrors++; serverErrors == triesOfServerError {
				return nil, backoff.Permanent(err)
			}
		}
		return nil, err
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(c.retry.tries), backoff.WithMaxElapsedTime(c.retry.elapsed))
	return vectors, unusable, err
}
