package workshop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

// ChatConfig says which chat model to ask. Provider, URL and Key are as in
// embed.Config: a server that embeds mostly chats too.
type ChatConfig struct {
	Provider string
	URL      string
	Model    string // required; with Azure the deployment
	Key      contract.Secret
	// Timeout bounds one answer; 0 stands for two minutes.
	Timeout time.Duration
}

// Chat asks a chat model. It may be used by many goroutines.
type Chat struct {
	client *openai.Client
	model  string
}

const (
	chatTime = 2 * time.Minute
	// maxChat bounds an answer in bytes.
	maxChat = 1 << 20
)

// NewChat checks c and returns a Chat; it sends nothing yet.
func NewChat(c ChatConfig) (*Chat, error) {
	p, ok := embed.Preset(c.Provider)
	if !ok {
		return nil, fmt.Errorf("workshop: chat: %w: provider %q is none of %s", contract.ErrInvalid, c.Provider, strings.Join(embed.Presets(), ", "))
	}
	config, err := p.Client(c.URL, c.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("workshop: chat: %w: %w", contract.ErrInvalid, err)
	}
	if c.Model == "" {
		return nil, fmt.Errorf("workshop: chat: %w: no model is named", contract.ErrInvalid)
	}
	if c.Timeout <= 0 {
		c.Timeout = chatTime
	}
	config.HTTPClient = &chatClient{http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}}
	return &Chat{openai.NewClientWithConfig(config), c.Model}, nil
}

// Complete returns the model's answer to a message, under instructions. Errors
// wrap contract.ErrProvider, or are the context's.
func (c *Chat) Complete(ctx context.Context, instructions, message string) (string, error) {
	res, err := c.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model: c.model,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: instructions},
			{Role: openai.ChatMessageRoleUser, Content: message},
		},
	})
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("workshop: %w: chat: %s", contract.ErrProvider, chatReason(err))
	}
	if len(res.Choices) == 0 || strings.TrimSpace(res.Choices[0].Message.Content) == "" {
		return "", fmt.Errorf("workshop: %w: chat: the answer is empty", contract.ErrProvider)
	}
	return res.Choices[0].Message.Content, nil
}

var (
	errRedirect = errors.New("the server redirects to another address")
	errPage     = errors.New("the server answers with a web page")
)

// chatReason says what went wrong, without the provider's own words, which may
// quote the message or the key.
func chatReason(err error) string {
	var (
		api     *openai.APIError
		request *openai.RequestError
		sent    *url.Error
		long    *http.MaxBytesError
		slow    net.Error
	)
	status := 0
	switch {
	case errors.As(err, &api):
		status = api.HTTPStatusCode
	case errors.As(err, &request):
		status = request.HTTPStatusCode
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Sprintf("HTTP %d: the provider does not accept the key: check VECTORLINK_EMBED_KEY", status)
	case status == http.StatusNotFound:
		return "HTTP 404: check the provider's address (VECTORLINK_EMBED_URL) and the model's name"
	case status != 0:
		return fmt.Sprintf("HTTP %d", status)
	case errors.Is(err, errRedirect):
		return errRedirect.Error()
	case errors.Is(err, errPage):
		return errPage.Error()
	case errors.As(err, &long):
		return "the answer is too large"
	case errors.As(err, &slow) && slow.Timeout():
		return "the provider does not answer in time"
	case errors.As(err, &sent):
		return "the provider cannot be reached: check its address (VECTORLINK_EMBED_URL)"
	}
	return "the answer cannot be read: check the provider's address (VECTORLINK_EMBED_URL)"
}

// chatClient sends requests, follows no redirect and bounds answers.
type chatClient struct{ client http.Client }

// Do implements openai.HTTPDoer.
func (c *chatClient) Do(r *http.Request) (*http.Response, error) {
	res, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		res.Body.Close()
		return nil, errPage
	}
	res.Body = http.MaxBytesReader(nil, res.Body, maxChat)
	return res, nil
}
