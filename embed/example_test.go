package embed_test

import (
	"context"
	"fmt"
	"log"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

func ExampleLocal() {
	model, err := embed.Local(0)
	if err != nil {
		log.Fatal(err)
	}
	v, err := model.Embed(context.Background(), contract.EmbedRequest{Role: contract.RoleDocument, Texts: []string{
		"How do I get my money back?", "Refunds are paid within ten days.", "The dam generates electricity.",
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d dimensions, cosines %.2f and %.2f\n", len(v[0]), dot(v[0], v[1]), dot(v[0], v[2]))
	// Output: 384 dimensions, cosines 0.48 and -0.01
}

func ExampleOpenAI() {
	provider, err := embed.OpenAI(embed.Config{
		URL:   "http://localhost:11434", // Ollama's
		Model: "nomic-embed-text-v2-moe",
		Key:   contract.NewSecret("never shown"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer provider.Close()
	fmt.Println(provider.Fingerprint())
	// Output: openai/nomic-embed-text-v2-moe/768/w480/nomic
}
