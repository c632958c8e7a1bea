package embed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sashabaranov/go-openai"
	"golang.org/x/sync/errgroup"

	"github.com/vectorlink/vectorlink/indexer"
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

// A job is one Embed call.
type job struct {
	*OpenAIEmbedder
	client  *openai.Client
	inputs  []string
	vectors [][]float32 // each written by the request that holds its text

	mu      sync.Mutex
	refused map[int]error
	healthy bool // the provider has answered well in this call
}

// Embed implements indexer.Embedder. Texts go out in requests of at most
// Config.Batch texts and 250,000 tokens, several at a time. What fails for
// the moment is repeated, within limits; a request that is refused is halved
// until the texts at fault stand alone. The empty text is refused without
// asking, where the model has no prefix.
func (e *OpenAIEmbedder) Embed(ctx context.Context, role indexer.Role, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, ctx.Err()
	}
	client, err := e.client(ctx)
	if err != nil {
		return nil, err
	}
	j := &job{
		OpenAIEmbedder: e,
		client:         client,
		inputs:         texts,
		vectors:        make([][]float32, len(texts)),
		refused:        map[int]error{},
	}
	if prefix := nomicPrefixes[role]; e.model.prefixes && prefix != "" {
		j.inputs = make([]string, len(texts))
		for i, t := range texts {
			j.inputs[i] = prefix + t
		}
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(cap(e.slots))
	for _, request := range j.pack() {
		group.Go(func() error { return j.resolve(inner, request) })
	}
	if err := group.Wait(); err != nil {
		return nil, e.failed(ctx, err)
	}
	if len(j.refused) > 0 {
		return j.vectors, &indexer.RefusedError{Texts: j.refused}
	}
	return j.vectors, nil
}

// pack deals the texts out to requests, as lists of their indexes.
func (j *job) pack() [][]int {
	bytes := 0
	for _, text := range j.inputs {
		bytes += len(text)
	}
	size := func(text string) int { return len(text) } // no token is shorter than a byte
	if bytes > maxRequestTokens {
		size = j.Tokens
	}
	var requests [][]int
	var request []int
	tokens := 0
	for i, text := range j.inputs {
		if text == "" {
			j.refused[i] = errors.New("the text is empty")
			continue
		}
		n := size(text)
		if len(request) == j.config.Batch || len(request) > 0 && tokens+n > maxRequestTokens {
			requests = append(requests, request)
			request, tokens = nil, 0
		}
		request, tokens = append(request, i), tokens+n
	}
	if len(request) > 0 {
		requests = append(requests, request)
	}
	return requests
}

// resolve embeds the texts of the given indexes, or finds which are refused.
// Its error means that the provider is at fault.
func (j *job) resolve(ctx context.Context, request []int) error {
	inputs := make([]string, len(request))
	for i, index := range request {
		inputs[i] = j.inputs[index]
	}
	vectors, unusable, err := j.ask(ctx, j.client, inputs)
	if err == nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.healthy = true
		for i, index := range request {
			if unusable[i] != nil {
				j.refused[index] = unusable[i]
			} else {
				j.vectors[index] = vectors[i]
			}
		}
		return nil
	}
	var f *failure
	if !errors.As(err, &f) || !f.suspect() {
		return err
	}
	// The texts are to blame only if the provider does its work on others.
	if !j.isHealthy() {
		if j.control(ctx, j.client) != nil {
			return err
		}
		j.mu.Lock()
		j.healthy = true
		j.mu.Unlock()
	}
	if len(request) == 1 {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.refused[request[0]] = f
		return nil
	}
	half := len(request) / 2
	if err := j.resolve(ctx, request[:half]); err != nil {
		return err
	}
	return j.resolve(ctx, request[half:])
}

func (j *job) isHealthy() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.healthy
}

// control embeds a text that no provider refuses. It tells a bad text from a
// bad setting, and the length of vectors where that is unknown.
func (e *OpenAIEmbedder) control(ctx context.Context, client *openai.Client) error {
	_, unusable, err := e.ask(ctx, client, []string{"control"})
	if err == nil && unusable != nil {
		err = unusable[0]
	}
	return err
}

// ask sends one request until it succeeds or there is no point in repeating
// it, and checks the answer. Where some vectors are unusable and others are
// good, unusable says so by index; the error is a *failure or the context's.
func (e *OpenAIEmbedder) ask(ctx context.Context, client *openai.Client, inputs []string) (vectors [][]float32, unusable map[int]error, err error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval, waits.Multiplier = e.retry.first, e.retry.most, 2
	serverErrors := 0
	vectors, err = backoff.Retry(ctx, func() ([][]float32, error) {
		var err error
		vectors, unusable, err = e.send(ctx, client, inputs)
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
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(e.retry.tries), backoff.WithMaxElapsedTime(e.retry.elapsed))
	return vectors, unusable, err
}

// throttled is a failure of which the provider says when to repeat it.
type throttled struct {
	*failure
	after *backoff.RetryAfterError
}

func (t *throttled) Unwrap() []error { return []error{t.failure, t.after} }

// send sends one request and checks its answer.
func (e *OpenAIEmbedder) send(ctx context.Context, client *openai.Client, inputs []string) ([][]float32, map[int]error, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	limited := limitAnswer(ctx, len(inputs), int(e.dim.Load()))
	res, err := client.CreateEmbeddings(limited, openai.EmbeddingRequest{
		Input:      inputs,
		Model:      openai.EmbeddingModel(e.config.Model),
		Dimensions: e.config.Dimensions,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		return nil, nil, e.classify(ctx, err, res.Header(), inputs)
	}
	vectors, unusable, f := e.check(res.Data, len(inputs))
	if f != nil {
		return nil, nil, f
	}
	return vectors, unusable, nil
}
