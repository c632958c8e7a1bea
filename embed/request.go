package embed

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/internal/parallel"
)

// A job is one Embed call.
type job struct {
	*caller
	inputs  []string
	vectors [][]float32 // each written by the request that holds its text

	healthy atomic.Bool // the provider has answered well in this call

	mu      sync.Mutex
	refused map[int]error
}

// A caller sends the requests of one call.
type caller struct {
	*OpenAIEmbedder
	client  openai.ClientConfig // with the key
	key     string
	role    contract.Role
	asGiven bool
	retry   retryPolicy
	limit   time.Duration // of a request
}

// Embed implements contract.Embedder. Texts go out in requests of as many texts
// and tokens as the provider takes, several at a time. What fails for the
// moment is repeated, within limits; a request that is refused is halved until
// the texts at fault stand alone, and one that is not answered in time until it is. The empty text is refused without a request if
// the model has no prefix. Vectors that came before an error are returned with it,
// nil in the place of the others, so that they need not be embedded again.
func (e *OpenAIEmbedder) Embed(ctx context.Context, r contract.EmbedRequest) ([][]float32, error) {
	texts := r.Texts
	if len(texts) == 0 {
		return nil, ctx.Err()
	}
	c, err := e.caller(r)
	if err != nil {
		return nil, err
	}
	j := &job{
		caller:  c,
		inputs:  texts,
		vectors: make([][]float32, len(texts)),
		refused: map[int]error{},
	}
	if prefix := nomicPrefixes[r.Role]; e.model.prefixes && prefix != "" {
		j.inputs = make([]string, len(texts))
		for i, t := range texts {
			j.inputs[i] = prefix + t
		}
	}
	requests := j.pack()
	err = parallel.Do(ctx, cap(e.slots), len(requests), func(ctx context.Context, _, i int) error {
		return j.resolve(ctx, requests[i])
	})
	if err != nil {
		err = failed(ctx, err)
		if !slices.ContainsFunc(j.vectors, func(v []float32) bool { return v != nil }) {
			return nil, err
		}
		return j.vectors, err // those that came need not be embedded again
	}
	if len(j.refused) > 0 {
		return j.vectors, &contract.RefusedError{Texts: j.refused}
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
	if bytes > j.provider.MostTokens {
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
		if len(request) == j.config.Batch || len(request) > 0 && tokens+n > j.provider.MostTokens {
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
	halves := func(late bool) error {
		half := (len(request) + 1) / 2
		if err := j.resolve(ctx, request[:half]); err != nil {
			return err
		}
		if n := int(j.most.Load()); late && (n == 0 || n > half) {
			j.most.Store(int64(half))
		}
		return j.resolve(ctx, request[half:])
	}
	most := int(j.most.Load())
	if most > 0 && len(request) > most {
		return halves(false)
	}
	inputs := make([]string, len(request))
	for i, index := range request {
		inputs[i] = j.inputs[index]
	}
	vectors, unusable, err := j.ask(ctx, inputs)
	if err == nil {
		j.healthy.Store(true)
		if len(request) == most && j.timely.Add(1)%timelyEnough == 0 {
			j.most.CompareAndSwap(int64(most), int64(2*most))
		}
		j.mu.Lock()
		defer j.mu.Unlock()
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
	switch {
	case !errors.As(err, &f), !f.suspect() && !(f.late && len(request) > 1):
		return err
	case f.late: // too much at once, if half of it comes in time
		return halves(true)
	// The texts are to blame only if the provider does its work on others.
	case !j.healthy.Load() && j.control(ctx) != nil:
		return err
	case len(request) == 1:
		j.mu.Lock()
		defer j.mu.Unlock()
		j.refused[request[0]] = f
		return nil
	default:
		j.healthy.Store(true)
	}
	return halves(false)
}

// timelyEnough is how many of the largest requests must come in time before larger
// ones are tried again.
const timelyEnough = 32

// controlText is a text that no provider refuses.
const controlText = "control"

// control embeds controlText. It tells a bad text from a bad setting, and the
// length of vectors where that is unknown.
func (c *caller) control(ctx context.Context) error {
	_, unusable, err := c.ask(ctx, []string{controlText})
	if err == nil && unusable != nil {
		err = unusable[0]
	}
	return err
}

// send sends one request and checks its answer. One that is refused altogether
// may be for its encoding: it goes again without base64, and all that follow do if
// that was it.
func (c *caller) send(ctx context.Context, inputs []string, again bool) ([][]float32, map[int]error, error) {
	asked := c.provider.Base64 && !c.noBase64.Load()
	vectors, unusable, err := c.sendAs(ctx, inputs, asked, again)
	var f *failure
	if asked && !c.base64.Load() && errors.As(err, &f) && f.kind == refused && f.status != 0 {
		if v, u, e := c.sendAs(ctx, inputs, false, true); e == nil {
			c.noBase64.Store(true)
			return v, u, nil
		}
	}
	return vectors, unusable, err
}

// sendAs sends one request, in which base64 is asked for or not, when there is
// room for it.
func (c *caller) sendAs(ctx context.Context, inputs []string, base64, again bool) ([][]float32, map[int]error, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	tokens := roughTokens(inputs)
	if err := c.pace.take(ctx, tokens, c.retry.elapsed); err != nil {
		return nil, nil, err
	}
	x, err := c.exchange(ctx, inputs, base64, again)
	var after time.Duration
	var f *failure
	if errors.As(err, &f) {
		after = f.after
	}
	c.pace.give(tokens, x.status, x.header, after)
	if err != nil {
		return nil, nil, err
	}
	if base64 {
		c.base64.Store(true)
	}
	return c.check(&x.answer, len(inputs))
}

// exchange sends one request now, again if one has failed, and returns what came of it. The error is a
// *failure or the context's.
func (c *caller) exchange(ctx context.Context, inputs []string, base64, again bool) (_ *exchange, err error) {
	x := newExchange(c.http, len(inputs), int(c.dim.Load()))
	if c.config.Observe != nil {
		defer c.observe(ctx, x, inputs, again, time.Now(), &err)
	}
	client := c.client
	client.HTTPClient = x
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	_, err = openai.NewClientWithConfig(client).CreateEmbeddings(limited, c.request(inputs, base64))
	switch {
	case err == nil:
		return x, nil
	case ctx.Err() != nil:
		return x, context.Cause(ctx)
	}
	return x, c.classify(err, x.header, inputs)
}

// observe tells of a request that has ended.
func (c *caller) observe(ctx context.Context, x *exchange, inputs []string, again bool, began time.Time, err *error) {
	call := contract.EmbedCall{Took: time.Since(began), Texts: len(inputs), Outcome: "ok", Retry: again}
	var f *failure
	switch {
	case *err == nil:
		call.Tokens = x.answer.tokens(roughTokens(inputs))
	case ctx.Err() != nil:
		call.Outcome = "cancelled"
	case errors.As(*err, &f) && f.unavailable():
		call.Outcome = "unavailable"
	case f != nil && f.limited():
		call.Outcome = "limited"
	default:
		call.Outcome = "refused"
	}
	c.config.Observe(call)
}

// roughTokens guesses the number of tokens in some texts. Nothing but the pace
// depends on it.
func roughTokens(texts []string) int {
	n := 0
	for _, t := range texts {
		n += len(t)/4 + 1
	}
	return n
}

// request is what is sent.
func (c *caller) request(inputs []string, base64 bool) openai.EmbeddingRequest {
	r := openai.EmbeddingRequest{
		Input:     inputs,
		Model:     openai.EmbeddingModel(c.config.Model),
		ExtraBody: maps.Clone(c.provider.Extra),
	}
	if base64 {
		r.EncodingFormat = openai.EmbeddingEncodingFormatBase64
	}
	if r.ExtraBody == nil {
		r.ExtraBody = map[string]any{}
	}
	if n := c.config.Dimensions; n != 0 && c.provider.Dimensions != "" {
		r.ExtraBody[c.provider.Dimensions] = n
	}
	if t := c.provider.InputTypes[c.role]; t != "" {
		r.ExtraBody["input_type"] = t
	}
	return r
}
