package embed

import (
	"net/url"

	"github.com/sashabaranov/go-openai"
)

// Client returns how go-openai reaches the provider at an address, its own
// where that is empty.
func (p Provider) Client(address, key string) (openai.ClientConfig, error) {
	if address == "" {
		address = p.URL
	}
	base, err := baseURL(address, p.Azure)
	if err != nil {
		return openai.ClientConfig{}, err
	}
	return p.client(base, key), nil
}

func (p Provider) client(base, key string) openai.ClientConfig {
	if !p.Azure {
		c := openai.DefaultConfig(key)
		c.BaseURL = base
		return c
	}
	c := openai.DefaultAzureConfig(key, base)
	c.APIVersion = azureVersion
	c.AzureModelMapperFunc = url.PathEscape
	return c
}
