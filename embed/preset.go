package embed

import (
	"maps"
	"slices"
	"time"

	"github.com/vectorlink/vectorlink/contract"
)

// A Provider is what is known of a kind of server before it is asked: where it
// is, what it takes and how it wants to be asked. A Config that names one need
// say only what differs.
type Provider struct {
	// Name is what settings and fingerprints call it.
	Name string
	// URL is its address; empty if that is not known.
	URL string
	// Model is the model to ask for; empty if the configuration must name it.
	Model string
	// Key reports whether it refuses requests without a key. At another address
	// than URL that may be different.
	Key bool
	// Azure reports whether it speaks the dialect of Azure OpenAI, where the model
	// is part of the path and the key has a header of its own.
	Azure bool

	// Batch is the number of texts of one request, MostTexts and MostTokens
	// what it takes at most.
	Batch, MostTexts, MostTokens int
	// Timeout bounds one request. A server that runs beside us may have to
	// load its model first.
	Timeout time.Duration

	// Dimensions is the member of a request that asks for vectors of another
	// length; empty if that cannot be asked.
	Dimensions string
	// Base64 reports whether it can return vectors in base64, which take a
	// third of the bytes.
	Base64 bool
	// InputTypes are the values of the member input_type, by role.
	InputTypes map[contract.Role]string
	// Extra are further members of every request.
	Extra map[string]any
}

// Names of presets that callers treat in a way of their own.
const (
	ProviderOpenAI     = "openai"
	ProviderCompatible = "openai_compatible"
)

// Limits of OpenAI: 2048 texts and 300,000 tokens a request, counted by the
// provider, which leaves some room here.
const (
	openaiTexts  = 2048
	openaiTokens = 250_000
)

// beside is a server that runs beside us: it takes whatever it has the memory
// for, so requests are small.
func beside(p Provider) Provider {
	p.Batch, p.MostTexts, p.MostTokens = 32, openaiTexts, 32_000
	p.Timeout = 3 * time.Minute
	return p
}

var presets = map[string]Provider{
	ProviderOpenAI: {
		URL: "https://api.openai.com", Model: "text-embedding-3-small", Key: true,
		Batch: 256, MostTexts: openaiTexts, MostTokens: openaiTokens, Timeout: time.Minute,
		Dimensions: "dimensions", Base64: true,
	},
	// Any other server with the same interface, of which nothing is known. Many
	// stand before OpenAI and know its models.
	ProviderCompatible: {
		Model: "text-embedding-3-small",
		Batch: 32, MostTexts: openaiTexts, MostTokens: openaiTokens, Timeout: time.Minute,
		Dimensions: "dimensions",
	},
	"azure": {
		Key: true, Azure: true,
		Batch: 256, MostTexts: openaiTexts, MostTokens: openaiTokens, Timeout: time.Minute,
		Dimensions: "dimensions", Base64: true,
	},
	// Voyage and servers like it refuse the member dimensions, and cut long
	// texts silently unless a request forbids it.
	"voyage": {
		URL: "https://api.voyageai.com", Key: true,
		Batch: 128, MostTexts: 1000, MostTokens: 100_000, Timeout: time.Minute,
		Dimensions: "output_dimension", Base64: true,
		InputTypes: map[contract.Role]string{contract.RoleDocument: "document", contract.RoleQuery: "query"},
		Extra:      map[string]any{"truncation": false},
	},
	// vLLM answers 400 to dimensions unless the model declares that it can.
	"vllm": beside(Provider{URL: "http://localhost:8000", Dimensions: "dimensions", Base64: true}),
	// TEI takes 32 texts a request unless it is started with a larger number.
	"tei": beside(Provider{URL: "http://localhost:3000", Dimensions: "dimensions", Base64: true}),
	// Ollama has no base64, and dimensions only in recent versions: what it
	// answers is checked.
	"ollama": beside(Provider{URL: "http://localhost:11434", Dimensions: "dimensions"}),
	// LM Studio ignores dimensions.
	"lmstudio": beside(Provider{URL: "http://localhost:1234"}),
}

// Preset returns the provider of that name, one of Presets.
func Preset(name string) (Provider, bool) {
	p, ok := presets[name]
	p.Name = name
	return p, ok
}

// Presets returns the names that Preset knows, in alphabetical order.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }
